//! Duffel Cars: search around a place, quote, booking, cancellation.
//!
//! **Documented** (duffel-api-javascript `src/Cars/**`): `POST /cars/search`, `POST /cars/quotes`,
//! `POST /cars/bookings`, `GET /cars/bookings/{id}`, `POST /cars/bookings/{id}/actions/cancel`.
//! **Assumed**, since the library has no list of bookings: that `GET /cars/bookings` lists them as Duffel
//! lists everything else (newest first, `limit` and `after`), with the metadata that they were made with.
//! Where it does not, a booking whose answer was lost cannot be looked for: that is an error, and never
//! "there is no booking".
//!
//! **Money.** `total` is what the rental costs. Only a prepaid rate is charged with the order: to a card that
//! is stored with Duffel (`card_id`), or, *assumed* as Duffel's Stays document it, from the balance where no
//! `payment` is named. A postpaid or guaranteed one is paid at the desk, and `due_at_pickup` says so.
//! Cancelling within the free time therefore brings back the whole total: it is paid back, or is no longer
//! owed. Duffel tells no refund in money, so a quote is made from the conditions of the booking; outside the
//! free time, or where the conditions are silent, what it costs is not known, and the quote is refused as
//! not supported.
//!
//! A rate is quoted each time it is priced, and the kit prices right before it orders: what is ordered is
//! the quote whose price was agreed to.

mod map;
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
    CallCx, Safety, Sent, SupplierError, SupplierErrorKind as Kind, SupplierMetrics, WireRequest,
    WireResponse, path_segment,
};
use supplier_platforms::duffel::{self as platform, Data, Duffel, read};
use travel_types::{Clock, Money, OrderId};
use vertical_kit::mapping::{ours, text};
use vertical_kit::supplier_settings::{self, SupplierSettings};
use vertical_kit::{
    CancellationOutcome, CancellationQuote, Found, OrderLookup, OrderRequest, PlacedOrder,
    PlacedStatus, Searcher, Supplier, SupplierOffer, Timing,
};

use self::map::Shown;
use super::CarSupplier;
use crate::CarSearch;
use crate::mapping::{Trip, quoted_refund};

const NAME: &str = "duffel_cars";
const BOOKINGS: &str = "/cars/bookings";

/// The adapter.
struct DuffelCars {
    platform: Duffel,
    clock: Clock,
    timing: Timing,
    radius_km: u32,
    card_id: String,
    /// How long the kit keeps a cancellation quote that states no expiry.
    quote_life: Duration,
}

/// The supplier's keys with Duffel's values. In development the sandbox stands in for Duffel.
pub(super) fn defaults() -> String {
    supplier_settings::defaults(
        NAME,
        "http://127.0.0.1:8090/duffel_cars",
        platform::TIMING,
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
    Ok(Some(Arc::new(DuffelCars {
        platform: Duffel::connect(context, metrics, &settings, NAME)?,
        clock: context.clock.clone(),
        timing: settings.timing,
        radius_km: context.settings.get("suppliers.duffel_cars.radius_km")?,
        card_id: context.settings.get("suppliers.duffel_cars.card_id")?,
        quote_life: Duration::from_secs(context.settings.get("quotes.life_s")?),
    })))
}

fn booking_path(id: &str) -> String {
    format!("{BOOKINGS}/{}", path_segment(id))
}

impl DuffelCars {
    fn shown(&self) -> Shown {
        Shown {
            radius_km: self.radius_km,
            has_card: !self.card_id.is_empty(),
        }
    }

    /// A booking as an answer tells it, which must not be somebody else's.
    fn placed(
        &self,
        response: &WireResponse,
        booking: &wire::Rental,
        reference: OrderId,
        handle: &Value,
        agreed: Money,
    ) -> Result<PlacedOrder, SupplierError> {
        platform::check_ours(response, booking.metadata.as_ref(), reference)?;
        map::booking(booking, self.shown(), handle, agreed)
            .map_err(|reason| response.unreadable(&reason))
    }

    /// The booking as it stands now.
    async fn retrieve(
        &self,
        cx: &CallCx,
        id: &str,
        order: &OrderLookup,
    ) -> Result<(wire::Rental, PlacedOrder), SupplierError> {
        let request = WireRequest::get("retrieve", booking_path(id));
        let response = self.platform.call(cx, request).await?;
        let booking: wire::Rental = read(&response)?;
        let placed = self.placed(
            &response,
            &booking,
            order.reference,
            &order.handle,
            order.total,
        )?;
        Ok((booking, placed))
    }
}

#[async_trait]
impl Supplier for DuffelCars {
    fn name(&self) -> &str {
        NAME
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    async fn price(&self, cx: &CallCx, handle: &Value) -> Result<SupplierOffer, SupplierError> {
        let trip = Trip::of(handle).map_err(ours)?;
        let body = Data {
            data: wire::NewQuote {
                rate_id: text(handle, "rate_id").map_err(ours)?,
            },
        };
        // A quote books nothing, so it may be asked for again.
        let request = WireRequest::post("price", "/cars/quotes", Safety::Safe).json(&body)?;
        let response = self.platform.call(cx, request).await?;
        let quote: wire::Rental = read(&response)?;
        let handle = map::quote_handle(&quote, handle);
        let mut offer = map::offer(&quote, &trip, self.shown(), handle)
            .map_err(|reason| response.unreadable(&reason))?;
        if let Some(fields) = offer.handle.as_object_mut() {
            fields.insert("quoted".to_owned(), json!(offer.total));
        }
        Ok(offer)
    }

    async fn order(&self, cx: &CallCx, order: &OrderRequest) -> Result<PlacedOrder, SupplierError> {
        if order.handle.get("quoted") != Some(&json!(order.total)) {
            let detail = "the rate was quoted at another total";
            return Err(SupplierError::new(Kind::PriceChanged, detail).with_sent(Sent::No));
        }
        let body = Data {
            data: requests::booking(order, &self.card_id).map_err(ours)?,
        };
        let request = WireRequest::post("order", BOOKINGS, Safety::Unsafe).json(&body)?;
        let response = self
            .platform
            .call(cx, request)
            .await
            .map_err(platform::sold_out)?;
        if let Some(taken) = platform::taken(&response, order) {
            return Ok(taken);
        }
        let booking: wire::Rental = read(&response)?;
        self.placed(
            &response,
            &booking,
            order.reference,
            &order.handle,
            order.total,
        )
    }

    async fn find_order(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError> {
        if let Ok(id) = text(&order.handle, "booking_id") {
            let (_, placed) = self.retrieve(cx, &id, order).await?;
            return Ok(Some(placed));
        }
        let list = WireRequest::get("retrieve", BOOKINGS);
        let ours = self.platform.find_ours(cx, &list, order.reference).await?;
        let Some((response, raw)) = ours else {
            return Ok(None);
        };
        let booking: wire::Rental = serde_json::from_str(raw.get())
            .map_err(|_| response.unreadable("a booking is not as Duffel describes it"))?;
        self.placed(
            &response,
            &booking,
            order.reference,
            &order.handle,
            order.total,
        )
        .map(Some)
    }

    async fn quote_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError> {
        let id = text(&order.handle, "booking_id").map_err(ours)?;
        let trip = Trip::of(&order.handle).map_err(ours)?;
        let (booking, placed) = self.retrieve(cx, &id, order).await?;
        if placed.status == PlacedStatus::Cancelled {
            let detail = "the booking is cancelled already";
            return Err(SupplierError::new(Kind::Refused, detail));
        }
        let now = self.clock.now();
        let term = map::pickup(&booking, &trip)
            .and_then(|pickup| map::cancellation(&booking, pickup, order.total))
            .and_then(|terms| terms.into_iter().find(|term| term.until > now))
            .ok_or_else(|| {
                let detail = "Duffel does not tell what cancelling costs now";
                SupplierError::new(Kind::NotSupported, detail).with_sent(Sent::Answered)
            })?;
        Ok(CancellationQuote {
            refund: term.refund,
            refund_to: None,
            expires_at: Some(term.until.min(self.clock.after(self.quote_life))),
            handle: json!({ "booking_id": id, "refund": term.refund }),
        })
    }

    async fn confirm_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let refund = quoted_refund(quote).map_err(ours)?;
        let id = text(quote, "booking_id").map_err(ours)?;
        let path = format!("{}/actions/cancel", booking_path(&id));
        let request = WireRequest::post("cancel", path, Safety::Unsafe);
        let response = self.platform.call(cx, request).await?;
        let booking: wire::Rental = read(&response)?;
        let placed = self.placed(
            &response,
            &booking,
            order.reference,
            &order.handle,
            order.total,
        )?;
        if placed.status != PlacedStatus::Cancelled {
            return Err(response.unreadable("a cancelled booking is not marked as such"));
        }
        Ok(CancellationOutcome::Cancelled { refund })
    }

    async fn find_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let refund = quoted_refund(quote).map_err(ours)?;
        let id = text(quote, "booking_id").map_err(ours)?;
        let (_, placed) = self.retrieve(cx, &id, order).await?;
        Ok(match placed.status {
            PlacedStatus::Cancelled => CancellationOutcome::Cancelled { refund },
            PlacedStatus::Confirmed | PlacedStatus::Pending => CancellationOutcome::NotCancelled,
        })
    }
}

#[async_trait]
impl Searcher<CarSearch> for DuffelCars {
    async fn search(&self, cx: &CallCx, search: &CarSearch) -> Result<Found, SupplierError> {
        let body = Data {
            data: requests::search(search, self.radius_km),
        };
        // A search books nothing, so it may be made again.
        let request = WireRequest::post("search", "/cars/search", Safety::Safe).json(&body)?;
        let response = self.platform.call(cx, request).await?;
        let answer: wire::Search = read(&response)?;
        let trip = Trip::from(search);
        let mut found = Found::default();
        for raw in &answer.rates {
            let mapped = serde_json::from_str::<wire::Rental>(raw.get())
                .map_err(|_| "is not a rate as Duffel describes it".to_owned())
                .and_then(|rate| {
                    map::offer(&rate, &trip, self.shown(), map::rate_handle(&rate, &trip))
                });
            match mapped {
                Ok(offer) => found.offers.push(offer),
                Err(reason) => found.rejected.push(reason),
            }
        }
        Ok(found)
    }
}
