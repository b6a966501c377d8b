//! From a booking to an order, and from what a cancellation costs to what comes back.

use serde_json::{Value, json};
use supplier_client::tolerant::Literal;
use travel_types::{Currency, Money, Warning, WarningCode};
use vertical_kit::{PlacedOrder, PlacedStatus};

use super::stay::Stay;
use super::{rates, wire};

/// The details of a booking: those of its offer, with the comments and charges that only the booking
/// tells. None: it tells no more.
pub(super) fn details(booking: &wire::Booking, stay: &Stay) -> Option<Value> {
    let mut details = stay.details().ok()?;
    let before = (details.remarks.len(), details.due_at_property.len());
    let currency: Currency = currency(booking)?.parse().ok()?;
    let figures_known = !details.due_at_property.is_empty();
    for rate in rates(booking)? {
        let (charges, remarks) = rates::notes(&rate, currency);
        if !figures_known {
            details.due_at_property.extend(charges);
        }
        for remark in remarks {
            if !details.remarks.contains(&remark) {
                details.remarks.push(remark);
            }
        }
    }
    let after = (details.remarks.len(), details.due_at_property.len());
    (after != before).then(|| serde_json::to_value(details).ok())?
}

/// The rates of a booking; none if one of them cannot be read.
fn rates(booking: &wire::Booking) -> Option<Vec<wire::Rate>> {
    let mut rates = Vec::new();
    for room in &booking.hotel.as_ref()?.rooms {
        let room: wire::Room = wire::entry(room, "a room").ok()?;
        for rate in &room.rates {
            rates.push(wire::entry(rate, "a rate").ok()?);
        }
    }
    (!rates.is_empty()).then_some(rates)
}

/// The state of a booking. `paid`: what we ordered it for; it stands where the booking does not state its
/// price readably, and a cancelled one no longer states it at all. A booking that has a reference is made,
/// whatever is said about the money.
pub(super) fn placed(booking: &wire::Booking, paid: Money) -> PlacedOrder {
    let status = status(booking);
    let mut warnings = Vec::new();
    let total = match status {
        PlacedStatus::Cancelled => paid,
        _ => total(booking, &mut warnings).unwrap_or_else(|reason| {
            let message = format!("what was agreed to stands: {reason}");
            warnings.push(Warning::new(WarningCode::DataQuality, "total", message));
            paid
        }),
    };
    for warning in &warnings {
        let reference = booking.reference.as_str();
        tracing::warn!(
            reference,
            message = warning.message,
            "odd sums in a booking"
        );
    }
    PlacedOrder {
        status,
        supplier_reference: booking.reference.0.clone(),
        total,
        details: None,
        handle: json!({ "reference": booking.reference.as_str() }),
    }
}

/// How a booking stands. Hotelbeds documents two words and confirms at once: another word is no reason to
/// believe that the booking is made.
fn status(booking: &wire::Booking) -> PlacedStatus {
    match booking.status.as_deref() {
        Some("CONFIRMED") => PlacedStatus::Confirmed,
        Some("CANCELLED") => PlacedStatus::Cancelled,
        _ => PlacedStatus::Pending,
    }
}

/// Whether a booking is cancelled.
pub(super) fn is_cancelled(booking: &wire::Booking) -> bool {
    status(booking) == PlacedStatus::Cancelled
}

fn currency(booking: &wire::Booking) -> Option<&str> {
    let of_hotel = || booking.hotel.as_ref()?.currency.as_deref();
    booking.currency.as_deref().or_else(of_hotel)
}

/// What Hotelbeds charges: the selling rate of the rates that the hotel wants to be sold at it, the net
/// price of the others. Where no rate has such a price, the booking's own total holds.
fn total(booking: &wire::Booking, warnings: &mut Vec<Warning>) -> Result<Money, String> {
    let currency = currency(booking).ok_or("a booking without a currency")?;
    let currency: Currency = currency.parse().map_err(|_| "an unknown currency")?;
    let money = |literal: &Literal| {
        Money::parse_in(literal.as_str(), currency).map_err(|error| format!("total: {error}"))
    };
    let hotel = booking.hotel.as_ref();
    let stated = booking
        .total_net
        .as_ref()
        .or_else(|| hotel?.total_net.as_ref())
        .map(money)
        .transpose()?;
    let rates = rates(booking);
    let sum = |price: &dyn Fn(&wire::Rate) -> Option<Money>| {
        rates
            .as_ref()?
            .iter()
            .try_fold(Money::zero(currency), |sum, rate| {
                sum.plus(price(rate)?).ok()
            })
    };
    let net = sum(&|rate| money(rate.net.as_ref()?).ok());
    if net.is_some() && stated.is_some() && net != stated {
        let message = "the rates of the booking do not add up to its total";
        warnings.push(Warning::new(WarningCode::SumMismatch, "total", message));
    }
    let mandatory = |rate: &wire::Rate| rate.hotel_mandatory.is_some_and(|flag| flag.0);
    if rates
        .as_ref()
        .is_some_and(|rates| rates.iter().any(mandatory))
    {
        let selling = |rate: &wire::Rate| {
            let price = if mandatory(rate) {
                rate.selling_rate.as_ref()
            } else {
                rate.net.as_ref()
            };
            money(price?).ok()
        };
        return sum(&selling).ok_or_else(|| "a rate of the booking has no price".to_owned());
    }
    stated
        .or(net)
        .ok_or_else(|| "a booking without a price".to_owned())
}

/// What comes back when a cancellation costs what the booking says. None: it does not say.
pub(super) fn refund(booking: &wire::Booking, paid: Money) -> Result<Option<Money>, String> {
    let hotel = booking.hotel.as_ref();
    let stated = hotel
        .and_then(|hotel| hotel.cancellation_amount.as_ref())
        .or(booking.cancellation_amount.as_ref());
    let Some(stated) = stated else {
        return Ok(None);
    };
    let currency = currency(booking).unwrap_or(paid.currency().code());
    let penalty = Money::parse(stated.as_str(), currency)
        .map_err(|error| format!("cancellationAmount: {error}"))?;
    if penalty.minor() < 0 {
        return Err("the cancellation costs less than nothing".to_owned());
    }
    let refund = paid
        .minus(penalty)
        .map_err(|error| format!("cancellationAmount: {error}"))?;
    // A penalty above the price takes all of it, not more.
    Ok(Some(Money::new(refund.minor().max(0), paid.currency())))
}
