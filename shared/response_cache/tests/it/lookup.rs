//! The fast path, and what holds when many threads use the cache at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response};
use response_cache::{Audience, Key, Lookup, Options, Rule};

use crate::origin::{Origin, Story, answer, public};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

fn key(story: &Story, uri: &str) -> Key {
    Key::new(&uri.parse().unwrap(), &story.rule, &story.caller).unwrap()
}

#[tokio::test]
async fn the_verbatim_head_says_what_the_response_says() {
    let story = Story::new(public());
    let origin = Origin::new(|_, _| {
        let fields = [
            FRESH,
            ("etag", "\"v1\""),
            ("x-two", "1"),
            ("x-two", "2"),
            ("vary", "a"),
        ];
        answer(200, &fields, "body")
    });
    story.get(&origin, "/a").await;
    story.pass(7);
    let headers = HeaderMap::new();
    let now = story.cache.now();
    let found = story
        .cache
        .lookup(&key(&story, "/a"), &headers, &Method::GET, now);
    let Lookup::Fresh(hit) = found else {
        panic!("{found:?}");
    };
    assert!(hit.is_verbatim(&headers));
    assert_eq!((hit.age(), hit.ttl()), (7, 53));
    let mut head = BytesMut::from(&hit.stored().header_block()[..]);
    hit.put_fields(&mut head);
    let text = String::from_utf8(head.to_vec()).unwrap();
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.split_terminator("\r\n") {
        let (name, value) = line.split_once(": ").unwrap();
        lines.entry(name).or_default().push(value);
    }
    let response = hit.respond(&Method::GET, &headers);
    assert_eq!(response.status(), hit.stored().status());
    assert_eq!(lines.len(), response.headers().keys_len());
    for (name, values) in lines {
        let same: Vec<_> = response.headers().get_all(name).iter().collect();
        assert_eq!(values, same, "{name}");
    }
    assert_eq!(hit.stored().body(), "body");
}

#[tokio::test]
async fn what_needs_more_than_a_look_is_left_to_serve() {
    let story = Story::new(public());
    let origin = Origin::new(|_, _| answer(200, &[FRESH, ("vary", "accept")], "body"));
    story.get(&origin, "/a").await;
    let look = |path, method, field: Option<(&'static str, &str)>| {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = field {
            headers.insert(name, value.parse().unwrap());
        }
        let now = story.cache.now();
        let key = key(&story, path);
        match story.cache.lookup(&key, &headers, &method, now) {
            Lookup::Fresh(hit) if hit.is_verbatim(&headers) => "whole",
            Lookup::Fresh(_) => "fresh",
            Lookup::Stale(_) => "stale",
            Lookup::Miss {
                other_variants: true,
            } => "other variants",
            Lookup::Miss {
                other_variants: false,
            } => "miss",
        }
    };
    assert_eq!(look("/a", Method::GET, None), "whole");
    assert_eq!(look("/a", Method::HEAD, None), "whole");
    assert_eq!(look("/a", Method::POST, None), "miss");
    assert_eq!(look("/b", Method::GET, None), "miss");
    assert_eq!(
        look("/a", Method::GET, Some(("accept", "x"))),
        "other variants"
    );
    assert_eq!(
        look("/a", Method::GET, Some(("range", "bytes=0-1"))),
        "fresh"
    );
    assert_eq!(
        look("/a", Method::GET, Some(("if-none-match", "\"x\""))),
        "fresh"
    );
    assert_eq!(look("/a", Method::GET, Some(("if-match", "\"x\""))), "miss");
    assert_eq!(
        look("/a", Method::GET, Some(("content-length", "5"))),
        "miss"
    );
    assert_eq!(
        look("/a", Method::GET, Some(("cache-control", "no-cache"))),
        "stale"
    );
    story.pass(60);
    assert_eq!(look("/a", Method::GET, None), "stale");
}

/// Each resource has a version, which a POST increments.
fn versioned(count: usize) -> (Arc<Origin>, Arc<Vec<AtomicU64>>) {
    let versions: Arc<Vec<AtomicU64>> = Arc::new((0..count).map(|_| AtomicU64::new(0)).collect());
    let state = Arc::clone(&versions);
    let origin = Origin::new(move |_, asked| {
        let number: usize = asked.uri.path().trim_start_matches('/').parse().unwrap();
        let version = if asked.method == "POST" {
            state[number].fetch_add(1, Ordering::SeqCst) + 1
        } else {
            state[number].load(Ordering::SeqCst)
        };
        answer(200, &[FRESH], version.to_string())
    });
    (origin, versions)
}

fn number_in(response: &Response<Bytes>) -> u64 {
    let body = std::str::from_utf8(response.body()).unwrap();
    body.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_saw_a_change_done_never_reads_what_was_before_it() {
    let options = Options {
        capacity_bytes: 64 << 10,
        max_object_bytes: 1 << 10,
        ..Options::default()
    };
    let story = Arc::new(Story::with(public(), options));
    let (origin, versions) = versioned(8);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8_usize {
        let (story, origin) = (Arc::clone(&story), Arc::clone(&origin));
        tasks.spawn(async move {
            for round in 0..400_usize {
                let number = (task * 7 + round * 3) % 8;
                let path = format!("/{number}");
                if round % 5 == 0 {
                    let changed = story.send(&origin, "POST", &path, &[]).await;
                    let read = story.get(&origin, &path).await;
                    assert!(number_in(&read) >= number_in(&changed));
                } else {
                    story.get(&origin, &path).await;
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    for (number, version) in versions.iter().enumerate() {
        let read = story.get(&origin, &format!("/{number}")).await;
        assert_eq!(number_in(&read), version.load(Ordering::SeqCst));
    }
    assert!(story.cache.metrics().hits > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_of_all_threads_get_their_own_in_a_cache_that_is_too_small() {
    let rule = Arc::new(Rule {
        enabled: true,
        audience: Audience::Caller,
        overrides_origin: true,
        freshness: Some(Duration::from_secs(60)),
        ..Rule::default()
    });
    let options = Options {
        capacity_bytes: 32 << 10,
        max_object_bytes: 1 << 10,
        ..Options::default()
    };
    let shared = Story::with(public(), options);
    let origin = Origin::new(|_, asked| {
        let who = asked.headers["authorization"].to_str().unwrap().to_owned();
        answer(200, &[("cache-control", "private")], who)
    });
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..64 {
        let story = Story {
            cache: shared.cache.clone(),
            clock: shared.clock.clone(),
            rule: Arc::clone(&rule),
            caller: format!("caller-{caller}"),
        };
        let origin = Arc::clone(&origin);
        tasks.spawn(async move {
            let own = format!("canary-{caller}");
            for round in 0..100 {
                let path = format!("/{}", round % 3);
                let fields = [("authorization", own.as_str())];
                let got = story.send(&origin, "GET", &path, &fields).await;
                assert_eq!(got.body(), own.as_bytes());
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let metrics = shared.cache.metrics();
    assert!(metrics.hits > 0 && metrics.evictions > 0, "{metrics:?}");
    assert!(metrics.bytes <= 32 << 10);
}
