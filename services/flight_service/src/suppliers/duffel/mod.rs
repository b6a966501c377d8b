//! Duffel Air: offer request and paged offers, re-price, instant order paid from the balance, look-up by
//! our reference in the order's metadata, cancellation quote and confirmation.
//!
//! Duffel has no idempotency keys: an order whose answer is lost is looked for among the orders of its
//! offer, by the reference that we put into its metadata. Duffel states that a request takes 120 seconds
//! at most.

mod map;
mod requests;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize as _;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use service_kit::{Context, StartError};
use supplier_client::{
    CallCx, Safety, SupplierError, SupplierMetrics, WireRequest, WireResponse, path_segment,
};
use supplier_platforms::duffel::{self as platform, Duffel, PAGE};
use tokio::time::Instant;
use travel_types::Money;
use vertical_kit::supplier_settings::{self, SupplierSettings};
use vertical_kit::{
    CancellationOutcome, CancellationQuote, Found, OrderLookup, OrderRequest, PlacedOrder,
    Searcher, Supplier, SupplierOffer, Timing,
};

use super::FlightSupplier;
use crate::FlightSearch;
use vertical_kit::mapping::{ours, text};

const NAME: &str = "duffel";

/// The adapter.
struct DuffelFlights {
    platform: Duffel,
    timing: Timing,
}

/// The supplier's common keys with Duffel's values. In development the sandbox stands in for Duffel.
pub(super) fn defaults() -> String {
    supplier_settings::defaults(
        NAME,
        "http://127.0.0.1:8090/duffel",
        platform::TIMING,
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
    Ok(Some(Arc::new(DuffelFlights {
        platform: Duffel::connect(context, metrics, &settings, NAME)?,
        timing: settings.timing,
    })))
}

/// Adds each offer of a list, or the reason why it is left out.
fn add(found: &mut Found, offers: &[Box<RawValue>]) {
    for raw in offers {
        let mapped = serde_json::from_str::<wire::Offer>(raw.get())
            .map_err(|_| "is not an offer as Duffel describes it".to_owned())
            .and_then(|offer| map::offer(&offer));
        match mapped {
            Ok(offer) => found.offers.push(offer),
            Err(reason) => found.rejected.push(reason),
        }
    }
}

impl DuffelFlights {
    /// All offers of an offer request, page by page, as long as there is time.
    async fn offers_of(&self, cx: &CallCx, request_id: &str) -> Result<Found, SupplierError> {
        let mut found = Found::default();
        let mut after: Option<String> = None;
        for _ in 0..self.platform.max_pages {
            let mut request = WireRequest::get("search", "/air/offers")
                .query("offer_request_id", request_id)
                .query("sort", "total_amount")
                .query("limit", PAGE);
            if let Some(after) = &after {
                request = request.query("after", after);
            }
            let read = match self.platform.call(cx, request).await {
                Ok(response) => wire::Page::read(&response),
                Err(error) => Err(error),
            };
            let page = match read {
                Ok(page) => page,
                Err(error) if found.offers.is_empty() => return Err(error),
                Err(_) => {
                    let reason = "a further page of offers could not be read";
                    found.rejected.push(reason.to_owned());
                    break;
                }
            };
            add(&mut found, &page.data);
            after = page.after();
            if after.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn placed(
        response: &WireResponse,
        order: &wire::Order,
        handle: &Value,
        agreed: Money,
    ) -> Result<PlacedOrder, SupplierError> {
        map::order(order, handle, agreed).map_err(|reason| response.unreadable(&reason))
    }

    /// What a cancellation that is carried out pays back: as it says, else as it was quoted.
    fn refunded(
        response: &WireResponse,
        quote: &Value,
        paid: Money,
    ) -> Result<Money, SupplierError> {
        let stated: Result<wire::Refund, _> = wire::read(response);
        let stated = stated
            .ok()
            .and_then(|stated| map::refund(&stated, paid).ok());
        let quoted = || Money::deserialize(quote.get("refund")?).ok();
        stated
            .or_else(quoted)
            .ok_or_else(|| response.unreadable("a refund that cannot be read"))
    }
}

#[async_trait]
impl Supplier for DuffelFlights {
    fn name(&self) -> &str {
        NAME
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    async fn price(&self, cx: &CallCx, handle: &Value) -> Result<SupplierOffer, SupplierError> {
        let id = text(handle, "offer_id").map_err(ours)?;
        let path = format!("/air/offers/{}", path_segment(&id));
        let response = self
            .platform
            .call(cx, WireRequest::get("price", path))
            .await?;
        let offer: wire::Offer = wire::read(&response)?;
        map::offer(&offer).map_err(|reason| response.unreadable(&reason))
    }

    async fn order(&self, cx: &CallCx, order: &OrderRequest) -> Result<PlacedOrder, SupplierError> {
        let body = wire::Data {
            data: requests::new_order(order).map_err(ours)?,
        };
        let request = WireRequest::post("order", "/air/orders", Safety::Unsafe).json(&body)?;
        let response = self
            .platform
            .call(cx, request)
            .await
            .map_err(platform::sold_out)?;
        if let Some(taken) = platform::taken(&response, order) {
            return Ok(taken);
        }
        let placed: wire::Order = wire::read(&response)?;
        platform::check_ours(&response, placed.metadata.as_ref(), order.reference)?;
        Self::placed(&response, &placed, &order.handle, order.total)
    }

    async fn find_order(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError> {
        let offer_id = text(&order.handle, "offer_id").map_err(ours)?;
        let list = WireRequest::get("retrieve", "/air/orders").query("offer_id", &offer_id);
        let ours = self.platform.find_ours(cx, &list, order.reference).await?;
        let Some((response, raw)) = ours else {
            return Ok(None);
        };
        let found: wire::Order = serde_json::from_str(raw.get())
            .map_err(|_| response.unreadable("an order is not as Duffel describes it"))?;
        Self::placed(&response, &found, &order.handle, order.total).map(Some)
    }

    async fn quote_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError> {
        let body = wire::Data {
            data: wire::NewCancellation {
                order_id: text(&order.handle, "order_id").map_err(ours)?,
            },
        };
        // A quote cancels nothing, so it may be asked for again.
        let request =
            WireRequest::post("cancel", "/air/order_cancellations", Safety::Safe).json(&body)?;
        let response = self.platform.call(cx, request).await?;
        let quote: wire::OrderCancellation = wire::read(&response)?;
        let expires_at = quote.expires_at.as_ref().map(|at| at.as_str().parse());
        let stated: wire::Refund = wire::read(&response)?;
        let refund = map::refund(&stated, order.total);
        let refund = refund.map_err(|reason| response.unreadable(&reason))?;
        Ok(CancellationQuote {
            refund,
            refund_to: stated.refund_to,
            expires_at: expires_at
                .transpose()
                .map_err(|_| response.unreadable("expires_at is not an instant"))?,
            handle: json!({ "cancellation_id": quote.id.as_str(), "refund": refund }),
        })
    }

    async fn confirm_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let id = text(quote, "cancellation_id").map_err(ours)?;
        let path = format!(
            "/air/order_cancellations/{}/actions/confirm",
            path_segment(&id)
        );
        let request = WireRequest::post("cancel", path, Safety::Unsafe);
        let response = self.platform.call(cx, request).await?;
        let done: wire::OrderCancellation = wire::read(&response)?;
        if done.confirmed_at.is_none() {
            return Err(response.unreadable("a confirmed cancellation has no confirmed_at"));
        }
        let refund = Self::refunded(&response, quote, order.total)?;
        Ok(CancellationOutcome::Cancelled { refund })
    }

    async fn find_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let id = text(quote, "cancellation_id").map_err(ours)?;
        let path = format!("/air/order_cancellations/{}", path_segment(&id));
        let response = self
            .platform
            .call(cx, WireRequest::get("retrieve", path))
            .await?;
        let found: wire::OrderCancellation = wire::read(&response)?;
        if found.confirmed_at.is_none() {
            return Ok(CancellationOutcome::NotCancelled);
        }
        let refund = Self::refunded(&response, quote, order.total)?;
        Ok(CancellationOutcome::Cancelled { refund })
    }
}

#[async_trait]
impl Searcher<FlightSearch> for DuffelFlights {
    async fn search(&self, cx: &CallCx, search: &FlightSearch) -> Result<Found, SupplierError> {
        let body = wire::Data {
            data: requests::offer_request(search),
        };
        // Duffel waits for its airlines this long; the rest of the time is for reading the offers.
        let left = cx.deadline.saturating_duration_since(Instant::now());
        let patience = (left.mul_f32(0.7)).max(Duration::from_secs(2));
        // An offer request books nothing, so it may be made again.
        let request = WireRequest::post("search", "/air/offer_requests", Safety::Safe)
            .query("return_offers", "false")
            .query("supplier_timeout", patience.as_millis())
            .json(&body)?;
        let response = self.platform.call(cx, request).await?;
        let created: wire::OfferRequestCreated = wire::read(&response)?;
        if !created.offers.is_empty() {
            let mut found = Found::default();
            add(&mut found, &created.offers);
            return Ok(found);
        }
        self.offers_of(cx, created.id.as_str()).await
    }
}
