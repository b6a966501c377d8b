//! Two instances over one Redis.

use std::sync::Arc;
use std::time::Duration;

use response_cache::{Audience, Options, Purge, Rule, Scope};
use tokio::time::timeout;

use crate::origin::{Origin, Story, answer, handling, public};

const FRESH: (&str, &str) = ("cache-control", "max-age=60, stale-if-error=600");

/// Much longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

fn redis_url() -> String {
    std::env::var("INTERLINE_TEST_REDIS_URL").unwrap_or_else(|_| {
        panic!(
            "INTERLINE_TEST_REDIS_URL is not set: run tests/run.sh, \
             or eval \"$(tests/services.sh start)\" first"
        )
    })
}

/// As many instances over a part of Redis that nobody else uses.
fn instances<const COUNT: usize>(rule: &Rule) -> [Story; COUNT] {
    let options = Options {
        redis: Some(redis_url()),
        prefix: format!("test-{}", uuid::Uuid::new_v4().simple()),
        // A loaded machine is not an outage.
        timeout: Duration::from_secs(5),
        ..Options::default()
    };
    std::array::from_fn(|_| Story::with(rule.clone(), options.clone()))
}

/// Asks for new paths until the second instance has one of the first's answers: from then on both know
/// the same purges.
pub(crate) async fn are_connected(one: &Story, other: &Story) {
    let connecting = async {
        for number in 0.. {
            let path = format!("/connecting/{number}");
            let origin = numbered();
            one.get(&origin, &path).await;
            if eventually_hits(other, &path).await {
                return;
            }
        }
    };
    timeout(LONG, connecting).await.expect("never connected");
}

/// Whether the path is answered without an origin within a moment.
async fn eventually_hits(story: &Story, path: &str) -> bool {
    let dead = Origin::new(|_, _| Err("not now".into()));
    for _ in 0..50 {
        if story.try_send(&dead, "GET", path, &[]).await.is_ok() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

async fn until_hit(story: &Story, path: &str) {
    let waiting = async { while !eventually_hits(story, path).await {} };
    timeout(LONG, waiting).await.expect("never came over");
}

fn numbered() -> Arc<Origin> {
    Origin::new(|number, asked| {
        let tag = asked.uri.path().to_owned();
        answer(200, &[FRESH, ("cache-tag", &tag)], number.to_string())
    })
}

fn tagged() -> Rule {
    Rule {
        tags_from_response: true,
        ..public()
    }
}

#[tokio::test]
async fn what_one_instance_fetched_the_other_has() {
    let [one, other] = instances(&tagged());
    are_connected(&one, &other).await;
    let origin = numbered();
    one.get(&origin, "/a?x=1").await;
    until_hit(&other, "/a?x=1").await;
    let got = other.get(&origin, "/a?x=1").await;
    assert_eq!(
        (got.body().as_ref(), handling(&got)),
        (&b"1"[..], "interline; hit; ttl=60")
    );
    assert_eq!(origin.calls(), 1);
    assert!(other.cache.metrics().remote_hits >= 1);
}

#[tokio::test]
async fn each_variant_comes_over_and_none_is_taken_for_another() {
    let [one, other] = instances(&public());
    are_connected(&one, &other).await;
    let origin = Origin::new(|_, asked| {
        let accepts = asked.headers["accept"].to_str().unwrap();
        answer(200, &[FRESH, ("vary", "accept")], accepts.to_owned())
    });
    for accepts in ["a", "b", "c"] {
        one.send(&origin, "GET", "/a", &[("accept", accepts)]).await;
    }
    let dead = Origin::new(|_, _| Err("not now".into()));
    let coming = async {
        for accepts in ["a", "b", "c"] {
            let fields = [("accept", accepts)];
            loop {
                if let Ok(got) = other.try_send(&dead, "GET", "/a", &fields).await {
                    assert_eq!(got.body(), accepts);
                    break;
                }
            }
        }
    };
    timeout(LONG, coming).await.unwrap();
    assert!(
        other
            .try_send(&dead, "GET", "/a", &[("accept", "d")])
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_is_for_one_caller_stays_in_the_process_unless_the_rule_says_otherwise() {
    for personal_on_redis in [false, true] {
        let rule = Rule {
            audience: Audience::Caller,
            personal_on_redis,
            ..Rule::default()
        };
        let [mut one, mut other] = instances(&rule);
        let shared = Story {
            rule: Arc::new(Rule {
                enabled: true,
                ..public()
            }),
            cache: one.cache.clone(),
            clock: one.clock.clone(),
            caller: String::new(),
        };
        let witness = Story {
            rule: Arc::clone(&shared.rule),
            cache: other.cache.clone(),
            clock: other.clock.clone(),
            caller: String::new(),
        };
        are_connected(&shared, &witness).await;
        "me".clone_into(&mut one.caller);
        "me".clone_into(&mut other.caller);
        let origin = numbered();
        one.get(&origin, "/mine").await;
        // Written in their order: when this one is there, the personal one would be.
        shared.get(&origin, "/after").await;
        until_hit(&witness, "/after").await;
        assert_eq!(eventually_hits(&other, "/mine").await, personal_on_redis);
        "you".clone_into(&mut other.caller);
        assert!(!eventually_hits(&other, "/mine").await);
    }
}

#[tokio::test]
async fn a_purge_on_one_instance_reaches_the_memory_of_the_other() {
    for scope in [
        Scope::Target("/a".into()),
        Scope::Prefix("/a".into()),
        Scope::Tag("/a".into()),
        Scope::Everything,
    ] {
        let [one, other] = instances(&tagged());
        are_connected(&one, &other).await;
        let origin = numbered();
        one.get(&origin, "/a").await;
        until_hit(&other, "/a").await;
        one.cache
            .purge(&Purge { scope, soft: false })
            .await
            .unwrap();
        // From Redis nobody gets it any more, from the instance's own memory not for long.
        assert_eq!(
            handling(&one.get(&origin, "/a").await),
            "interline; fwd=uri-miss; stored"
        );
        let gone = async {
            loop {
                let got = other.get(&origin, "/a").await;
                if got.body() != "1" {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, gone)
            .await
            .expect("the old answer is still given");
        for _ in 0..100 {
            assert_ne!(other.get(&origin, "/a").await.body(), "1");
        }
    }
}

#[tokio::test]
async fn an_instance_that_comes_later_never_reads_what_was_purged() {
    let [one, other, late] = instances(&tagged());
    are_connected(&one, &other).await;
    let origin = numbered();
    for round in 1..=50_usize {
        let path = format!("/late/{round}");
        one.get(&origin, &path).await;
        until_hit(&other, &path).await;
        let scope = Scope::Tag(path.clone());
        one.cache
            .purge(&Purge { scope, soft: false })
            .await
            .unwrap();
        assert!(!eventually_hits(&late, &path).await, "{path}");
    }
}

#[tokio::test]
async fn a_soft_purge_lets_the_other_instance_cover_a_dead_origin() {
    let [one, other] = instances(&tagged());
    are_connected(&one, &other).await;
    let origin = numbered();
    one.get(&origin, "/a").await;
    until_hit(&other, "/a").await;
    let scope = Scope::Target("/a".into());
    one.cache.purge(&Purge { scope, soft: true }).await.unwrap();
    let dead = Origin::new(|_, _| Err("not now".into()));
    let expired = async {
        loop {
            let got = other.send(&dead, "GET", "/a", &[]).await;
            if handling(&got) == "interline; fwd=stale" {
                assert_eq!(got.body(), "1");
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, expired).await.unwrap();
}
