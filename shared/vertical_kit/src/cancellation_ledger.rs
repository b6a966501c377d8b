//! The ledger of cancellations: conditional updates together with their line of the order's history, as
//! in `ledger`.

use serde_json::Value;
use storage::{AnyRow, Row as _, StoreError, Tx, to_micros};
use travel_types::jiff::Timestamp;
use travel_types::{CancellationId, Money, OrderId};

use crate::ledger::{Ledger, corrupt, id, json, money, readable, write_history};
use crate::offer_store::{instant, maybe_instant};
use crate::owned::Owned;
use crate::quotes::{Cancellation, CancellationStatus};

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

impl Ledger {
    /// Keeps a cancellation quote.
    pub(crate) async fn quote(
        &self,
        tx: &mut Tx,
        quoted: &LedgerCancellation,
    ) -> Result<(), StoreError> {
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
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// One cancellation.
    pub(crate) async fn cancellation(
        &self,
        id: CancellationId,
    ) -> Result<Option<Owned<LedgerCancellation>>, StoreError> {
        let row = storage::query("SELECT * FROM cancellations WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.db.pool())
            .await?;
        let found = row.as_ref().map(read_cancellation).transpose()?;
        Ok(found.map(|found| Owned::new(found.owner.clone(), found)))
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
        let changed = storage::query(
            "UPDATE cancellations SET next_check_at = $2, final_after = $3 \
             WHERE id = $1 AND status = 'pending'",
        )
        .bind(quoted.id.to_string())
        .bind(to_micros(next_check))
        .bind(to_micros(final_after))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed == 1 {
            let event = "cancellation_outcome_unknown";
            write_history(&mut tx, quoted.order_id, now, event, None).await?;
        }
        tx.commit().await
    }

    /// A pending cancellation was carried out, with this refund.
    pub(crate) async fn cancelled(
        &self,
        tx: &mut Tx,
        quoted: &Cancellation,
        (refund, penalty): (Money, Money),
        note: Option<&str>,
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
            write_history(tx, quoted.order_id, now, "cancelled", note).await?;
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

    /// The supplier has a confirmed order as cancelled, and it was not us. False when it is not confirmed,
    /// or we are cancelling it.
    pub(crate) async fn cancelled_elsewhere(
        &self,
        tx: &mut Tx,
        id: OrderId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = storage::query(
            "UPDATE orders SET status = 'cancelled' \
             WHERE id = $1 AND status = 'confirmed' AND cancelling IS NULL",
        )
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?
        .rows_affected()
            == 1;
        if changed {
            let note = "at the supplier, without a confirmation of ours";
            write_history(tx, id, now, "cancelled", Some(note)).await?;
        }
        Ok(changed)
    }

    /// Puts the next question about a cancellation off.
    pub(crate) async fn ask_about_cancellation_later(
        &self,
        id: CancellationId,
        next: Timestamp,
    ) -> Result<(), StoreError> {
        let statement = "UPDATE cancellations SET next_check_at = $2, checks = checks + 1 \
             WHERE id = $1 AND status = 'pending'";
        self.put_off(statement, id.to_string(), next).await
    }

    /// Cancellations whose outcome is to be asked for now, leased as orders are.
    pub(crate) async fn due_cancellations(
        &self,
        now: Timestamp,
        lease: Timestamp,
        limit: u32,
    ) -> Result<Vec<LedgerCancellation>, StoreError> {
        let statement = "UPDATE cancellations SET next_check_at = $2 WHERE next_check_at <= $1 AND id IN \
             (SELECT id FROM cancellations WHERE next_check_at <= $1 \
              ORDER BY next_check_at LIMIT $3) RETURNING *";
        let rows = self.lease(statement, now, lease, limit).await?;
        Ok(readable(&rows, read_cancellation))
    }
}
