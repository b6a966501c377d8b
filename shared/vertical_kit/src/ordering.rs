//! Placing an order: once per key, with the intent on disk before the supplier is called and the result
//! after it.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use storage::StoreError;
use storage::idempotency::{Claim, StoredAnswer};
use supplier_client::{SupplierError, SupplierErrorKind};
use travel_types::{FieldErrors, Money, OfferId, OrderId};

use crate::answers::{give, may_have_acted, supplier_failure};
use crate::arrange::Described;
use crate::desk::{Desk, call_within, in_time};
use crate::keyed::Keyed;
use crate::ledger::{LedgerOrder, Phase};
use crate::offer_store::{self, StoredOffer};
use crate::orders::{NewOrder, Order, OrderStatus};
use crate::owned::Owned;
use crate::personal::{Kept, unsealed};
use crate::supplier::{OrderLookup, OrderRequest, PlacedOrder, PlacedStatus};

/// How an order ended that is not in the ledger as confirmed or pending.
enum Ended {
    /// Nothing was ordered; this is why.
    Refused(ApiError),
    /// The supplier was called, and then our own store failed. The intent is on disk, and the settler
    /// asks what became of it.
    Unrecorded(ApiError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Unrecorded(ApiError::from(error).may_have_booked())
    }
}

/// What is left of the caller's time when an unknown outcome is worth one question at once.
const WORTH_ASKING: Duration = Duration::from_millis(300);

impl Desk {
    /// Places an order, or gives the answer that the same key got before.
    pub(crate) async fn place(
        &self,
        cx: &Cx,
        owner: &str,
        keyed: Keyed,
        wanted: NewOrder,
    ) -> Result<Response, ApiError> {
        let (desk, cx, owner) = (self.clone(), cx.clone(), owner.to_owned());
        self.to_the_end(async move { desk.place_once(&cx, &owner, &keyed, &wanted).await })
            .await
    }

    async fn place_once(
        &self,
        cx: &Cx,
        owner: &str,
        keyed: &Keyed,
        wanted: &NewOrder,
    ) -> Result<Response, ApiError> {
        let stored = match wanted.offer_id.parse::<OfferId>() {
            Ok(id) => offer_store::find(&self.0.db, id).await?,
            Err(_) => None,
        };
        let id = OrderId::new(&self.0.clock);
        let mut tx = self.0.db.begin().await?;
        match self.claim(&mut tx, keyed, &id.to_string()).await? {
            Claim::New => {}
            Claim::Abandoned { subject } => {
                tx.commit().await?;
                // The first attempt's process died. Its order is in the ledger, and the settler finds
                // out what became of it: tell how it stands.
                let id = subject.and_then(|subject| subject.parse().ok());
                let id = id.ok_or_else(|| {
                    ApiError::new(&codes::INTERNAL_ERROR).because("abandoned key without order")
                })?;
                return Ok(give(self.tell(cx, keyed, id).await?, true));
            }
            other => {
                tx.rollback().await?;
                return self.repeated(keyed, other).await;
            }
        }
        // Only a new request is checked: what was answered once is answered so again, whatever has
        // become of the offer, or of a traveller's age, since.
        let order = match self.check(wanted, stored) {
            Ok(Ok(offer)) => self.intent(id, owner, offer, wanted),
            Ok(Err(refusal)) => {
                // The handler's own answer: it is kept for the key, but there is no order.
                let answer = self.keep_in(&mut tx, cx, keyed, Err(refusal)).await?;
                tx.commit().await?;
                return Ok(give(answer, false));
            }
            Err(invalid) => {
                tx.rollback().await?;
                return Err(invalid);
            }
        };
        let abandoned_at = self.in_future(self.0.numbers.abandoned);
        let intended = self.0.ledger.intend(&mut tx, &order, abandoned_at).await;
        intended.map_err(unsealed)?;
        tx.commit().await?;
        let outcome = self.carry_out(cx, order, wanted).await;
        Ok(give(self.answer(cx, keyed, id, outcome).await?, false))
    }

    /// Refusals that are not kept for the key (422 by validation), and the offer if it can be ordered.
    fn check(
        &self,
        wanted: &NewOrder,
        stored: Option<StoredOffer>,
    ) -> Result<Result<StoredOffer, ApiError>, ApiError> {
        let today = self
            .0
            .clock
            .now()
            .to_zoned(travel_types::jiff::tz::TimeZone::UTC)
            .date();
        let mut errors = FieldErrors::new();
        errors.check(
            (1..=9).contains(&wanted.travellers.len()),
            "travellers",
            "INVALID_COUNT",
            "must name 1 to 9 people",
        );
        for (index, traveller) in wanted.travellers.iter().enumerate() {
            traveller.check(&format!("travellers[{index}]"), today, &mut errors);
        }
        wanted.contact.check("contact", &mut errors);
        errors.check(
            wanted.max_total.is_none_or(|max| max.minor() > 0),
            "max_total.amount",
            "INVALID_AMOUNT",
            "must be more than zero",
        );
        errors.check(
            wanted.reference.as_ref().is_none_or(|reference| {
                (1..=64).contains(&reference.chars().count())
                    && !reference.chars().any(char::is_control)
            }),
            "reference",
            "INVALID",
            "must have 1 to 64 characters, none of them control characters",
        );
        if let Some(stored) = &stored
            && errors.is_empty()
        {
            let rules = &self.0.rules;
            rules.check_travellers(&stored.offer, &wanted.travellers, today, &mut errors);
            errors.check(
                wanted
                    .max_total
                    .is_none_or(|max| max.currency() == stored.offer.total.currency()),
                "max_total.currency",
                "INVALID_CURRENCY",
                format!("must be {}, as the offer's", stored.offer.total.currency()),
            );
        }
        errors.or(()).map_err(ApiError::invalid)?;
        Ok(match stored {
            None => Err(ApiError::new(&codes::NOT_FOUND).field("offer_id")),
            Some(stored) if stored.offer.expires_at <= self.0.clock.now() => {
                Err(ApiError::new(&codes::OFFER_EXPIRED))
            }
            Some(stored) => Ok(stored),
        })
    }

    fn intent(
        &self,
        id: OrderId,
        owner: &str,
        stored: StoredOffer,
        wanted: &NewOrder,
    ) -> LedgerOrder {
        let StoredOffer { offer, handle } = stored;
        LedgerOrder {
            order: Order {
                id,
                vertical: self.0.vertical.to_owned(),
                supplier: offer.supplier,
                supplier_reference: None,
                status: OrderStatus::Pending,
                failure: None,
                offer_id: offer.id,
                reference: wanted.reference.clone(),
                total: offer.total,
                travellers: wanted.travellers.clone(),
                contact: Some(wanted.contact.clone()),
                personal_data_erased: false,
                details: offer.details,
                created_at: self.0.clock.now(),
                history: Vec::new(),
            },
            kept: Kept::Open,
            owner: owner.to_owned(),
            phase: Phase::Intended,
            handle,
            final_after: None,
            checks: 0,
        }
    }

    /// Re-prices, then orders. `Ok` when the order is in the ledger with a known or unknown outcome.
    async fn carry_out(
        &self,
        cx: &Cx,
        intended: LedgerOrder,
        wanted: &NewOrder,
    ) -> Result<(), Ended> {
        let order = &intended.order;
        let supplier = self.supplier(&order.supplier).map_err(Ended::Refused)?;
        let call = call_within(cx, self.0.numbers.order_deadline);
        let refused =
            |failure: SupplierError| Ended::Refused(supplier_failure(&order.supplier, &failure));
        let priced = in_time(&call, supplier.price(&call, &intended.handle))
            .await
            .map_err(refused)?;
        accept_price(order.total, priced.total, wanted.max_total).map_err(Ended::Refused)?;
        let request = OrderRequest {
            reference: order.id,
            handle: priced.handle,
            total: priced.total,
            travellers: wanted.travellers.clone(),
            contact: wanted.contact.clone(),
        };
        let now = self.0.clock.now();
        let timing = supplier.timing();
        let sure_after = timing.longest_processing + timing.visibility_lag;
        let marked = self
            .0
            .ledger
            .mark_sent(
                order.id,
                request.total,
                &request.handle,
                now,
                // Should this process die now, another one asks once the call must be over.
                self.in_future(self.0.numbers.order_deadline + self.0.numbers.first_question),
                self.in_future(self.0.numbers.order_deadline + sure_after),
            )
            .await
            .map_err(|error| Ended::Refused(error.into()))?;
        if !marked {
            return Err(Ended::Refused(
                ApiError::new(&codes::DEADLINE_EXCEEDED)
                    .message("The order was given up before it was sent; nothing was ordered."),
            ));
        }
        match in_time(&call, supplier.order(&call, &request)).await {
            Ok(placed) => {
                self.record_placed(order, placed).await?;
                Ok(())
            }
            Err(failure) if may_have_acted(&failure) => {
                // Also after an answer: a 502 or 504 is a proxy's, and the supplier behind it may still
                // be at work on the order.
                self.record_unknown(order.id, &failure, sure_after).await?;
                self.ask_at_once(cx, order.id).await;
                Ok(())
            }
            Err(failure) if failure.kind == SupplierErrorKind::PriceChanged => {
                // The supplier says that the price is another one; the caller wants to know which.
                let now = in_time(&call, supplier.price(&call, &request.handle))
                    .await
                    .ok();
                // A supplier that is asked for its price only by a new search tells no other.
                let new = now
                    .map(|priced| priced.total)
                    .filter(|new| *new != request.total);
                let details = serde_json::json!({
                    "supplier": order.supplier,
                    "supplier_code": failure.code,
                    "old": request.total,
                    "new": new,
                });
                let refusal = supplier_failure(&order.supplier, &failure).details(details);
                Err(Ended::Refused(match new {
                    Some(_) => refusal,
                    None => refusal.message(
                        "The price is another one now; nothing was ordered. Search again: the supplier tells the new price only there.",
                    ),
                }))
            }
            Err(failure) => Err(refused(failure)),
        }
    }

    async fn record_placed(&self, order: &Order, mut placed: PlacedOrder) -> Result<(), Ended> {
        let (id, now) = (order.id, self.0.clock.now());
        let status = match placed.status {
            PlacedStatus::Confirmed => OrderStatus::Confirmed,
            PlacedStatus::Cancelled => OrderStatus::Cancelled,
            PlacedStatus::Pending => {
                let ledger = &self.0.ledger;
                let next = self.in_future(self.0.numbers.first_question);
                let until = self.in_future(self.0.numbers.decision);
                let note = "the supplier will decide later";
                ledger.mark_unknown(id, now, next, until, note).await?;
                ledger.remember(id, &placed.handle).await?;
                return Ok(());
            }
        };
        self.align_placed(&order.supplier, &mut placed).await?;
        let mut tx = self.0.db.begin().await?;
        let ledger = &self.0.ledger;
        let recorded = ledger.confirm(&mut tx, id, &placed, status, now).await?;
        tx.commit().await?;
        if recorded {
            return Ok(());
        }
        // Settled meanwhile. That it was given up can only be if a clock ran ahead of this call by more
        // than the supplier's longest processing: people must see to it.
        let order = ledger.order(id).await?.map(Owned::for_settling);
        if order.is_some_and(|order| order.order.status == OrderStatus::Failed) {
            let reference = &placed.supplier_reference;
            tracing::error!(order = %id, reference, "the supplier made an order that was given up");
            let late = ApiError::new(&codes::INTERNAL_ERROR).because("a late answer");
            return Err(Ended::Unrecorded(late.may_have_booked()));
        }
        Ok(())
    }

    /// Gives an order's details what its supplier could not know.
    pub(crate) async fn align_placed(
        &self,
        supplier: &str,
        placed: &mut PlacedOrder,
    ) -> Result<(), StoreError> {
        match &mut placed.details {
            Some(details) => self.align(Described { supplier, details }).await,
            None => Ok(()),
        }
    }

    async fn record_unknown(
        &self,
        id: OrderId,
        failure: &SupplierError,
        sure_after: Duration,
    ) -> Result<(), StoreError> {
        tracing::warn!(order = %id, %failure, "the order's outcome is unknown");
        let next = self.in_future(self.0.numbers.first_question);
        let note = "the supplier's answer was lost or unreadable; it is being asked";
        self.0
            .ledger
            .mark_unknown(
                id,
                self.0.clock.now(),
                next,
                self.in_future(sure_after),
                note,
            )
            .await
    }

    /// Asks about an unknown outcome while the caller still waits.
    async fn ask_at_once(&self, cx: &Cx, id: OrderId) {
        if cx.deadline.left() < WORTH_ASKING {
            return;
        }
        let call = call_within(cx, self.0.numbers.first_question);
        if let Ok(Some(order)) = self.0.ledger.order(id).await {
            // Whatever goes wrong here, the settler asks again.
            drop(self.settle_order(&call, &order.for_settling()).await);
        }
    }

    /// Makes the answer and keeps it for the key, together with a failed order's end.
    async fn answer(
        &self,
        cx: &Cx,
        keyed: &Keyed,
        id: OrderId,
        outcome: Result<(), Ended>,
    ) -> Result<StoredAnswer, ApiError> {
        let refusal = match outcome {
            Ok(()) => return self.tell(cx, keyed, id).await,
            // The key stays claimed: whoever repeats it later is told what the settler found out.
            Err(Ended::Unrecorded(error)) => return Err(error),
            Err(Ended::Refused(refusal)) => refusal,
        };
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin().await?;
        let ledger = &self.0.ledger;
        if !ledger.fail(&mut tx, id, refusal.code(), now).await? {
            // The settler was faster, and what it wrote down stands.
            tx.rollback().await?;
            return self.tell(cx, keyed, id).await;
        }
        let kept = self.keep_in(&mut tx, cx, keyed, Err(refusal)).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Tells how an order stands, and keeps that for the key. A store that fails meanwhile is no answer
    /// to keep: the order may be confirmed, and whoever repeats the key is told so later.
    async fn tell(&self, cx: &Cx, keyed: &Keyed, id: OrderId) -> Result<StoredAnswer, ApiError> {
        let unread = |error: StoreError| ApiError::from(error).may_have_booked();
        let answer = self.state_of(cx, &keyed.key.caller, id).await;
        let answer = answer.map_err(unread)?;
        self.keep_answer(cx, keyed, answer).await.map_err(unread)
    }

    /// What a caller is told about an order as it stands: 201, 202, or why it failed.
    async fn state_of(
        &self,
        cx: &Cx,
        owner: &str,
        id: OrderId,
    ) -> Result<Result<Response, ApiError>, StoreError> {
        let found = self.0.ledger.order(id).await?;
        let Some(stored) = found.and_then(|found| found.for_owner(owner)) else {
            return Ok(Err(ApiError::new(&codes::NOT_FOUND)));
        };
        let order = self.0.ledger.shown_one(stored).await?;
        let status = match order.status {
            OrderStatus::Pending => StatusCode::ACCEPTED,
            OrderStatus::Failed => {
                return Ok(Err(ApiError::new(&codes::SUPPLIER_REFUSED)
                    .message("The supplier did not make the order; nothing was ordered.")
                    .details(serde_json::json!({ "order_id": order.id }))));
            }
            OrderStatus::Confirmed | OrderStatus::Cancelled => StatusCode::CREATED,
        };
        let location = format!("/api/v1/{}/orders/{}", self.0.vertical, order.id);
        let answer = cx.success(status, order, Map::<String, Value>::new());
        Ok(answer.map(|response| located(response, &location)))
    }
}

/// The answer with where its order is read.
pub(crate) fn located(mut response: Response, location: &str) -> Response {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Whether the present price may be paid: at most `max`, else at most what was shown.
fn accept_price(shown: Money, now: Money, max: Option<Money>) -> Result<(), ApiError> {
    let ceiling = max.unwrap_or(shown);
    if now.currency() == ceiling.currency() && now.minor() <= ceiling.minor() {
        return Ok(());
    }
    let refusal = ApiError::new(&codes::PRICE_CHANGED);
    if now == shown {
        let message = format!(
            "The price is {now}, which is more than max_total allows; nothing was ordered."
        );
        return Err(refusal.message(message).field("max_total"));
    }
    Err(refusal.details(serde_json::json!({ "old": shown, "new": now })))
}

/// How the supplier is asked about an order of the ledger.
pub(crate) fn lookup(order: &LedgerOrder) -> OrderLookup {
    OrderLookup {
        reference: order.order.id,
        handle: order.handle.clone(),
        total: order.order.total,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_pays_more_than_was_agreed_to() {
        let gbp = |minor| Money::new(minor, "GBP".parse().unwrap());
        assert!(accept_price(gbp(100), gbp(100), None).is_ok());
        assert!(accept_price(gbp(100), gbp(99), None).is_ok());
        assert!(accept_price(gbp(100), gbp(101), None).is_err());
        assert!(accept_price(gbp(100), gbp(110), Some(gbp(110))).is_ok());
        assert!(accept_price(gbp(100), gbp(100), Some(gbp(99))).is_err());
        let eur = Money::new(1, "EUR".parse().unwrap());
        assert!(accept_price(gbp(100), eur, None).is_err());
    }
}
