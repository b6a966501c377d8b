//! Migrations.

use futures_util::future::join_all;
use storage::{Db, Migration, Row, StoreError, query};

use crate::engines::on_each_engine;

const FIRST: Migration = Migration {
    version: 1,
    name: "two tables",
    sql: "-- a comment; with a semicolon\nCREATE TABLE one (id TEXT PRIMARY KEY);\n\
          CREATE TABLE two (id TEXT PRIMARY KEY);\nINSERT INTO one (id) VALUES ('a;b');",
};
const SECOND: Migration = Migration {
    version: 2,
    name: "one more row",
    sql: "INSERT INTO one (id) VALUES ('c')",
};

async fn rows(db: &Db) -> i64 {
    query("SELECT COUNT(*) AS n FROM one")
        .fetch_one(db.pool())
        .await
        .unwrap()
        .get("n")
}

#[tokio::test]
async fn a_migration_is_applied_once_and_in_order() {
    on_each_engine(async |store| {
        let db = &store.db;
        db.migrate("shop", &[FIRST]).await.unwrap();
        assert_eq!(rows(db).await, 1);
        db.migrate("shop", &[SECOND, FIRST]).await.unwrap();
        db.migrate("shop", &[SECOND, FIRST]).await.unwrap();
        assert_eq!(rows(db).await, 2);
        // An older program beside a newer one.
        db.migrate("shop", &[FIRST]).await.unwrap();
        assert_eq!(rows(db).await, 2);
    })
    .await;
}

#[tokio::test]
async fn an_edited_migration_is_an_error_that_names_it() {
    on_each_engine(async |store| {
        store.db.migrate("shop", &[FIRST]).await.unwrap();
        let edited = Migration {
            sql: "CREATE TABLE three (id TEXT)",
            ..FIRST
        };
        let error = store.db.migrate("shop", &[edited]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "migration shop/0001 two tables was changed after it had been applied"
        );
    })
    .await;
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_of_its_set() {
    on_each_engine(async |store| {
        let broken = Migration {
            version: 2,
            name: "broken",
            sql: "CREATE TABLE three (id TEXT); INSERT INTO absent (id) VALUES ('x')",
        };
        let error = store
            .db
            .migrate("shop", &[FIRST, broken])
            .await
            .unwrap_err();
        assert!(
            matches!(&error, StoreError::FailedMigration { version: 2, .. }),
            "{error:?}"
        );
        // The same set can be tried again from the start.
        store.db.migrate("shop", &[FIRST, SECOND]).await.unwrap();
        assert_eq!(rows(&store.db).await, 2);
    })
    .await;
}

#[tokio::test]
async fn sets_number_their_versions_independently() {
    on_each_engine(async |store| {
        let other = Migration {
            version: 1,
            name: "other",
            sql: "CREATE TABLE other (id TEXT)",
        };
        store.db.migrate("shop", &[FIRST]).await.unwrap();
        store.db.migrate("kit", &[other]).await.unwrap();
        store.db.migrate("shop", &[FIRST]).await.unwrap();
        let twice = store.db.migrate("kit", &[other, other]).await.unwrap_err();
        assert!(matches!(twice, StoreError::Settings(_)), "{twice:?}");
    })
    .await;
}

#[tokio::test]
async fn processes_that_start_together_apply_it_once() {
    on_each_engine(async |store| {
        let mut dbs = vec![store.db.clone()];
        if store.shareable {
            for _ in 0..5 {
                dbs.push(Db::open(&store.options).await.unwrap());
            }
        }
        let started = dbs.iter().map(|db| db.migrate("shop", &[FIRST, SECOND]));
        for result in join_all(started).await {
            result.unwrap();
        }
        assert_eq!(rows(&store.db).await, 2);
        for db in dbs {
            db.close().await;
        }
    })
    .await;
}
