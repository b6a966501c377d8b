//! When the origin fails, or is slow, and something older is there.

use std::sync::Arc;
use std::time::Duration;

use response_cache::Rule;
use tokio::task::yield_now;

use crate::origin::{Origin, Story, answer, field, handling, public};

/// Answers once, then fails: the connection, or with this status.
fn dying(cc: &'static str, status: Option<u16>) -> Arc<Origin> {
    Origin::new(move |number, _| match (number, status) {
        (1, _) => answer(200, &[("cache-control", cc)], "old"),
        (_, None) => Err("connection refused".into()),
        (_, Some(status)) => answer(status, &[], "broken"),
    })
}

#[tokio::test]
async fn a_dead_origin_is_covered_by_what_is_stored_for_so_long_as_is_allowed() {
    for status in [None, Some(500), Some(502), Some(503), Some(504)] {
        let story = Story::new(public());
        let origin = dying("max-age=10, stale-if-error=60", status);
        story.get(&origin, "/a").await;
        story.pass(30);
        let got = story.get(&origin, "/a").await;
        assert_eq!(
            (got.status().as_u16(), got.body().as_ref()),
            (200, &b"old"[..])
        );
        assert_eq!(field(&got, "age"), "30");
        let expected = match status {
            None => "interline; fwd=stale".to_owned(),
            Some(status) => format!("interline; fwd=stale; fwd-status={status}"),
        };
        assert_eq!(handling(&got), expected);
        story.pass(41);
        let late = story.try_send(&origin, "GET", "/a", &[]).await;
        assert!(late.is_err() || late.unwrap().status().is_server_error());
    }
}

#[tokio::test]
async fn what_must_be_validated_is_never_given_unvalidated() {
    for cc in [
        "max-age=10, must-revalidate",
        "max-age=10, proxy-revalidate",
        "s-maxage=10",
        "max-age=10, no-cache",
    ] {
        let story = Story::new(Rule {
            stale_if_error: Duration::from_secs(600),
            stale_while_revalidate: Duration::from_secs(600),
            ..public()
        });
        let origin = dying(cc, None);
        story.get(&origin, "/a").await;
        story.pass(11);
        for fields in [&[][..], &[("cache-control", "max-stale")]] {
            assert!(
                story.try_send(&origin, "GET", "/a", fields).await.is_err(),
                "{cc}"
            );
        }
    }
}

#[tokio::test]
async fn an_error_that_is_no_failure_of_the_origin_is_passed_on() {
    let story = Story::new(public());
    let origin = dying("max-age=10, stale-if-error=60", Some(404));
    story.get(&origin, "/a").await;
    story.pass(30);
    assert_eq!(story.get(&origin, "/a").await.status(), 404);
}

#[tokio::test]
async fn the_stale_answer_is_given_at_once_and_fetched_anew_once() {
    let story = Story::new(public());
    let origin = Origin::new(|number, _| {
        let fields = [("cache-control", "max-age=10, stale-while-revalidate=60")];
        answer(200, &fields, format!("answer {number}"))
    });
    story.get(&origin, "/a").await;
    story.pass(20);
    for _ in 0..50 {
        let got = story.get(&origin, "/a").await;
        if got.body() == "answer 1" {
            assert_eq!(handling(&got), "interline; hit; ttl=-10");
        }
    }
    while story.cache.metrics().stores < 2 {
        yield_now().await;
    }
    let got = story.get(&origin, "/a").await;
    assert_eq!(
        (got.body().as_ref(), handling(&got)),
        (&b"answer 2"[..], "interline; hit; ttl=10")
    );
    assert_eq!(origin.calls(), 2);
    story.pass(71);
    assert_eq!(
        handling(&story.get(&origin, "/a").await),
        "interline; fwd=stale; stored"
    );
}

#[tokio::test]
async fn a_request_says_how_stale_or_fresh_it_wants_it() {
    let story = Story::new(public());
    let origin = Origin::new(|_, _| answer(200, &[("cache-control", "max-age=100")], ""));
    let calls = async |cc| {
        story
            .send(&origin, "GET", "/a", &[("cache-control", cc)])
            .await;
        origin.calls()
    };
    story.get(&origin, "/a").await;
    story.pass(50);
    assert_eq!(calls("max-age=60").await, 1);
    assert_eq!(calls("min-fresh=40").await, 1);
    assert_eq!(calls("min-fresh=60").await, 2);
    story.pass(50);
    assert_eq!(calls("max-age=40").await, 3);
    assert_eq!(calls("no-cache").await, 4);
    story.pass(150);
    assert_eq!(calls("max-stale=60").await, 4);
    let refused = [("cache-control", "only-if-cached")];
    assert_eq!(
        story.send(&origin, "GET", "/a", &refused).await.status(),
        504
    );
    assert_eq!(calls("max-stale=40").await, 5);
    let got = story.send(&origin, "GET", "/a", &refused).await;
    assert_eq!((got.status().as_u16(), origin.calls()), (200, 5));
}

#[tokio::test]
async fn errors_are_not_stored_unless_the_rule_says_so() {
    let fresh = [("cache-control", "max-age=60")];
    let origin = Origin::new(move |_, _| answer(404, &fresh, "nothing here"));
    let story = Story::new(public());
    story.get(&origin, "/a").await;
    story.get(&origin, "/a").await;
    assert_eq!(origin.calls(), 2);
    let story = Story::new(Rule {
        negative: vec![404..=404],
        ..public()
    });
    story.get(&origin, "/a").await;
    let got = story.get(&origin, "/a").await;
    assert_eq!((got.status().as_u16(), origin.calls()), (404, 3));
}

#[tokio::test]
async fn a_refusal_of_one_request_says_nothing_of_what_is_stored() {
    for (status, remains) in [(429, true), (401, true), (404, false), (200, false)] {
        let story = Story::new(public());
        let origin = Origin::new(move |number, _| match number {
            1 => answer(
                200,
                &[("cache-control", "max-age=10, stale-if-error=60")],
                "old",
            ),
            2 => answer(status, &[("cache-control", "no-store")], ""),
            _ => Err("connection refused".into()),
        });
        story.get(&origin, "/a").await;
        story.pass(15);
        assert_eq!(story.get(&origin, "/a").await.status(), status);
        let covered = story.try_send(&origin, "GET", "/a", &[]).await;
        assert_eq!(covered.is_ok(), remains, "{status}");
    }
}
