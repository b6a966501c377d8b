//! Idempotency keys: one key, one effect, one answer.

use std::time::Duration;

use futures_util::future::join_all;
use storage::idempotency::{
    Claim, IdempotencyKey, MIGRATIONS, SET, StoredAnswer, claim, finish, purge, release,
};
use storage::{Db, StoreError};
use travel_types::Clock;

use crate::engines::on_each_engine;

const LEASE: Duration = Duration::from_secs(60);
const KEEP: Duration = Duration::from_secs(24 * 3600);

fn key() -> IdempotencyKey {
    IdempotencyKey {
        caller: "usr_1".to_owned(),
        route: "POST /api/v1/flights/orders".to_owned(),
        key: "k-1".to_owned(),
    }
}

fn answer(body: &str) -> StoredAnswer {
    StoredAnswer {
        status: 202,
        headers: vec![
            (
                "location".to_owned(),
                "/api/v1/flights/orders/ord_1".to_owned(),
            ),
            ("content-type".to_owned(), "application/json".to_owned()),
        ],
        body: body.to_owned(),
    }
}

fn clock() -> Clock {
    Clock::manual("2026-12-01T10:30:00Z".parse().unwrap())
}

async fn claim_as(
    db: &Db,
    clock: &Clock,
    key: &IdempotencyKey,
    body: &str,
    subject: Option<&str>,
) -> Result<Claim, StoreError> {
    let mut tx = db.begin().await?;
    let claimed = claim(&mut tx, key, body, subject, clock.now(), LEASE, KEEP).await?;
    tx.commit().await?;
    Ok(claimed)
}

async fn finish_with(db: &Db, key: &IdempotencyKey, answer: &StoredAnswer) -> StoredAnswer {
    let mut tx = db.begin().await.unwrap();
    let stands = finish(&mut tx, key, answer).await.unwrap();
    tx.commit().await.unwrap();
    stands
}

#[tokio::test]
async fn of_fifty_claims_of_one_key_exactly_one_is_new() {
    on_each_engine(async |store| {
        store.db.migrate(SET, MIGRATIONS).await.unwrap();
        let (clock, key) = (clock(), key());
        let claims = (0..50).map(|_| claim_as(&store.db, &clock, &key, "f", Some("ord_1")));
        let mut new = 0;
        for claimed in join_all(claims).await {
            match claimed.unwrap() {
                Claim::New => new += 1,
                other => assert_eq!(other, Claim::InProgress),
            }
        }
        assert_eq!(new, 1);

        // The same race for an expired key, and for one whose owner died.
        clock.advance(KEEP);
        let claims = (0..50).map(|_| claim_as(&store.db, &clock, &key, "f", None));
        let claims: Vec<_> = join_all(claims)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(claims.iter().filter(|&c| *c == Claim::New).count(), 1);
        assert_eq!(
            claims.iter().filter(|&c| *c == Claim::InProgress).count(),
            49
        );

        clock.advance(LEASE);
        let claims = (0..50).map(|_| claim_as(&store.db, &clock, &key, "f", None));
        let claims: Vec<_> = join_all(claims)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let abandoned = Claim::Abandoned { subject: None };
        assert_eq!(claims.iter().filter(|&c| *c == abandoned).count(), 1);
        assert_eq!(
            claims.iter().filter(|&c| *c == Claim::InProgress).count(),
            49
        );
    })
    .await;
}

#[tokio::test]
async fn a_finished_request_is_replayed_byte_for_byte() {
    on_each_engine(async |store| {
        store.db.migrate(SET, MIGRATIONS).await.unwrap();
        let (clock, key) = (clock(), key());
        assert_eq!(
            claim_as(&store.db, &clock, &key, "f", None).await.unwrap(),
            Claim::New
        );
        let sent = answer("{\"a\" :1.10,\n \"b\":\"\\u0000 Ünï\"}  ");
        assert_eq!(finish_with(&store.db, &key, &sent).await, sent);
        assert_eq!(
            claim_as(&store.db, &clock, &key, "f", None).await.unwrap(),
            Claim::Replay(sent.clone())
        );
        if store.shareable {
            let restarted = Db::open(&store.options).await.unwrap();
            assert_eq!(
                claim_as(&restarted, &clock, &key, "f", None).await.unwrap(),
                Claim::Replay(sent)
            );
            restarted.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn another_body_is_refused_while_running_and_after() {
    on_each_engine(async |store| {
        store.db.migrate(SET, MIGRATIONS).await.unwrap();
        let (clock, key) = (clock(), key());
        claim_as(&store.db, &clock, &key, "f", None).await.unwrap();
        let other = async || claim_as(&store.db, &clock, &key, "g", None).await.unwrap();
        assert_eq!(other().await, Claim::OtherBody);
        finish_with(&store.db, &key, &answer("{}")).await;
        assert_eq!(other().await, Claim::OtherBody);
    })
    .await;
}

#[tokio::test]
async fn another_callers_or_routes_same_key_is_another_key() {
    on_each_engine(async |store| {
        store.db.migrate(SET, MIGRATIONS).await.unwrap();
        let (clock, key) = (clock(), key());
        claim_as(&store.db, &clock, &key, "f", None).await.unwrap();
        finish_with(&store.db, &key, &answer("mine")).await;
        let caller = IdempotencyKey {
            caller: "usr_2".to_owned(),
            ..key.clone()
        };
        let route = IdempotencyKey {
            route: "POST /api/v1/bookings".to_owned(),
            ..key
        };
        for foreign in [caller, route] {
            assert_eq!(
                claim_as(&store.db, &clock, &foreign, "g", None)
                    .await
                    .unwrap(),
                Claim::New
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_dead_owners_key_is_handed_over_with_its_subject() {
    on_each_engine(async |store| {
        store.db.migrate(SET, MIGRATIONS).await.unwrap();
        let (clock, key) = (clock(), key());
        claim_as(&store.db, &clock, &key, "f", Some("ord_1"))
            .await
            .unwrap();
        clock.advance(LEASE - Duration::from_micros(1));
        let again = async || {
            claim_as(&store.db, &clock, &key, "f", Some("ord_2"))
                .await
                .unwrap()
        };
        assert_eq!(again().await, Claim::InProgress);
        clock.advance(Duration::from_micros(1));
        assert_eq!(
            again().await,
            Claim::Abandoned {
                subject: Some("ord_1".to_owned())
            }
        );
        assert_eq!(again().await, Claim::InProgress, "the lease is new");

        // Two finish after all: the first answer stands for both.
        assert_eq!(
            finish_with(&store.db, &key, &answer("one")).await,
            answer("one")
        );
        assert_eq!(
            finish_with(&store.db, &key, &answer("two")).await,
            answer("one")
        );
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_frees_its_key_and_an_answered_one_does_not() {
    on_each_engine(async |store| {
        store.db.migrate(SET, MIGRATIONS).await.unwrap();
        let (clock, key) = (clock(), key());
        let let_go = async || {
            let mut tx = store.db.begin().await.unwrap();
            release(&mut tx, &key).await.unwrap();
            tx.commit().await.unwrap();
        };
        claim_as(&store.db, &clock, &key, "f", None).await.unwrap();
        let_go().await;
        assert_eq!(
            claim_as(&store.db, &clock, &key, "g", None).await.unwrap(),
            Claim::New
        );
        finish_with(&store.db, &key, &answer("{}")).await;
        let_go().await;
        assert_eq!(
            claim_as(&store.db, &clock, &key, "g", None).await.unwrap(),
            Claim::Replay(answer("{}"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_is_rolled_back_never_was() {
    on_each_engine(async |store| {
        store.db.migrate(SET, MIGRATIONS).await.unwrap();
        let (clock, key) = (clock(), key());
        let mut tx = store.db.begin().await.unwrap();
        let first = claim(&mut tx, &key, "f", None, clock.now(), LEASE, KEEP)
            .await
            .unwrap();
        assert_eq!(first, Claim::New);
        drop(tx);
        assert_eq!(
            claim_as(&store.db, &clock, &key, "g", None).await.unwrap(),
            Claim::New
        );
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day_and_then_purged() {
    on_each_engine(async |store| {
        store.db.migrate(SET, MIGRATIONS).await.unwrap();
        let (clock, key) = (clock(), key());
        claim_as(&store.db, &clock, &key, "f", None).await.unwrap();
        finish_with(&store.db, &key, &answer("{}")).await;
        clock.advance(KEEP - Duration::from_micros(1));
        assert_eq!(purge(&store.db, clock.now()).await.unwrap(), 0);
        assert_eq!(
            claim_as(&store.db, &clock, &key, "f", None).await.unwrap(),
            Claim::Replay(answer("{}"))
        );
        clock.advance(Duration::from_micros(1));
        assert_eq!(
            claim_as(&store.db, &clock, &key, "g", None).await.unwrap(),
            Claim::New
        );
        clock.advance(KEEP);
        assert_eq!(purge(&store.db, clock.now()).await.unwrap(), 1);
        // Its request ends after that: the answer goes out, though it cannot be replayed.
        assert_eq!(
            finish_with(&store.db, &key, &answer("late")).await,
            answer("late")
        );
    })
    .await;
}
