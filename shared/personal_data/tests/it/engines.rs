//! A private store per engine.

use storage::{Db, StoreOptions, query, sqlx};

/// Runs the test once per engine, one after the other; the engine's name is printed, so that it stands
/// above a failure.
pub(crate) async fn on_each_engine(test: impl AsyncFn(&Db)) {
    for engine in ["memory", "file", "postgres"] {
        println!("on {engine}");
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(&name);
        let server = std::env::var("INTERLINE_TEST_POSTGRES_URL").unwrap_or_else(|_| {
            panic!(
                "INTERLINE_TEST_POSTGRES_URL is not set: run tests/run.sh, \
                 or eval \"$(tests/services.sh start)\" first"
            )
        });
        let url = match engine {
            "memory" => "sqlite::memory:".to_owned(),
            "file" => {
                std::fs::create_dir(&folder).unwrap();
                format!("sqlite:{}", folder.join("store.db").display())
            }
            _ => format!("{}/{name}", server.rsplit_once('/').unwrap().0),
        };
        let db = Db::open(&StoreOptions::new(url)).await.unwrap();
        db.migrate(personal_data::SET, personal_data::MIGRATIONS)
            .await
            .unwrap();
        test(&db).await;
        db.close().await;
        match engine {
            "memory" => {}
            "file" => std::fs::remove_dir_all(&folder).unwrap(),
            _ => {
                let server = Db::open(&StoreOptions::new(server)).await.unwrap();
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                query(sqlx::AssertSqlSafe(drop))
                    .execute(server.pool())
                    .await
                    .unwrap();
                server.close().await;
            }
        }
    }
}
