//! Values, transactions and errors.

use std::time::Duration;

use futures_util::future::join_all;
use storage::{Db, Row, StoreError, StoreOptions, query, sqlx};

use crate::engines::{fresh, on_each_engine, open_store, server_url};

const THINGS: &str = "CREATE TABLE things (
    id TEXT PRIMARY KEY, words TEXT, amount BIGINT, ratio DOUBLE PRECISION,
    flag BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE parts (id TEXT PRIMARY KEY, thing TEXT NOT NULL REFERENCES things (id));";

async fn with_things(db: &Db) {
    sqlx::raw_sql(THINGS).execute(db.pool()).await.unwrap();
}

async fn count(db: &Db) -> i64 {
    query("SELECT COUNT(*) AS n FROM things")
        .fetch_one(db.pool())
        .await
        .unwrap()
        .get("n")
}

async fn insert(db: &Db, id: &str) -> Result<(), StoreError> {
    query("INSERT INTO things (id) VALUES ($1)")
        .bind(id.to_owned())
        .execute(db.pool())
        .await?;
    Ok(())
}

#[tokio::test]
async fn values_and_nulls_come_back_as_they_went_in() {
    on_each_engine(async |store| {
        with_things(&store.db).await;
        let mut tx = store.db.begin().await.unwrap();
        // On one connection and with NULL first: the statement that is prepared must fit both.
        for (id, words, amount, ratio) in [
            ("a", None, None, None),
            (
                "b",
                Some("Ünï 'quoted' $1 ?"),
                Some(i64::MIN),
                Some(0.1_f64),
            ),
            ("c", Some(""), Some(i64::MAX), Some(5.0)),
            ("d", None, None, None),
        ] {
            let row = query(
                "INSERT INTO things (id, words, amount, ratio) \
                 VALUES ($1, $2, $3, CAST($4 AS DOUBLE PRECISION)) RETURNING id, flag",
            )
            .bind(id)
            .bind(words.map(str::to_owned))
            .bind(amount)
            .bind(ratio.map(|ratio: f64| ratio.to_string()))
            .fetch_one(&mut *tx)
            .await
            .unwrap();
            assert_eq!(
                (row.get::<String, _>("id"), row.get::<i64, _>("flag")),
                (id.to_owned(), 0)
            );
            let row = query("SELECT words, amount, ratio FROM things WHERE id = $1")
                .bind(id)
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            assert_eq!(row.get::<Option<String>, _>("words").as_deref(), words);
            assert_eq!(row.get::<Option<i64>, _>("amount"), amount);
            assert_eq!(row.get::<Option<f64>, _>("ratio"), ratio);
        }
        tx.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_plain_double_needs_no_cast() {
    on_each_engine(async |store| {
        with_things(&store.db).await;
        query("INSERT INTO things (id, ratio) VALUES ('a', $1)")
            .bind(51.4706_f64)
            .execute(store.db.pool())
            .await
            .unwrap();
        let row =
            query("SELECT ratio, CAST(SUM(flag) AS BIGINT) AS flags FROM things GROUP BY ratio")
                .fetch_one(store.db.pool())
                .await
                .unwrap();
        assert_eq!(row.get::<f64, _>("ratio"), 51.4706);
        assert_eq!(row.get::<i64, _>("flags"), 0);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    on_each_engine(async |store| {
        with_things(&store.db).await;
        let mut tx = store.db.begin().await.unwrap();
        query("INSERT INTO things (id) VALUES ('a')")
            .execute(&mut *tx)
            .await
            .unwrap();
        drop(tx);
        assert_eq!(count(&store.db).await, 0);

        let mut tx = store.db.begin().await.unwrap();
        query("INSERT INTO things (id) VALUES ('a')")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&store.db).await, 1);
    })
    .await;
}

#[tokio::test]
async fn fifty_writers_at_once_lose_no_update() {
    on_each_engine(async |store| {
        with_things(&store.db).await;
        insert(&store.db, "a").await.unwrap();
        let one = async || {
            let mut tx = store.db.begin().await?;
            query("UPDATE things SET flag = flag + 1 WHERE id = 'a'")
                .execute(&mut *tx)
                .await?;
            tx.commit().await
        };
        for result in join_all((0..50).map(|_| one())).await {
            result.unwrap();
        }
        let row = query("SELECT flag FROM things")
            .fetch_one(store.db.pool())
            .await
            .unwrap();
        assert_eq!(row.get::<i64, _>("flag"), 50);
    })
    .await;
}

/// A client that hangs up drops the request's future wherever it is.
#[tokio::test]
async fn requests_that_are_cancelled_anywhere_leave_all_or_nothing_and_a_working_store() {
    on_each_engine(async |store| {
        with_things(&store.db).await;
        let mut finished = 0;
        for number in 0..400_usize {
            let db = store.db.clone();
            let request = tokio::spawn(async move {
                let mut tx = db.begin().await?;
                for half in ["a", "b"] {
                    query("INSERT INTO things (id) VALUES ($1)")
                        .bind(format!("{number}{half}"))
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await
            });
            // Another place each time: nothing is waited for but turns of the scheduler.
            for _ in 0..number % 97 * 4 {
                tokio::task::yield_now().await;
            }
            request.abort();
            match request.await {
                Ok(result) => {
                    result.unwrap();
                    finished += 2;
                }
                Err(cancelled) => assert!(cancelled.is_cancelled()),
            }
        }
        store.db.begin().await.unwrap().commit().await.unwrap();
        insert(&store.db, "after").await.unwrap();
        // A commit may have gone through although nobody waited for its answer.
        let rows = count(&store.db).await - 1;
        println!("{finished} of 800 rows answered for, {rows} there");
        assert!(
            rows >= finished && rows % 2 == 0 && rows < 800,
            "{rows}, {finished}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_second_key_is_a_conflict_and_a_broken_rule_is_not() {
    on_each_engine(async |store| {
        with_things(&store.db).await;
        insert(&store.db, "a").await.unwrap();
        let conflict = insert(&store.db, "a").await.unwrap_err();
        assert!(matches!(conflict, StoreError::Conflict), "{conflict:?}");

        let rule = query("INSERT INTO parts (id, thing) VALUES ('p', 'nobody')")
            .execute(store.db.pool())
            .await
            .map_err(StoreError::from)
            .unwrap_err();
        assert!(matches!(rule, StoreError::Constraint), "{rule:?}");
        assert!(!rule.is_retryable());
    })
    .await;
}

#[tokio::test]
async fn an_error_tells_neither_sql_nor_values() {
    on_each_engine(async |store| {
        with_things(&store.db).await;
        insert(&store.db, "secret-value").await.unwrap();
        let error = insert(&store.db, "secret-value").await.unwrap_err();
        let syntax = query("SELECT secret FROM nowhere")
            .execute(store.db.pool())
            .await
            .map_err(StoreError::from)
            .unwrap_err();
        for text in [format!("{error} {error:?}"), format!("{syntax} {syntax:?}")] {
            for word in ["secret", "things", "INSERT", "SELECT", "nowhere"] {
                assert!(!text.contains(word), "{text}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_column_type_is_corrupt_not_a_panic() {
    on_each_engine(async |store| {
        with_things(&store.db).await;
        insert(&store.db, "a").await.unwrap();
        let row = query("SELECT id FROM things")
            .fetch_one(store.db.pool())
            .await
            .unwrap();
        for error in [
            StoreError::from(row.try_get::<i64, _>("id").unwrap_err()),
            StoreError::from(row.try_get::<i64, _>("absent").unwrap_err()),
        ] {
            assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn committing_after_a_failed_statement_never_pretends_to_succeed() {
    on_each_engine(async |store| {
        with_things(&store.db).await;
        let mut tx = store.db.begin().await.unwrap();
        query("INSERT INTO things (id) VALUES ('a')")
            .execute(&mut *tx)
            .await
            .unwrap();
        query("INSERT INTO things (id) VALUES ('a')")
            .execute(&mut *tx)
            .await
            .unwrap_err();
        let committed = tx.commit().await;
        // SQLite keeps what succeeded and PostgreSQL nothing; neither may say one and do the other.
        if store.is_postgres() {
            assert!(matches!(committed, Err(StoreError::RolledBack)));
            assert_eq!(count(&store.db).await, 0);
        } else {
            committed.unwrap();
            assert_eq!(count(&store.db).await, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    on_each_engine(async |store| {
        if !store.shareable {
            return;
        }
        with_things(&store.db).await;
        insert(&store.db, "a").await.unwrap();
        store.db.close().await;
        assert!(matches!(
            store.db.ping().await,
            Err(StoreError::Unavailable(_))
        ));
        let again = Db::open(&store.options).await.unwrap();
        again.ping().await.unwrap();
        assert_eq!(count(&again).await, 1);
        again.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_file_is_durable_on_every_connection() {
    let store = open_store("file").await;
    // All four connections at once, so that none is looked at twice.
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(store.db.pool().acquire().await.unwrap());
    }
    for connection in &mut connections {
        for (pragma, expected) in [
            ("PRAGMA synchronous", 2),
            ("PRAGMA foreign_keys", 1),
            ("PRAGMA busy_timeout", 5000),
        ] {
            let row = query(pragma).fetch_one(&mut **connection).await.unwrap();
            assert_eq!(row.get::<i64, _>(0), expected, "{pragma}");
        }
        let row = query("PRAGMA journal_mode")
            .fetch_one(&mut **connection)
            .await
            .unwrap();
        assert_eq!(row.get::<String, _>(0), "wal");
    }
    drop(connections);
    store.remove().await;
}

#[tokio::test]
async fn a_server_that_trades_durability_away_is_overruled() {
    let store = open_store("postgres").await;
    sqlx::raw_sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$")
        .execute(store.db.pool())
        .await
        .unwrap();
    let again = Db::open(&store.options).await.unwrap();
    for (setting, expected) in [
        ("synchronous_commit", "on"),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "30s"),
    ] {
        let row = query("SELECT current_setting($1) AS value")
            .bind(setting)
            .fetch_one(again.pool())
            .await
            .unwrap();
        assert_eq!(row.get::<String, _>("value"), expected, "{setting}");
    }
    again.close().await;
    store.remove().await;
}

#[tokio::test]
async fn several_processes_may_create_the_same_store_at_once() {
    for engine in ["file", "postgres"] {
        let (options, cleanup) = fresh(engine);
        let opened = join_all((0..8).map(|_| Db::open(&options))).await;
        for db in &opened {
            db.as_ref().unwrap().ping().await.unwrap();
        }
        for db in opened {
            db.unwrap().close().await;
        }
        cleanup.run().await;
    }
}

#[tokio::test]
async fn an_address_that_is_not_understood_is_a_clear_error() {
    for url in [
        "",
        "mysql://localhost/x",
        "sqlite:",
        "sqlite:/tmp/x.db?mode=ro",
    ] {
        let error = Db::open(&StoreOptions::new(url)).await.unwrap_err();
        assert!(matches!(error, StoreError::Settings(_)), "{url}: {error:?}");
    }
    let error = Db::open(&StoreOptions::new("sqlite:/nowhere/at/all.db"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_and_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It accepts and never answers; then it is gone.
    let mut options = StoreOptions::new(format!("postgres://user:hidden@127.0.0.1:{port}/x"));
    options.acquire_timeout = Duration::from_millis(300);
    let error = Db::open(&options).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    drop(listener);
    let error = Db::open(&options).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(!format!("{options:?} {error} {error:?}").contains("hidden"));
}

#[tokio::test]
async fn a_connection_that_dies_during_a_transaction_loses_the_transaction_not_the_pool() {
    let store = open_store("postgres").await;
    with_things(&store.db).await;
    let mut tx = store.db.begin().await.unwrap();
    let pid: i32 = query("SELECT pg_backend_pid() AS pid")
        .fetch_one(&mut *tx)
        .await
        .unwrap()
        .get("pid");
    query("INSERT INTO things (id) VALUES ('a')")
        .execute(&mut *tx)
        .await
        .unwrap();
    let server = Db::open(&StoreOptions::new(server_url())).await.unwrap();
    query("SELECT pg_terminate_backend($1)")
        .bind(pid)
        .execute(server.pool())
        .await
        .unwrap();
    server.close().await;
    let error = tx.commit().await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable(_)),
        "nothing was sent that could have committed: {error:?}"
    );
    assert_eq!(count(&store.db).await, 0);
    store.remove().await;
}

#[tokio::test]
async fn a_store_that_is_opened_for_reading_shows_what_is_written_and_changes_nothing() {
    for engine in ["file", "postgres"] {
        let (options, cleanup) = fresh(engine);
        let absent = Db::open_read_only(&options).await;
        let opened = match absent {
            Err(_) => false,
            Ok(db) => db.ping().await.is_ok(),
        };
        assert!(!opened, "{engine}: nothing is created");
        let db = Db::open(&options).await.unwrap();
        with_things(&db).await;
        insert(&db, "one").await.unwrap();
        let reader = Db::open_read_only(&options).await.unwrap();
        assert_eq!(count(&reader).await, 1);
        insert(&db, "two").await.unwrap();
        assert_eq!(count(&reader).await, 2);
        insert(&reader, "three").await.unwrap_err();
        assert_eq!(count(&db).await, 2);
        reader.close().await;
        db.close().await;
        cleanup.run().await;
    }
}

#[tokio::test]
async fn what_was_removed_is_in_no_file_any_more() {
    let store = open_store("file").await;
    let db = &store.db;
    let text = "planted.value ".repeat(500);
    query("CREATE TABLE kept (id BIGINT PRIMARY KEY, text TEXT)")
        .execute(db.pool())
        .await
        .unwrap();
    for id in 0..20_i64 {
        query("INSERT INTO kept (id, text) VALUES ($1, $2)")
            .bind(id)
            .bind(text.as_str())
            .execute(db.pool())
            .await
            .unwrap();
    }
    let path = store
        .options
        .url
        .strip_prefix("sqlite:")
        .unwrap()
        .to_owned();
    let stands = || {
        ["", "-wal"].into_iter().any(|file| {
            let bytes = std::fs::read(format!("{path}{file}")).unwrap_or_default();
            bytes.windows(13).any(|window| window == b"planted.value")
        })
    };
    assert!(stands());
    query("DELETE FROM kept").execute(db.pool()).await.unwrap();
    assert!(stands(), "the write-ahead log has it still");
    db.shred().await;
    assert!(!stands());
    store.remove().await;
}
