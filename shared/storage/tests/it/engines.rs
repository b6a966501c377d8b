//! A private store per engine and test.

use std::path::PathBuf;

use storage::{Db, Engine, StoreOptions, query, sqlx};

/// A store that this test alone uses, and the means to open it a second time.
pub(crate) struct Store {
    pub(crate) db: Db,
    pub(crate) options: StoreOptions,
    /// A second process could open the same data (not so in memory).
    pub(crate) shareable: bool,
    cleanup: Cleanup,
}

/// What a test leaves behind, to be removed.
pub(crate) enum Cleanup {
    Nothing,
    Folder(PathBuf),
    Database { server: String, name: String },
}

/// Runs the test once per engine, one after the other; the engine's name is printed, so that it stands
/// above a failure.
pub(crate) async fn on_each_engine(test: impl AsyncFn(&Store)) {
    for open in ["memory", "file", "postgres"] {
        println!("on {open}");
        let store = open_store(open).await;
        test(&store).await;
        store.remove().await;
    }
}

pub(crate) async fn open_store(engine: &str) -> Store {
    let (options, cleanup) = fresh(engine);
    Store {
        db: Db::open(&options).await.unwrap(),
        shareable: engine != "memory",
        options,
        cleanup,
    }
}

/// Where a store can be opened that does not exist yet.
pub(crate) fn fresh(engine: &str) -> (StoreOptions, Cleanup) {
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let (url, cleanup) = match engine {
        "memory" => ("sqlite::memory:".to_owned(), Cleanup::Nothing),
        "file" => {
            // A name that an address would have to escape.
            let folder = std::env::temp_dir().join(format!("{name} 100%#"));
            std::fs::create_dir(&folder).unwrap();
            let url = format!("sqlite:{}", folder.join("store.db").display());
            (url, Cleanup::Folder(folder))
        }
        _ => {
            let server = server_url();
            let base = server.rsplit_once('/').unwrap().0;
            let url = format!("{base}/{name}");
            (url, Cleanup::Database { server, name })
        }
    };
    (StoreOptions::new(url), cleanup)
}

impl Cleanup {
    pub(crate) async fn run(self) {
        match self {
            Self::Nothing => {}
            Self::Folder(folder) => std::fs::remove_dir_all(folder).unwrap(),
            Self::Database { server, name } => {
                let server = Db::open(&StoreOptions::new(server)).await.unwrap();
                query(sqlx::AssertSqlSafe(format!(
                    "DROP DATABASE {name} WITH (FORCE)"
                )))
                .execute(server.pool())
                .await
                .unwrap();
                server.close().await;
            }
        }
    }
}

impl Store {
    pub(crate) async fn remove(self) {
        self.db.close().await;
        self.cleanup.run().await;
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.db.engine() == Engine::Postgres
    }
}

pub(crate) fn server_url() -> String {
    std::env::var("INTERLINE_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "INTERLINE_TEST_POSTGRES_URL is not set: run tests/run.sh, \
             or eval \"$(tests/services.sh start)\" first"
        )
    })
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_of_a_new_store_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (options, cleanup) = fresh("file");
    let db = Db::open(&options).await.unwrap();
    query("CREATE TABLE t (x INTEGER)")
        .execute(db.pool())
        .await
        .unwrap();
    let Cleanup::Folder(folder) = &cleanup else {
        panic!("a file store has a folder");
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        seen += 1;
    }
    assert_eq!(seen, 3, "the database, its log and the log's index");
    db.close().await;
    cleanup.run().await;
}
