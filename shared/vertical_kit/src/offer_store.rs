//! Offers on disk until they expire: any instance can price and order what another one found, and a
//! restart forgets nothing that a traveller is looking at.

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

/// Keeps the offers of one search in their order, and what was said about the search. It can be paged
/// through until `until`, even where a supplier's offers are over sooner.
pub(crate) async fn keep(
    db: &Db,
    search: &str,
    meta: &Map<String, Value>,
    offers: &[StoredOffer],
    until: Timestamp,
) -> Result<(), StoreError> {
    if offers.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    storage::query("INSERT INTO searches (id, meta, found, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(search)
        .bind(Value::Object(meta.clone()).to_string())
        .bind(i64::try_from(offers.len()).unwrap_or(i64::MAX))
        .bind(to_micros(until))
        .execute(&mut *tx)
        .await?;
    let mut position: i64 = 0;
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
        for stored in chunk {
            insert = insert
                .bind(stored.offer.id.to_string())
                .bind(search.to_owned())
                .bind(position)
                .bind(stored.offer.supplier.clone())
                .bind(text(&stored.offer))
                .bind(stored.handle.to_string())
                .bind(to_micros(stored.offer.expires_at));
            position += 1;
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

/// What a search found from a position on, what was said about it, and how many there are in all. None
/// when the search is unknown or over.
pub(crate) async fn page(
    db: &Db,
    search: &str,
    from: i64,
    limit: u32,
    now: Timestamp,
) -> Result<Option<(Vec<Offer>, Map<String, Value>, i64)>, StoreError> {
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
        "SELECT body, handle FROM offers WHERE search_id = $1 AND position >= $2 \
         ORDER BY position LIMIT $3",
    )
    .bind(search)
    .bind(from)
    .bind(i64::from(limit))
    .fetch_all(db.pool())
    .await?
    .iter()
    .map(|row| read(row).map(|stored| stored.offer))
    .collect::<Result<_, _>>()?;
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
