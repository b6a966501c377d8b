use std::time::Duration;

use audit::{AuditLog, Filter};
use storage::sqlx::AssertSqlSafe;
use storage::{Row as _, query};
use travel_types::Clock;

use crate::stores::{key, on_each_engine, record};

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_and_all_together_find_what_they_should_newest_first() {
    on_each_engine(async |store| {
        let clock = Clock::manual("2026-12-01T00:00:00Z".parse().unwrap());
        let log = AuditLog::new(store.db.clone(), key(7), clock.clone());
        let instants: Vec<_> = (0..6)
            .map(|n| clock.after(Duration::from_secs(n * 60)))
            .collect();
        for n in 0..6 {
            let mut next = record(
                ["login", "erase"][n % 2],
                ["usr_a", "usr_b", "usr_c"][n % 3],
            );
            next.succeeded = n < 4;
            next.target = (n == 5).then(|| "usr_a".to_owned());
            log.append_alone(&next).await.unwrap();
            clock.advance(Duration::from_secs(60));
        }
        let found = async |filter: Filter, before| -> Vec<u64> {
            let found = log.search(&filter, before, 10).await.unwrap();
            found.iter().map(|stored| stored.seq).collect()
        };
        let all = Filter::default();
        assert_eq!(found(all.clone(), None).await, [6, 5, 4, 3, 2, 1]);
        assert_eq!(found(all.clone(), Some(3)).await, [2, 1]);
        assert_eq!(found(all.clone(), Some(u64::MAX)).await.len(), 6);
        let user = Filter {
            user_id: Some("usr_a".to_owned()),
            ..all.clone()
        };
        assert_eq!(
            found(user.clone(), None).await,
            [6, 4, 1],
            "as actor and as target"
        );
        let action = Filter {
            action: Some("erase".to_owned()),
            ..all.clone()
        };
        assert_eq!(found(action, None).await, [6, 4, 2]);
        for (succeeded, numbers) in [(true, vec![4, 3, 2, 1]), (false, vec![6, 5])] {
            let filter = Filter {
                succeeded: Some(succeeded),
                ..all.clone()
            };
            assert_eq!(found(filter, None).await, numbers);
        }
        let time = Filter {
            from: Some(instants[1]),
            to: Some(instants[4]),
            ..all.clone()
        };
        assert_eq!(
            found(time, None).await,
            [4, 3, 2],
            "from is included, to is not"
        );
        let together = Filter {
            action: Some("erase".to_owned()),
            succeeded: Some(true),
            from: Some(instants[0]),
            to: Some(instants[5]),
            ..user
        };
        assert_eq!(found(together.clone(), Some(5)).await, [4]);
        assert_eq!(found(together, Some(4)).await, [0; 0]);
        assert_eq!(log.search(&all, None, 2).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_has_an_index() {
    on_each_engine(async |store| {
        let explain = if store.is_postgres() {
            "EXPLAIN"
        } else {
            "EXPLAIN QUERY PLAN"
        };
        for (condition, index) in [
            ("actor = 'a'", "audit_log_actor"),
            ("target = 'a'", "audit_log_target"),
            ("action = 'a' ORDER BY seq DESC", "audit_log_action"),
            ("succeeded = 0 ORDER BY seq DESC", "audit_log_succeeded"),
            ("at >= 1 AND at < 2", "audit_log_at"),
        ] {
            let mut connection = store.db.begin().await.unwrap();
            if store.is_postgres() {
                query("SET LOCAL enable_seqscan = off")
                    .execute(&mut *connection)
                    .await
                    .unwrap();
            }
            let plan = query(AssertSqlSafe(format!(
                "{explain} SELECT hash FROM audit_log WHERE {condition}"
            )))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
            connection.rollback().await.unwrap();
            let column = if store.is_postgres() { 0 } else { 3 };
            let plan: Vec<String> = plan.iter().map(|row| row.get(column)).collect();
            assert!(plan.join("\n").contains(index), "{condition}: {plan:?}");
        }
    })
    .await;
}
