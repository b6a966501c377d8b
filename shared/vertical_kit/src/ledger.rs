//! The ledger of orders and cancellations. Every change of state is a conditional update together with
//! its line of history, so that two workers never both make it, and no late answer moves an order out of
//! a final state.

use std::time::Duration;

use serde_json::Value;
use storage::{AnyRow, Db, Row as _, StoreError, Tx, to_micros};
use travel_types::jiff::Timestamp;
use travel_types::{CancellationId, Money, OrderId};

use crate::offer_store::{instant, maybe_instant};
use crate::orders::{HistoryEntry, Order, OrderStatus};
use crate::quotes::{Cancellation, CancellationStatus};
use crate::supplier::PlacedOrder;

/// An order with what only the kit and the adapter need to know.
#[derive(Clone, Debug)]
pub(crate) struct LedgerOrder {
    pub(crate) order: Order,
    pub(crate) owner: String,
    pub(crate) phase: Phase,
    pub(crate) handle: Value,
    pub(crate) final_after: Option<Timestamp>,
    pub(crate) checks: u32,
}

/// How far an order's request has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Written down; surely nothing was sent.
    Intended,
    /// About to be sent, or sent.
    Sent,
    /// The outcome is known.
    Settled,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Sent => "sent",
            Self::Settled => "settled",
        }
    }
}

/// A cancellation with what only the kit and the adapter need to know.
#[derive(Clone, Debug)]
pub(crate) struct LedgerCancellation {
    pub(crate) cancellation: Cancellation,
    pub(crate) owner: String,
    pub(crate) supplier: String,
    pub(crate) handle: Value,
    pub(crate) final_after: Option<Timestamp>,
    pub(crate) checks: u32,
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

fn json<T: serde::de::DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T, StoreError> {
    serde_json::from_str(row.try_get(column)?).map_err(|_| corrupt(column))
}

fn id<T: std::str::FromStr>(row: &AnyRow, column: &str) -> Result<T, StoreError> {
    row.try_get::<&str, _>(column)?
        .parse()
        .map_err(|_| corrupt(column))
}

fn money(row: &AnyRow, column: &str) -> Result<Money, StoreError> {
    let currency = row
        .try_get::<&str, _>("currency")?
        .parse()
        .map_err(|_| corrupt("currency"))?;
    Ok(Money::new(row.try_get(column)?, currency))
}

fn read_order(
    row: &AnyRow,
    vertical: &str,
    history: Vec<HistoryEntry>,
) -> Result<LedgerOrder, StoreError> {
    let status = OrderStatus::read(row.try_get("status")?).ok_or_else(|| corrupt("status"))?;
    let phase = row.try_get::<&str, _>("phase")?;
    let phase = [Phase::Intended, Phase::Sent, Phase::Settled]
        .into_iter()
        .find(|known| known.as_str() == phase)
        .ok_or_else(|| corrupt("phase"))?;
    let checks: i64 = row.try_get("checks")?;
    Ok(LedgerOrder {
        order: Order {
            id: id(row, "id")?,
            vertical: vertical.to_owned(),
            supplier: row.try_get("supplier")?,
            supplier_reference: row.try_get("supplier_reference")?,
            status,
            failure: row.try_get("failure")?,
            offer_id: id(row, "offer_id")?,
            reference: row.try_get("client_reference")?,
            total: money(row, "total_minor")?,
            travellers: json(row, "travellers")?,
            contact: json(row, "contact")?,
            details: json(row, "details")?,
            created_at: instant(row, "created_at")?,
            history,
        },
        owner: row.try_get("owner")?,
        phase,
        handle: json(row, "handle")?,
        final_after: maybe_instant(row, "final_after")?,
        checks: u32::try_from(checks).unwrap_or(u32::MAX),
    })
}

fn read_cancellation(row: &AnyRow) -> Result<LedgerCancellation, StoreError> {
    let status =
        CancellationStatus::read(row.try_get("status")?).ok_or_else(|| corrupt("status"))?;
    let checks: i64 = row.try_get("checks")?;
    Ok(LedgerCancellation {
        cancellation: Cancellation {
            id: id(row, "id")?,
            order_id: id(row, "order_id")?,
            status,
            refund: money(row, "refund_minor")?,
            penalty: money(row, "penalty_minor")?,
            refund_to: row.try_get("refund_to")?,
            expires_at: instant(row, "expires_at")?,
            created_at: instant(row, "created_at")?,
            confirmed_at: maybe_instant(row, "confirmed_at")?,
        },
        owner: row.try_get("owner")?,
        supplier: row.try_get("supplier")?,
        handle: json(row, "handle")?,
        final_after: maybe_instant(row, "final_after")?,
        checks: u32::try_from(checks).unwrap_or(u32::MAX),
    })
}

/// The orders and cancellations of one vertical.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    db: Db,
    vertical: &'static str,
}

impl Ledger {
    pub(crate) fn new(db: Db, vertical: &'static str) -> Self {
        Self { db, vertical }
    }

    /// Writes the intent of an order.
    pub(crate) async fn intend(
        &self,
        tx: &mut Tx,
        order: &LedgerOrder,
        next_check: Timestamp,
    ) -> Result<(), StoreError> {
        let public = &order.order;
        let text = |value: serde_json::Result<String>| value.map_err(|_| corrupt("order"));
        storage::query(
            "INSERT INTO orders (id, owner, supplier, status, phase, offer_id, client_reference, \
             total_minor, currency, travellers, contact, details, handle, created_at, \
             next_check_at, checks) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0)",
        )
        .bind(public.id.to_string())
        .bind(order.owner.clone())
        .bind(public.supplier.clone())
        .bind(public.status.as_str())
        .bind(order.phase.as_str())
        .bind(public.offer_id.to_string())
        .bind(public.reference.clone())
        .bind(public.total.minor())
        .bind(public.total.currency().code())
        .bind(text(serde_json::to_string(&public.travellers))?)
        .bind(text(serde_json::to_string(&public.contact))?)
        .bind(public.details.to_string())
        .bind(order.handle.to_string())
        .bind(to_micros(public.created_at))
        .bind(to_micros(next_check))
        .execute(&mut **tx)
        .await?;
        write_history(tx, public.id, public.created_at, "requested", None).await
    }

    /// Marks an order as about to be sent, at its final price. False when somebody gave it up meanwhile:
    /// then nothing may be sent.
    pub(crate) async fn mark_sent(
        &self,
        id: OrderId,
        total: Money,
        handle: &Value,
        now: Timestamp,
        next_check: Timestamp,
        final_after: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let changed = storage::query(
            "UPDATE orders SET phase = 'sent', total_minor = $2, currency = $3, handle = $4, \
             sent_at = $5, next_check_at = $6, final_after = $7 \
             WHERE id = $1 AND phase = 'intended' AND status = 'pending'",
        )
        .bind(id.to_string())
        .bind(total.minor())
        .bind(total.currency().code())
        .bind(handle.to_string())
        .bind(to_micros(now))
        .bind(to_micros(next_check))
        .bind(to_micros(final_after))
        .execute(&mut *tx)
        .await?
        .rows_affected()
            == 1;
        if changed {
            write_history(&mut tx, id, now, "sent", None).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// Remembers that the outcome is unknown, from when on "not found" means "not made", and when to ask.
    pub(crate) async fn mark_unknown(
        &self,
        id: OrderId,
        now: Timestamp,
        next_check: Timestamp,
        final_after: Timestamp,
        note: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let changed = storage::query(
            "UPDATE orders SET final_after = $2, next_check_at = $3 \
             WHERE id = $1 AND status = 'pending'",
        )
        .bind(id.to_string())
        .bind(to_micros(final_after))
        .bind(to_micros(next_check))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed == 1 {
            write_history(&mut tx, id, now, "outcome_unknown", Some(note)).await?;
        }
        tx.commit().await
    }

    /// A pending order is made. False when it was settled before.
    pub(crate) async fn confirm(
        &self,
        tx: &mut Tx,
        id: OrderId,
        placed: &PlacedOrder,
        status: OrderStatus,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let details = placed.details.as_ref().map(Value::to_string);
        let changed = storage::query(
            "UPDATE orders SET status = $2, phase = 'settled', supplier_reference = $3, \
             total_minor = $4, currency = $5, details = COALESCE($6, details), handle = $7, \
             next_check_at = NULL WHERE id = $1 AND status = 'pending'",
        )
        .bind(id.to_string())
        .bind(status.as_str())
        .bind(placed.supplier_reference.clone())
        .bind(placed.total.minor())
        .bind(placed.total.currency().code())
        .bind(details)
        .bind(placed.handle.to_string())
        .execute(&mut **tx)
        .await?
        .rows_affected()
            == 1;
        if changed {
            write_history(tx, id, now, status.as_str(), None).await?;
        }
        Ok(changed)
    }

    /// A pending order was not made. False when it was settled before.
    pub(crate) async fn fail(
        &self,
        tx: &mut Tx,
        id: OrderId,
        code: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = storage::query(
            "UPDATE orders SET status = 'failed', phase = 'settled', failure = $2, \
             next_check_at = NULL WHERE id = $1 AND status = 'pending'",
        )
        .bind(id.to_string())
        .bind(code)
        .execute(&mut **tx)
        .await?
        .rows_affected()
            == 1;
        if changed {
            write_history(tx, id, now, "failed", Some(code)).await?;
        }
        Ok(changed)
    }

    /// Puts the next question about an order off.
    pub(crate) async fn ask_later(&self, id: OrderId, next: Timestamp) -> Result<(), StoreError> {
        storage::query(
            "UPDATE orders SET next_check_at = $2, checks = checks + 1 \
             WHERE id = $1 AND status = 'pending'",
        )
        .bind(id.to_string())
        .bind(to_micros(next))
        .execute(self.db.pool())
        .await?;
        Ok(())
    }

    /// Orders whose outcome is to be asked for now. Each is leased: no other worker gets it before
    /// `lease` is over.
    pub(crate) async fn due_orders(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<LedgerOrder>, StoreError> {
        // The outer condition is checked again on the locked row: of two workers one gets it.
        storage::query(
            "UPDATE orders SET next_check_at = $2 WHERE next_check_at <= $1 AND id IN \
             (SELECT id FROM orders WHERE next_check_at <= $1 ORDER BY next_check_at LIMIT $3) \
             RETURNING *",
        )
        .bind(to_micros(now))
        .bind(to_micros(lease))
        .bind(i64::from(limit))
        .fetch_all(self.db.pool())
        .await?
        .iter()
        .map(|row| read_order(row, self.vertical, Vec::new()))
        .collect()
    }

    /// One order with its history.
    pub(crate) async fn order(&self, id: OrderId) -> Result<Option<LedgerOrder>, StoreError> {
        let row = storage::query("SELECT * FROM orders WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.db.pool())
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let history = self.history(id).await?;
        read_order(&row, self.vertical, history).map(Some)
    }

    async fn history(&self, id: OrderId) -> Result<Vec<HistoryEntry>, StoreError> {
        storage::query(
            "SELECT at, event, note FROM order_history WHERE order_id = $1 ORDER BY sequence",
        )
        .bind(id.to_string())
        .fetch_all(self.db.pool())
        .await?
        .iter()
        .map(|row| {
            Ok(HistoryEntry {
                at: instant(row, "at")?,
                event: row.try_get("event")?,
                note: row.try_get("note")?,
            })
        })
        .collect()
    }

    /// Orders of an owner, newest first, older than the one named.
    pub(crate) async fn orders_of(
        &self,
        owner: &str,
        before: Option<OrderId>,
        limit: u32,
    ) -> Result<Vec<Order>, StoreError> {
        // Ids sort by time; "~" sorts after every id.
        let before = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let rows = storage::query(
            "SELECT * FROM orders WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(owner)
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(self.db.pool())
        .await?;
        let mut orders = Vec::with_capacity(rows.len());
        for row in &rows {
            let history = self.history(id(row, "id")?).await?;
            orders.push(read_order(row, self.vertical, history)?.order);
        }
        Ok(orders)
    }

    /// Keeps a cancellation quote.
    pub(crate) async fn quote(&self, quoted: &LedgerCancellation) -> Result<(), StoreError> {
        let public = &quoted.cancellation;
        storage::query(
            "INSERT INTO cancellations (id, order_id, owner, supplier, status, handle, \
             refund_minor, penalty_minor, currency, refund_to, created_at, expires_at, checks) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0)",
        )
        .bind(public.id.to_string())
        .bind(public.order_id.to_string())
        .bind(quoted.owner.clone())
        .bind(quoted.supplier.clone())
        .bind(public.status.as_str())
        .bind(quoted.handle.to_string())
        .bind(public.refund.minor())
        .bind(public.penalty.minor())
        .bind(public.refund.currency().code())
        .bind(public.refund_to.clone())
        .bind(to_micros(public.created_at))
        .bind(to_micros(public.expires_at))
        .execute(self.db.pool())
        .await?;
        Ok(())
    }

    /// One cancellation.
    pub(crate) async fn cancellation(
        &self,
        id: CancellationId,
    ) -> Result<Option<LedgerCancellation>, StoreError> {
        storage::query("SELECT * FROM cancellations WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.db.pool())
            .await?
            .as_ref()
            .map(read_cancellation)
            .transpose()
    }

    /// Takes a quote to be carried out. False when it was taken before, or another quote of the same
    /// order is being carried out, or the order is not confirmed.
    pub(crate) async fn take_quote(
        &self,
        tx: &mut Tx,
        quoted: &Cancellation,
        now: Timestamp,
        next_check: Timestamp,
        final_after: Timestamp,
    ) -> Result<bool, StoreError> {
        let order = storage::query(
            "UPDATE orders SET cancelling = $2 \
             WHERE id = $1 AND status = 'confirmed' AND cancelling IS NULL",
        )
        .bind(quoted.order_id.to_string())
        .bind(quoted.id.to_string())
        .execute(&mut **tx)
        .await?
        .rows_affected();
        if order != 1 {
            return Ok(false);
        }
        let quote = storage::query(
            "UPDATE cancellations SET status = 'pending', next_check_at = $2, final_after = $3 \
             WHERE id = $1 AND status = 'quoted'",
        )
        .bind(quoted.id.to_string())
        .bind(to_micros(next_check))
        .bind(to_micros(final_after))
        .execute(&mut **tx)
        .await?
        .rows_affected();
        if quote != 1 {
            return Err(StoreError::Conflict);
        }
        write_history(tx, quoted.order_id, now, "cancellation_sent", None).await?;
        Ok(true)
    }

    /// Remembers that a cancellation's outcome is unknown.
    pub(crate) async fn cancellation_unknown(
        &self,
        quoted: &Cancellation,
        now: Timestamp,
        next_check: Timestamp,
        final_after: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        storage::query(
            "UPDATE cancellations SET next_check_at = $2, final_after = $3 \
             WHERE id = $1 AND status = 'pending'",
        )
        .bind(quoted.id.to_string())
        .bind(to_micros(next_check))
        .bind(to_micros(final_after))
        .execute(&mut *tx)
        .await?;
        write_history(
            &mut tx,
            quoted.order_id,
            now,
            "cancellation_outcome_unknown",
            None,
        )
        .await?;
        tx.commit().await
    }

    /// A pending cancellation was carried out, with this refund.
    pub(crate) async fn cancelled(
        &self,
        tx: &mut Tx,
        quoted: &Cancellation,
        refund: Money,
        penalty: Money,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = storage::query(
            "UPDATE cancellations SET status = 'confirmed', refund_minor = $2, penalty_minor = $3, \
             confirmed_at = $4, next_check_at = NULL WHERE id = $1 AND status = 'pending'",
        )
        .bind(quoted.id.to_string())
        .bind(refund.minor())
        .bind(penalty.minor())
        .bind(to_micros(now))
        .execute(&mut **tx)
        .await?
        .rows_affected()
            == 1;
        if changed {
            storage::query(
                "UPDATE orders SET status = 'cancelled' WHERE id = $1 AND status = 'confirmed'",
            )
            .bind(quoted.order_id.to_string())
            .execute(&mut **tx)
            .await?;
            write_history(tx, quoted.order_id, now, "cancelled", None).await?;
        }
        Ok(changed)
    }

    /// A pending cancellation was not carried out: the order stands and may be quoted again.
    pub(crate) async fn not_cancelled(
        &self,
        tx: &mut Tx,
        quoted: &Cancellation,
        code: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = storage::query(
            "UPDATE cancellations SET status = 'failed', next_check_at = NULL \
             WHERE id = $1 AND status = 'pending'",
        )
        .bind(quoted.id.to_string())
        .execute(&mut **tx)
        .await?
        .rows_affected()
            == 1;
        if changed {
            storage::query("UPDATE orders SET cancelling = NULL WHERE id = $1 AND cancelling = $2")
                .bind(quoted.order_id.to_string())
                .bind(quoted.id.to_string())
                .execute(&mut **tx)
                .await?;
            write_history(tx, quoted.order_id, now, "cancellation_failed", Some(code)).await?;
        }
        Ok(changed)
    }

    /// Puts the next question about a cancellation off.
    pub(crate) async fn ask_about_cancellation_later(
        &self,
        id: CancellationId,
        next: Timestamp,
    ) -> Result<(), StoreError> {
        storage::query(
            "UPDATE cancellations SET next_check_at = $2, checks = checks + 1 \
             WHERE id = $1 AND status = 'pending'",
        )
        .bind(id.to_string())
        .bind(to_micros(next))
        .execute(self.db.pool())
        .await?;
        Ok(())
    }

    /// Cancellations whose outcome is to be asked for now, leased as orders are.
    pub(crate) async fn due_cancellations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<LedgerCancellation>, StoreError> {
        storage::query(
            "UPDATE cancellations SET next_check_at = $2 WHERE next_check_at <= $1 AND id IN \
             (SELECT id FROM cancellations WHERE next_check_at <= $1 \
              ORDER BY next_check_at LIMIT $3) RETURNING *",
        )
        .bind(to_micros(now))
        .bind(to_micros(lease))
        .bind(i64::from(limit))
        .fetch_all(self.db.pool())
        .await?
        .iter()
        .map(read_cancellation)
        .collect()
    }
}

async fn write_history(
    tx: &mut Tx,
    order: OrderId,
    at: Timestamp,
    event: &str,
    note: Option<&str>,
) -> Result<(), StoreError> {
    storage::query(
        "INSERT INTO order_history (order_id, sequence, at, event, note) \
         SELECT $1, COALESCE(MAX(sequence), 0) + 1, $2, $3, $4 \
         FROM order_history WHERE order_id = $1",
    )
    .bind(order.to_string())
    .bind(to_micros(at))
    .bind(event)
    .bind(note.map(str::to_owned))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The wait before the next question: doubled each time, within bounds.
pub(crate) fn next_wait(checks: u32, first: Duration, longest: Duration) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(checks.min(16)))
        .min(longest)
}
