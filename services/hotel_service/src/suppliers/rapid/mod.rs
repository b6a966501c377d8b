//! Expedia Rapid, lodging: properties around a point, availability, price check, booking (directly, or
//! held and resumed), look-up by our reference, cancellation.
//!
//! Rapid knows an order by `affiliate_reference_id`, which it accepts once. An order whose answer is lost
//! is looked for by it; Rapid's look-up lags by minutes, and shows an itinerary without rooms as long as
//! it is not ready. A look-up must name the mail address of the booking, so all bookings are made under
//! the seller's own (`booking_email`).
//!
//! With `hold = true`, an order is two steps: the rooms are held, then the itinerary is resumed. If the
//! second answer is lost, the look-up finds an itinerary that is still pending and still offers to be
//! resumed: it is resumed again, which is safe (a `PUT` that does nothing to an itinerary that is resumed
//! already) and is what was ordered, at the price that was held. A held itinerary that nobody resumes is
//! released by Rapid.

mod errors;
mod hotel;
mod itinerary;
mod links;
mod map;
mod memory;
mod ordering;
mod penalties;
mod pricing;
mod requests;
mod searching;
mod signature;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use caching::{Cache, CacheOptions};
use serde_json::Value;
use service_kit::{Context, Profile, StartError};
use supplier_client::{
    Auth, CallCx, SupplierError, SupplierMetrics, Transport, WireRequest, WireResponse, by_status,
};
use travel_types::Clock;
use vertical_kit::supplier_settings::{self, SupplierSettings};
use vertical_kit::{
    CancellationOutcome, CancellationQuote, Found, OrderLookup, OrderRequest, PlacedOrder,
    Searcher, Supplier, SupplierOffer, Timing,
};

use super::HotelSupplier;
use crate::HotelSearch;
use signature::Signature;

const NAME: &str = "rapid";
const USER_AGENT: &str = concat!("Interline/", env!("CARGO_PKG_VERSION"));

/// The adapter.
struct Rapid {
    wire: Arc<dyn Transport>,
    timing: Timing,
    terms: Terms,
    /// Descriptions of properties, and which properties are where.
    contents: Cache,
    clock: Clock,
}

/// What the seller has agreed on with Expedia, and how much is asked for.
struct Terms {
    test: String,
    customer_ip: String,
    booking_email: String,
    currency: String,
    country_code: String,
    language: String,
    sales_channel: String,
    sales_environment: String,
    rate_plan_count: u32,
    rates_per_room: usize,
    max_properties: usize,
    content_life: Duration,
    hold: bool,
    billing: wire::BillingContact,
}

/// The supplier's keys with Rapid's values. In development the sandbox stands in for Rapid.
pub(super) fn defaults() -> String {
    let timing = Timing {
        visibility_lag: Duration::from_secs(180),
        longest_processing: Duration::from_secs(120),
    };
    let own = include_str!("config.default.toml");
    supplier_settings::defaults(NAME, "http://127.0.0.1:8090/rapid", timing, own)
}

/// The adapter as configured.
pub(super) fn configured(
    context: &Context,
    metrics: &SupplierMetrics,
) -> Result<Option<HotelSupplier>, StartError> {
    let must_be_set = ["base_url", "api_key", "secret", "booking_email"];
    let Some(settings) = SupplierSettings::read(context, NAME, &must_be_set)? else {
        return Ok(None);
    };
    let terms = Terms::read(context)?;
    let secret = |key: &str| context.settings.get(&format!("suppliers.{NAME}.{key}"));
    let signature = Signature {
        api_key: secret("api_key")?,
        secret: secret("secret")?,
    };
    // Gzip is asked for and read by the client itself.
    let headers = [("Accept", "application/json"), ("User-Agent", USER_AGENT)];
    let auth = Auth::Custom(Arc::new(signature));
    let client = settings.client(context, metrics, &headers, by_status, auth)?;
    let mut options = CacheOptions::new("memory:", NAME);
    options.capacity_bytes = context.settings.get("suppliers.rapid.content_bytes")?;
    let contents = Cache::open(&options)
        .map_err(|error| StartError::Other(format!("suppliers.{NAME}: {error}")))?;
    Ok(Some(Arc::new(Rapid {
        wire: Arc::new(client),
        timing: settings.timing,
        terms,
        contents,
        clock: context.clock.clone(),
    })))
}

impl Terms {
    fn read(context: &Context) -> Result<Self, StartError> {
        let settings = &context.settings;
        let key = |key: &str| format!("suppliers.{NAME}.{key}");
        let text = |name: &str| settings.get::<String>(&key(name));
        let test = text("test")?;
        if context.profile == Profile::Production && !test.is_empty() {
            return Err(StartError::Other(format!(
                "{} is for test systems: production needs it empty",
                key("test")
            )));
        }
        Ok(Self {
            test,
            customer_ip: text("customer_ip")?,
            booking_email: text("booking_email")?,
            currency: text("currency")?,
            country_code: text("country_code")?,
            language: text("language")?,
            sales_channel: text("sales_channel")?,
            sales_environment: text("sales_environment")?,
            rate_plan_count: settings.get(&key("rate_plan_count"))?,
            rates_per_room: settings.get(&key("rates_per_room"))?,
            max_properties: settings.get(&key("max_properties"))?,
            content_life: Duration::from_secs(settings.get(&key("content_life_s"))?),
            hold: settings.get(&key("hold"))?,
            billing: wire::BillingContact {
                given_name: text("billing_given_name")?,
                family_name: text("billing_family_name")?,
                address: wire::BillingAddress {
                    line_1: text("billing_line_1")?,
                    city: text("billing_city")?,
                    state_province_code: text("billing_state")?,
                    postal_code: text("billing_postal_code")?,
                    country_code: text("billing_country_code")?,
                },
            },
        })
    }
}

impl Rapid {
    /// Sends a request that changes nothing.
    async fn ask(&self, cx: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        let response = self.wire.call(cx, self.dressed(cx, request)).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(errors::failure(&response, false))
    }

    /// Sends a request that changes something.
    async fn act(&self, cx: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        let response = self.wire.call(cx, self.dressed(cx, request)).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(errors::failure(&response, true))
    }

    /// Adds the headers that depend on the call.
    fn dressed(&self, cx: &CallCx, request: WireRequest) -> WireRequest {
        let operation = request.operation();
        let mut request = request.header("Customer-Session-Id", cx.correlation.request_id());
        if !self.terms.customer_ip.is_empty() {
            request = request.header("Customer-Ip", &self.terms.customer_ip);
        }
        match requests::test_value(operation, &self.terms.test) {
            Some(value) => request.header("Test", value),
            None => request,
        }
    }
}

#[async_trait]
impl Supplier for Rapid {
    fn name(&self) -> &str {
        NAME
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    async fn price(&self, cx: &CallCx, handle: &Value) -> Result<SupplierOffer, SupplierError> {
        self.check_price(cx, handle).await
    }

    async fn order(&self, cx: &CallCx, order: &OrderRequest) -> Result<PlacedOrder, SupplierError> {
        self.book(cx, order).await
    }

    async fn find_order(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError> {
        self.find(cx, order).await
    }

    async fn quote_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError> {
        self.quote(cx, order).await
    }

    async fn confirm_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        self.cancel(cx, order, quote).await
    }

    async fn find_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        self.cancelled(cx, order, quote).await
    }
}

#[async_trait]
impl Searcher<HotelSearch> for Rapid {
    async fn search(&self, cx: &CallCx, search: &HotelSearch) -> Result<Found, SupplierError> {
        self.find_offers(cx, search).await
    }
}
