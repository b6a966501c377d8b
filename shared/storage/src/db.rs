//! Opening a store and getting at it: address, connection pool, durability settings, write
//! transactions.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use crate::{StoreError, Tx};

/// How long SQLite waits for another process's write to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Which database is below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, in a file or in memory.
    Sqlite,
    /// PostgreSQL 14 or later.
    Postgres,
}

/// Where the store is and how much of it this process may use.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite:/absolute/file.db`, `sqlite::memory:`, or `postgres://user:password@host:port/database`
    /// with the parameters of libpq (`?sslmode=verify-full&sslrootcert=…`).
    pub url: String,
    /// The most connections; an in-memory database always has one.
    pub max_connections: u32,
    /// The longest wait for a connection, for the turn to write and for [`Db::ping`].
    pub acquire_timeout: Duration,
    /// The longest that one statement may run on PostgreSQL (migrations excepted).
    pub statement_timeout: Duration,
}

impl StoreOptions {
    /// Options with the usual limits: 4 connections to a file, 10 to a server; 5 s to get one; 10 s
    /// per statement.
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        let max_connections = if url.starts_with("sqlite:") { 4 } else { 10 };
        Self {
            url,
            max_connections,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("StoreOptions")
            .field("engine", &self.url.split(':').next())
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

/// A store. Clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Engine,
    pool: AnyPool,
    acquire_timeout: Duration,
    writer: Option<Arc<Semaphore>>,
}

impl Db {
    /// Opens the store, creating the SQLite file or the PostgreSQL database if it does not exist.
    /// The folder of a file must exist.
    ///
    /// # Errors
    /// [`StoreError::Settings`] for an address that is not understood, [`StoreError::Unavailable`]
    /// when the file or server cannot be used.
    pub async fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        // Any panics without drivers; installing the same ones again is harmless.
        sqlx::any::install_default_drivers();
        match options.url.split_once(':') {
            Some(("sqlite", ":memory:")) => Self::open_memory(options).await,
            Some(("sqlite", path)) => Self::open_file(options, path).await,
            Some(("postgres" | "postgresql", _)) => Self::open_postgres(options).await,
            _ => Err(StoreError::Settings(
                "the address starts with neither sqlite: nor postgres:".to_owned(),
            )),
        }
    }

    /// Opens a store that exists and can be read alone: nothing is created, migrated or changed, and
    /// every statement that would is refused. Somebody else may be writing to it.
    ///
    /// # Errors
    /// [`StoreError::Settings`] for an address that is not understood, [`StoreError::Unavailable`]
    /// when there is no such store.
    pub async fn open_read_only(options: &StoreOptions) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        match options.url.split_once(':') {
            Some(("sqlite", path)) => {
                let path = sqlite_path(path)?;
                let pool = sqlite_pool(options, options.max_connections.max(1))
                    .connect_with(AnyConnectOptions::from_str(&format!(
                        "sqlite:{path}?mode=ro"
                    ))?)
                    .await?;
                Ok(Self::sqlite(options, pool))
            }
            Some(("postgres" | "postgresql", _)) => Self::connect_postgres(options, true).await,
            _ => Err(StoreError::Settings(
                "the address starts with neither sqlite: nor postgres:".to_owned(),
            )),
        }
    }

    async fn open_memory(options: &StoreOptions) -> Result<Self, StoreError> {
        // Each connection would be a database of its own, and a reaped one a lost database.
        let pool = sqlite_pool(options, 1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(AnyConnectOptions::from_str("sqlite::memory:")?)
            .await?;
        Ok(Self::sqlite(options, pool))
    }

    async fn open_file(options: &StoreOptions, path: &str) -> Result<Self, StoreError> {
        let escaped = sqlite_path(path)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        create_sqlite_file(Path::new(path), options.acquire_timeout).await?;
        let pool = sqlite_pool(options, options.max_connections.max(1))
            .connect_with(AnyConnectOptions::from_str(&format!(
                "sqlite:{escaped}?mode=rw"
            ))?)
            .await?;
        Ok(Self::sqlite(options, pool))
    }

    fn sqlite(options: &StoreOptions, pool: AnyPool) -> Self {
        Self {
            engine: Engine::Sqlite,
            pool,
            acquire_timeout: options.acquire_timeout,
            writer: Some(Arc::new(Semaphore::new(1))),
        }
    }

    async fn open_postgres(options: &StoreOptions) -> Result<Self, StoreError> {
        timeout(
            options.acquire_timeout,
            create_postgres_database(&options.url),
        )
        .await
        .map_err(|_| StoreError::Unavailable("the server does not answer".to_owned()))??;
        Self::connect_postgres(options, false).await
    }

    async fn connect_postgres(options: &StoreOptions, read_only: bool) -> Result<Self, StoreError> {
        let statement_timeout = options.statement_timeout.as_millis().to_string();
        let pool = AnyPoolOptions::new()
            .max_connections(options.max_connections.max(1))
            .acquire_timeout(options.acquire_timeout)
            .after_connect(move |connection, _| {
                let statement_timeout = statement_timeout.clone();
                Box::pin(async move {
                    prepare_postgres(connection, &statement_timeout).await?;
                    if read_only {
                        sqlx::query("SET default_transaction_read_only = on")
                            .execute(connection)
                            .await?;
                    }
                    Ok(())
                })
            })
            .connect_with(AnyConnectOptions::from_str(&options.url)?)
            .await?;
        Ok(Self {
            engine: Engine::Postgres,
            pool,
            acquire_timeout: options.acquire_timeout,
            writer: None,
        })
    }

    /// The engine below, for the rare statement that has no portable form.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The pool, for single statements and reads: `query("…").fetch_optional(db.pool())`. Never
    /// `pool().begin()`: only [`Db::begin`] survives a caller that is cancelled.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a write transaction: `BEGIN IMMEDIATE` on SQLite, so that it cannot fail half way for
    /// want of the write lock; `BEGIN` (read committed) on PostgreSQL. Keep it short, and make no
    /// call to the outside in it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Contended`] when its turn does not come in time.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let turn = match &self.writer {
            None => None,
            Some(writer) => Some(
                timeout(self.acquire_timeout, Arc::clone(writer).acquire_owned())
                    .await
                    .map_err(|_| StoreError::Contended)?
                    .map_err(|_| StoreError::Unavailable("closed".to_owned()))?,
            ),
        };
        Tx::begin(self.pool.clone(), self.engine, turn).await
    }

    /// Whether the store answers, for readiness checks.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not within the acquire time-out.
    pub async fn ping(&self) -> Result<(), StoreError> {
        timeout(
            self.acquire_timeout,
            sqlx::query("SELECT 1").execute(&self.pool),
        )
        .await
        .map_err(|_| StoreError::Unavailable("no answer".to_owned()))??;
        Ok(())
    }

    /// Takes what was removed or overwritten off the disk as well, as far as the engine lets a program:
    /// SQLite folds its write-ahead log, which has the pages as they were, into the database and cuts it
    /// off, unless somebody reads from it right now; then a later time does it. PostgreSQL's idle space is
    /// its vacuum's.
    pub async fn shred(&self) {
        if self.engine == Engine::Sqlite {
            let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_all(&self.pool)
                .await;
            if let Err(error) = folded {
                tracing::debug!(error = %StoreError::from(error), "the write-ahead log is not cut off");
            }
        }
    }

    /// Waits for running statements and closes every connection; later use is
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The path of an address, as the driver's own address must spell it.
fn sqlite_path(path: &str) -> Result<String, StoreError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains('?') {
        return Err(StoreError::Settings(
            "sqlite: needs a path, without parameters".to_owned(),
        ));
    }
    Ok(path.replace('%', "%25").replace('#', "%23"))
}

fn sqlite_pool(options: &StoreOptions, connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // FULL: in WAL mode every commit is on the disk before it is answered. A booking
                // that was confirmed must still be there after a power cut.
                // secure_delete: what was removed does not stay in free pages.
                sqlx::raw_sql(
                    "PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                     PRAGMA secure_delete = ON;",
                )
                .execute(&mut *connection)
                .await?;
                Ok(())
            })
        })
}

/// Creates the file, readable by its owner alone, and turns on its write-ahead log; SQLite gives the files
/// beside it the same mode. Changing the journal mode does not honour the
/// busy time-out, so processes that start together take turns here.
async fn create_sqlite_file(path: &Path, patience: Duration) -> Result<(), StoreError> {
    #[cfg(unix)]
    create_private(path);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal);
    let deadline = Instant::now() + patience;
    loop {
        match options.connect().await {
            Ok(connection) => return Ok(connection.close().await?),
            Err(error) => {
                let error = StoreError::from(error);
                if !matches!(error, StoreError::Contended) || Instant::now() >= deadline {
                    return Err(error);
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// A file that cannot be made here cannot be made by SQLite either, whose words are better.
#[cfg(unix)]
fn create_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    drop(options.open(path));
}

async fn create_postgres_database(url: &str) -> Result<(), StoreError> {
    let options = PgConnectOptions::from_str(url)?;
    match PgConnection::connect_with(&options).await {
        Ok(connection) => return Ok(connection.close().await?),
        // invalid_catalog_name: the server is there, the database is not.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("3D000") => {}
        Err(error) => return Err(error.into()),
    }
    let name = options
        .get_database()
        .ok_or_else(|| StoreError::Settings("the address names no database".to_owned()))?
        .replace('"', "\"\"");
    let mut server = PgConnection::connect_with(&options.database("postgres")).await?;
    let created = sqlx::query(AssertSqlSafe(format!("CREATE DATABASE \"{name}\"")))
        .execute(&mut server)
        .await;
    server.close().await?;
    match created {
        Ok(_) => Ok(()),
        // Another process of the same service was faster: duplicate_database, or the catalogue's
        // own unique index.
        Err(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("42P04" | "23505")) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn prepare_postgres(
    connection: &mut AnyConnection,
    statement_timeout: &str,
) -> Result<(), sqlx::Error> {
    // A transaction that its process forgot must not hold locks; a commit must be on the disk before
    // it is answered, also where the server's default trades that away. A stronger setting stays.
    sqlx::query(
        "SELECT set_config('statement_timeout', $1, false), \
         set_config('idle_in_transaction_session_timeout', '30000', false), \
         CASE WHEN current_setting('synchronous_commit') = 'off' \
         THEN set_config('synchronous_commit', 'on', false) END",
    )
    .bind(statement_timeout)
    .execute(connection)
    .await?;
    Ok(())
}
