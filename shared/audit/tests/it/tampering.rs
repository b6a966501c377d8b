//! Thousands of changes to a real log: each is found, and the first bad record is named exactly.

use audit::{AuditLog, Check, End, Fault, GENESIS, Head, Heads, Row, Why};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use storage::query;
use travel_types::Clock;

use crate::stores::{Store, key, on_each_engine, record};

/// Records of the log that is tampered with.
const LENGTH: usize = 90;

/// A log as it lies in the database, and what was signed of it.
#[derive(Clone)]
struct Copy {
    rows: Vec<Row>,
    end: End,
}

/// What was done to a copy.
const KINDS: [&str; 14] = [
    "edit",
    "renumber",
    "delete",
    "delete and close the gap",
    "delete, close the gap, link anew",
    "insert a number twice",
    "insert and make room",
    "insert, make room, link anew",
    "swap",
    "truncate",
    "truncate and move the end",
    "tail with another key",
    "tail from elsewhere in the log",
    "end",
];

impl Copy {
    /// The first fault, found in memory.
    fn fault(&self, heads: &[Head]) -> Option<Fault> {
        let key = key(7);
        let mut check = Check::new(&key, heads, self.end.clone());
        for row in &self.rows {
            if let Err(fault) = check.take(row) {
                return Some(fault);
            }
        }
        check.finish().err()
    }

    /// What the first bad index is, from a comparison with the log as it was.
    fn expected(&self, original: &Self) -> Option<u64> {
        let index = |seq: i64| Some(u64::try_from(seq).unwrap_or(0));
        let places = self.rows.len().max(original.rows.len());
        for place in 0..places {
            let number = i64::try_from(place + 1).unwrap();
            match (self.rows.get(place), original.rows.get(place)) {
                (Some(ours), Some(theirs)) if ours == theirs => {}
                // A number again that was there already, or one that none can have.
                (Some(ours), _) if ours.seq < number => return index(ours.seq),
                (Some(ours), None) if self.end.seq < number => return index(ours.seq),
                _ => return index(number),
            }
        }
        match self.end.seq {
            end if end < original.end.seq => index((end + 1).max(1)),
            end if end > original.end.seq => index(original.end.seq + 1),
            end => (self.end.hash != original.end.hash).then(|| index(end))?,
        }
    }

    fn number_from_one(&mut self) {
        for (place, row) in self.rows.iter_mut().enumerate() {
            row.seq = i64::try_from(place + 1).unwrap();
        }
    }

    fn link_from(&mut self, place: usize) {
        for place in place..self.rows.len() {
            let previous = match place.checked_sub(1) {
                Some(before) => self.rows[before].hash.clone(),
                None => GENESIS.to_owned(),
            };
            self.rows[place].previous = previous;
        }
    }

    fn move_end(&mut self) {
        self.end = match self.rows.last() {
            Some(last) => End {
                seq: last.seq,
                hash: last.hash.clone(),
            },
            None => End {
                seq: 0,
                hash: GENESIS.to_owned(),
            },
        };
    }
}

/// A real log, its heads, and a key that is not its own.
async fn real(log: &AuditLog, store: &Store) -> (Copy, Heads) {
    let mut heads = Vec::new();
    for n in 0..LENGTH {
        let mut next = record(
            ["login", "role_change", "erase"][n % 3],
            ["usr_a", "usr_b"][n % 2],
        );
        next.succeeded = n % 5 != 0;
        next.target = (n % 3 == 1).then(|| format!("usr_{n}"));
        next.sealed = (n % 4 == 0).then(|| format!("sealed-{n}"));
        next.details.insert("n".to_owned(), n.into());
        if n % 7 == 0 {
            (next.actor, next.request_id) = (None, None);
        }
        log.append_alone(&next).await.unwrap();
    }
    let rows: Vec<Row> = query("SELECT * FROM audit_log ORDER BY seq")
        .fetch_all(store.db.pool())
        .await
        .unwrap()
        .iter()
        .map(|row| Row::read(row).unwrap())
        .collect();
    let now = Clock::system().now();
    for row in rows.iter().filter(|row| row.seq % 15 == 0) {
        heads.push(Head::sign(&key(7), row.seq, &row.hash, now));
    }
    let mut copy = Copy {
        rows,
        end: End {
            seq: 0,
            hash: String::new(),
        },
    };
    copy.move_end();
    (copy, Heads::new(heads))
}

fn changed_text(random: &mut StdRng, text: &str) -> String {
    let mut text: Vec<char> = text.chars().collect();
    match random.random_range(0..4) {
        0 => text.push(*[' ', 'x', '0', 'é'].choose(random).unwrap()),
        1 if !text.is_empty() => {
            text.pop();
        }
        2 if !text.is_empty() => {
            let place = random.random_range(0..text.len());
            let now = text[place];
            text[place] = match now.is_ascii_lowercase() {
                true => now.to_ascii_uppercase(),
                false => char::from(b'a' + u8::try_from(u32::from(now) % 26).unwrap()),
            };
        }
        _ => text.insert(0, 'y'),
    }
    text.into_iter().collect()
}

fn changed(random: &mut StdRng, text: Option<&String>) -> Option<String> {
    match (text, random.random_range(0..3)) {
        (None, 0) => Some(String::new()),
        (None, _) => Some("usr_x".to_owned()),
        (Some(_), 0) => None,
        (Some(text), _) => Some(changed_text(random, text)),
    }
}

/// Changes one column or two of a record.
fn edit(random: &mut StdRng, row: &mut Row) {
    let before = row.clone();
    while *row == before {
        match random.random_range(0..13) {
            0 => {
                row.at += *[1, -1, 1_000_000, i64::from(u32::MAX)]
                    .choose(random)
                    .unwrap()
            }
            1 => row.actor = changed(random, row.actor.as_ref()),
            2 => row.action = changed_text(random, &row.action),
            3 => row.succeeded = *[0, 1, 2, -1].choose(random).unwrap(),
            4 => row.target = changed(random, row.target.as_ref()),
            5 => row.sealed = changed(random, row.sealed.as_ref()),
            6 => row.details = changed_text(random, &row.details),
            7 => row.request_id = changed(random, row.request_id.as_ref()),
            8 => row.previous = changed_text(random, &row.previous),
            9 => row.hash = changed_text(random, &row.hash),
            10 => std::mem::swap(&mut row.actor, &mut row.target),
            11 => std::mem::swap(&mut row.sealed, &mut row.request_id),
            _ => {
                // The boundary between two columns moves, what they hold together stays.
                let action = std::mem::take(&mut row.action);
                let (first, rest) = action.split_at(1);
                row.actor = Some(row.actor.clone().unwrap_or_default() + first);
                row.action = rest.to_owned();
            }
        }
    }
}

/// A record as a forger would write it.
fn forged(random: &mut StdRng, rows: &[Row]) -> Row {
    let mut row = rows.choose(random).unwrap().clone();
    if random.random_bool(0.7) {
        edit(random, &mut row);
    }
    if random.random_bool(0.5) {
        row.hash = row.expected_hash(&key(8));
    }
    row
}

fn tamper(random: &mut StdRng, kind: &str, original: &Copy) -> Copy {
    let mut copy = original.clone();
    let rows = &mut copy.rows;
    let place = random.random_range(0..rows.len());
    let other = random.random_range(0..rows.len());
    match kind {
        "edit" => edit(random, &mut rows[place]),
        "renumber" => {
            rows[place].seq = random.random_range(-3..=200);
            rows.sort_by_key(|row| row.seq);
        }
        "delete" => {
            let to = random.random_range(place..rows.len().min(place + 4));
            rows.drain(place..=to);
        }
        "delete and close the gap" | "delete, close the gap, link anew" => {
            rows.remove(place);
            copy.number_from_one();
            if kind.ends_with("anew") {
                copy.link_from(place);
            }
            copy.move_end();
        }
        "insert a number twice" => {
            let mut row = forged(random, rows);
            row.seq = rows[place].seq;
            rows.insert(place + usize::from(random.random_bool(0.5)), row);
        }
        "insert and make room" | "insert, make room, link anew" => {
            let row = forged(random, rows);
            rows.insert(random.random_range(0..=rows.len()), row);
            copy.number_from_one();
            if kind.ends_with("anew") {
                copy.link_from(0);
            }
            if random.random_bool(0.5) {
                copy.move_end();
            }
        }
        "swap" => {
            rows.swap(place, other);
            copy.number_from_one();
            if random.random_bool(0.5) {
                copy.link_from(0);
            }
        }
        "truncate" => rows.truncate(place),
        "truncate and move the end" => {
            rows.truncate(place);
            copy.move_end();
        }
        "tail with another key" => {
            let length = random.random_range(1..=rows.len() - place + 3);
            let mut tail: Vec<Row> = rows.drain(place..).collect();
            while tail.len() < length {
                tail.push(original.rows.choose(random).unwrap().clone());
            }
            tail.truncate(length);
            edit(random, &mut tail[0]);
            rows.extend(tail);
            copy.number_from_one();
            for place in place..copy.rows.len() {
                copy.link_from(place);
                copy.rows[place].hash = copy.rows[place].expected_hash(&key(8));
            }
            copy.move_end();
        }
        "tail from elsewhere in the log" => {
            let tail = rows[other..].to_vec();
            rows.truncate(place);
            rows.extend(tail);
            copy.number_from_one();
            copy.link_from(place);
            copy.move_end();
        }
        _ => match random.random_range(0..3) {
            0 => copy.end.hash = changed_text(random, &copy.end.hash),
            1 => copy.end.seq = i64::try_from(place).unwrap(),
            _ => copy.end.seq = random.random_range(-3..i64::MAX),
        },
    }
    copy
}

fn differs(one: &Copy, two: &Copy) -> bool {
    one.rows != two.rows || one.end != two.end
}

#[tokio::test]
async fn of_ten_thousand_changes_each_is_found_and_its_first_bad_record_named() {
    let seed = match std::env::var("INTERLINE_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    println!("INTERLINE_TEST_SEED={seed}");
    let random = &mut StdRng::seed_from_u64(seed);
    let store = Store::open("memory").await;
    let (original, heads) = real(&store.log(), &store).await;
    assert_eq!(original.fault(heads.all()), None, "as it was, it is good");
    let mut counts = std::collections::BTreeMap::<&str, u32>::new();
    let mut reasons = std::collections::BTreeMap::<String, u32>::new();
    let mut done = 0;
    while done < 10_000 {
        let kind = KINDS[done % KINDS.len()];
        let copy = tamper(random, kind, &original);
        if !differs(&copy, &original) {
            continue;
        }
        done += 1;
        *counts.entry(kind).or_default() += 1;
        let fault = copy.fault(heads.all());
        let found = fault.as_ref().map(|fault| fault.index);
        let expected = copy.expected(&original);
        assert_eq!(found, expected, "case {done}, {kind}: {fault:?}");
        *reasons
            .entry(format!("{:?}", fault.unwrap().why))
            .or_default() += 1;
    }
    println!("{done} changes, each found, first bad record named: {counts:?}");
    println!("by reason: {reasons:?}");
    store.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_found_in_a_real_store() {
    on_each_engine(async |store| {
        let random = &mut StdRng::seed_from_u64(4);
        let log = store.log();
        let (original, heads) = real(&log, store).await;
        assert!(log.verify(&heads).await.unwrap().valid);
        // Whoever owns the database is bound by no constraint of it.
        store.execute("DROP TABLE audit_log").await;
        store
            .execute(
                "CREATE TABLE audit_log (seq BIGINT, at BIGINT, actor TEXT, action TEXT, \
                 succeeded BIGINT, target TEXT, sealed TEXT, details TEXT, request_id TEXT, \
                 previous TEXT, hash TEXT)",
            )
            .await;
        let mut done = 0;
        while done < 4 * KINDS.len() {
            let kind = KINDS[done % KINDS.len()];
            let copy = tamper(random, kind, &original);
            if !differs(&copy, &original) {
                continue;
            }
            done += 1;
            store.execute("DELETE FROM audit_log").await;
            store.insert(&copy.rows).await;
            store.set_end(copy.end.seq, &copy.end.hash).await;
            let report = log.verify(&heads).await.unwrap();
            assert!(!report.valid);
            assert_eq!(
                report.first_bad_index,
                copy.expected(&original),
                "case {done}, {kind}: {report:?}"
            );
        }
        println!("{done} changes in the store");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_gone_or_of_another_key_is_found() {
    on_each_engine(async |store| {
        let log = store.log();
        assert!(
            log.verify(&Heads::default()).await.unwrap().valid,
            "nothing yet"
        );
        let (_, heads) = real(&log, store).await;
        store.execute("UPDATE audit_head SET kid = 'other'").await;
        let report = log.verify(&heads).await.unwrap();
        assert_eq!(report.first_bad_index, Some(90));
        assert_eq!(report.fault.unwrap().why, Why::End);
        store.execute("DELETE FROM audit_head").await;
        let report = log.verify(&heads).await.unwrap();
        assert_eq!(report.first_bad_index, Some(1));
        assert!(log.append_alone(&record("login", "usr_a")).await.is_err());
        store.execute("DELETE FROM audit_log").await;
        let report = log.verify(&heads).await.unwrap();
        assert_eq!(report.fault.unwrap().why, Why::Truncated);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_no_column_should_hold_are_found() {
    for (change, index) in [
        ("UPDATE audit_log SET at = 'soon' WHERE seq = 3", 3),
        ("UPDATE audit_log SET actor = X'FF' WHERE seq = 4", 4),
        ("UPDATE audit_log SET seq = 5.5 WHERE seq = 7", 6),
        ("UPDATE audit_log SET seq = 'last' WHERE seq = 90", 90),
        ("UPDATE audit_log SET seq = NULL WHERE seq = 8", 0),
        ("UPDATE audit_log SET seq = X'00' WHERE seq = 9", 9),
        (
            "INSERT INTO audit_log SELECT 'x', at, actor, action, succeeded, target, sealed, details, request_id, previous, hash FROM audit_log WHERE seq = 2",
            91,
        ),
    ] {
        let store = Store::open("memory").await;
        let log = store.log();
        let (_, heads) = real(&log, &store).await;
        store
            .execute("CREATE TABLE copy AS SELECT * FROM audit_log")
            .await;
        store.execute("DROP TABLE audit_log").await;
        store.execute("ALTER TABLE copy RENAME TO audit_log").await;
        assert!(log.verify(&heads).await.unwrap().valid);
        store.execute(change).await;
        let report = log.verify(&heads).await.unwrap();
        assert_eq!(report.first_bad_index, Some(index), "{change}: {report:?}");
        store.remove().await;
    }
}
