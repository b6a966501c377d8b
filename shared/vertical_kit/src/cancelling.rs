//! Cancelling: a quote that cancels nothing, and its confirmation, once per key, with the same care for
//! unknown outcomes as an order.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::Map;
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use storage::idempotency::{self, Claim, StoredAnswer};
use supplier_client::{Sent, SupplierError, SupplierErrorKind};
use tracing::{Instrument, Span};
use travel_types::{CancellationId, Money, OrderId};

use crate::answers::{give, keep, supplier_failure};
use crate::desk::{Desk, call_within};
use crate::ledger::{LedgerCancellation, LedgerOrder};
use crate::ordering::{Keyed, lookup};
use crate::orders::OrderStatus;
use crate::quotes::{Cancellation, CancellationStatus};
use crate::supplier::CancellationOutcome;

impl Desk {
    /// Asks the supplier what cancelling would bring, and keeps the quote.
    pub(crate) async fn quote_cancellation(
        &self,
        cx: &Cx,
        owner: &str,
        id: OrderId,
    ) -> Result<Cancellation, ApiError> {
        let order = self.own_order(owner, id).await?;
        cancellable(&order)?;
        let supplier = self.supplier(&order.order.supplier)?;
        let call = call_within(cx, self.0.numbers.order_deadline);
        let quote = supplier
            .quote_cancellation(&call, &lookup(&order))
            .await
            .map_err(|failure| refused(&order.order.supplier, &failure))?;
        let penalty = penalty(order.order.total, quote.refund)?;
        let quoted = LedgerCancellation {
            cancellation: Cancellation {
                id: CancellationId::new(&self.0.clock),
                order_id: id,
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
            owner: owner.to_owned(),
            supplier: order.order.supplier.clone(),
            handle: quote.handle,
            final_after: None,
            checks: 0,
        };
        self.0.ledger.quote(&quoted).await?;
        Ok(quoted.cancellation)
    }

    /// Carries a quote out, or gives the answer that the same key got before.
    pub(crate) async fn confirm_cancellation(
        &self,
        cx: &Cx,
        owner: &str,
        keyed: Keyed,
        id: CancellationId,
    ) -> Result<Response, ApiError> {
        let quoted = self.own_cancellation(owner, id).await?;
        let order = self.own_order(owner, quoted.cancellation.order_id).await?;
        let supplier = self.supplier(&quoted.supplier)?;
        let timing = supplier.timing();
        let sure_after = timing.longest_processing + timing.visibility_lag;
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin().await?;
        let claim = idempotency::claim(
            &mut tx,
            &keyed.key,
            &keyed.fingerprint,
            Some(&id.to_string()),
            now,
            self.0.numbers.order_deadline + Duration::from_secs(15),
            self.0.numbers.keep_keys,
        )
        .await?;
        match claim {
            Claim::New => {}
            Claim::Replay(answer) => return Ok(give(answer, true)),
            Claim::OtherBody => return Err(ApiError::new(&codes::IDEMPOTENCY_KEY_REUSED)),
            Claim::InProgress => {
                return Err(ApiError::new(&codes::IDEMPOTENCY_KEY_IN_USE)
                    .retry_after(Duration::from_secs(1)));
            }
            Claim::Abandoned { .. } => {
                tx.commit().await?;
                return Ok(give(self.finish(cx, &keyed, id, None).await?, true));
            }
        }
        let taken = match takeable(&quoted.cancellation, now) {
            Err(refusal) => Err(refusal),
            Ok(()) => {
                let next = self.0.numbers.order_deadline + self.0.numbers.first_question;
                let taken = self
                    .0
                    .ledger
                    .take_quote(
                        &mut tx,
                        &quoted.cancellation,
                        now,
                        self.in_future(next),
                        self.in_future(self.0.numbers.order_deadline + sure_after),
                    )
                    .await?;
                taken.then_some(()).ok_or_else(|| {
                    ApiError::new(&codes::CONFLICT)
                        .message("The order is cancelled already, or is being cancelled.")
                })
            }
        };
        if let Err(refusal) = taken {
            let answer = keep(cx, keyed.problem_json, &keyed.path, Err(refusal)).await;
            let answer = idempotency::finish(&mut tx, &keyed.key, &answer).await?;
            tx.commit().await?;
            return Ok(give(answer, false));
        }
        tx.commit().await?;
        let desk = self.clone();
        let cx = cx.clone();
        let work = async move {
            let failure = desk.carry_cancellation_out(&cx, &order, &quoted).await?;
            desk.finish(&cx, &keyed, id, failure).await
        };
        let task = self.0.tasks.spawn(work.instrument(Span::current()));
        let answer = task
            .await
            .map_err(|error| ApiError::new(&codes::INTERNAL_ERROR).because(error))??;
        Ok(give(answer, false))
    }

    /// Calls the supplier and writes down what came of it. The inner value is why it was refused.
    async fn carry_cancellation_out(
        &self,
        cx: &Cx,
        order: &LedgerOrder,
        quoted: &LedgerCancellation,
    ) -> Result<Option<ApiError>, ApiError> {
        let supplier = self.supplier(&quoted.supplier)?;
        let call = call_within(cx, self.0.numbers.order_deadline);
        let outcome = supplier
            .confirm_cancellation(&call, &lookup(order), &quoted.handle)
            .await;
        match outcome {
            Ok(outcome) => {
                self.record_cancellation(order, quoted, &outcome)
                    .await
                    .map_err(ApiError::may_have_booked)?;
                Ok(None)
            }
            Err(failure) if failure.kind == SupplierErrorKind::OutcomeUnknown => {
                tracing::warn!(order = %order.order.id, %failure, "the cancellation's outcome is unknown");
                let timing = supplier.timing();
                let wait = match failure.sent {
                    Sent::Answered => timing.visibility_lag,
                    Sent::No | Sent::Maybe => timing.longest_processing + timing.visibility_lag,
                };
                let now = self.0.clock.now();
                let next = self.in_future(self.0.numbers.first_question);
                let final_after = self.in_future(wait);
                self.0
                    .ledger
                    .cancellation_unknown(&quoted.cancellation, now, next, final_after)
                    .await?;
                Ok(None)
            }
            Err(failure) => {
                let refusal = refused(&quoted.supplier, &failure);
                let now = self.0.clock.now();
                let mut tx = self.0.db.begin().await?;
                self.0
                    .ledger
                    .not_cancelled(&mut tx, &quoted.cancellation, refusal.code(), now)
                    .await?;
                tx.commit().await?;
                Ok(Some(refusal))
            }
        }
    }

    /// Writes a known outcome down.
    pub(crate) async fn record_cancellation(
        &self,
        order: &LedgerOrder,
        quoted: &LedgerCancellation,
        outcome: &CancellationOutcome,
    ) -> Result<(), ApiError> {
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin().await?;
        match outcome {
            CancellationOutcome::Cancelled { refund } => {
                let penalty = penalty(order.order.total, *refund)?;
                self.0
                    .ledger
                    .cancelled(&mut tx, &quoted.cancellation, *refund, penalty, now)
                    .await?;
            }
            CancellationOutcome::NotCancelled => {
                self.0
                    .ledger
                    .not_cancelled(&mut tx, &quoted.cancellation, "NOT_CANCELLED", now)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Makes the answer and keeps it for the key.
    async fn finish(
        &self,
        cx: &Cx,
        keyed: &Keyed,
        id: CancellationId,
        refusal: Option<ApiError>,
    ) -> Result<StoredAnswer, ApiError> {
        let answer = match refusal {
            Some(refusal) => Err(refusal),
            None => self.cancellation_state(cx, id).await,
        };
        let kept = keep(cx, keyed.problem_json, &keyed.path, answer).await;
        let mut tx = self.0.db.begin().await?;
        let kept = idempotency::finish(&mut tx, &keyed.key, &kept).await?;
        tx.commit().await?;
        Ok(kept)
    }

    async fn cancellation_state(&self, cx: &Cx, id: CancellationId) -> Result<Response, ApiError> {
        let stored = self.0.ledger.cancellation(id).await?;
        let cancellation = stored
            .ok_or_else(|| ApiError::new(&codes::NOT_FOUND))?
            .cancellation;
        let status = match cancellation.status {
            CancellationStatus::Confirmed => StatusCode::OK,
            CancellationStatus::Pending => StatusCode::ACCEPTED,
            CancellationStatus::Quoted | CancellationStatus::Failed => {
                return Err(ApiError::new(&codes::SUPPLIER_REFUSED).message(
                    "The supplier did not cancel the order; it stands. Ask for a new quote.",
                ));
            }
        };
        let location = format!(
            "/api/v1/{}/orders/{}",
            self.0.vertical, cancellation.order_id
        );
        let mut response = cx.success(status, cancellation, Map::new())?;
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        Ok(response)
    }

    /// An order that the caller owns; absent and foreign ones are answered alike.
    pub(crate) async fn own_order(
        &self,
        owner: &str,
        id: OrderId,
    ) -> Result<LedgerOrder, ApiError> {
        self.0
            .ledger
            .order(id)
            .await?
            .filter(|order| order.owner == owner)
            .ok_or_else(|| ApiError::new(&codes::NOT_FOUND))
    }

    async fn own_cancellation(
        &self,
        owner: &str,
        id: CancellationId,
    ) -> Result<LedgerCancellation, ApiError> {
        self.0
            .ledger
            .cancellation(id)
            .await?
            .filter(|quoted| quoted.owner == owner)
            .ok_or_else(|| ApiError::new(&codes::NOT_FOUND))
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

/// What is lost: what was paid less what comes back.
fn penalty(paid: Money, refund: Money) -> Result<Money, ApiError> {
    paid.minus(refund).map_err(|error| {
        ApiError::new(&codes::SUPPLIER_ERROR)
            .message("The supplier quotes a refund that cannot be compared with what was paid.")
            .because(error)
    })
}
