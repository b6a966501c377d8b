use audit::{AuditLog, Filter, Heads, OpenError};
use futures_util::future::join_all;
use storage::{Row as _, StoreError, query};
use travel_types::Clock;

use crate::stores::{Store, key, on_each_engine, record};

async fn sequence(store: &Store) -> Vec<i64> {
    query("SELECT seq FROM audit_log ORDER BY seq")
        .fetch_all(store.db.pool())
        .await
        .unwrap()
        .iter()
        .map(|row| row.get("seq"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_at_once_from_two_processes_give_one_unbroken_chain() {
    on_each_engine(async |store| {
        let one = store.log();
        let two = AuditLog::new(store.second().await, key(7), Clock::system());
        let appends = (0..120).map(|n| {
            let log = if n % 2 == 0 { one.clone() } else { two.clone() };
            tokio::spawn(async move { log.append_alone(&record("login", "usr_1")).await })
        });
        let mut numbers: Vec<u64> = join_all(appends)
            .await
            .into_iter()
            .map(|done| done.unwrap().unwrap())
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=120).collect::<Vec<u64>>());
        let report = one.verify(&Heads::default()).await.unwrap();
        assert!(report.valid, "{report:?}");
        assert_eq!(report.records, 120);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_rolled_back_leaves_no_gap() {
    on_each_engine(async |store| {
        let log = store.log();
        log.append_alone(&record("login", "usr_1")).await.unwrap();
        let mut tx = store.db.begin().await.unwrap();
        assert_eq!(
            log.append(&mut tx, &record("logout", "usr_1"))
                .await
                .unwrap(),
            2
        );
        tx.rollback().await.unwrap();
        let mut dropped = store.db.begin().await.unwrap();
        log.append(&mut dropped, &record("logout", "usr_1"))
            .await
            .unwrap();
        drop(dropped);
        let mut tx = store.db.begin().await.unwrap();
        assert_eq!(
            log.append(&mut tx, &record("erase", "usr_1"))
                .await
                .unwrap(),
            2
        );
        assert_eq!(
            log.append(&mut tx, &record("export", "usr_1"))
                .await
                .unwrap(),
            3
        );
        tx.commit().await.unwrap();
        assert_eq!(sequence(store).await, [1, 2, 3]);
        assert!(log.verify(&Heads::default()).await.unwrap().valid);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_sees_a_record_sees_all_that_have_smaller_numbers() {
    on_each_engine(async |store| {
        let log = store.log();
        let writers = (0..4).map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                for _ in 0..15 {
                    log.append_alone(&record("login", "usr_1")).await.unwrap();
                }
            })
        });
        let writers = tokio::spawn(join_all(writers));
        while !writers.is_finished() {
            let seen = sequence(store).await;
            let end = i64::try_from(seen.len()).unwrap();
            assert_eq!(seen, (1..=end).collect::<Vec<_>>());
            let report = log.verify(&Heads::default()).await.unwrap();
            assert!(report.valid, "{report:?}");
        }
        writers.await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_not_continued_with_another_key() {
    on_each_engine(async |store| {
        let log = store.log();
        log.check_key().await.unwrap();
        log.append_alone(&record("login", "usr_1")).await.unwrap();
        log.check_key().await.unwrap();
        let other = AuditLog::new(store.db.clone(), key(8), Clock::system());
        let refused = other.check_key().await.unwrap_err();
        assert!(matches!(refused, OpenError::OtherKey { .. }), "{refused}");
        let refused = other.append_alone(&record("login", "usr_1")).await;
        assert!(matches!(refused, Err(StoreError::Settings(_))));
        assert_eq!(sequence(store).await, [1]);
        let report = other.verify(&Heads::default()).await.unwrap();
        assert_eq!(report.first_bad_index, Some(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_read_back_and_counted() {
    on_each_engine(async |store| {
        let metrics = telemetry::Metrics::new();
        let log = store.log().counted(&metrics).unwrap();
        let mut whole = record("role_change", "usr_admin");
        whole.succeeded = false;
        whole.target = Some("usr_2".to_owned());
        whole.sealed = Some("c2VhbGVk".to_owned());
        whole
            .details
            .insert("role".to_owned(), "agent — Ω \u{0}".into());
        log.append_alone(&whole).await.unwrap();
        let found = log.search(&Filter::default(), None, 10).await.unwrap();
        assert_eq!(found.len(), 1);
        let found = &found[0];
        assert_eq!(found.seq, 1);
        assert_eq!(found.actor, whole.actor);
        assert_eq!(found.action, whole.action);
        assert!(!found.succeeded);
        assert_eq!(found.target, whole.target);
        assert_eq!(found.sealed, whole.sealed);
        assert_eq!(found.details, whole.details);
        assert_eq!(found.request_id, whole.request_id);
        assert!(log.verify(&Heads::default()).await.unwrap().valid);
        assert!(metrics.render().contains(
            "interline_audit_records_total{action=\"role_change\",outcome=\"failure\"} 1"
        ));
    })
    .await;
}
