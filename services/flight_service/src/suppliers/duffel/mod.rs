//! Duffel Air: offer request and paged offers, re-price, instant order paid from the balance, look-up by
//! our reference in the order's metadata, cancellation quote and confirmation.
//!
//! Duffel has no idempotency keys: an order whose answer is lost is looked for among the orders of its
//! offer, by the reference that we put into its metadata. Duffel states that a request takes 120 seconds
//! at most.

mod errors;
mod map;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;
use service_kit::{Context, StartError};
use supplier_client::{
    Auth, CallCx, Safety, SupplierError, SupplierErrorKind, SupplierMetrics, Transport,
    WireRequest, WireResponse, by_status, path_segment,
};
use tokio::time::Instant;
use travel_types::Money;
use vertical_kit::supplier_settings::{self, SupplierSettings};
use vertical_kit::{
    CancellationOutcome, CancellationQuote, Found, OrderLookup, OrderRequest, PlacedOrder,
    PlacedStatus, Searcher, Supplier, SupplierOffer, Timing,
};

use super::FlightSupplier;
use crate::FlightSearch;

const NAME: &str = "duffel";
/// Offers per page: the most that Duffel gives.
const PAGE: u32 = 200;

/// The adapter.
struct Duffel {
    wire: Arc<dyn Transport>,
    timing: Timing,
    max_pages: u32,
}

/// The supplier's common keys with Duffel's values. In development the sandbox stands in for Duffel.
pub(super) fn defaults() -> String {
    supplier_settings::defaults(
        NAME,
        "http://127.0.0.1:8090/duffel",
        Timing {
            visibility_lag: Duration::from_secs(5),
            longest_processing: Duration::from_secs(120),
        },
    )
}

/// The adapter as configured.
pub(super) fn configured(
    context: &Context,
    metrics: &SupplierMetrics,
) -> Result<Option<FlightSupplier>, StartError> {
    let Some(settings) = SupplierSettings::read(context, NAME, &["base_url", "token"])? else {
        return Ok(None);
    };
    let token: SecretString = context.settings.get("suppliers.duffel.token")?;
    let version: String = context.settings.get("suppliers.duffel.version")?;
    let headers = [
        ("Duffel-Version", version.as_str()),
        ("Accept", "application/json"),
    ];
    let client = settings.client(context, metrics, &headers, by_status, Auth::Bearer(token))?;
    Ok(Some(Arc::new(Duffel {
        wire: Arc::new(client),
        timing: settings.timing,
        max_pages: context.settings.get("suppliers.duffel.max_pages")?,
    })))
}

/// A mistake of ours: what we kept cannot be made into a request.
fn ours(detail: String) -> SupplierError {
    SupplierError::new(SupplierErrorKind::InvalidRequest, detail)
        .with_sent(supplier_client::Sent::No)
}

impl Duffel {
    /// Sends a request that changes nothing.
    async fn ask(&self, cx: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        let response = self.wire.call(cx, request).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(errors::failure(&response, false))
    }

    /// Sends a request that changes something.
    async fn act(&self, cx: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        let response = self.wire.call(cx, request).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(errors::failure(&response, true))
    }

    /// All offers of an offer request, page by page, as long as there is time.
    async fn offers_of(&self, cx: &CallCx, request_id: &str) -> Result<Found, SupplierError> {
        let mut found = Found::default();
        let mut after: Option<String> = None;
        for _ in 0..self.max_pages {
            let mut request = WireRequest::get("search", "/air/offers")
                .query("offer_request_id", request_id)
                .query("sort", "total_amount")
                .query("limit", PAGE);
            if let Some(after) = &after {
                request = request.query("after", after);
            }
            let read = match self.ask(cx, request).await {
                Ok(response) => response.json::<wire::Page>(),
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
            for raw in &page.data {
                let mapped = serde_json::from_str::<wire::Offer>(raw.get())
                    .map_err(|_| "is not an offer as Duffel describes it".to_owned())
                    .and_then(|offer| map::offer(&offer));
                match mapped {
                    Ok(offer) => found.offers.push(offer),
                    Err(reason) => found.rejected.push(reason),
                }
            }
            after = page.meta.and_then(|meta| meta.after);
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
    ) -> Result<PlacedOrder, SupplierError> {
        map::order(order, handle).map_err(|reason| response.unreadable(&reason))
    }

    fn refund(
        response: &WireResponse,
        cancellation: &wire::OrderCancellation,
        paid: Money,
    ) -> Result<Money, SupplierError> {
        map::refund(cancellation, paid).map_err(|error| response.unreadable(&error.to_string()))
    }
}

#[async_trait]
impl Supplier for Duffel {
    fn name(&self) -> &str {
        NAME
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    async fn price(&self, cx: &CallCx, handle: &Value) -> Result<SupplierOffer, SupplierError> {
        let id = map::text(handle, "offer_id").map_err(ours)?;
        let path = format!("/air/offers/{}", path_segment(&id));
        let response = self.ask(cx, WireRequest::get("price", path)).await?;
        let offer: wire::Data<wire::Offer> = response.json()?;
        map::offer(&offer.data).map_err(|reason| response.unreadable(&reason))
    }

    async fn order(&self, cx: &CallCx, order: &OrderRequest) -> Result<PlacedOrder, SupplierError> {
        let body = wire::Data {
            data: map::new_order(order).map_err(ours)?,
        };
        let request = WireRequest::post("order", "/air/orders", Safety::Unsafe).json(&body)?;
        let response = self.act(cx, request).await.map_err(|error| {
            // On reading an offer this is an old offer; on ordering it, somebody was faster.
            match error.code.as_deref() {
                Some("offer_no_longer_available") => SupplierError {
                    kind: SupplierErrorKind::SoldOut,
                    ..error
                },
                _ => error,
            }
        })?;
        if response.status == http::StatusCode::ACCEPTED {
            return Ok(PlacedOrder {
                status: PlacedStatus::Pending,
                supplier_reference: String::new(),
                total: order.total,
                details: None,
                handle: order.handle.clone(),
            });
        }
        let placed: wire::Data<wire::Order> = response.json()?;
        Self::placed(&response, &placed.data, &order.handle)
    }

    async fn find_order(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError> {
        let offer_id = map::text(&order.handle, "offer_id").map_err(ours)?;
        let request = WireRequest::get("retrieve", "/air/orders")
            .query("offer_id", offer_id)
            .query("limit", PAGE);
        let response = self.ask(cx, request).await?;
        let page: wire::Page = response.json()?;
        let reference = order.reference.to_string();
        for raw in &page.data {
            let found: wire::Order = serde_json::from_str(raw.get())
                .map_err(|_| response.unreadable("an order is not as Duffel describes it"))?;
            let ours = found
                .metadata
                .as_ref()
                .and_then(|metadata| metadata.interline_order_id.as_ref());
            if ours == Some(&reference) {
                return Self::placed(&response, &found, &order.handle).map(Some);
            }
        }
        Ok(None)
    }

    async fn quote_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError> {
        let body = wire::Data {
            data: wire::NewCancellation {
                order_id: map::text(&order.handle, "order_id").map_err(ours)?,
            },
        };
        // A quote cancels nothing, so it may be asked for again.
        let request =
            WireRequest::post("cancel", "/air/order_cancellations", Safety::Safe).json(&body)?;
        let response = self.ask(cx, request).await?;
        let quote: wire::Data<wire::OrderCancellation> = response.json()?;
        let expires_at = quote.data.expires_at.as_deref().map(str::parse);
        Ok(CancellationQuote {
            refund: Self::refund(&response, &quote.data, order.total)?,
            refund_to: quote.data.refund_to.clone(),
            expires_at: expires_at
                .transpose()
                .map_err(|_| response.unreadable("expires_at is not an instant"))?,
            handle: serde_json::json!({ "cancellation_id": quote.data.id }),
        })
    }

    async fn confirm_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let id = map::text(quote, "cancellation_id").map_err(ours)?;
        let path = format!(
            "/air/order_cancellations/{}/actions/confirm",
            path_segment(&id)
        );
        let request = WireRequest::post("cancel", path, Safety::Unsafe);
        let response = self.act(cx, request).await?;
        let done: wire::Data<wire::OrderCancellation> = response.json()?;
        if done.data.confirmed_at.is_none() {
            return Err(response.unreadable("a confirmed cancellation has no confirmed_at"));
        }
        let refund = Self::refund(&response, &done.data, order.total)?;
        Ok(CancellationOutcome::Cancelled { refund })
    }

    async fn find_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let id = map::text(quote, "cancellation_id").map_err(ours)?;
        let path = format!("/air/order_cancellations/{}", path_segment(&id));
        let response = self.ask(cx, WireRequest::get("retrieve", path)).await?;
        let found: wire::Data<wire::OrderCancellation> = response.json()?;
        if found.data.confirmed_at.is_none() {
            return Ok(CancellationOutcome::NotCancelled);
        }
        let refund = Self::refund(&response, &found.data, order.total)?;
        Ok(CancellationOutcome::Cancelled { refund })
    }
}

#[async_trait]
impl Searcher<FlightSearch> for Duffel {
    async fn search(&self, cx: &CallCx, search: &FlightSearch) -> Result<Found, SupplierError> {
        let body = wire::Data {
            data: map::offer_request(search),
        };
        // Duffel waits for its airlines this long; the rest of the time is for reading the offers.
        let left = cx.deadline.saturating_duration_since(Instant::now());
        let patience = (left.mul_f32(0.7)).max(Duration::from_secs(2));
        // An offer request books nothing, so it may be made again.
        let request = WireRequest::post("search", "/air/offer_requests", Safety::Safe)
            .query("return_offers", "false")
            .query("supplier_timeout", patience.as_millis())
            .json(&body)?;
        let response = self.ask(cx, request).await?;
        let created: wire::Data<wire::OfferRequestCreated> = response.json()?;
        self.offers_of(cx, &created.data.id).await
    }
}
