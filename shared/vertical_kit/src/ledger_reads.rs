//! Reading the ledger of orders.

use std::collections::HashMap;

use storage::{AnyRow, Row as _, StoreError};
use travel_types::OrderId;

use crate::ledger::{Ledger, LedgerOrder, read_order};
use crate::offer_store::instant;
use crate::orders::{HistoryEntry, Order};
use crate::owned::Owned;

impl Ledger {
    /// One order with its history, and with its personal part as it is kept.
    pub(crate) async fn order(
        &self,
        id: OrderId,
    ) -> Result<Option<Owned<LedgerOrder>>, StoreError> {
        let row = storage::query("SELECT * FROM orders WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.db.pool())
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let history = self.history(id).await?;
        let order = read_order(&row, self.vertical, history)?;
        Ok(Some(Owned::new(order.owner.clone(), order)))
    }

    async fn history(&self, id: OrderId) -> Result<Vec<HistoryEntry>, StoreError> {
        storage::query(
            "SELECT at, event, note FROM order_history WHERE order_id = $1 ORDER BY sequence",
        )
        .bind(id.to_string())
        .fetch_all(self.db.pool())
        .await?
        .iter()
        .map(read_entry)
        .collect()
    }

    /// Orders of an owner, newest first, older than the one named.
    pub(crate) async fn orders_of(
        &self,
        owner: &str,
        before: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError> {
        // Ids sort by time. A "z" sorts after every digit of an id whatever the database's collation;
        // punctuation does not.
        let before = before.map_or_else(|| "ord_z".to_owned(), |id| id.to_string());
        let rows = storage::query(
            "SELECT * FROM orders WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(owner)
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(self.db.pool())
        .await?;
        let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else {
            return Ok(Vec::new());
        };
        let entries = storage::query(
            "SELECT order_id, at, event, note FROM order_history WHERE order_id IN \
             (SELECT id FROM orders WHERE owner = $1 AND id <= $2 AND id >= $3) \
             ORDER BY order_id, sequence",
        )
        .bind(owner)
        .bind(newest.try_get::<String, _>("id")?)
        .bind(oldest.try_get::<String, _>("id")?)
        .fetch_all(self.db.pool())
        .await?;
        let mut histories: HashMap<String, Vec<HistoryEntry>> = HashMap::new();
        for row in &entries {
            let of = histories.entry(row.try_get("order_id")?).or_default();
            of.push(read_entry(row)?);
        }
        let orders = rows
            .iter()
            .map(|row| {
                let history = histories.remove(row.try_get::<&str, _>("id")?);
                read_order(row, self.vertical, history.unwrap_or_default())
            })
            .collect::<Result<_, StoreError>>()?;
        self.shown(orders).await
    }
}

fn read_entry(row: &AnyRow) -> Result<HistoryEntry, StoreError> {
    Ok(HistoryEntry {
        at: instant(row, "at")?,
        event: row.try_get("event")?,
        note: row.try_get("note")?,
    })
}
