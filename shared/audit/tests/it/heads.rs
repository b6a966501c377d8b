use std::path::PathBuf;
use std::time::Duration;

use audit::{AuditLog, Head, Heads, HeadsError, Why, Witness};
use telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use travel_types::Clock;

use crate::stores::{Store, key, on_each_engine, record};

struct Signing {
    path: PathBuf,
    metrics: Metrics,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Signing {
    async fn start(log: &AuditLog, path: PathBuf) -> Self {
        let witness = Witness::open(log.clone(), &path).unwrap();
        let signing = Self {
            path,
            metrics: Metrics::new(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let gauges = witness.measured(&signing.metrics).unwrap();
        signing
            .tasks
            .spawn(witness.run(signing.shutdown.clone(), signing.tasks.clone(), gauges));
        signing
    }

    fn heads(&self) -> Heads {
        Heads::read(std::slice::from_ref(&self.path)).unwrap()
    }

    async fn until_signed(&self, seq: i64) {
        let signed = async {
            while self.heads().newest().is_none_or(|head| head.seq < seq) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(1), signed)
            .await
            .expect("the end is signed within a second");
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_signed_within_a_second_and_at_shutdown() {
    on_each_engine(async |store| {
        let log = store.log();
        let path = store.folder.join("audit").join("heads.jsonl");
        let signing = Signing::start(&log, path.clone()).await;
        assert!(signing.heads().newest().is_none());
        assert!(
            signing
                .metrics
                .render()
                .contains("interline_audit_head_age_seconds -1")
        );
        log.append_alone(&record("login", "usr_1")).await.unwrap();
        signing.until_signed(1).await;
        let shutdown = signing.shutdown.clone();
        let tasks = signing.tasks.clone();
        shutdown.cancel();
        // A request that was under way.
        log.append_alone(&record("logout", "usr_1")).await.unwrap();
        tasks.close();
        tasks.wait().await;
        let heads = signing.heads();
        assert_eq!(heads.newest().unwrap().seq, 2);
        assert!(
            signing
                .metrics
                .render()
                .contains("interline_audit_unsigned_records 0")
        );
        let report = log.verify(&heads).await.unwrap();
        assert!(report.valid);
        assert_eq!(report.head.unwrap().seq, 2);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        signing.stop().await;
    })
    .await;
}

/// The files of two instances of one service.
async fn two_witnesses(store: &Store) -> (AuditLog, Vec<PathBuf>) {
    let log = store.log();
    let files = vec![
        store.folder.join("one.jsonl"),
        store.folder.join("two.jsonl"),
    ];
    for (n, file) in files.iter().cycle().take(4).enumerate() {
        let signing = Signing::start(&log, file.clone()).await;
        log.append_alone(&record("login", "usr_1")).await.unwrap();
        signing.until_signed(i64::try_from(n + 1).unwrap()).await;
        signing.stop().await;
    }
    (log, files)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_instance_is_a_witness_of_its_own() {
    on_each_engine(async |store| {
        let (log, files) = two_witnesses(store).await;
        let heads = Heads::read(&files).unwrap();
        let mut numbers: Vec<i64> = heads.all().iter().map(|head| head.seq).collect();
        // Each may also have signed the end that it found.
        numbers.dedup();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert!(log.verify(&heads).await.unwrap().valid);
        // Only the second one saw record 4.
        store.execute("DELETE FROM audit_log WHERE seq = 4").await;
        store
            .execute(
                "UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit_log WHERE seq = 3)",
            )
            .await;
        let one = Heads::read(&files[..1]).unwrap();
        assert!(log.verify(&one).await.unwrap().valid);
        let report = log.verify(&heads).await.unwrap();
        assert_eq!(report.first_bad_index, Some(4));
        assert_eq!(report.fault.unwrap().why, Why::Truncated);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_off_and_went_on_is_found_and_never_signed_as_if_nothing_were() {
    on_each_engine(async |store| {
        let (log, files) = two_witnesses(store).await;
        store.execute("DELETE FROM audit_log WHERE seq > 2").await;
        store
            .execute(
                "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit_log WHERE seq = 2)",
            )
            .await;
        // The second one has signed 4 and refuses 3.
        let signing = Signing::start(&log, files[1].clone()).await;
        log.append_alone(&record("login", "usr_2")).await.unwrap();
        signing.stop().await;
        let heads = Heads::read(&files).unwrap();
        assert_eq!(heads.newest().unwrap().seq, 4);
        let report = log.verify(&heads).await.unwrap();
        assert_eq!(report.first_bad_index, Some(3));
        assert_eq!(report.fault.unwrap().why, Why::Rewritten);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_the_key_has_not_written_is_not_signed() {
    on_each_engine(async |store| {
        let log = store.log();
        log.append_alone(&record("login", "usr_1")).await.unwrap();
        store.execute("UPDATE audit_log SET actor = 'usr_2'").await;
        let signing = Signing::start(&log, store.folder.join("heads.jsonl")).await;
        let path = signing.path.clone();
        signing.stop().await;
        assert_eq!(std::fs::read_to_string(path).unwrap(), "");
    })
    .await;
}

#[tokio::test]
async fn a_line_that_was_never_finished_is_removed_and_no_other() {
    let store = Store::open("memory").await;
    let path = store.folder.join("heads.jsonl");
    let log = store.log();
    log.append_alone(&record("login", "usr_1")).await.unwrap();
    Signing::start(&log, path.clone()).await.stop().await;
    let whole = std::fs::read_to_string(&path).unwrap();
    assert_eq!(whole.lines().count(), 1);
    std::fs::write(&path, format!("{whole}{{\"seq\":2,\"ha")).unwrap();
    assert_eq!(
        Heads::read(std::slice::from_ref(&path))
            .unwrap()
            .all()
            .len(),
        1
    );
    log.append_alone(&record("login", "usr_1")).await.unwrap();
    Signing::start(&log, path.clone()).await.stop().await;
    let now = std::fs::read_to_string(&path).unwrap();
    assert!(now.starts_with(&whole));
    assert_eq!(now.lines().count(), 2);
    assert!(
        log.verify(&Heads::read(&[path]).unwrap())
            .await
            .unwrap()
            .valid
    );
    store.remove().await;
}

#[tokio::test]
async fn a_head_that_somebody_else_signed_or_changed_is_named() {
    let store = Store::open("memory").await;
    let log = store.log();
    for _ in 0..3 {
        log.append_alone(&record("login", "usr_1")).await.unwrap();
    }
    let clock = Clock::system();
    let path = store.folder.join("heads.jsonl");
    Signing::start(&log, path.clone()).await.stop().await;
    let good = Heads::read(&[path]).unwrap().newest().unwrap().clone();
    let mut later = good.clone();
    later.at = clock.after(Duration::from_secs(60));
    let mut resigned = good.clone();
    resigned.signature = Head::sign(&key(8), 3, &good.hash, good.at).signature;
    let mut renamed = Head::sign(&key(8), 3, &good.hash, clock.now());
    renamed.kid.clone_from(&good.kid);
    let mut beyond = good.clone();
    beyond.seq = 9;
    for (bad, index) in [
        (Head::sign(&key(8), 3, &good.hash, clock.now()), 3),
        (later, 3),
        (resigned, 3),
        (renamed, 3),
        (beyond, 9),
    ] {
        let report = log
            .verify(&Heads::new(vec![bad, good.clone()]))
            .await
            .unwrap();
        assert_eq!(report.first_bad_index, Some(index));
        assert_eq!(report.fault.unwrap().why, Why::HeadSignature);
    }
    let forged = Head::sign(&key(7), 2, &good.hash, clock.now());
    let report = log.verify(&Heads::new(vec![forged])).await.unwrap();
    assert_eq!(report.fault.unwrap().why, Why::Rewritten);
    store.remove().await;
}

#[test]
fn a_file_of_heads_that_cannot_be_read_is_named_with_its_line() {
    let path = std::env::temp_dir().join(format!("heads-{}.jsonl", uuid::Uuid::new_v4()));
    let missing = Heads::read(std::slice::from_ref(&path)).unwrap_err();
    assert!(missing.to_string().contains("cannot be used"), "{missing}");
    std::fs::write(&path, "{}\n").unwrap();
    let wrong = Heads::read(std::slice::from_ref(&path)).unwrap_err();
    assert!(matches!(wrong, HeadsError::Line { line: 1, .. }), "{wrong}");
    std::fs::remove_file(path).unwrap();
}
