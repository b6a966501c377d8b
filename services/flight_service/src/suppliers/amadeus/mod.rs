//! Amadeus flights: search, pricing with the whole offer echoed, order, retrieval, look-up of a lost
//! order on the office's queue, deletion.
//!
//! **Documented** (`FlightOffersSearch`, `FlightOffersPrice`, `FlightCreateOrders`,
//! `FlightOrderManagement`): the bodies, `GET` and `DELETE` (204) of an order by its id, remarks and the
//! queue placement of a new order. **Assumed**, since nothing is public about it: that the queue can be
//! listed and a record be read by its locator (see [`supplier_platforms::amadeus::records`]); that a
//! deleted order is answered with 404, or with its flights marked as cancelled; that the time limits for
//! ticketing are local at the first airport.
//!
//! Amadeus has no idempotency keys, and no quote and no word of money for a cancellation: an order that
//! is not ticketed has cost nothing, so all of it comes back; what a ticketed order costs to cancel is
//! not known, and is not quoted. The kit prices an offer right before it orders it; the priced offer is
//! what is sent, and its price must be the one agreed to.

mod known;
mod map;
mod orders;
mod prices;
mod requests;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use service_kit::{Context, StartError};
use supplier_client::{
    Blame, CallCx, Safety, Sent, SupplierError, SupplierErrorKind as Kind, SupplierMetrics,
    WireRequest, WireResponse, path_segment,
};
use supplier_platforms::amadeus::errors::is_gone;
use supplier_platforms::amadeus::records::{Queue, Records, own_reference};
use supplier_platforms::amadeus::{self as platform, Amadeus, Data};
use travel_types::jiff::Timestamp;
use travel_types::jiff::civil::Date;
use travel_types::{Clock, Money, OrderId};
use vertical_kit::supplier_settings::{self, SupplierSettings};
use vertical_kit::{
    CancellationOutcome, CancellationQuote, Found, OrderLookup, OrderRequest, PlacedOrder,
    PlacedStatus, Searcher, Supplier, SupplierOffer, Timing,
};

use self::known::Known;
use self::requests::Terms;
use super::FlightSupplier;
use crate::FlightSearch;
use vertical_kit::mapping::{ours, text};

const NAME: &str = "amadeus";
const ORDERS: &str = "/v1/booking/flight-orders";
const BY_REFERENCE: &str = "/v1/booking/flight-orders/by-reference";

/// The adapter.
struct AmadeusFlights {
    platform: Arc<Amadeus>,
    records: Records,
    clock: Clock,
    timing: Timing,
    terms: Terms,
    max_offers: u32,
    /// How long the kit keeps an offer that states no expiry.
    offer_life: Duration,
}

/// The supplier's keys with Amadeus's values. In development the sandbox stands in for Amadeus.
pub(super) fn defaults() -> String {
    supplier_settings::defaults(
        NAME,
        "http://127.0.0.1:8090/amadeus",
        Timing {
            visibility_lag: Duration::from_secs(90),
            longest_processing: Duration::from_secs(120),
        },
        include_str!("config.default.toml"),
    )
}

/// The adapter as configured.
pub(super) fn configured(
    context: &Context,
    metrics: &SupplierMetrics,
) -> Result<Option<FlightSupplier>, StartError> {
    let Some(settings) = SupplierSettings::read(context, NAME, &platform::MUST_BE_SET)? else {
        return Ok(None);
    };
    let key = |key: &str| context.settings.get(&format!("suppliers.{NAME}.{key}"));
    let terms = Terms {
        queue: Queue {
            number: key("queue")?,
            category: key("queue_category")?,
        },
        ticketing: key("ticketing")?,
        delay: key("ticketing_delay")?,
    };
    let max_offers = context.settings.get("suppliers.amadeus.max_offers")?;
    let life = context.settings.get("offers.life_s")?;
    let platform = Amadeus::connect(context, metrics, &settings, NAME)?;
    Ok(Some(Arc::new(AmadeusFlights::new(
        platform,
        context.clock.clone(),
        settings.timing,
        terms,
        max_offers,
        Duration::from_secs(life),
    ))))
}

/// The offer goes back to Amadeus as Amadeus wrote it: that its data are invalid (4926, "No fare
/// applicable") is no mistake of ours, but means that it cannot be had any more.
fn about_the_offer(about: &str, error: SupplierError) -> SupplierError {
    let code = error.code.as_deref().unwrap_or_default();
    if !code.starts_with(about) || error.kind != Kind::InvalidRequest {
        return error;
    }
    SupplierError {
        kind: Kind::OfferExpired,
        blame: Blame::Supplier,
        ..error
    }
}

fn order_path(id: &str) -> String {
    format!("{ORDERS}/{}", path_segment(id))
}

impl AmadeusFlights {
    fn new(
        platform: Amadeus,
        clock: Clock,
        timing: Timing,
        terms: Terms,
        max_offers: u32,
        offer_life: Duration,
    ) -> Self {
        let platform = Arc::new(platform);
        let (queue, lag) = (terms.queue.clone(), timing.visibility_lag);
        Self {
            records: Records::new(platform.clone(), queue, BY_REFERENCE, lag),
            platform,
            clock,
            timing,
            terms,
            max_offers,
            offer_life,
        }
    }

    fn horizon(&self) -> Timestamp {
        self.clock.after(self.offer_life)
    }

    /// An order as an answer tells it, which must not be somebody else's.
    fn placed(
        response: &WireResponse,
        reference: OrderId,
        handle: &Value,
        agreed: Money,
    ) -> Result<PlacedOrder, SupplierError> {
        let answer: wire::Answer<wire::Order> = wire::read(response)?;
        let record = json!({ "remarks": answer.data.remarks });
        if own_reference(&record).is_some_and(|named| named != reference) {
            return Err(response.unreadable("the order carries another reference than ours"));
        }
        let known = Known::of(answer.dictionaries, handle);
        orders::order(&answer.data, &known, handle, agreed)
            .map_err(|reason| response.unreadable(&reason))
    }

    async fn retrieve(&self, cx: &CallCx, id: &str) -> Result<WireResponse, SupplierError> {
        let request = WireRequest::get("retrieve", order_path(id));
        self.platform.call(cx, request).await
    }

    /// Whether an order that Amadeus no longer finds has not begun yet: records of past journeys are
    /// removed too, and were not cancelled.
    fn is_ahead(&self, handle: &Value) -> bool {
        let day = text(handle, "departure_day").ok();
        let day: Option<Date> = day.and_then(|day| day.parse().ok());
        let today = self
            .clock
            .now()
            .to_zoned(travel_types::jiff::tz::TimeZone::UTC);
        day.is_some_and(|day| day >= today.date())
    }
}

#[async_trait]
impl Supplier for AmadeusFlights {
    fn name(&self) -> &str {
        NAME
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    async fn price(&self, cx: &CallCx, handle: &Value) -> Result<SupplierOffer, SupplierError> {
        let body = Data {
            data: requests::pricing(handle).map_err(ours)?,
        };
        let request = platform::question("price", "/v1/shopping/flight-offers/pricing", &body)?;
        let answered = self.platform.call(cx, request).await;
        let response = answered.map_err(|error| about_the_offer("4926", error))?;
        let answer: wire::Answer<wire::Priced> = wire::read(&response)?;
        let offers = answer.data.flight_offers;
        let offer = offers
            .first()
            .ok_or_else(|| response.unreadable("a pricing without an offer"))?;
        let required = answer.data.booking_requirements;
        let demands: wire::Demands = serde_json::from_str(offer.get()).unwrap_or_default();
        if let Some(reason) = requests::unmet(&demands, required.as_ref(), &self.terms) {
            let refused = SupplierError::new(Kind::NotSupported, reason);
            return Err(refused.with_sent(Sent::Answered));
        }
        let required = required.and_then(|required| required.traveler_requirements);
        let documents = required
            .iter()
            .flatten()
            .any(|one| one.document_required == Some(true));
        let known = Known::of(answer.dictionaries, handle);
        map::offer(offer.get(), &known, documents, self.horizon())
            .map_err(|reason| response.unreadable(&reason))
    }

    async fn order(&self, cx: &CallCx, order: &OrderRequest) -> Result<PlacedOrder, SupplierError> {
        let priced = text(&order.handle, "offer").and_then(|raw| prices::kept_total(&raw));
        if priced.map_err(ours)? != order.total {
            let detail = "the offer was priced at another total";
            return Err(SupplierError::new(Kind::PriceChanged, detail).with_sent(Sent::No));
        }
        let body = Data {
            data: requests::new_order(order, &self.terms).map_err(ours)?,
        };
        let request = platform::post("order", ORDERS, Safety::Unsafe, &body)?;
        let answered = self.platform.call(cx, request).await;
        let response =
            answered.map_err(|error| about_the_offer("4926 (/data/flightOffers", error))?;
        Self::placed(&response, order.reference, &order.handle, order.total)
    }

    async fn find_order(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError> {
        let Ok(id) = text(&order.handle, "order_id") else {
            let found = self.records.find(cx, order.reference).await?;
            return found
                .map(|response| {
                    Self::placed(&response, order.reference, &order.handle, order.total)
                })
                .transpose();
        };
        match self.retrieve(cx, &id).await {
            Ok(response) => {
                Self::placed(&response, order.reference, &order.handle, order.total).map(Some)
            }
            Err(error) if is_gone(&error) && self.is_ahead(&order.handle) => {
                Ok(Some(PlacedOrder {
                    status: PlacedStatus::Cancelled,
                    supplier_reference: text(&order.handle, "locator").unwrap_or(id),
                    total: order.total,
                    details: None,
                    handle: order.handle.clone(),
                }))
            }
            Err(error) => Err(error),
        }
    }

    async fn quote_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError> {
        let id = text(&order.handle, "order_id").map_err(ours)?;
        let response = self.retrieve(cx, &id).await?;
        let placed = Self::placed(&response, order.reference, &order.handle, order.total)?;
        if placed.status == PlacedStatus::Cancelled {
            let detail = "the order is cancelled already";
            return Err(SupplierError::new(Kind::Refused, detail));
        }
        let answer: wire::Answer<wire::Order> = wire::read(&response)?;
        if !orders::is_unpaid(&answer.data) {
            let detail = "the order is ticketed, or may be: Amadeus does not tell what comes back";
            return Err(SupplierError::new(Kind::NotSupported, detail).with_sent(Sent::Answered));
        }
        Ok(CancellationQuote {
            refund: order.total,
            refund_to: None,
            expires_at: None,
            handle: json!({ "order_id": id }),
        })
    }

    async fn confirm_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let id = text(quote, "order_id").map_err(ours)?;
        let request = WireRequest::delete("cancel", order_path(&id), Safety::Unsafe);
        match self.platform.call(cx, request).await {
            Ok(response) if response.status != http::StatusCode::NO_CONTENT => {
                Err(response.unreadable("a deletion is answered with 204 and nothing else"))
            }
            // It was there when the cancellation was quoted, so it was deleted since.
            Err(error) if !is_gone(&error) => Err(error),
            Ok(_) | Err(_) => Ok(CancellationOutcome::Cancelled {
                refund: order.total,
            }),
        }
    }

    async fn find_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let id = text(quote, "order_id").map_err(ours)?;
        let status = match self.retrieve(cx, &id).await {
            Ok(response) => {
                Self::placed(&response, order.reference, &order.handle, order.total)?.status
            }
            Err(error) if is_gone(&error) => PlacedStatus::Cancelled,
            Err(error) => return Err(error),
        };
        Ok(match status {
            PlacedStatus::Cancelled => CancellationOutcome::Cancelled {
                refund: order.total,
            },
            PlacedStatus::Confirmed | PlacedStatus::Pending => CancellationOutcome::NotCancelled,
        })
    }
}

#[async_trait]
impl Searcher<FlightSearch> for AmadeusFlights {
    async fn search(&self, cx: &CallCx, search: &FlightSearch) -> Result<Found, SupplierError> {
        let body = requests::search(search, self.max_offers);
        let request = platform::question("search", "/v2/shopping/flight-offers", &body)?;
        let response = self.platform.call(cx, request).await?;
        let answer: wire::Answer<wire::Offers> = response.json()?;
        let known = Known::of(answer.dictionaries, &Value::Null);
        let mut found = Found::default();
        for raw in &answer.data.0 {
            match map::offer(raw.get(), &known, false, self.horizon()) {
                Ok(offer) => found.offers.push(offer),
                Err(reason) => found.rejected.push(reason),
            }
        }
        Ok(found)
    }
}
