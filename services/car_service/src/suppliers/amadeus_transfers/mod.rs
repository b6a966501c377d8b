//! Amadeus transfers: rides with a driver from an airport.
//!
//! **Documented** (`TransferSearch_v1`, `TransferBook_v1`, `TransferManagement_v1`): the search, the order
//! with a note, the cancellation by order and confirmation number. **Assumed**, since nothing is public
//! about it: that an order takes `automatedProcess`, which puts it on a queue of the office, that the queue
//! can be listed, and that a record can be read by its locator at
//! `/v1/ordering/transfer-orders/by-reference` with the note that it was made with
//! ([`supplier_platforms::amadeus::records`]); that a cancelled transfer stays there as `CANCELLED`.
//! Whatever does not fit is an error, and never "there is no order".
//!
//! A search for a car becomes one for a ride from the airport of pick-up (see [`destination`]). It states no
//! currency: which ones Amadeus converts to is not documented, and one that it does not know fails the
//! search; prices are the providers' own, and the kit converts them. An offer
//! has no call to price it again and no expiry: it is what the search said for `offer_life_s`, and then
//! expired. Our order's id travels in the note. What is paid is paid with the order, by `payment_method`.
//!
//! What cancelling brings follows from the provider's rules at the present instant; where they do not
//! tell what holds now, the quote is refused as not supported. A provider without any rules promises
//! nothing: its offers show no terms, and the quote counts on nothing to come back. The confirmation says
//! nothing of money, so what was quoted stands.

mod destination;
mod map;
mod prices;
mod requests;
mod rules;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use service_kit::{Context, StartError};
use supplier_client::{
    CallCx, Safety, Sent, SupplierError, SupplierErrorKind as Kind, SupplierMetrics, WireRequest,
    WireResponse, path_segment,
};
use supplier_platforms::amadeus::records::{Queue, Records, own_reference};
use supplier_platforms::amadeus::{self as platform, Amadeus, Data};
use travel_types::jiff::Timestamp;
use travel_types::{Clock, Money, OrderId};
use vertical_kit::mapping::{ours, text};
use vertical_kit::supplier_settings::{self, SupplierSettings};
use vertical_kit::{
    CancellationOutcome, CancellationQuote, Found, OrderLookup, OrderRequest, PlacedOrder,
    PlacedStatus, Searcher, Supplier, SupplierOffer, Timing,
};

use self::destination::Destination;
use self::requests::OrderTerms;
use super::CarSupplier;
use crate::CarSearch;
use crate::mapping::{Trip, quoted_refund};

const NAME: &str = "amadeus_transfers";
const OFFERS: &str = "/v1/shopping/transfer-offers";
const ORDERS: &str = "/v1/ordering/transfer-orders";
const BY_REFERENCE: &str = "/v1/ordering/transfer-orders/by-reference";

/// The adapter.
struct AmadeusTransfers {
    platform: Arc<Amadeus>,
    records: Records,
    clock: Clock,
    timing: Timing,
    terms: OrderTerms,
    offer_life: Duration,
    /// How long the kit keeps a cancellation quote that states no expiry.
    quote_life: Duration,
}

/// The supplier's keys with Amadeus's values. In development the sandbox stands in for Amadeus.
pub(super) fn defaults() -> String {
    let timing = Timing {
        visibility_lag: Duration::from_secs(90),
        longest_processing: Duration::from_secs(120),
    };
    supplier_settings::defaults(
        NAME,
        "http://127.0.0.1:8090/amadeus_transfers",
        timing,
        include_str!("config.default.toml"),
    )
}

/// The adapter as configured.
pub(super) fn configured(
    context: &Context,
    metrics: &SupplierMetrics,
) -> Result<Option<CarSupplier>, StartError> {
    let Some(settings) = SupplierSettings::read(context, NAME, &platform::MUST_BE_SET)? else {
        return Ok(None);
    };
    let key = |key: &str| context.settings.get(&format!("suppliers.{NAME}.{key}"));
    let terms = OrderTerms {
        payment_method: key("payment_method")?,
        payment_reference: key("payment_reference")?,
        queue: Queue {
            number: key("queue")?,
            category: key("queue_category")?,
        },
    };
    let offer_life = context
        .settings
        .get("suppliers.amadeus_transfers.offer_life_s")?;
    let platform = Amadeus::connect(context, metrics, &settings, NAME)?;
    Ok(Some(Arc::new(AmadeusTransfers::new(
        platform,
        context.clock.clone(),
        settings.timing,
        terms,
        Duration::from_secs(offer_life),
        Duration::from_secs(context.settings.get("quotes.life_s")?),
    ))))
}

/// What a refused order says of its offer: Amadeus has no codes of their own for it.
fn offer_refusal(error: SupplierError) -> SupplierError {
    let kind = match error.code.as_deref() {
        // UNABLE TO PROCESS this offer: the provider has no such ride any more.
        Some("11 (offerId)") => Kind::SoldOut,
        // INVALID DATA RECEIVED: there is no such offer, or it is too old.
        Some("4926 (offerId)") => Kind::OfferExpired,
        _ => return error,
    };
    SupplierError { kind, ..error }
}

impl AmadeusTransfers {
    fn new(
        platform: Amadeus,
        clock: Clock,
        timing: Timing,
        terms: OrderTerms,
        offer_life: Duration,
        quote_life: Duration,
    ) -> Self {
        let platform = Arc::new(platform);
        let (queue, lag) = (terms.queue.clone(), timing.visibility_lag);
        Self {
            records: Records::new(platform.clone(), queue, BY_REFERENCE, lag),
            platform,
            clock,
            timing,
            terms,
            offer_life,
            quote_life,
        }
    }

    /// An order as an answer tells it, which must not be somebody else's.
    fn placed(
        response: &WireResponse,
        reference: OrderId,
        handle: &Value,
        agreed: Money,
    ) -> Result<PlacedOrder, SupplierError> {
        let record: Data<Value> = response.json()?;
        if own_reference(&record.data).is_some_and(|named| named != reference) {
            return Err(response.unreadable("the order carries another reference than ours"));
        }
        let order: Data<wire::Order> = response.json()?;
        map::order(&order.data, handle, agreed).map_err(|reason| response.unreadable(&reason))
    }

    /// The order of a known record as it stands now.
    async fn retrieve(
        &self,
        cx: &CallCx,
        locator: &str,
        order: &OrderLookup,
    ) -> Result<PlacedOrder, SupplierError> {
        let request = WireRequest::get("retrieve", BY_REFERENCE)
            .query("reference", locator)
            .query("originSystemCode", "GDS");
        let response = self.platform.call(cx, request).await?;
        Self::placed(&response, order.reference, &order.handle, order.total)
    }

    /// An offer that is alive.
    fn alive(&self, handle: &Value) -> Result<(String, Timestamp), SupplierError> {
        let raw = text(handle, "offer").map_err(ours)?;
        let until = text(handle, "alive_until").map_err(ours)?;
        let until: Timestamp = until.parse().map_err(|_| ours("alive_until".to_owned()))?;
        if until <= self.clock.now() {
            let detail = "the offer is older than offer_life_s";
            return Err(SupplierError::new(Kind::OfferExpired, detail).with_sent(Sent::No));
        }
        Ok((raw, until))
    }

    fn offer(&self, handle: &Value) -> Result<SupplierOffer, SupplierError> {
        let (raw, until) = self.alive(handle)?;
        let trip = Trip::of(handle).map_err(ours)?;
        let mut offer = map::offer(&raw, &trip, self.clock.now(), handle.clone()).map_err(ours)?;
        offer.expires_at = Some(until);
        Ok(offer)
    }
}

#[async_trait]
impl Supplier for AmadeusTransfers {
    fn name(&self) -> &str {
        NAME
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    async fn price(&self, _: &CallCx, handle: &Value) -> Result<SupplierOffer, SupplierError> {
        self.offer(handle)
    }

    async fn order(&self, cx: &CallCx, order: &OrderRequest) -> Result<PlacedOrder, SupplierError> {
        if self.offer(&order.handle)?.total != order.total {
            let detail = "the offer has another total";
            return Err(SupplierError::new(Kind::PriceChanged, detail).with_sent(Sent::No));
        }
        let body = Data {
            data: requests::new_order(order, &self.terms),
        };
        let id = text(&order.handle, "offer_id").map_err(ours)?;
        let request = platform::post("order", ORDERS, Safety::Unsafe, &body)?.query("offerId", &id);
        let response = self
            .platform
            .call(cx, request)
            .await
            .map_err(offer_refusal)?;
        Self::placed(&response, order.reference, &order.handle, order.total)
    }

    async fn find_order(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError> {
        if let Ok(locator) = text(&order.handle, "locator") {
            return self.retrieve(cx, &locator, order).await.map(Some);
        }
        let found = self.records.find(cx, order.reference).await?;
        found
            .map(|response| Self::placed(&response, order.reference, &order.handle, order.total))
            .transpose()
    }

    async fn quote_cancellation(
        &self,
        _: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError> {
        let raw = text(&order.handle, "transfer").map_err(ours)?;
        let trip = Trip::of(&order.handle).map_err(ours)?;
        let now = self.clock.now();
        let term = map::order_terms(&raw, &trip, now)
            .and_then(|terms| terms.into_iter().find(|term| term.until > now))
            .ok_or_else(|| {
                let detail = "the provider's rules do not tell what cancelling costs now";
                SupplierError::new(Kind::NotSupported, detail)
            })?;
        Ok(CancellationQuote {
            refund: term.refund,
            refund_to: None,
            expires_at: Some(term.until.min(self.clock.after(self.quote_life))),
            handle: json!({ "refund": term.refund }),
        })
    }

    async fn confirm_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let refund = quoted_refund(quote).map_err(ours)?;
        let id = text(&order.handle, "order_id").map_err(ours)?;
        let number = text(&order.handle, "confirm_number").map_err(ours)?;
        let path = format!("{ORDERS}/{}/transfers/cancellation", path_segment(&id));
        let request =
            WireRequest::post("cancel", path, Safety::Unsafe).query("confirmNbr", &number);
        let response = self.platform.call(cx, request).await?;
        let done: Data<wire::Cancellation> = response.json()?;
        match done.data.reservation_status.as_deref() {
            Some("CANCELLED") => Ok(CancellationOutcome::Cancelled { refund }),
            Some("CONFIRMED") => Ok(CancellationOutcome::NotCancelled),
            _ => Err(response.unreadable("a cancellation without its status")),
        }
    }

    async fn find_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let refund = quoted_refund(quote).map_err(ours)?;
        let locator = text(&order.handle, "locator").map_err(ours)?;
        let placed = self.retrieve(cx, &locator, order).await?;
        Ok(match placed.status {
            PlacedStatus::Cancelled => CancellationOutcome::Cancelled { refund },
            PlacedStatus::Confirmed | PlacedStatus::Pending => CancellationOutcome::NotCancelled,
        })
    }
}

#[async_trait]
impl Searcher<CarSearch> for AmadeusTransfers {
    async fn search(&self, cx: &CallCx, search: &CarSearch) -> Result<Found, SupplierError> {
        let trip = Trip::from(search);
        let mut found = Found::default();
        let Some(to) = Destination::of(&trip) else {
            return Ok(found);
        };
        let body = requests::search(search, &to);
        let request = platform::post("search", OFFERS, Safety::Safe, &body)?;
        let response = self.platform.call(cx, request).await?;
        let answer: wire::Offers = response.json()?;
        let issues = answer.warnings.unwrap_or_default();
        let until = self.clock.after(self.offer_life);
        for (index, raw) in answer.data.iter().enumerate() {
            let raw = raw.get();
            let id = map::read(raw).ok().and_then(|offer| offer.id);
            let handle = json!({
                "offer_id": id.as_ref().map(|id| id.as_str()),
                "offer": raw,
                "trip": trip,
                "alive_until": until.to_string(),
            });
            let method = &self.terms.payment_method;
            let mapped = map::check_orderable(raw, method, search.passengers)
                .and_then(|()| map::offer(raw, &trip, self.clock.now(), handle));
            match mapped {
                Ok(mut offer) => {
                    map::doubts(&issues, index, answer.data.len(), &mut offer.warnings);
                    offer.expires_at = Some(until);
                    found.offers.push(offer);
                }
                Err(reason) => found.rejected.push(reason),
            }
        }
        Ok(found)
    }
}
