//! A private store per engine and test, and logs in them.

use std::path::PathBuf;

use audit::{AuditKey, AuditLog, Record, Row};
use secrecy::SecretString;
use storage::sqlx::AssertSqlSafe;
use storage::{Db, Engine, StoreOptions, query};
use travel_types::Clock;

/// A store that this test alone uses.
pub(crate) struct Store {
    pub(crate) db: Db,
    pub(crate) options: StoreOptions,
    pub(crate) folder: PathBuf,
    database: Option<(String, String)>,
}

/// Runs the test once per engine; the engine's name is printed, so that it stands above a failure.
pub(crate) async fn on_each_engine(test: impl AsyncFn(&Store)) {
    for engine in ["memory", "file", "postgres"] {
        println!("on {engine}");
        let store = Store::open(engine).await;
        test(&store).await;
        store.remove().await;
    }
}

impl Store {
    pub(crate) async fn open(engine: &str) -> Self {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(format!("interline-audit-{name}"));
        std::fs::create_dir(&folder).unwrap();
        let (url, database) = match engine {
            "memory" => ("sqlite::memory:".to_owned(), None),
            "file" => (format!("sqlite:{}", folder.join("log.db").display()), None),
            _ => {
                let server = server_url();
                let base = server.rsplit_once('/').unwrap().0;
                (format!("{base}/{name}"), Some((server.clone(), name)))
            }
        };
        let options = StoreOptions::new(url);
        let db = Db::open(&options).await.unwrap();
        db.migrate(audit::SET, audit::MIGRATIONS).await.unwrap();
        Self {
            db,
            options,
            folder,
            database,
        }
    }

    pub(crate) fn log(&self) -> AuditLog {
        AuditLog::new(self.db.clone(), key(7), Clock::system())
    }

    /// A second pool on the same data, as another process would have it. In memory the same pool.
    pub(crate) async fn second(&self) -> Db {
        match self.options.url.contains(":memory:") {
            true => self.db.clone(),
            false => Db::open(&self.options).await.unwrap(),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.db.engine() == Engine::Postgres
    }

    /// What an attacker with the database's password can do.
    pub(crate) async fn execute(&self, sql: &str) {
        query(AssertSqlSafe(sql.to_owned()))
            .execute(self.db.pool())
            .await
            .unwrap();
    }

    /// Puts rows in as they are, in many statements of many rows.
    pub(crate) async fn insert(&self, rows: &[Row]) {
        let mut tx = self.db.begin().await.unwrap();
        for rows in rows.chunks(500) {
            let values: Vec<String> = (0..rows.len())
                .map(|row| {
                    let places: Vec<String> = (1..=11)
                        .map(|place| format!("${}", row * 11 + place))
                        .collect();
                    format!("({})", places.join(","))
                })
                .collect();
            let mut insert = query(AssertSqlSafe(format!(
                "INSERT INTO audit_log (seq, at, actor, action, succeeded, target, sealed, \
                 details, request_id, previous, hash) VALUES {}",
                values.join(",")
            )));
            for row in rows {
                insert = insert
                    .bind(row.seq)
                    .bind(row.at)
                    .bind(row.actor.clone())
                    .bind(row.action.as_str())
                    .bind(row.succeeded)
                    .bind(row.target.clone())
                    .bind(row.sealed.clone())
                    .bind(row.details.as_str())
                    .bind(row.request_id.clone())
                    .bind(row.previous.as_str())
                    .bind(row.hash.as_str());
            }
            insert.execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Makes the log's own note of its end say this.
    pub(crate) async fn set_end(&self, seq: i64, hash: &str) {
        query("UPDATE audit_head SET seq = $1, hash = $2, kid = $3 WHERE id = 1")
            .bind(seq)
            .bind(hash)
            .bind(key(7).id())
            .execute(self.db.pool())
            .await
            .unwrap();
    }

    pub(crate) async fn remove(self) {
        self.db.close().await;
        std::fs::remove_dir_all(self.folder).unwrap();
        if let Some((server, name)) = self.database {
            let server = Db::open(&StoreOptions::new(server)).await.unwrap();
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            query(AssertSqlSafe(drop))
                .execute(server.pool())
                .await
                .unwrap();
            server.close().await;
        }
    }
}

pub(crate) fn key(byte: u8) -> AuditKey {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
    AuditKey::from_setting(&SecretString::from(text)).unwrap()
}

pub(crate) fn record(action: &'static str, actor: &str) -> Record {
    Record {
        actor: Some(actor.to_owned()),
        action,
        succeeded: true,
        request_id: Some("request-1".to_owned()),
        ..Record::default()
    }
}

fn server_url() -> String {
    std::env::var("INTERLINE_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "INTERLINE_TEST_POSTGRES_URL is not set: run tests/run.sh, \
             or eval \"$(tests/services.sh start)\" first"
        )
    })
}
