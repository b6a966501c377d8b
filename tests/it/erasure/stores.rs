//! Everything that the system has written down, as bytes, and as far as the master key opens it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use personal_data::{MasterKey, Vault, is_sealed};
use redis::AsyncCommands as _;
use storage::sqlx::AssertSqlSafe;
use storage::{Db, Engine, Row as _, StoreOptions, query};
use testkit::{Stack, VERTICALS};

/// The services that have a store.
fn keepers() -> Vec<&'static str> {
    let verticals = VERTICALS.iter().map(|(service, _)| *service);
    std::iter::once("auth_service").chain(verticals).collect()
}

/// One place where something was written down.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

fn files_below(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            // The simulated suppliers and their mailbox are not ours.
            true if path.ends_with("sandbox") => {}
            true => files_below(&path, into),
            false => into.push(path),
        }
    }
}

/// The files of the system byte by byte: with SQLite, its databases and their logs.
pub(super) fn files(stack: &Stack) -> Vec<Place> {
    let mut paths = Vec::new();
    files_below(stack.data_dir(), &mut paths);
    let read = paths.into_iter().filter_map(|path| {
        // A log that was folded into its database meanwhile.
        let bytes = std::fs::read(&path).ok()?;
        Some(Place {
            name: path.display().to_string(),
            bytes,
        })
    });
    read.collect()
}

/// What the programs have logged and printed.
pub(super) fn logs(stack: &mut Stack) -> Vec<Place> {
    let processes = stack.processes().iter();
    let places = processes.map(|process| Place {
        name: format!("log of process {}", process.id()),
        bytes: (process.printed() + &process.logged()).into_bytes(),
    });
    places.collect()
}

/// Every key and value in Redis.
pub(super) async fn redis() -> Vec<Place> {
    let url = std::env::var("INTERLINE_TEST_REDIS_URL").unwrap();
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<Vec<u8>> = connection.keys("*").await.unwrap();
    let mut places = Vec::new();
    for key in keys {
        let mut bytes = key.clone();
        let kind: String = redis::cmd("TYPE")
            .arg(&key)
            .query_async(&mut connection)
            .await
            .unwrap();
        let values: Vec<Vec<u8>> = match kind.as_str() {
            "string" => vec![connection.get(&key).await.unwrap()],
            "hash" => connection.hgetall(&key).await.unwrap(),
            "list" => connection.lrange(&key, 0, -1).await.unwrap(),
            "set" => connection.smembers(&key).await.unwrap(),
            "zset" => connection.zrange(&key, 0, -1).await.unwrap(),
            // Gone meanwhile.
            "none" => Vec::new(),
            other => panic!("a value of type {other}"),
        };
        for value in values {
            bytes.push(b'\n');
            bytes.extend(value);
        }
        places.push(Place {
            name: format!("redis {}", String::from_utf8_lossy(&key)),
            bytes,
        });
    }
    places
}

/// One service's database.
pub(super) struct Database {
    pub(super) service: &'static str,
    pub(super) db: Db,
}

/// The databases of all services.
pub(super) async fn databases(stack: &Stack, apart: bool) -> Vec<Database> {
    let mut all = Vec::new();
    for service in keepers() {
        let url = match apart {
            false => format!(
                "sqlite:{}",
                stack
                    .data_dir()
                    .join(service)
                    .with_extension("db")
                    .display()
            ),
            true => {
                let server = std::env::var("INTERLINE_TEST_POSTGRES_URL").unwrap();
                let (base, _) = server.rsplit_once('/').unwrap();
                let name = stack.data_dir().file_name().unwrap().to_string_lossy();
                format!("{base}/{}_{service}", name.replace('-', "_"))
            }
        };
        let db = Db::open(&StoreOptions::new(url)).await.unwrap();
        all.push(Database { service, db });
    }
    all
}

/// A row, column by column, as text.
type Cells = Vec<String>;

impl Database {
    async fn tables(&self) -> Vec<String> {
        let statement = match self.db.engine() {
            Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
            Engine::Postgres => {
                "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
                 WHERE table_schema = 'public'"
            }
        };
        let rows = query(statement).fetch_all(self.db.pool()).await.unwrap();
        rows.iter()
            .map(|row| row.try_get("name").unwrap())
            .collect()
    }

    /// All rows of a table.
    async fn rows(&self, table: &str) -> Vec<Cells> {
        let statement = AssertSqlSafe(format!("SELECT * FROM \"{table}\""));
        let rows = query(statement).fetch_all(self.db.pool()).await.unwrap();
        let cells = |row: &storage::AnyRow| {
            (0..row.len())
                .map(|column| {
                    if let Ok(text) = row.try_get::<Option<String>, _>(column) {
                        return text.unwrap_or_default();
                    }
                    if let Ok(number) = row.try_get::<Option<i64>, _>(column) {
                        return number.map(|n| n.to_string()).unwrap_or_default();
                    }
                    let number: Option<f64> = row.try_get(column).unwrap();
                    number.map(|n| n.to_string()).unwrap_or_default()
                })
                .collect()
        };
        rows.iter().map(cells).collect()
    }

    /// Every column of every row of every table as text, and the same as far as the master key opens it.
    pub(super) async fn everything(&self, data_dir: &Path) -> (Place, Place, usize) {
        let master = MasterKey::development(data_dir).unwrap();
        let vault = Vault::new(self.db.clone(), master);
        let (mut stored, mut opened, mut seals) = (String::new(), String::new(), 0);
        let keys = self.rows("subject_keys").await;
        let subjects: HashMap<&str, ()> = keys.iter().map(|row| (row[0].as_str(), ())).collect();
        for table in self.tables().await {
            for row in self.rows(&table).await {
                for cell in &row {
                    stored.push_str(cell);
                    stored.push('\n');
                }
                if table == "subject_keys" {
                    continue;
                }
                for sealed in row.iter().filter(|cell| is_sealed(cell)) {
                    seals += 1;
                    for subject in row
                        .iter()
                        .filter(|cell| subjects.contains_key(cell.as_str()))
                    {
                        if let Ok(Some(text)) = vault.open(subject, sealed).await {
                            opened.push_str(&text);
                            opened.push('\n');
                        }
                    }
                    if let Some(bytes) = vault.unwrap_("mail", sealed) {
                        opened.push_str(&String::from_utf8_lossy(&bytes));
                        opened.push('\n');
                    }
                }
            }
        }
        let place = |what: &str, text: String| Place {
            name: format!("{what} of {}", self.service),
            bytes: text.into_bytes(),
        };
        (place("store", stored), place("opened store", opened), seals)
    }

    /// Whether the person's key is here, and whether it was destroyed.
    pub(super) async fn key_of(&self, subject: &str) -> Option<bool> {
        let row = query("SELECT wrapped FROM subject_keys WHERE subject = $1")
            .bind(subject)
            .fetch_optional(self.db.pool())
            .await
            .unwrap()?;
        let wrapped: Option<String> = row.try_get("wrapped").unwrap();
        Some(wrapped.is_none())
    }
}
