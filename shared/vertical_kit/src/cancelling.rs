//! Cancelling: a quote that cancels nothing, and its confirmation, once per key, with the same care for
//! unknown outcomes as an order.

use std::sync::Arc;
use std::time::Duration;

use auth::Identity;
use axum::response::Response;
use http::StatusCode;
use serde_json::Map;
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use storage::idempotency::{Claim, StoredAnswer};
use storage::{StoreError, Tx};
use supplier_client::{CallCx, SupplierError, SupplierErrorKind};
use travel_types::{CancellationId, Money, OrderId};

use crate::Supplier;
use crate::answers::{give, may_have_acted, supplier_failure};
use crate::cancellation_ledger::LedgerCancellation;
use crate::desk::{Desk, call_within, in_time};
use crate::keyed::Keyed;
use crate::ledger::LedgerOrder;
use crate::ordering::{located, lookup};
use crate::orders::OrderStatus;
use crate::owned::Owned;
use crate::quotes::{Cancellation, CancellationStatus};
use crate::supplier::{CancellationOutcome, PlacedStatus};

impl Desk {
    /// Asks the supplier what cancelling would bring, and keeps the quote; or gives the answer that the
    /// same key got before.
    pub(crate) async fn quote_cancellation(
        &self,
        cx: &Cx,
        caller: &Identity,
        keyed: Option<Keyed>,
        order: OrderId,
    ) -> Result<Response, ApiError> {
        let order = Owned::open(self.0.ledger.order(order).await?, caller, None)?;
        let (desk, cx) = (self.clone(), cx.clone());
        self.to_the_end(async move { desk.quote_once(&cx, keyed.as_ref(), &order).await })
            .await
    }

    async fn quote_once(
        &self,
        cx: &Cx,
        keyed: Option<&Keyed>,
        order: &LedgerOrder,
    ) -> Result<Response, ApiError> {
        let id = CancellationId::new(&self.0.clock);
        if let Some(keyed) = keyed {
            let mut tx = self.0.db.begin().await?;
            match self.claim(&mut tx, keyed, &id.to_string()).await? {
                // A quote changes nothing: one that was never answered is asked for afresh.
                Claim::New | Claim::Abandoned { .. } => tx.commit().await?,
                other => {
                    tx.rollback().await?;
                    return self.repeated(keyed, other).await;
                }
            }
        }
        let quoted = self.quote(cx, id, order).await;
        let mut tx = self.0.db.begin().await?;
        let answer = match quoted {
            Ok(quoted) => {
                self.0.ledger.quote(&mut tx, &quoted).await?;
                cx.success(StatusCode::CREATED, quoted.cancellation, Map::new())
            }
            Err(refusal) => Err(refusal),
        };
        let Some(keyed) = keyed else {
            tx.commit().await?;
            return answer;
        };
        let kept = self.keep_in(&mut tx, cx, keyed, answer).await?;
        tx.commit().await?;
        Ok(give(kept, false))
    }

    async fn quote(
        &self,
        cx: &Cx,
        id: CancellationId,
        order: &LedgerOrder,
    ) -> Result<LedgerCancellation, ApiError> {
        cancellable(order)?;
        let supplier = self.supplier(&order.order.supplier)?;
        let call = call_within(cx, self.0.numbers.order_deadline);
        let known = lookup(order);
        let asked = supplier.quote_cancellation(&call, &known);
        let quote = match in_time(&call, asked).await {
            Ok(quote) => quote,
            Err(failure) if self.cancelled_elsewhere(&call, order, &failure).await => {
                let now = self.0.clock.now();
                let mut tx = self.0.db.begin().await?;
                let ledger = &self.0.ledger;
                ledger
                    .cancelled_elsewhere(&mut tx, order.order.id, now)
                    .await?;
                tx.commit().await?;
                return Err(ApiError::new(&codes::CONFLICT)
                    .message("The order is cancelled already.")
                    .because(failure));
            }
            Err(failure) => return Err(refused(&order.order.supplier, &failure)),
        };
        let penalty = penalty(order.order.total, quote.refund).ok_or_else(|| {
            ApiError::new(&codes::SUPPLIER_ERROR)
                .message("The supplier quotes a refund that cannot be compared with what was paid.")
        })?;
        Ok(LedgerCancellation {
            cancellation: Cancellation {
                id,
                order_id: order.order.id,
                status: CancellationStatus::Quoted,
                refund: quote.refund,
                penalty,
                refund_to: quote.refund_to,
                expires_at: quote
                    .expires_at
                    .unwrap_or_else(|| self.in_future(self.0.numbers.quote_life)),
                created_at: self.0.clock.now(),
                confirmed_at: None,
            },
            owner: order.owner.clone(),
            supplier: order.order.supplier.clone(),
            handle: quote.handle,
            final_after: None,
            checks: 0,
        })
    }

    /// Whether the supplier refused because it has the order as cancelled, by hand say.
    async fn cancelled_elsewhere(
        &self,
        call: &CallCx,
        order: &LedgerOrder,
        failure: &SupplierError,
    ) -> bool {
        use SupplierErrorKind::{NotFound, Refused};
        if !matches!(failure.kind, Refused | NotFound) {
            return false;
        }
        let Ok(supplier) = self.supplier(&order.order.supplier) else {
            return false;
        };
        let found = in_time(call, supplier.find_order(call, &lookup(order))).await;
        found
            .is_ok_and(|found| found.is_some_and(|placed| placed.status == PlacedStatus::Cancelled))
    }

    /// Carries a quote out, or gives the answer that the same key got before.
    pub(crate) async fn confirm_cancellation(
        &self,
        cx: &Cx,
        caller: &Identity,
        keyed: Keyed,
        id: CancellationId,
    ) -> Result<Response, ApiError> {
        let ledger = &self.0.ledger;
        let quoted = Owned::open(ledger.cancellation(id).await?, caller, None)?;
        let order = ledger.order(quoted.cancellation.order_id).await?;
        let order = Owned::open(order, caller, None)?;
        let (desk, cx) = (self.clone(), cx.clone());
        self.to_the_end(async move { desk.confirm_once(&cx, &keyed, &order, &quoted).await })
            .await
    }

    async fn confirm_once(
        &self,
        cx: &Cx,
        keyed: &Keyed,
        order: &LedgerOrder,
        quoted: &LedgerCancellation,
    ) -> Result<Response, ApiError> {
        let id = quoted.cancellation.id;
        let mut tx = self.0.db.begin().await?;
        match self.claim(&mut tx, keyed, &id.to_string()).await? {
            Claim::New => {}
            Claim::Abandoned { .. } => {
                tx.commit().await?;
                return Ok(give(self.tell_cancellation(cx, keyed, id).await?, true));
            }
            other => {
                tx.rollback().await?;
                return self.repeated(keyed, other).await;
            }
        }
        let supplier = match self.take(&mut tx, quoted).await? {
            Ok(supplier) => supplier,
            Err(refusal) => {
                let answer = self.keep_in(&mut tx, cx, keyed, Err(refusal)).await?;
                tx.commit().await?;
                return Ok(give(answer, false));
            }
        };
        tx.commit().await?;
        let call = call_within(cx, self.0.numbers.order_deadline);
        let known = lookup(order);
        let asked = supplier.confirm_cancellation(&call, &known, &quoted.handle);
        let outcome = in_time(&call, asked).await;
        let recorded = match outcome {
            Ok(outcome) => self.record_cancellation(order, quoted, &outcome).await,
            Err(failure) if may_have_acted(&failure) => {
                tracing::warn!(order = %order.order.id, %failure, "the cancellation's outcome is unknown");
                let now = self.0.clock.now();
                let next = self.in_future(self.0.numbers.first_question);
                let final_after = self.in_future(sure_after(supplier.as_ref()));
                self.0
                    .ledger
                    .cancellation_unknown(&quoted.cancellation, now, next, final_after)
                    .await
            }
            Err(failure) => {
                let answer = self
                    .not_cancelled(cx, keyed, order, quoted, &failure)
                    .await?;
                return Ok(give(answer, false));
            }
        };
        recorded.map_err(|error| ApiError::from(error).may_have_booked())?;
        Ok(give(self.tell_cancellation(cx, keyed, id).await?, false))
    }

    /// Takes a quote to be carried out by its supplier, or says why it cannot be.
    async fn take(
        &self,
        tx: &mut Tx,
        quoted: &LedgerCancellation,
    ) -> Result<Result<Arc<dyn Supplier>, ApiError>, ApiError> {
        let now = self.0.clock.now();
        let supplier = match takeable(&quoted.cancellation, now)
            .and_then(|()| self.supplier(&quoted.supplier))
        {
            Ok(supplier) => supplier,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let deadline = self.0.numbers.order_deadline;
        let taken = self
            .0
            .ledger
            .take_quote(
                tx,
                &quoted.cancellation,
                now,
                self.in_future(deadline + self.0.numbers.first_question),
                self.in_future(deadline + sure_after(supplier.as_ref())),
            )
            .await;
        let conflict = || {
            ApiError::new(&codes::CONFLICT)
                .message("The order is cancelled already, or is being cancelled.")
        };
        match taken {
            Ok(true) => Ok(Ok(supplier)),
            Ok(false) => Ok(Err(conflict())),
            // The quote was carried out, without success, between reading and taking it.
            Err(StoreError::Conflict) => Err(conflict()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a refusal down and makes the answer.
    async fn not_cancelled(
        &self,
        cx: &Cx,
        keyed: &Keyed,
        order: &LedgerOrder,
        quoted: &LedgerCancellation,
        failure: &SupplierError,
    ) -> Result<StoredAnswer, ApiError> {
        let refusal = refused(&quoted.supplier, failure);
        let call = call_within(cx, self.0.numbers.first_question);
        let elsewhere = self.cancelled_elsewhere(&call, order, failure).await;
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin().await?;
        let (ledger, quoted) = (&self.0.ledger, &quoted.cancellation);
        let code = refusal.code().to_owned();
        if !ledger.not_cancelled(&mut tx, quoted, &code, now).await? {
            // The settler was faster, and what it wrote down stands.
            tx.rollback().await?;
            return self.tell_cancellation(cx, keyed, quoted.id).await;
        }
        if elsewhere {
            ledger
                .cancelled_elsewhere(&mut tx, quoted.order_id, now)
                .await?;
        }
        let kept = self.keep_in(&mut tx, cx, keyed, Err(refusal)).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Writes a known outcome down.
    pub(crate) async fn record_cancellation(
        &self,
        order: &LedgerOrder,
        quoted: &LedgerCancellation,
        outcome: &CancellationOutcome,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let ledger = &self.0.ledger;
        let quoted = &quoted.cancellation;
        let mut tx = self.0.db.begin().await?;
        match outcome {
            CancellationOutcome::Cancelled { refund } => {
                // It is carried out, whatever is said about the money: then the quote stands, and the
                // history keeps the supplier's words for those who reconcile.
                let (money, note) = match penalty(order.order.total, *refund) {
                    Some(penalty) => ((*refund, penalty), None),
                    None => {
                        let (amount, currency) = (refund.amount(), refund.currency().code());
                        let note = format!("the supplier states a refund of {amount} {currency}");
                        tracing::error!(order = %quoted.order_id, note, "a refund does not fit");
                        ((quoted.refund, quoted.penalty), Some(note))
                    }
                };
                ledger
                    .cancelled(&mut tx, quoted, money, note.as_deref(), now)
                    .await?;
            }
            CancellationOutcome::NotCancelled => {
                let code = "NOT_CANCELLED";
                ledger.not_cancelled(&mut tx, quoted, code, now).await?;
            }
        }
        tx.commit().await
    }

    /// Tells how a cancellation stands, and keeps that for the key. A store that fails meanwhile is no
    /// answer to keep.
    async fn tell_cancellation(
        &self,
        cx: &Cx,
        keyed: &Keyed,
        id: CancellationId,
    ) -> Result<StoredAnswer, ApiError> {
        let unread = |error: StoreError| ApiError::from(error).may_have_booked();
        let answer = self.cancellation_state(cx, &keyed.key.caller, id).await;
        let answer = answer.map_err(unread)?;
        self.keep_answer(cx, keyed, answer).await.map_err(unread)
    }

    async fn cancellation_state(
        &self,
        cx: &Cx,
        owner: &str,
        id: CancellationId,
    ) -> Result<Result<Response, ApiError>, StoreError> {
        let found = self.0.ledger.cancellation(id).await?;
        let Some(stored) = found.and_then(|found| found.for_owner(owner)) else {
            return Ok(Err(ApiError::new(&codes::NOT_FOUND)));
        };
        let cancellation = stored.cancellation;
        let status = match cancellation.status {
            CancellationStatus::Confirmed => StatusCode::OK,
            CancellationStatus::Pending => StatusCode::ACCEPTED,
            CancellationStatus::Quoted | CancellationStatus::Failed => {
                return Ok(Err(ApiError::new(&codes::SUPPLIER_REFUSED).message(
                    "The supplier did not cancel the order; it stands. Ask for a new quote.",
                )));
            }
        };
        let order = cancellation.order_id;
        let location = format!("/api/v1/{}/orders/{order}", self.0.vertical);
        let answer = cx.success(status, cancellation, Map::new());
        Ok(answer.map(|response| located(response, &location)))
    }
}

/// What a refused cancellation is answered with. "Not found" here is about the supplier's own order.
fn refused(supplier: &str, failure: &SupplierError) -> ApiError {
    match failure.kind {
        SupplierErrorKind::OfferExpired => ApiError::new(&codes::QUOTE_EXPIRED).because(failure),
        SupplierErrorKind::NotFound | SupplierErrorKind::SoldOut => {
            ApiError::new(&codes::SUPPLIER_REFUSED).because(failure)
        }
        _ => supplier_failure(supplier, failure),
    }
}

fn cancellable(order: &LedgerOrder) -> Result<(), ApiError> {
    let why = match order.order.status {
        OrderStatus::Confirmed => return Ok(()),
        OrderStatus::Pending => "The order's outcome is not known yet; ask again when it is.",
        OrderStatus::Failed => "The order was never made; there is nothing to cancel.",
        OrderStatus::Cancelled => "The order is cancelled already.",
    };
    Err(ApiError::new(&codes::CONFLICT).message(why))
}

fn takeable(quoted: &Cancellation, now: travel_types::jiff::Timestamp) -> Result<(), ApiError> {
    match quoted.status {
        CancellationStatus::Quoted if quoted.expires_at > now => Ok(()),
        CancellationStatus::Quoted => Err(ApiError::new(&codes::QUOTE_EXPIRED)),
        CancellationStatus::Pending | CancellationStatus::Confirmed => {
            Err(ApiError::new(&codes::CONFLICT)
                .message("The cancellation was confirmed before; read the order."))
        }
        CancellationStatus::Failed => Err(ApiError::new(&codes::CONFLICT)
            .message("The supplier did not carry this quote out; ask for a new one.")),
    }
}

/// What is lost: what was paid less what comes back. None when the two cannot be compared: another
/// currency, or more than was paid.
fn penalty(paid: Money, refund: Money) -> Option<Money> {
    let penalty = paid.minus(refund).ok()?;
    (penalty.minor() >= 0 && refund.minor() >= 0).then_some(penalty)
}

/// How long after a call "not cancelled" may still become "cancelled".
fn sure_after(supplier: &dyn Supplier) -> Duration {
    let timing = supplier.timing();
    timing.longest_processing + timing.visibility_lag
}
