//! The ledger of orders; that of cancellations is `cancellation_ledger`. Every change of state is a conditional update together with
//! its line of history, so that two workers never both make it, and no late answer moves an order out of
//! a final state.

use std::time::Duration;

use personal_data::{Vault, VaultError};
use serde_json::Value;
use storage::{AnyRow, Db, Row as _, StoreError, Tx, to_micros};
use travel_types::jiff::Timestamp;
use travel_types::{Money, OrderId};

use crate::offer_store::{instant, maybe_instant};
use crate::orders::{HistoryEntry, Order, OrderStatus};
use crate::personal::{Kept, read_personal};
use crate::supplier::PlacedOrder;

/// An order with what only the kit and the adapter need to know.
#[derive(Clone, Debug)]
pub(crate) struct LedgerOrder {
    /// Without its personal part, unless that is [`Kept::Open`].
    pub(crate) order: Order,
    pub(crate) kept: Kept,
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

pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(
    row: &AnyRow,
    column: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(row.try_get(column)?).map_err(|_| corrupt(column))
}

pub(crate) fn id<T: std::str::FromStr>(row: &AnyRow, column: &str) -> Result<T, StoreError> {
    row.try_get::<&str, _>(column)?
        .parse()
        .map_err(|_| corrupt(column))
}

pub(crate) fn money(row: &AnyRow, column: &str) -> Result<Money, StoreError> {
    let currency = row
        .try_get::<&str, _>("currency")?
        .parse()
        .map_err(|_| corrupt("currency"))?;
    Ok(Money::new(row.try_get(column)?, currency))
}

pub(crate) fn read_order(
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
    let mut order = Order {
        id: id(row, "id")?,
        vertical: vertical.to_owned(),
        supplier: row.try_get("supplier")?,
        supplier_reference: row.try_get("supplier_reference")?,
        status,
        failure: row.try_get("failure")?,
        offer_id: id(row, "offer_id")?,
        reference: None,
        total: money(row, "total_minor")?,
        travellers: Vec::new(),
        contact: None,
        personal_data_erased: false,
        details: json(row, "details")?,
        created_at: instant(row, "created_at")?,
        history,
    };
    let kept = read_personal(row, &mut order)?;
    Ok(LedgerOrder {
        order,
        kept,
        owner: row.try_get("owner")?,
        phase,
        handle: json(row, "handle")?,
        final_after: maybe_instant(row, "final_after")?,
        checks: u32::try_from(checks).unwrap_or(u32::MAX),
    })
}

/// The orders and cancellations of one vertical.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) db: Db,
    pub(crate) vault: Vault,
    pub(crate) vertical: &'static str,
}

impl Ledger {
    pub(crate) fn new(db: Db, vault: Vault, vertical: &'static str) -> Self {
        Self {
            db,
            vault,
            vertical,
        }
    }

    /// Writes the intent of an order, its personal part sealed.
    pub(crate) async fn intend(
        &self,
        tx: &mut Tx,
        order: &LedgerOrder,
        next_check: Timestamp,
    ) -> Result<(), VaultError> {
        let public = &order.order;
        let personal = self.seal_personal(tx, &order.owner, public).await?;
        storage::query(
            "INSERT INTO orders (id, owner, supplier, status, phase, offer_id, \
             total_minor, currency, travellers, contact, personal, details, handle, created_at, \
             next_check_at, checks) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', '', $9, $10, $11, $12, $13, 0)",
        )
        .bind(public.id.to_string())
        .bind(order.owner.clone())
        .bind(public.supplier.clone())
        .bind(public.status.as_str())
        .bind(order.phase.as_str())
        .bind(public.offer_id.to_string())
        .bind(public.total.minor())
        .bind(public.total.currency().code())
        .bind(personal)
        .bind(public.details.to_string())
        .bind(order.handle.to_string())
        .bind(to_micros(public.created_at))
        .bind(to_micros(next_check))
        .execute(&mut **tx)
        .await?;
        write_history(tx, public.id, public.created_at, "requested", None).await?;
        Ok(())
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

    /// What the adapter remembers of an order that the supplier has taken and not decided on.
    pub(crate) async fn remember(&self, id: OrderId, handle: &Value) -> Result<(), StoreError> {
        storage::query("UPDATE orders SET handle = $2 WHERE id = $1 AND status = 'pending'")
            .bind(id.to_string())
            .bind(handle.to_string())
            .execute(self.db.pool())
            .await
            .map(drop)
            .map_err(StoreError::from)
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
        let statement = "UPDATE orders SET status = 'failed', phase = 'settled', failure = $2, \
             next_check_at = NULL WHERE id = $1 AND status = 'pending'";
        end_failed(tx, statement, id, code, now).await
    }

    /// Gives up an order that was never sent. False when it has been sent meanwhile, or was settled: the
    /// caller's row may be older than the store's.
    pub(crate) async fn give_up(
        &self,
        tx: &mut Tx,
        id: OrderId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = "UPDATE orders SET status = 'failed', phase = 'settled', failure = $2, \
             next_check_at = NULL WHERE id = $1 AND status = 'pending' AND phase = 'intended'";
        end_failed(tx, statement, id, "ABANDONED", now).await
    }

    /// Puts the next question about an order off.
    pub(crate) async fn ask_later(&self, id: OrderId, next: Timestamp) -> Result<(), StoreError> {
        let statement = "UPDATE orders SET next_check_at = $2, checks = checks + 1 \
             WHERE id = $1 AND status = 'pending'";
        self.put_off(statement, id.to_string(), next).await
    }

    /// Carries out the statement that puts a row's next question off.
    pub(crate) async fn put_off(
        &self,
        statement: &'static str,
        id: String,
        next: Timestamp,
    ) -> Result<(), StoreError> {
        storage::query(statement)
            .bind(id)
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
        let statement = "UPDATE orders SET next_check_at = $2 WHERE next_check_at <= $1 AND id IN \
             (SELECT id FROM orders WHERE next_check_at <= $1 ORDER BY next_check_at LIMIT $3) \
             RETURNING *";
        let rows = self.lease(statement, now, lease, limit).await?;
        Ok(readable(&rows, |row| {
            read_order(row, self.vertical, Vec::new())
        }))
    }

    /// Carries out the statement that leases what is due. It must check the outer condition again on
    /// the locked row: of two workers one gets it.
    pub(crate) async fn lease(
        &self,
        statement: &'static str,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<AnyRow>, StoreError> {
        Ok(storage::query(statement)
            .bind(to_micros(now))
            .bind(to_micros(lease))
            .bind(i64::from(limit))
            .fetch_all(self.db.pool())
            .await?)
    }
}

/// Carries out the statement that ends an order as failed. False when it changed nothing.
async fn end_failed(
    tx: &mut Tx,
    statement: &'static str,
    id: OrderId,
    code: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = storage::query(statement)
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

pub(crate) async fn write_history(
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

/// The rows that can be read. One that cannot, written by a newer version say, must not keep the others
/// of its batch from being settled.
pub(crate) fn readable<T>(
    rows: &[AnyRow],
    read: impl Fn(&AnyRow) -> Result<T, StoreError>,
) -> Vec<T> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        match read(row) {
            Ok(one) => all.push(one),
            Err(error) => tracing::error!(%error, "a row of the ledger is left out"),
        }
    }
    all
}

/// The wait before the next question: doubled each time, within bounds.
pub(crate) fn next_wait(checks: u32, first: Duration, longest: Duration) -> Duration {
    first
        .saturating_mul(2_u32.saturating_pow(checks.min(16)))
        .min(longest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use storage::StoreOptions;
    use travel_types::{Clock, OfferId};

    use super::*;

    async fn ledger() -> Ledger {
        let db = Db::open(&StoreOptions::new("sqlite::memory:"))
            .await
            .unwrap();
        for (set, migrations) in [
            ("vertical_kit", crate::desk::MIGRATIONS),
            (personal_data::SET, personal_data::MIGRATIONS),
        ] {
            db.migrate(set, migrations).await.unwrap();
        }
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned();
        let master = personal_data::MasterKey::from_text(&key.into()).unwrap();
        Ledger::new(db.clone(), Vault::new(db, master), "tours")
    }

    async fn intend(ledger: &Ledger, clock: &Clock) -> LedgerOrder {
        let order = LedgerOrder {
            order: Order {
                id: OrderId::new(clock),
                vertical: "tours".to_owned(),
                supplier: "first".to_owned(),
                supplier_reference: None,
                status: OrderStatus::Pending,
                failure: None,
                offer_id: OfferId::new(clock),
                reference: None,
                total: Money::new(100, "GBP".parse().unwrap()),
                travellers: Vec::new(),
                contact: serde_json::from_value(json!({"email": "a@b.test", "phone": "+441"}))
                    .unwrap(),
                personal_data_erased: false,
                details: json!({}),
                created_at: clock.now(),
                history: Vec::new(),
            },
            kept: Kept::Open,
            owner: "usr_1".to_owned(),
            phase: Phase::Intended,
            handle: json!({}),
            final_after: None,
            checks: 0,
        };
        let mut tx = ledger.db.begin().await.unwrap();
        ledger.intend(&mut tx, &order, clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        order
    }

    #[tokio::test]
    async fn an_order_that_was_sent_since_it_was_read_is_not_given_up() {
        let clock = Clock::manual("2026-12-01T10:30:00Z".parse().unwrap());
        let ledger = ledger().await;
        let now = clock.now();
        let slow = intend(&ledger, &clock).await;
        let later = clock.after(Duration::from_secs(60));
        let due = ledger.due_orders(now, later, 16).await.unwrap();
        assert_eq!(due.first().map(|due| due.phase), Some(Phase::Intended));
        // Its process is slow, but not dead.
        let (id, total) = (slow.order.id, slow.order.total);
        let sent = ledger
            .mark_sent(id, total, &slow.handle, now, later, later)
            .await;
        assert!(sent.unwrap());
        let mut tx = ledger.db.begin().await.unwrap();
        assert!(!ledger.give_up(&mut tx, slow.order.id, now).await.unwrap());
        tx.rollback().await.unwrap();

        let dead = intend(&ledger, &clock).await;
        let mut tx = ledger.db.begin().await.unwrap();
        assert!(ledger.give_up(&mut tx, dead.order.id, now).await.unwrap());
        tx.commit().await.unwrap();
        let (id, total) = (dead.order.id, dead.order.total);
        let sent = ledger
            .mark_sent(id, total, &dead.handle, now, later, later)
            .await;
        assert!(!sent.unwrap());
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_keeps_no_other_from_being_settled() {
        let clock = Clock::manual("2026-12-01T10:30:00Z".parse().unwrap());
        let ledger = ledger().await;
        let odd = intend(&ledger, &clock).await;
        let good = intend(&ledger, &clock).await;
        storage::query("UPDATE orders SET phase = 'of a newer version' WHERE id = $1")
            .bind(odd.order.id.to_string())
            .execute(ledger.db.pool())
            .await
            .unwrap();
        let due = ledger
            .due_orders(clock.now(), clock.now(), 16)
            .await
            .unwrap();
        let ids: Vec<OrderId> = due.iter().map(|due| due.order.id).collect();
        assert_eq!(ids, [good.order.id]);
    }
}
