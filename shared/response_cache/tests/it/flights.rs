//! Many who want the same at once.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use response_cache::{Body, Options};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet, yield_now};

use crate::origin::{Got, Origin, Piecewise, Story, answer, field, handling, public, streamed};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// Sends so many requests at once and waits until none of them was answered from memory.
async fn crowd(story: &Arc<Story>, origin: &Arc<Origin>, size: u64) -> JoinSet<Got> {
    let before = story.cache.metrics().misses;
    let mut crowd = JoinSet::new();
    for _ in 0..size {
        let (story, origin) = (Arc::clone(story), Arc::clone(origin));
        crowd.spawn(async move { story.try_send(&origin, "GET", "/a", &[]).await });
    }
    while story.cache.metrics().misses < before + size {
        yield_now().await;
    }
    crowd
}

fn piecewise(
    fields: &'static [(&'static str, &'static str)],
) -> (
    Arc<Origin>,
    mpsc::UnboundedSender<Result<Bytes, response_cache::BoxError>>,
) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let body = std::sync::Mutex::new(Some(receiver));
    let origin = Origin::new(move |_, _| {
        let receiver = body.lock().unwrap().take().expect("asked once");
        streamed(200, fields, Body::new(Piecewise(receiver)))
    });
    (origin, sender)
}

fn client(story: &Arc<Story>, origin: &Arc<Origin>) -> JoinHandle<Got> {
    let (story, origin) = (Arc::clone(story), Arc::clone(origin));
    tokio::spawn(async move { story.try_send(&origin, "GET", "/a", &[]).await })
}

#[tokio::test]
async fn fifty_misses_at_once_are_one_call() {
    let story = Arc::new(Story::new(public()));
    let origin = Origin::held(|number, _| answer(200, &[FRESH], format!("answer {number}")));
    let mut crowd = crowd(&story, &origin, 50).await;
    origin.release();
    let mut collapsed = 0;
    while let Some(got) = crowd.join_next().await {
        let got = got.unwrap().unwrap();
        assert_eq!(got.body(), "answer 1");
        match handling(&got) {
            "interline; fwd=uri-miss; stored" => {}
            "interline; fwd=uri-miss; stored; collapsed" => collapsed += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((origin.calls(), collapsed), (1, 49));
    assert_eq!(story.cache.metrics().collapsed, 49);
}

#[tokio::test]
async fn those_who_waited_for_what_cannot_be_shared_go_by_themselves() {
    let story = Arc::new(Story::new(public()));
    let origin = Origin::held(|number, _| {
        answer(
            200,
            &[("cache-control", "private")],
            format!("for {number}"),
        )
    });
    let mut crowd = crowd(&story, &origin, 50).await;
    origin.release();
    let mut bodies = std::collections::HashSet::new();
    while let Some(got) = crowd.join_next().await {
        let got = got.unwrap().unwrap();
        assert_eq!(handling(&got), "interline; fwd=uri-miss");
        assert!(bodies.insert(got.into_body()), "one answer was given twice");
    }
    assert_eq!(origin.calls(), 50);
}

#[tokio::test]
async fn those_who_waited_for_another_variant_go_by_themselves() {
    let story = Arc::new(Story::new(public()));
    let origin = Origin::held(|_, asked| {
        let language = asked.headers["accept-language"].to_str().unwrap();
        answer(
            200,
            &[FRESH, ("vary", "accept-language")],
            language.to_owned(),
        )
    });
    let mut crowd = JoinSet::new();
    for number in 0..20 {
        let (story, origin) = (Arc::clone(&story), Arc::clone(&origin));
        crowd.spawn(async move {
            let language = if number % 2 == 0 { "en" } else { "de" };
            let fields = [("accept-language", language)];
            let got = story.send(&origin, "GET", "/a", &fields).await;
            assert_eq!(got.body(), language);
        });
    }
    while story.cache.metrics().misses < 20 {
        yield_now().await;
    }
    origin.release();
    crowd.join_all().await;
    assert!(origin.calls() <= 11);
}

#[tokio::test]
async fn a_failure_is_shared_too_so_that_a_dead_origin_is_not_stormed() {
    let story = Arc::new(Story::new(public()));
    let origin = Origin::held(|_, _| Err("connection refused".into()));
    let mut crowd = crowd(&story, &origin, 50).await;
    origin.release();
    while let Some(got) = crowd.join_next().await {
        let error = got.unwrap().unwrap_err();
        assert_eq!(error.get_ref().to_string(), "connection refused");
    }
    assert_eq!(origin.calls(), 1);
}

#[tokio::test]
async fn when_the_first_client_goes_away_the_others_get_the_answer() {
    let story = Arc::new(Story::new(public()));
    let origin = Origin::held(|_, _| answer(200, &[FRESH], "answer"));
    let first = client(&story, &origin);
    while origin.calls() < 1 {
        yield_now().await;
    }
    let second = client(&story, &origin);
    while story.cache.metrics().misses < 2 {
        yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    origin.release();
    assert_eq!(second.await.unwrap().unwrap().body(), "answer");
    assert_eq!(origin.calls(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let story = Arc::new(Story::new(public()));
    let (origin, sender) = piecewise(&[FRESH]);
    let request = Request::get("/a").body(()).unwrap();
    let unread = story.ask(&origin, request).await.unwrap();
    let reading = client(&story, &origin);
    for _ in 0..100 {
        sender.send(Ok(Bytes::from(vec![b'x'; 1_000]))).unwrap();
    }
    drop(sender);
    assert_eq!(reading.await.unwrap().unwrap().body().len(), 100_000);
    let hit = story.get(&origin, "/a").await;
    assert_eq!(handling(&hit), "interline; hit; ttl=60");
    assert_eq!(hit.body().len(), 100_000);
    assert_eq!(
        unread.into_body().collect().await.unwrap().to_bytes().len(),
        100_000
    );
}

#[tokio::test]
async fn who_comes_while_the_body_arrives_gets_it_from_the_start() {
    let story = Arc::new(Story::new(public()));
    let (origin, sender) = piecewise(&[FRESH]);
    let request = Request::get("/a").body(()).unwrap();
    let mut first = story.ask(&origin, request).await.unwrap();
    sender.send(Ok("one ".into())).unwrap();
    let frame = first.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "one ");
    let late = client(&story, &origin);
    while story.cache.metrics().misses < 2 {
        yield_now().await;
    }
    sender.send(Ok("two".into())).unwrap();
    drop(sender);
    assert_eq!(late.await.unwrap().unwrap().body(), "one two");
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "two");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_stored_and_does_not_look_whole() {
    let story = Arc::new(Story::new(public()));
    for (fields, error) in [
        (&[FRESH][..], true),
        (&[FRESH, ("content-length", "100")][..], false),
    ] {
        let origin = Origin::new(move |_, _| {
            let (sender, receiver) = mpsc::unbounded_channel();
            sender.send(Ok("half".into())).unwrap();
            if error {
                sender.send(Err("connection reset".into())).unwrap();
            }
            streamed(200, fields, Body::new(Piecewise(receiver)))
        });
        for call in 1..=3 {
            let request = Request::get("/a").body(()).unwrap();
            let broken = story.ask(&origin, request).await.unwrap();
            assert!(broken.into_body().collect().await.is_err());
            assert_eq!(origin.calls(), call);
        }
    }
    assert_eq!(story.cache.metrics().stores, 0);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_passed_on_and_not_stored() {
    let options = Options {
        max_object_bytes: 10_000,
        ..Options::default()
    };
    let story = Arc::new(Story::with(public(), options));
    let (origin, sender) = piecewise(&[FRESH]);
    let reading = client(&story, &origin);
    for _ in 0..1_000 {
        sender.send(Ok(Bytes::from(vec![b'x'; 1_000]))).unwrap();
    }
    drop(sender);
    assert_eq!(reading.await.unwrap().unwrap().body().len(), 1_000_000);

    let declared = Origin::new(|_, _| {
        answer(
            200,
            &[FRESH, ("content-length", "10001")],
            vec![b'x'; 10_001],
        )
    });
    let got = story.get(&declared, "/b").await;
    assert_eq!(
        (got.body().len(), handling(&got)),
        (10_001, "interline; fwd=uri-miss")
    );
    assert_eq!(story.cache.metrics().stores, 0);
}

#[tokio::test]
async fn what_is_large_waits_for_its_only_reader_instead_of_piling_up() {
    let options = Options {
        max_object_bytes: 10_000,
        ..Options::default()
    };
    let story = Story::with(public(), options);
    let (origin, sender) = piecewise(&[FRESH]);
    for _ in 0..100 {
        sender.send(Ok(Bytes::from(vec![b'x'; 1_000]))).unwrap();
    }
    drop(sender);
    let request = Request::get("/a").body(()).unwrap();
    let mut slow = story.ask(&origin, request).await.unwrap();
    let mut read = 0;
    while let Some(frame) = slow.body_mut().frame().await {
        read += frame.unwrap().into_data().unwrap().len();
        for _ in 0..20 {
            yield_now().await;
        }
    }
    assert_eq!(read, 100_000);
}

#[tokio::test]
async fn fields_of_the_first_client_alone_reach_nobody_else() {
    let story = Story::new(public());
    let origin = Origin::new(|_, _| {
        let fields = [
            ("cache-control", "max-age=60, private=\"x-own\""),
            ("x-own", "secret"),
        ];
        answer(200, &fields, "answer")
    });
    assert_eq!(field(&story.get(&origin, "/a").await, "x-own"), "secret");
    let hit = story.get(&origin, "/a").await;
    assert_eq!(
        (field(&hit, "x-own"), hit.body().as_ref()),
        ("", &b"answer"[..])
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_again_for_what_could_not_be_shared_just_now() {
    let story = Arc::new(Story::new(public()));
    let shareable = Origin::new(|_, _| answer(200, &[FRESH], "for all"));
    let private = [("cache-control", "private")];
    let origin = Origin::new(move |_, _| answer(200, &private, ""));
    story.get(&origin, "/a").await;

    let held = Origin::held(move |_, _| answer(200, &private, ""));
    let apart = crowd(&story, &held, 20).await;
    while held.calls() < 20 {
        yield_now().await;
    }
    held.release();
    apart.join_all().await;

    // What is stored in the meantime ends that at once, else the time does.
    story.get(&shareable, "/a").await;
    assert!(handling(&story.get(&shareable, "/a").await).starts_with("interline; hit"));
    story.get(&origin, "/b").await;
    tokio::time::advance(std::time::Duration::from_secs(10)).await;
    let held = Origin::held(|_, _| answer(200, &[FRESH], "for all"));
    let mut together = JoinSet::new();
    for _ in 0..20 {
        let (story, held) = (Arc::clone(&story), Arc::clone(&held));
        together.spawn(async move { story.get(&held, "/b").await });
    }
    let before = story.cache.metrics().misses;
    while story.cache.metrics().misses < before + 20 {
        yield_now().await;
    }
    held.release();
    together.join_all().await;
    assert_eq!(held.calls(), 1);
}
