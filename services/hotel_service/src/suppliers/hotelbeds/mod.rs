//! Hotelbeds APItude: availability, a check of the rates that need one, booking by our reference,
//! look-up in the list of bookings, and cancelling, which can be simulated before it is done.
//!
//! Hotelbeds has no idempotency keys: a booking whose answer is lost is looked for among the bookings made
//! around that day, by the reference that we gave it. Rates live 30 minutes, which no answer says; a rate
//! that need not be checked is shown at the price it was found at for as long as it lives, because
//! Hotelbeds asks not to check those.

mod bookings;
mod errors;
mod map;
mod rates;
mod requests;
mod sign;
mod stay;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use service_kit::{Context, StartError};
use supplier_client::{
    Auth, CallCx, Safety, Sent, SupplierError, SupplierErrorKind, SupplierMetrics, Transport,
    WireRequest, WireResponse, path_segment,
};
use travel_types::jiff::tz::TimeZone;
use travel_types::jiff::{Span, Timestamp};
use travel_types::{Clock, Money, OrderId};
use vertical_kit::mapping::ours;
use vertical_kit::supplier_settings::{self, SupplierSettings};
use vertical_kit::{
    CancellationOutcome, CancellationQuote, Found, OrderLookup, OrderRequest, PlacedOrder,
    Searcher, Supplier, SupplierOffer, Timing,
};

use self::requests::Limits;
use self::stay::Stay;
use super::HotelSupplier;
use crate::HotelSearch;

const NAME: &str = "hotelbeds";
/// Characters that Hotelbeds keeps of a client's reference.
const REFERENCE: usize = 20;
/// Bookings per page of the list, and pages that are read at most.
const PAGE: usize = 100;
const PAGES: usize = 5;

/// The adapter.
struct Hotelbeds {
    wire: Arc<dyn Transport>,
    clock: Clock,
    timing: Timing,
    booking_version: String,
    search_by_destination: bool,
    limits: Limits,
    rate_life: Duration,
}

/// The supplier's common keys with Hotelbeds' values, and its own. In development the sandbox stands in
/// for Hotelbeds.
pub(super) fn defaults() -> String {
    let timing = Timing {
        visibility_lag: Duration::from_secs(90),
        longest_processing: Duration::from_secs(120),
    };
    let own = include_str!("config.default.toml");
    supplier_settings::defaults(NAME, "http://127.0.0.1:8090/hotelbeds", timing, own)
}

/// The adapter as configured.
pub(super) fn configured(
    context: &Context,
    metrics: &SupplierMetrics,
) -> Result<Option<HotelSupplier>, StartError> {
    let must_be_set = ["base_url", "api_key", "secret"];
    let Some(settings) = SupplierSettings::read(context, NAME, &must_be_set)? else {
        return Ok(None);
    };
    let key = |key: &str| format!("suppliers.{NAME}.{key}");
    let secret: SecretString = context.settings.get(&key("secret"))?;
    let account = sign::Account {
        key: context.settings.get(&key("api_key"))?,
        secret,
    };
    let headers = [("Accept", "application/json")];
    let auth = Auth::Custom(Arc::new(account));
    let client = settings.client(context, metrics, &headers, errors::classify, auth)?;
    let booking_version: String = context.settings.get(&key("booking_version"))?;
    Ok(Some(Arc::new(Hotelbeds {
        wire: Arc::new(client),
        clock: context.clock.clone(),
        timing: settings.timing,
        booking_version: path_segment(&booking_version),
        search_by_destination: context.settings.get(&key("search_by_destination"))?,
        limits: Limits {
            max_hotels: context.settings.get(&key("max_hotels"))?,
            max_rates_per_room: context.settings.get(&key("max_rates_per_room"))?,
        },
        rate_life: Duration::from_secs(context.settings.get(&key("rate_life_s"))?),
    })))
}

/// The offer that a handle remembers.
fn remembered(handle: &Value) -> Result<Stay, SupplierError> {
    serde_json::from_value(handle.clone()).map_err(|_| ours("the handle is not an offer's"))
}

/// The booking that a handle remembers.
fn reference_of(handle: &Value) -> Result<&str, SupplierError> {
    let reference = handle.get("reference").and_then(Value::as_str);
    reference.ok_or_else(|| ours("the handle has no reference of a booking"))
}

/// Whether a booking carries our reference. Hotelbeds turns references into upper case.
fn is_ours(told: Option<&supplier_client::tolerant::Literal>, reference: &OrderId) -> bool {
    let own = reference.compact(REFERENCE);
    told.is_some_and(|told| told.as_str().eq_ignore_ascii_case(&own))
}

impl Hotelbeds {
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

    /// A rate's key lives only so long, whatever it is a key of.
    fn alive(&self, stay: &Stay) -> Result<(), SupplierError> {
        if self.clock.now() < stay.expires_at {
            return Ok(());
        }
        let detail = "the rates are older than they live";
        Err(SupplierError::new(SupplierErrorKind::OfferExpired, detail).with_sent(Sent::No))
    }

    /// Checks the rates that need it, one by one as Hotelbeds asks for.
    async fn check(&self, cx: &CallCx, stay: &mut Stay) -> Result<(), SupplierError> {
        for index in 0..stay.rates.len() {
            let Some(rate) = stay.rates.get(index).filter(|rate| rate.recheck) else {
                continue;
            };
            let body = wire::RatesToCheck {
                rooms: [wire::RateToCheck {
                    rate_key: rate.key.clone(),
                }],
                language: requests::LANGUAGE,
            };
            let path = "/hotel-api/1.0/checkrates";
            let request = WireRequest::post("price", path, Safety::Safe).json(&body)?;
            let response = self.ask(cx, request).await?;
            let answer: wire::CheckedRates = errors::read(&response, false)?;
            let checked = map::checked(stay, rate, &answer.hotel)
                .map_err(|reason| response.unreadable(&reason))?;
            let Some(checked) = checked else {
                let detail = "the checked rate is no longer there";
                return Err(SupplierError::new(SupplierErrorKind::SoldOut, detail));
            };
            stay.changeable = map::changeable(&answer.hotel).or(stay.changeable);
            if let Some(place) = stay.rates.get_mut(index) {
                *place = checked;
            }
        }
        Ok(())
    }

    /// A booking by Hotelbeds' reference.
    async fn booking(
        &self,
        cx: &CallCx,
        reference: &str,
    ) -> Result<(WireResponse, wire::Booking), SupplierError> {
        let path = format!("/hotel-api/1.0/bookings/{}", path_segment(reference));
        let response = self.ask(cx, WireRequest::get("retrieve", path)).await?;
        let answer: wire::BookingAnswer = errors::read(&response, false)?;
        Ok((response, answer.booking))
    }

    /// Hotelbeds' reference of the booking that was made with ours.
    async fn reference_by_ours(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        made: Timestamp,
    ) -> Result<Option<String>, SupplierError> {
        // Days are Hotelbeds' own, somewhere on earth.
        let day = made.to_zoned(TimeZone::UTC).date();
        let start = day.saturating_sub(Span::new().days(1));
        let end = day.saturating_add(Span::new().days(2));
        let mut cancelled = None;
        let mut doubtful = false;
        let mut from = 1;
        for _ in 0..PAGES {
            let request = WireRequest::get("retrieve", "/hotel-api/1.0/bookings")
                .query("filterType", "CREATION")
                .query("status", "ALL")
                .query("clientReference", order.reference.compact(REFERENCE))
                .query("start", start)
                .query("end", end)
                .query("from", from)
                .query("to", from + PAGE - 1);
            let response = self.ask(cx, request).await?;
            let answer: wire::BookingsAnswer = errors::read(&response, false)?;
            let page = answer.bookings;
            let odd = |_| response.unreadable("a booking is not as Hotelbeds describes it");
            for raw in &page.bookings {
                let entry: wire::Listed = serde_json::from_str(raw.get()).map_err(odd)?;
                if !is_ours(entry.client_reference.as_ref(), &order.reference) {
                    doubtful |= entry.client_reference.is_none();
                    continue;
                }
                if entry.status.as_deref() != Some("CANCELLED") {
                    return Ok(Some(entry.reference.0));
                }
                cancelled = Some(entry.reference.0);
            }
            let total: usize = page.total.as_str().parse().map_err(|_| {
                response.unreadable("the list does not tell how many bookings there are")
            })?;
            if from - 1 + page.bookings.len() >= total {
                // The list was asked for by our reference: one that names none may be ours.
                return if doubtful {
                    Err(response.unreadable("a booking without a reference"))
                } else {
                    Ok(cancelled)
                };
            }
            if page.bookings.is_empty() {
                return Err(response.unreadable("the list lacks bookings that it counts"));
            }
            from += page.bookings.len();
        }
        // A booking that is on a page not read must not be told to be absent.
        let detail = "more pages of bookings than are read";
        Err(SupplierError::new(SupplierErrorKind::Protocol, detail))
    }

    /// Cancels, or asks what cancelling would cost.
    fn cancellation(reference: &str, flag: &str, safety: Safety) -> WireRequest {
        let path = format!("/hotel-api/1.0/bookings/{}", path_segment(reference));
        WireRequest::new("cancel", Method::DELETE, path, safety).query("cancellationFlag", flag)
    }

    /// What came back for a cancelled booking: what it says, else what was quoted. It is cancelled,
    /// whatever it says about the money.
    fn refunded(
        response: &WireResponse,
        booking: &wire::Booking,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let stated = bookings::refund(booking, order.total).ok().flatten();
        let quoted = || {
            let refund = quote.get("refund")?.clone();
            serde_json::from_value::<Money>(refund).ok()
        };
        let refund = stated.or_else(quoted);
        let refund = refund.ok_or_else(|| response.unreadable("no cancellationAmount"))?;
        Ok(CancellationOutcome::Cancelled { refund })
    }
}

#[async_trait]
impl Supplier for Hotelbeds {
    fn name(&self) -> &str {
        NAME
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    async fn price(&self, cx: &CallCx, handle: &Value) -> Result<SupplierOffer, SupplierError> {
        let mut stay = remembered(handle)?;
        self.alive(&stay)?;
        self.check(cx, &mut stay).await?;
        stay.offer(self.clock.now()).map_err(ours)
    }

    async fn order(&self, cx: &CallCx, order: &OrderRequest) -> Result<PlacedOrder, SupplierError> {
        let mut stay = remembered(&order.handle)?;
        self.alive(&stay)?;
        self.check(cx, &mut stay).await?;
        if stay.total().map_err(ours)? != order.total {
            let detail = "the rates cost something else than was agreed to";
            return Err(SupplierError::new(SupplierErrorKind::PriceChanged, detail));
        }
        if stay.rates.iter().any(|rate| rate.card) {
            return Err(SupplierError::not_supported("booking with a payment card"));
        }
        let own = order.reference.compact(REFERENCE);
        let body = requests::booking(&stay, order, own).map_err(ours)?;
        let path = format!("/hotel-api/{}/bookings", self.booking_version);
        let request = WireRequest::post("order", path, Safety::Unsafe).json(&body)?;
        let response = self.act(cx, request).await?;
        let answer: wire::BookingAnswer = errors::read(&response, true)?;
        let told = answer.booking.client_reference.as_ref();
        if told.is_some() && !is_ours(told, &order.reference) {
            return Err(response.unreadable("the booking carries another reference than ours"));
        }
        let placed = bookings::placed(&answer.booking, order.total);
        Ok(PlacedOrder {
            details: bookings::details(&answer.booking, &stay),
            ..placed
        })
    }

    async fn find_order(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError> {
        let stay = match reference_of(&order.handle) {
            Ok(_) => None,
            Err(_) => Some(remembered(&order.handle)?),
        };
        let reference = match &stay {
            None => reference_of(&order.handle)?.to_owned(),
            Some(stay) => match self.reference_by_ours(cx, order, stay.priced_at).await? {
                Some(reference) => reference,
                None => return Ok(None),
            },
        };
        let (response, booking) = self.booking(cx, &reference).await?;
        let told = booking.client_reference.as_ref();
        if told.is_some() && !is_ours(told, &order.reference) {
            return Err(response.unreadable("the booking carries another reference than ours"));
        }
        let placed = bookings::placed(&booking, order.total);
        Ok(Some(PlacedOrder {
            details: stay.and_then(|stay| bookings::details(&booking, &stay)),
            ..placed
        }))
    }

    async fn quote_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError> {
        let reference = reference_of(&order.handle)?;
        // A simulation cancels nothing, so it may be asked for again.
        let request = Self::cancellation(reference, "SIMULATION", Safety::Safe);
        let response = self.ask(cx, request).await?;
        let answer: wire::BookingAnswer = errors::read(&response, false)?;
        let refund = bookings::refund(&answer.booking, order.total)
            .and_then(|refund| refund.ok_or_else(|| "no cancellationAmount".to_owned()))
            .map_err(|reason| response.unreadable(&reason))?;
        Ok(CancellationQuote {
            refund,
            refund_to: None,
            expires_at: None,
            handle: json!({ "reference": reference, "refund": refund }),
        })
    }

    async fn confirm_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let reference = reference_of(quote)?;
        let request = Self::cancellation(reference, "CANCELLATION", Safety::Unsafe);
        let response = self.act(cx, request).await?;
        let answer: wire::BookingAnswer = errors::read(&response, true)?;
        if !bookings::is_cancelled(&answer.booking) {
            return Err(response.unreadable("a cancelled booking does not say that it is"));
        }
        Self::refunded(&response, &answer.booking, order, quote)
    }

    async fn find_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let (response, booking) = self.booking(cx, reference_of(quote)?).await?;
        if !bookings::is_cancelled(&booking) {
            return Ok(CancellationOutcome::NotCancelled);
        }
        Self::refunded(&response, &booking, order, quote)
    }
}

#[async_trait]
impl Searcher<HotelSearch> for Hotelbeds {
    async fn search(&self, cx: &CallCx, search: &HotelSearch) -> Result<Found, SupplierError> {
        let groups = requests::groups(search);
        let city = search.area.city.as_deref();
        let destination = city.filter(|_| self.search_by_destination);
        let body = requests::availability(search, &groups, destination, self.limits);
        // A search books nothing, so it may be made again.
        let path = "/hotel-api/1.0/hotels";
        let request = WireRequest::post("search", path, Safety::Safe).json(&body)?;
        let response = self.ask(cx, request).await?;
        let answer: wire::Availability = errors::read(&response, false)?;
        let Some(hotels) = answer.hotels else {
            // An answer of Hotelbeds' without hotels found none; anything else is not its answer.
            return match answer.audit_data {
                Some(_) => Ok(Found::default()),
                None => Err(response.unreadable("is no answer to a search")),
            };
        };
        let asked = map::Asked {
            search,
            groups: &groups,
            destination,
            now: self.clock.now(),
            expires_at: self.clock.after(self.rate_life),
        };
        Ok(map::offers(&hotels, &asked))
    }
}
