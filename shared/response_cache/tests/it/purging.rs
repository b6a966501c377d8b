//! Taking answers out before their time.

use std::sync::Arc;

use response_cache::{Purge, Rule, Scope};
use tokio::task::yield_now;

use crate::origin::{Origin, Story, answer, handling, public};

fn purge(scope: Scope, soft: bool) -> Purge {
    Purge { scope, soft }
}

fn uri(uri: &str) -> Scope {
    Scope::uri(&uri.parse().unwrap(), &[])
}

/// Answers with its number, may be stale, and is tagged with the first segment of the path.
fn origin() -> Arc<Origin> {
    Origin::new(|number, asked| {
        let tag = asked.uri.path().split('/').nth(1).unwrap().to_owned();
        let fields = [
            ("cache-control", "max-age=60, stale-if-error=60"),
            ("vary", "accept"),
            ("cache-tag", &format!("{tag}, all")),
        ];
        answer(200, &fields, number.to_string())
    })
}

fn story() -> Story {
    Story::new(Rule {
        tags_from_response: true,
        tags: vec!["route"],
        ..public()
    })
}

/// Which of the paths are still answered from memory.
async fn left(story: &Story, paths: &[&'static str]) -> Vec<&'static str> {
    let mut left = Vec::new();
    for path in paths {
        let none = Origin::new(|_, _| Err("not now".into()));
        let got = story.try_send(&none, "GET", path, &[]).await;
        if got.is_ok_and(|got| handling(&got).starts_with("interline; hit")) {
            left.push(*path);
        }
    }
    left
}

#[tokio::test]
async fn a_purge_takes_out_what_it_names_and_nothing_else() {
    let paths = ["/a/1", "/a/1?x=1", "/a/10", "/b/1"];
    for (scope, count, remaining) in [
        (uri("/a/1"), 1, &["/a/1?x=1", "/a/10", "/b/1"][..]),
        (uri("/a/1?x=1"), 1, &["/a/1", "/a/10", "/b/1"]),
        (Scope::Prefix("/a/".into()), 3, &["/b/1"]),
        (Scope::Tag("b".into()), 1, &["/a/1", "/a/1?x=1", "/a/10"]),
        (Scope::Tag("all".into()), 4, &[]),
        (Scope::Tag("route".into()), 4, &[]),
        (Scope::Tag("none".into()), 0, &paths),
        (Scope::Everything, 4, &[]),
    ] {
        let (story, origin) = (story(), origin());
        for path in paths {
            story.get(&origin, path).await;
        }
        assert_eq!(
            story
                .cache
                .purge(&purge(scope.clone(), false))
                .await
                .unwrap(),
            count,
            "{scope:?}"
        );
        assert_eq!(left(&story, &paths).await, remaining, "{scope:?}");
    }
}

#[tokio::test]
async fn a_purge_of_a_uri_takes_out_all_variants() {
    let (story, origin) = (story(), origin());
    for accepts in ["a", "b", "c"] {
        story
            .send(&origin, "GET", "/a/1", &[("accept", accepts)])
            .await;
    }
    assert_eq!(
        story.cache.purge(&purge(uri("/a/1"), false)).await.unwrap(),
        3
    );
    assert_eq!(story.cache.metrics().entries, 0);
}

#[tokio::test]
async fn after_a_soft_purge_the_stale_answer_still_covers_a_dead_origin() {
    let (story, origin) = (story(), origin());
    story.get(&origin, "/a/1").await;
    assert_eq!(
        story.cache.purge(&purge(uri("/a/1"), true)).await.unwrap(),
        1
    );
    let dead = Origin::new(|_, _| Err("connection refused".into()));
    let covered = story.send(&dead, "GET", "/a/1", &[]).await;
    assert_eq!(
        (covered.body().as_ref(), handling(&covered)),
        (&b"1"[..], "interline; fwd=stale")
    );
    assert_eq!(story.get(&origin, "/a/1").await.body(), "2");
    assert_eq!(
        handling(&story.get(&origin, "/a/1").await),
        "interline; hit; ttl=60"
    );

    story.cache.purge(&purge(uri("/a/1"), true)).await.unwrap();
    story.pass(61);
    assert!(story.try_send(&dead, "GET", "/a/1", &[]).await.is_err());
}

#[tokio::test]
async fn an_answer_that_was_under_way_when_it_was_purged_is_not_kept() {
    for (scope, soft) in [
        (uri("/a/1"), false),
        (Scope::Tag("a".into()), false),
        (Scope::Prefix("/a".into()), true),
    ] {
        let story = Arc::new(story());
        let held = Origin::held(|_, _| {
            answer(
                200,
                &[("cache-control", "max-age=60"), ("cache-tag", "a")],
                "old",
            )
        });
        let asking = {
            let (story, held) = (Arc::clone(&story), Arc::clone(&held));
            tokio::spawn(async move { story.get(&held, "/a/1").await })
        };
        while held.calls() < 1 {
            yield_now().await;
        }
        story
            .cache
            .purge(&purge(scope.clone(), soft))
            .await
            .unwrap();
        held.release();
        assert_eq!(asking.await.unwrap().body(), "old");
        assert_eq!(left(&story, &["/a/1"]).await, [""; 0], "{scope:?}");
    }
}

#[tokio::test]
async fn a_change_that_succeeded_takes_out_what_it_names() {
    let paths = ["/orders/1", "/orders/2", "/orders/3", "/other"];
    for (method, status, remaining) in [
        ("POST", 201, &["/other"][..]),
        ("DELETE", 204, &["/other"]),
        ("M-SEARCH", 302, &["/other"]),
        ("PUT", 500, &paths),
        ("PATCH", 404, &paths),
        ("OPTIONS", 200, &paths),
    ] {
        let (story, origin) = (story(), origin());
        for path in paths {
            story.get(&origin, path).await;
        }
        let changing = Origin::new(move |_, _| {
            let fields = [
                ("location", "http://api.example/orders/2"),
                ("content-location", "/orders/3"),
            ];
            answer(status, &fields, "")
        });
        let host = [("host", "api.example")];
        let got = story.send(&changing, method, "/orders/1", &host).await;
        assert_eq!(handling(&got), "interline; fwd=method");
        assert_eq!(left(&story, &paths).await, remaining, "{method} {status}");
    }
}

#[tokio::test]
async fn who_asks_after_a_change_does_not_get_what_was_asked_for_before_it() {
    for tag in [false, true] {
        let story = Arc::new(story());
        let held = Origin::held(|_, _| {
            answer(
                200,
                &[("cache-control", "max-age=60"), ("cache-tag", "x")],
                "old",
            )
        });
        let asking = {
            let (story, held) = (Arc::clone(&story), Arc::clone(&held));
            tokio::spawn(async move { story.get(&held, "/a/1").await })
        };
        while held.calls() < 1 {
            yield_now().await;
        }
        if tag {
            let scope = Scope::Tag("x".into());
            story.cache.purge(&purge(scope, true)).await.unwrap();
        } else {
            let changing = Origin::new(|_, _| answer(200, &[], ""));
            story.send(&changing, "POST", "/a/1", &[]).await;
        }
        let new = Origin::new(|_, _| answer(200, &[("cache-control", "max-age=60")], "new"));
        assert_eq!(story.get(&new, "/a/1").await.body(), "new");
        held.release();
        assert_eq!(asking.await.unwrap().body(), "old");
        assert_eq!(story.get(&new, "/a/1").await.body(), "new");
    }
}
