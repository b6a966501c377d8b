//! Settling: a worker asks suppliers about orders and cancellations whose outcome is unknown, by our own
//! reference, until it knows. "Not found" counts only once the supplier can no longer be at work on the
//! request and its look-up has had time to show it.

use std::time::Duration;

use service_kit::ApiError;
use service_kit::error::codes;
use storage::StoreError;
use supplier_client::{CallCx, SupplierErrorKind};
use telemetry::Correlation;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};

use crate::answers::supplier_failure;
use crate::cancellation_ledger::LedgerCancellation;
use crate::desk::{Desk, in_time};
use crate::ledger::{LedgerOrder, Phase, next_wait};
use crate::offer_store;
use crate::ordering::lookup;
use crate::orders::OrderStatus;
use crate::owned::Owned;
use crate::supplier::{CancellationOutcome, PlacedStatus};

/// How long one question may take, and how long a worker's lease on the row lasts.
const QUESTION: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(60);
/// Rows that one round takes.
const BATCH: u32 = 16;
/// How often expired offers and keys are removed, and how long expired offers are remembered as such.
const CLEANING: Duration = Duration::from_secs(60);
const REMEMBER: Duration = Duration::from_secs(24 * 3600);

/// What a question brought.
pub(crate) enum Known {
    /// The outcome is known and written down.
    Yes,
    /// It must be asked again.
    NotYet,
}

/// The worker: until shutdown.
pub(crate) async fn run(desk: Desk) {
    let mut tick = tokio::time::interval(desk.0.numbers.poll);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut cleaned = Instant::now();
    loop {
        tokio::select! {
            () = desk.0.shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = desk.settle_due().await {
            warn!(%error, "cannot look for unsettled orders");
        }
        if cleaned.elapsed() >= CLEANING {
            cleaned = Instant::now();
            let now = desk.0.clock.now();
            let swept = offer_store::purge(&desk.0.db, now, REMEMBER).await;
            let purged = storage::idempotency::purge(&desk.0.db, now).await;
            if let Err(error) = swept.and(purged) {
                warn!(%error, "cannot remove what is over");
            }
        }
    }
}

impl Desk {
    async fn settle_due(&self) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let lease = self.in_future(LEASE);
        let call = || CallCx::new(Instant::now() + QUESTION, Correlation::new());
        let orders = self.0.ledger.due_orders(now, lease, BATCH).await?;
        let cancellations = self.0.ledger.due_cancellations(now, lease, BATCH).await?;
        // Each in a task of its own: an adapter that panics over one answer ends that round alone.
        let mut rounds = JoinSet::new();
        for order in orders {
            let (desk, call) = (self.clone(), call());
            rounds.spawn(async move { desk.order_round(&call, &order).await });
        }
        for quoted in cancellations {
            let (desk, call) = (self.clone(), call());
            rounds.spawn(async move { desk.cancellation_round(&call, &quoted).await });
        }
        while let Some(ended) = rounds.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a question to a supplier broke off; it is asked again");
            }
        }
        Ok(())
    }

    async fn order_round(&self, call: &CallCx, order: &LedgerOrder) {
        let id = order.order.id;
        match self.settle_order(call, order).await {
            Ok(Known::Yes) => info!(order = %id, "an unknown outcome is settled"),
            Ok(Known::NotYet) => {}
            Err(error) => warn!(order = %id, cause = error.cause(), "cannot settle an order yet"),
        }
        let wait = next_wait(
            order.checks,
            self.0.numbers.first_question,
            self.0.numbers.longest_wait,
        );
        if let Err(error) = self.0.ledger.ask_later(id, self.in_future(wait)).await {
            warn!(order = %id, %error, "cannot note the next question");
        }
    }

    async fn cancellation_round(&self, call: &CallCx, quoted: &LedgerCancellation) {
        let id = quoted.cancellation.id;
        if let Err(error) = self.settle_cancellation(call, quoted).await {
            warn!(cancellation = %id, cause = error.cause(), "cannot settle a cancellation yet");
        }
        let wait = next_wait(
            quoted.checks,
            self.0.numbers.first_question,
            self.0.numbers.longest_wait,
        );
        let next = self.in_future(wait);
        if let Err(error) = self.0.ledger.ask_about_cancellation_later(id, next).await {
            warn!(cancellation = %id, %error, "cannot note the next question");
        }
    }

    /// Asks the supplier about a pending order, and writes the answer down if there is one.
    pub(crate) async fn settle_order(
        &self,
        call: &CallCx,
        order: &LedgerOrder,
    ) -> Result<Known, ApiError> {
        let id = order.order.id;
        let now = self.0.clock.now();
        if order.phase == Phase::Intended {
            // Its process died before anything was sent, or is slower than it may be: once the row says
            // failed, it can no longer be sent.
            let mut tx = self.0.db.begin().await?;
            let given_up = self.0.ledger.give_up(&mut tx, id, now).await?;
            tx.commit().await?;
            return Ok(if given_up { Known::Yes } else { Known::NotYet });
        }
        let supplier = self.supplier(&order.order.supplier)?;
        let mut found = in_time(call, supplier.find_order(call, &lookup(order)))
            .await
            .map_err(|failure| supplier_failure(supplier.name(), &failure))?;
        let sure = order.final_after.is_some_and(|sure| sure <= now);
        if found.is_none() && !sure {
            return Ok(Known::NotYet);
        }
        if let Some(placed) = &mut found {
            self.align_placed(&order.order.supplier, placed).await?;
        }
        let mut tx = self.0.db.begin().await?;
        match found.as_ref().map(|placed| (placed, placed.status)) {
            Some((_, PlacedStatus::Pending)) => return Ok(Known::NotYet),
            Some((placed, PlacedStatus::Confirmed)) => {
                let status = OrderStatus::Confirmed;
                self.0
                    .ledger
                    .confirm(&mut tx, id, placed, status, now)
                    .await?;
            }
            Some((placed, PlacedStatus::Cancelled)) => {
                let status = OrderStatus::Cancelled;
                self.0
                    .ledger
                    .confirm(&mut tx, id, placed, status, now)
                    .await?;
            }
            None => {
                self.0.ledger.fail(&mut tx, id, "NOT_ORDERED", now).await?;
            }
        }
        tx.commit().await?;
        Ok(Known::Yes)
    }

    async fn settle_cancellation(
        &self,
        call: &CallCx,
        quoted: &LedgerCancellation,
    ) -> Result<(), ApiError> {
        let supplier = self.supplier(&quoted.supplier)?;
        let order = self.0.ledger.order(quoted.cancellation.order_id).await?;
        let order = order
            .map(Owned::for_settling)
            .ok_or_else(|| ApiError::new(&codes::NOT_FOUND))?;
        // As of before the question: what is not there now may be there a moment later.
        let now = self.0.clock.now();
        let sure = quoted.final_after.is_some_and(|sure| sure <= now);
        let known = lookup(&order);
        let asked = supplier.find_cancellation(call, &known, &quoted.handle);
        let outcome = match in_time(call, asked).await {
            Ok(outcome) => outcome,
            // The supplier has forgotten the quote. The order itself says whether it was carried out.
            Err(failure) if sure && failure.kind == SupplierErrorKind::NotFound => {
                match in_time(call, supplier.find_order(call, &known)).await {
                    Ok(Some(placed)) if placed.status == PlacedStatus::Cancelled => {
                        let refund = quoted.cancellation.refund;
                        CancellationOutcome::Cancelled { refund }
                    }
                    Ok(Some(_)) => CancellationOutcome::NotCancelled,
                    Ok(None) | Err(_) => return Err(supplier_failure(supplier.name(), &failure)),
                }
            }
            Err(failure) => return Err(supplier_failure(supplier.name(), &failure)),
        };
        if sure || outcome != CancellationOutcome::NotCancelled {
            self.record_cancellation(&order, quoted, &outcome).await?;
        }
        Ok(())
    }
}
