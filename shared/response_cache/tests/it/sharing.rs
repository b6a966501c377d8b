//! For whom an answer is, and for whom it is not.

use std::sync::Arc;
use std::time::Duration;

use response_cache::{Audience, Key, Rule};

use crate::origin::{Origin, Story, answer, field, handling, public};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// An origin whose every answer bears the credentials that it was asked with.
fn personal(fields: &'static [(&'static str, &'static str)]) -> Arc<Origin> {
    Origin::new(move |_, asked| {
        let who = asked.headers.get("authorization");
        let canary = who.map_or("nobody", |who| who.to_str().unwrap());
        answer(200, fields, format!("canary of {canary}"))
    })
}

#[tokio::test]
async fn nobody_ever_gets_the_answer_of_another() {
    let rule = Rule {
        audience: Audience::Caller,
        overrides_origin: true,
        freshness: Some(Duration::from_secs(60)),
        stale_if_error: Duration::from_secs(600),
        stale_while_revalidate: Duration::from_secs(600),
        ..Rule::default()
    };
    let mut story = Story::new(rule);
    let origin = personal(&[("etag", "\"same\""), ("vary", "accept")]);
    for round in 0..4 {
        for caller in 0..50 {
            story.caller = format!("caller-{caller}");
            for path in ["/me", "/me?x=1", "/me/"] {
                let canary = format!("canary of {caller}");
                let credentials = caller.to_string();
                let fields = [("authorization", credentials.as_str())];
                let got = story.send(&origin, "GET", path, &fields).await;
                assert_eq!(got.body(), canary.as_bytes());
                let hit = handling(&got).starts_with("interline; hit");
                assert_eq!(hit, round > 0, "round {round}: {}", handling(&got));
            }
        }
        story.pass(50);
    }
}

#[tokio::test]
async fn without_a_caller_nothing_personal_is_cached() {
    let story = Story::new(Rule::default());
    let origin = personal(&[FRESH]);
    assert!(Key::new(&"/a".parse().unwrap(), &story.rule, "").is_none());
    for _ in 0..2 {
        let got = story.get(&origin, "/a").await;
        assert_eq!(handling(&got), "interline; fwd=bypass");
    }
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn what_was_asked_with_credentials_is_shared_only_where_the_origin_or_the_rule_says_so() {
    let asked_twice = async |audience, fields| {
        let rule = Rule {
            audience,
            ..Rule::default()
        };
        let story = Story::new(rule);
        let origin = personal(fields);
        story
            .send(&origin, "GET", "/a", &[("authorization", "x")])
            .await;
        story.get(&origin, "/a").await;
        origin.calls()
    };
    assert_eq!(asked_twice(Audience::Public, &[FRESH]).await, 2);
    assert_eq!(asked_twice(Audience::Everyone, &[FRESH]).await, 1);
    let public = &[("cache-control", "max-age=60, public")];
    assert_eq!(asked_twice(Audience::Public, public).await, 1);
    let private = &[("cache-control", "max-age=60, private")];
    assert_eq!(asked_twice(Audience::Everyone, private).await, 2);
    let cookie = &[FRESH, ("set-cookie", "session=1")];
    assert_eq!(asked_twice(Audience::Everyone, cookie).await, 2);
}

#[tokio::test]
async fn each_variant_is_kept_and_a_field_that_is_not_allowed_keeps_nothing() {
    let origin = Origin::new(|_, asked| {
        let accepts = asked.headers["accept"].to_str().unwrap();
        answer(200, &[FRESH, ("vary", "accept")], accepts.to_owned())
    });
    let story = Story::new(public());
    for _ in 0..3 {
        for accepts in ["a", "b", "c"] {
            let got = story
                .send(&origin, "GET", "/a", &[("accept", accepts)])
                .await;
            assert_eq!(got.body(), accepts);
        }
    }
    assert_eq!(origin.calls(), 3);
    let second = story.send(&origin, "GET", "/a", &[("accept", "d")]).await;
    assert_eq!(handling(&second), "interline; fwd=vary-miss; stored");

    let story = Story::new(Rule {
        vary: Some(vec![http::header::ACCEPT_LANGUAGE]),
        ..public()
    });
    for _ in 0..2 {
        let got = story.send(&origin, "GET", "/a", &[("accept", "a")]).await;
        assert_eq!(handling(&got), "interline; fwd=uri-miss");
    }
}

#[tokio::test]
async fn what_only_the_cache_reads_reaches_no_client() {
    let story = Story::new(Rule {
        tags_from_response: true,
        ..public()
    });
    let origin = Origin::new(|_, asked| {
        let stores = asked.uri.path() == "/stored";
        let own = if stores { "max-age=60" } else { "no-store" };
        let fields = [
            ("interline-cdn-cache-control", own),
            ("cache-tag", "secret-tag"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("x-end", "1"),
        ];
        answer(200, &fields, "")
    });
    for path in ["/stored", "/stored", "/other"] {
        let got = story.get(&origin, path).await;
        for hidden in [
            "interline-cdn-cache-control",
            "cache-tag",
            "connection",
            "x-hop",
        ] {
            assert_eq!(field(&got, hidden), "", "{path} {hidden}");
        }
        assert_eq!(field(&got, "x-end"), "1");
    }
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn a_rule_that_is_off_and_a_request_that_forbids_it_store_nothing() {
    let mut story = Story::new(public());
    let origin = personal(&[FRESH]);
    for _ in 0..2 {
        let fields = [("cache-control", "no-store")];
        let got = story.send(&origin, "GET", "/a", &fields).await;
        assert_eq!(handling(&got), "interline; fwd=request");
    }
    story.rule = Arc::new(public());
    for _ in 0..2 {
        assert_eq!(
            handling(&story.get(&origin, "/a").await),
            "interline; fwd=bypass"
        );
    }
    assert_eq!((origin.calls(), story.cache.metrics().stores), (4, 0));
}

#[tokio::test]
async fn what_came_with_content_is_neither_stored_nor_answered_from_memory() {
    let story = Story::new(public());
    let origin = personal(&[FRESH]);
    for fields in [
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
    ] {
        story.send(&origin, "GET", "/a", &[fields]).await;
        assert_eq!(story.cache.metrics().stores, 0);
    }
    story.get(&origin, "/a").await;
    assert_eq!(origin.calls(), 4);
    let got = story
        .send(&origin, "GET", "/a", &[("content-length", "5")])
        .await;
    assert_eq!(handling(&got), "interline; fwd=bypass");
    let got = story
        .send(&origin, "GET", "/a", &[("content-length", "0")])
        .await;
    assert_eq!(handling(&got), "interline; hit; ttl=60");
}
