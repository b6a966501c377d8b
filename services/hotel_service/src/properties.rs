//! One id for one hotel, whoever sells it. The ids are kept: a hotel that only one supplier offers today
//! has the id that it had when two did.

use std::collections::HashMap;

use storage::sqlx::AssertSqlSafe;
use storage::{Db, Row as _, StoreError};
use travel_types::{Clock, Id, Kind};

use crate::same_hotel::Sighting;

/// `prp_`: a hotel.
pub(crate) enum PropertyKind {}

impl Kind for PropertyKind {
    const PREFIX: &'static str = "prp";
}

/// A supplier and its code of a hotel.
pub(crate) type Key = (String, String);

/// Codes per statement: far below what either engine allows.
const CODES_AT_ONCE: usize = 200;

/// The ids of the hotels that were sighted. New hotels get one; hotels that prove to be the same from
/// here on share the older one.
///
/// # Errors
/// The store's.
pub(crate) async fn ids(
    db: &Db,
    sightings: &[Sighting],
) -> Result<HashMap<Key, String>, StoreError> {
    let mut known = load(db, sightings).await?;
    let mut fresh = HashMap::new();
    let mut united = Vec::new();
    for (index, sighting) in sightings.iter().enumerate() {
        let key = key(sighting);
        let own = known.get(&key).or_else(|| fresh.get(&key)).cloned();
        let before = sightings.iter().take(index);
        let twin = before
            .filter(|other| other.is(sighting))
            .map(self::key)
            .find_map(|twin| known.get(&twin).or_else(|| fresh.get(&twin)).cloned());
        match (own, twin) {
            (None, None) => {
                fresh.insert(key, Id::<PropertyKind>::new(&Clock::system()).to_string());
            }
            (None, Some(twin)) => {
                fresh.insert(key, twin);
            }
            (Some(own), Some(twin)) if own != twin => {
                // Ids begin with the time that they were made.
                let (keep, drop) = if own < twin { (own, twin) } else { (twin, own) };
                for id in known.values_mut().chain(fresh.values_mut()) {
                    if *id == drop {
                        id.clone_from(&keep);
                    }
                }
                united.push((drop, keep));
            }
            _ => {}
        }
    }
    if fresh.is_empty() && united.is_empty() {
        return Ok(known);
    }
    let mut tx = db.begin().await?;
    for ((supplier, code), id) in &fresh {
        storage::query(
            "INSERT INTO properties (supplier, supplier_code, property_id) VALUES ($1, $2, $3) \
             ON CONFLICT (supplier, supplier_code) DO NOTHING",
        )
        .bind(supplier.clone())
        .bind(code.clone())
        .bind(id.clone())
        .execute(&mut *tx)
        .await?;
    }
    for (drop, keep) in united {
        storage::query("UPDATE properties SET property_id = $2 WHERE property_id = $1")
            .bind(drop)
            .bind(keep)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    // Another instance may have been first: what stands in the store holds.
    load(db, sightings).await
}

async fn load(db: &Db, sightings: &[Sighting]) -> Result<HashMap<Key, String>, StoreError> {
    let mut codes: HashMap<&str, Vec<&str>> = HashMap::new();
    for sighting in sightings {
        let of_supplier = codes.entry(&sighting.supplier).or_default();
        of_supplier.push(&sighting.code);
    }
    let mut known = HashMap::new();
    for (supplier, codes) in codes {
        for chunk in codes.chunks(CODES_AT_ONCE) {
            let places: Vec<String> = (2..=chunk.len() + 1).map(|at| format!("${at}")).collect();
            let mut select = storage::query(AssertSqlSafe(format!(
                "SELECT supplier_code, property_id FROM properties \
                 WHERE supplier = $1 AND supplier_code IN ({})",
                places.join(", ")
            )))
            .bind(supplier.to_owned());
            for code in chunk {
                select = select.bind((*code).to_owned());
            }
            for row in select.fetch_all(db.pool()).await? {
                let code: String = row.try_get("supplier_code")?;
                known.insert((supplier.to_owned(), code), row.try_get("property_id")?);
            }
        }
    }
    Ok(known)
}

pub(crate) fn key(sighting: &Sighting) -> Key {
    (sighting.supplier.clone(), sighting.code.clone())
}
