//! How long a million records take.

use std::time::Duration;

use audit::{GENESIS, Head, Heads, Row};
use tokio::time::Instant;
use travel_types::Clock;

use crate::stores::{Store, key, record};

const RECORDS: i64 = 1_000_000;

/// `cargo test --release -p audit -- --ignored --nocapture a_million`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes, and means something in a release build alone"]
async fn a_million_records_verify_within_thirty_seconds() {
    for (name, engine) in [("sqlite", "file"), ("postgres", "postgres")] {
        let store = Store::open(engine).await;
        let key = key(7);
        let clock = Clock::system();
        let mut previous = GENESIS.to_owned();
        let mut heads = Vec::new();
        let mut rows = Vec::new();
        for seq in 1..=RECORDS {
            let mut next = record("login", &format!("usr_{:032x}", seq % 5_000));
            next.target = (seq % 3 == 0).then(|| format!("usr_{:032x}", seq % 777));
            next.sealed = Some("c2VhbGVkIHBlcnNvbmFsIGZhY3RzIG9mIGEgcmVjb3Jk".to_owned());
            next.details.insert("method".to_owned(), "password".into());
            let row = Row::following(&key, &previous, seq, clock.now(), &next).unwrap();
            previous.clone_from(&row.hash);
            // As many as if one had been appended every second second.
            if seq % 4 == 0 {
                heads.push(Head::sign(&key, seq, &row.hash, clock.now()));
            }
            rows.push(row);
            if rows.len() == 50_000 {
                store.insert(&rows).await;
                rows.clear();
            }
        }
        store.set_end(RECORDS, &previous).await;
        let heads = Heads::new(heads);
        let began = Instant::now();
        let report = store.log().verify(&heads).await.unwrap();
        let took = began.elapsed();
        assert!(report.valid, "{report:?}");
        let seconds = took.as_secs_f64();
        println!(
            "{name}: {} records verified in {seconds:.1} s",
            report.records
        );
        assert!(took <= Duration::from_secs(30));
        store.remove().await;
    }
}
