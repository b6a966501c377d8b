//! Offers on disk until they expire: any instance can price and order what another one found, and a
//! restart forgets nothing that a traveller is looking at.

use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value};
use storage::sqlx::AssertSqlSafe;
use storage::{AnyRow, Db, Row as _, StoreError, from_micros, to_micros};
use travel_types::OfferId;
use travel_types::jiff::{SignedDuration, Timestamp};

use crate::Offer;

/// An offer with what its adapter remembers of it.
#[derive(Clone, Debug)]
pub(crate) struct StoredOffer {
    pub(crate) offer: Offer,
    pub(crate) handle: Value,
}

/// Rows per statement: SQLite allows 32,766 placeholders, PostgreSQL 65,535.
const ROWS_AT_ONCE: usize = 100;
/// Columns of an offer's row.
const COLUMNS: usize = 7;

/// A search to be kept.
pub(crate) struct Kept<'a> {
    /// Its id.
    pub(crate) search: &'a str,
    /// What was said about it.
    pub(crate) meta: &'a Map<String, Value>,
    /// Its offers with their positions.
    pub(crate) places: &'a [(i64, StoredOffer)],
    /// Offers that are kept but not listed.
    pub(crate) alternatives: &'a [StoredOffer],
    /// How many items it has.
    pub(crate) total: i64,
    /// Until when it can be paged through, even where a supplier's offers are over sooner.
    pub(crate) until: Timestamp,
}

/// The position of offers that are not listed.
const UNLISTED: i64 = -1;

/// Keeps the offers of one search in their order, and what was said about the search.
pub(crate) async fn keep(db: &Db, kept: &Kept<'_>) -> Result<(), StoreError> {
    if kept.places.is_empty() {
        return Ok(());
    }
    let search = kept.search;
    let listed = kept
        .places
        .iter()
        .map(|(position, stored)| (*position, stored));
    let unlisted = kept.alternatives.iter().map(|stored| (UNLISTED, stored));
    let offers: Vec<(i64, &StoredOffer)> = listed.chain(unlisted).collect();
    let mut tx = db.begin().await?;
    storage::query("INSERT INTO searches (id, meta, found, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(search)
        .bind(Value::Object(kept.meta.clone()).to_string())
        .bind(kept.total)
        .bind(to_micros(kept.until))
        .execute(&mut *tx)
        .await?;
    for chunk in offers.chunks(ROWS_AT_ONCE) {
        // Any's own query builder writes `?`, which PostgreSQL does not know.
        let rows: Vec<String> = (0..chunk.len())
            .map(|row| {
                let first = row * COLUMNS;
                let columns: Vec<String> = (1..=COLUMNS)
                    .map(|column| format!("${}", first + column))
                    .collect();
                format!("({})", columns.join(", "))
            })
            .collect();
        let mut insert = storage::query(AssertSqlSafe(format!(
            "INSERT INTO offers (id, search_id, position, supplier, body, handle, expires_at) \
             VALUES {}",
            rows.join(", ")
        )));
        for (position, stored) in chunk {
            insert = insert
                .bind(stored.offer.id.to_string())
                .bind(search.to_owned())
                .bind(*position)
                .bind(stored.offer.supplier.clone())
                .bind(text(&stored.offer))
                .bind(stored.handle.to_string())
                .bind(to_micros(stored.offer.expires_at));
        }
        insert.execute(&mut *tx).await?;
    }
    tx.commit().await
}

fn text(offer: &Offer) -> String {
    serde_json::to_string(offer).unwrap_or_default()
}

fn read(row: &AnyRow) -> Result<StoredOffer, StoreError> {
    let broken = |_| StoreError::Corrupt("offer".to_owned());
    Ok(StoredOffer {
        offer: serde_json::from_str(row.try_get("body")?).map_err(broken)?,
        handle: serde_json::from_str(row.try_get("handle")?).map_err(broken)?,
    })
}

/// One offer, expired or not.
pub(crate) async fn find(db: &Db, id: OfferId) -> Result<Option<StoredOffer>, StoreError> {
    storage::query("SELECT body, handle FROM offers WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(db.pool())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Offers with their positions, what was said about their search, and how many items it has.
pub(crate) type Page = (Vec<(i64, Offer)>, Map<String, Value>, i64);

/// What a search found within a range of positions. None when the search is unknown or over.
pub(crate) async fn page(
    db: &Db,
    search: &str,
    range: Range<i64>,
    now: Timestamp,
) -> Result<Option<Page>, StoreError> {
    let row = storage::query("SELECT meta, found FROM searches WHERE id = $1 AND expires_at > $2")
        .bind(search)
        .bind(to_micros(now))
        .fetch_optional(db.pool())
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let meta = serde_json::from_str(row.try_get("meta")?)
        .map_err(|_| StoreError::Corrupt("search".to_owned()))?;
    let offers = storage::query(
        "SELECT position, body, handle FROM offers \
         WHERE search_id = $1 AND position >= $2 AND position < $3 ORDER BY position",
    )
    .bind(search)
    .bind(range.start)
    .bind(range.end)
    .fetch_all(db.pool())
    .await?
    .iter()
    .map(|row| Ok((row.try_get("position")?, read(row)?.offer)))
    .collect::<Result<_, StoreError>>()?;
    Ok(Some((offers, meta, row.try_get("found")?)))
}

/// Replaces an offer by its re-priced self.
pub(crate) async fn replace(db: &Db, stored: &StoredOffer) -> Result<(), StoreError> {
    storage::query("UPDATE offers SET body = $2, handle = $3, expires_at = $4 WHERE id = $1")
        .bind(stored.offer.id.to_string())
        .bind(text(&stored.offer))
        .bind(stored.handle.to_string())
        .bind(to_micros(stored.offer.expires_at))
        .execute(db.pool())
        .await?;
    Ok(())
}

/// Forgets what expired more than `grace` ago. Until then an expired offer is answered as expired, not
/// as unknown.
pub(crate) async fn purge(db: &Db, now: Timestamp, grace: Duration) -> Result<(), StoreError> {
    let before = SignedDuration::try_from(grace)
        .ok()
        .and_then(|grace| now.checked_sub(grace).ok())
        .map_or(0, to_micros);
    // An offer stays as long as its search: a page without it would count the others wrongly.
    for statement in [
        "DELETE FROM searches WHERE expires_at < $1",
        "DELETE FROM offers WHERE expires_at < $1 AND search_id NOT IN (SELECT id FROM searches)",
    ] {
        storage::query(statement)
            .bind(before)
            .execute(db.pool())
            .await?;
    }
    Ok(())
}

/// Reads an instant column.
pub(crate) fn instant(row: &AnyRow, column: &str) -> Result<Timestamp, StoreError> {
    from_micros(row.try_get(column)?)
}

/// Reads an instant column that may be empty.
pub(crate) fn maybe_instant(row: &AnyRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    row.try_get::<Option<i64>, _>(column)?
        .map(from_micros)
        .transpose()
}
