//! Settling: a worker asks suppliers about orders and cancellations whose outcome is unknown, by our own
//! reference, until it knows. "Not found" counts only once the supplier can no longer be at work on the
//! request and its look-up has had time to show it.

use std::time::Duration;

use service_kit::ApiError;
use storage::StoreError;
use supplier_client::CallCx;
use telemetry::Correlation;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};

use crate::desk::Desk;
use crate::ledger::{LedgerCancellation, LedgerOrder, Phase, next_wait};
use crate::offer_store;
use crate::ordering::lookup;
use crate::orders::OrderStatus;
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
        let orders = orders.iter().map(|order| {
            let call = call();
            async move { self.order_round(&call, order).await }
        });
        let cancellations = cancellations.iter().map(|quoted| {
            let call = call();
            async move { self.cancellation_round(&call, quoted).await }
        });
        futures_util::future::join(
            futures_util::future::join_all(orders),
            futures_util::future::join_all(cancellations),
        )
        .await;
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
            self.0.ledger.fail(&mut tx, id, "ABANDONED", now).await?;
            tx.commit().await?;
            return Ok(Known::Yes);
        }
        let supplier = self.supplier(&order.order.supplier)?;
        let found = supplier
            .find_order(call, &lookup(order))
            .await
            .map_err(|failure| crate::answers::supplier_failure(supplier.name(), &failure))?;
        let sure = order.final_after.is_some_and(|sure| sure <= now);
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
            None if sure => {
                self.0.ledger.fail(&mut tx, id, "NOT_ORDERED", now).await?;
            }
            None => return Ok(Known::NotYet),
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
        let order = self
            .own_order(&quoted.owner, quoted.cancellation.order_id)
            .await?;
        let outcome = supplier
            .find_cancellation(call, &lookup(&order), &quoted.handle)
            .await
            .map_err(|failure| crate::answers::supplier_failure(supplier.name(), &failure))?;
        let sure = quoted
            .final_after
            .is_some_and(|sure| sure <= self.0.clock.now());
        if sure || outcome != CancellationOutcome::NotCancelled {
            self.record_cancellation(&order, quoted, &outcome).await?;
        }
        Ok(())
    }
}
