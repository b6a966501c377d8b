//! Asking whether what is stored is still right, and being asked so.

use crate::origin::{Origin, Story, answer, field, handling, public};
use response_cache::{Purge, Rule, Scope};

const ETAG: (&str, &str) = ("etag", "\"v1\"");

#[tokio::test]
async fn a_304_makes_the_stored_answer_fresh_again_and_updates_its_fields() {
    let story = Story::new(Rule {
        tags_from_response: true,
        ..public()
    });
    let origin = Origin::new(|number, asked| match number {
        1 => {
            let fields = [
                ("interline-cdn-cache-control", "max-age=10"),
                ("cache-tag", "t"),
                ETAG,
                ("x-new", "1"),
                ("x-old", "1"),
            ];
            answer(200, &fields, "body")
        }
        _ => {
            assert_eq!(asked.headers["if-none-match"], "\"v1\"");
            answer(304, &[ETAG, ("x-new", "2"), ("content-length", "0")], "")
        }
    });
    story.get(&origin, "/a").await;
    story.pass(15);
    let got = story.get(&origin, "/a").await;
    assert_eq!(handling(&got), "interline; fwd=stale; fwd-status=304");
    assert_eq!(
        (got.status().as_u16(), got.body().as_ref()),
        (200, &b"body"[..])
    );
    assert_eq!((field(&got, "x-new"), field(&got, "x-old")), ("2", "1"));
    assert_eq!(
        (field(&got, "age"), field(&got, "content-length")),
        ("0", "4")
    );
    story.pass(5);
    let got = story.get(&origin, "/a").await;
    assert_eq!(
        (handling(&got), field(&got, "x-new")),
        ("interline; hit; ttl=5", "2")
    );
    let tag = Scope::Tag("t".into());
    assert_eq!(
        story
            .cache
            .purge(&Purge {
                scope: tag,
                soft: false
            })
            .await
            .unwrap(),
        1
    );
    assert_eq!(story.cache.metrics().revalidations, 1);
}

#[tokio::test]
async fn a_304_for_another_version_is_not_believed() {
    let story = Story::new(public());
    let origin = Origin::new(|number, asked| match number {
        1 => answer(200, &[ETAG, ("cache-control", "max-age=10")], "one"),
        2 => answer(304, &[("etag", "\"v2\"")], ""),
        _ => {
            assert!(!asked.headers.contains_key("if-none-match"));
            answer(200, &[("etag", "\"v2\"")], "two")
        }
    });
    story.get(&origin, "/a").await;
    story.pass(15);
    assert_eq!(story.get(&origin, "/a").await.body(), "two");
    assert_eq!(origin.calls(), 3);
}

#[tokio::test]
async fn a_304_that_forbids_storing_ends_what_is_stored() {
    let story = Story::new(public());
    let origin = Origin::new(|number, _| match number {
        1 => answer(200, &[ETAG, ("cache-control", "max-age=10")], "one"),
        2 => answer(304, &[ETAG, ("cache-control", "no-store")], ""),
        _ => answer(200, &[("cache-control", "no-store")], "two"),
    });
    story.get(&origin, "/a").await;
    story.pass(15);
    assert_eq!(story.get(&origin, "/a").await.body(), "one");
    assert_eq!(story.get(&origin, "/a").await.body(), "two");
    assert_eq!(story.cache.metrics().entries, 0);
}

#[tokio::test]
async fn a_client_that_has_it_gets_a_304_from_memory_and_after_validation() {
    let story = Story::new(public());
    let origin = Origin::new(|number, _| {
        let fields = [
            ETAG,
            ("cache-control", "max-age=10"),
            ("content-type", "text/plain"),
            ("vary", "accept"),
        ];
        answer(
            if number == 1 { 200 } else { 304 },
            &fields,
            if number == 1 { "body" } else { "" },
        )
    });
    story.get(&origin, "/a").await;
    let has = [("if-none-match", "\"v0\", W/\"v1\"")];
    for expected in [
        "interline; hit; ttl=10",
        "interline; fwd=stale; fwd-status=304",
    ] {
        let got = story.send(&origin, "GET", "/a", &has).await;
        assert_eq!((got.status().as_u16(), got.body().len()), (304, 0));
        assert_eq!(handling(&got), expected);
        for name in ["etag", "cache-control", "date", "vary", "age"] {
            assert_ne!(field(&got, name), "", "{name}");
        }
        assert_eq!(
            (field(&got, "content-type"), field(&got, "content-length")),
            ("", "")
        );
        story.pass(15);
    }
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn a_condition_that_only_the_client_can_use_goes_to_the_origin_as_it_is() {
    let story = Story::new(public());
    let origin = Origin::new(|_, asked| {
        assert_eq!(asked.headers["if-none-match"], "\"mine\"");
        answer(304, &[("etag", "\"mine\"")], "")
    });
    let got = story
        .send(&origin, "GET", "/a", &[("if-none-match", "\"mine\"")])
        .await;
    assert_eq!(
        (got.status().as_u16(), handling(&got)),
        (304, "interline; fwd=uri-miss")
    );
    let guard = [("if-match", "\"mine\""), ("if-none-match", "\"mine\"")];
    let got = story.send(&origin, "GET", "/a", &guard).await;
    assert_eq!(handling(&got), "interline; fwd=bypass");
}

#[tokio::test]
async fn parts_are_cut_from_the_whole() {
    let story = Story::new(public());
    let origin =
        Origin::new(|_, _| answer(200, &[ETAG, ("cache-control", "max-age=60")], "0123456789"));
    story.get(&origin, "/a").await;
    let got = story
        .send(&origin, "GET", "/a", &[("range", "bytes=2-4")])
        .await;
    assert_eq!(
        (got.status().as_u16(), got.body().as_ref()),
        (206, &b"234"[..])
    );
    assert_eq!(field(&got, "content-range"), "bytes 2-4/10");
    assert_eq!(field(&got, "content-length"), "3");
    let got = story
        .send(&origin, "GET", "/a", &[("range", "bytes=10-")])
        .await;
    assert_eq!((got.status().as_u16(), got.body().len()), (416, 0));
    assert_eq!(field(&got, "content-range"), "bytes */10");
    let other = [("range", "bytes=2-4"), ("if-range", "\"v2\"")];
    assert_eq!(story.send(&origin, "GET", "/a", &other).await.status(), 200);
    assert_eq!(origin.calls(), 1);
}

#[tokio::test]
async fn a_part_that_the_origin_sends_is_passed_on_and_never_taken_for_the_whole() {
    let story = Story::new(public());
    let origin = Origin::new(|_, asked| {
        let fresh = ("cache-control", "max-age=60");
        if asked.headers.contains_key("range") {
            answer(206, &[fresh, ("content-range", "bytes 0-1/10")], "01")
        } else {
            answer(200, &[fresh], "0123456789")
        }
    });
    assert_eq!(
        story
            .send(&origin, "GET", "/a", &[("range", "bytes=0-1")])
            .await
            .body(),
        "01"
    );
    assert_eq!(story.get(&origin, "/a").await.body(), "0123456789");
}

#[tokio::test]
async fn a_head_is_answered_from_a_stored_get_and_never_stored_as_one() {
    let story = Story::new(public());
    let origin = Origin::new(|_, asked| {
        let body = if asked.method == "HEAD" { "" } else { "body" };
        answer(
            200,
            &[("cache-control", "max-age=60"), ("content-length", "4")],
            body,
        )
    });
    story.send(&origin, "HEAD", "/a", &[]).await;
    assert_eq!(story.get(&origin, "/a").await.body(), "body");
    let got = story.send(&origin, "HEAD", "/a", &[]).await;
    assert_eq!((got.body().len(), field(&got, "content-length")), (0, "4"));
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn an_answer_without_a_lifetime_is_used_only_when_validated() {
    let story = Story::new(public());
    let origin = Origin::new(|number, _| {
        answer(
            if number == 1 { 200 } else { 304 },
            &[ETAG],
            if number == 1 { "body" } else { "" },
        )
    });
    for call in 1..=3 {
        assert_eq!(story.get(&origin, "/a").await.body(), "body");
        assert_eq!(origin.calls(), call);
    }
}

#[tokio::test]
async fn a_head_shows_whether_what_is_stored_is_still_right() {
    for (tag, is_right) in [("\"v1\"", true), ("\"v2\"", false)] {
        let story = Story::new(public());
        let origin = Origin::new(move |number, _| match number {
            1 => answer(
                200,
                &[ETAG, ("cache-control", "max-age=10"), ("x-new", "1")],
                "body",
            ),
            2 => answer(
                200,
                &[
                    ("etag", tag),
                    ("cache-control", "max-age=10"),
                    ("x-new", "2"),
                ],
                "",
            ),
            _ => answer(200, &[("x-new", "3")], "other"),
        });
        story.get(&origin, "/a").await;
        story.pass(15);
        let got = story.send(&origin, "HEAD", "/a", &[]).await;
        assert_eq!(handling(&got), "interline; fwd=stale");
        let got = story.get(&origin, "/a").await;
        let expected = if is_right {
            ("2", &b"body"[..])
        } else {
            ("3", &b"other"[..])
        };
        assert_eq!((field(&got, "x-new"), got.body().as_ref()), expected);
    }
}
