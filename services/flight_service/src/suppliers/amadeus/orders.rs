//! An Amadeus order in our terms: how it stands, what it costs, whether it is paid.

use serde_json::value::RawValue;
use serde_json::{Value, json};
use travel_types::{Money, Warning, WarningCode};
use vertical_kit::mapping::order_details;
use vertical_kit::{PlacedOrder, PlacedStatus};

use super::known::Known;
use super::map::details;
use super::prices::{prices, total};
use super::wire;

/// The list below a key; none is an empty one.
fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    let listed = of.get(key).and_then(Value::as_array);
    listed.map_or(&[], Vec::as_slice)
}

/// How an order stands, by its flights (`FlightOrderManagement`, `FlightSegment.bookingStatus`): CONFIRMED,
/// WAITLISTED, CANCELLED, PENDING or DENIED. One of which nothing is said is confirmed; where a flight
/// waits, was denied beside others, or is called something else, nobody knows yet what becomes of it.
fn status(order: &wire::Order, offers: &[Box<RawValue>]) -> PlacedStatus {
    let read = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).unwrap_or_default();
    let offers: Vec<Value> = offers.iter().map(|raw| read(raw)).collect();
    let flights = offers
        .iter()
        .flat_map(|offer| list(offer, "itineraries"))
        .flat_map(|itinerary| list(itinerary, "segments"));
    let words: Vec<String> = flights
        .map(|flight| match flight.get("bookingStatus") {
            None | Some(Value::Null) => "CONFIRMED".to_owned(),
            Some(word) => word.as_str().unwrap_or_default().to_ascii_uppercase(),
        })
        .collect();
    let own = order.booking_status.as_deref().map(str::to_ascii_uppercase);
    let is_cancelled = |word: &str| matches!(word, "CANCELLED" | "CANCELED");
    let is_gone = |word: &String| is_cancelled(word) || word == "DENIED";
    let is_open = |word: &String| !is_cancelled(word) && word != "CONFIRMED";
    if own.as_ref().is_some_and(is_gone) || (!words.is_empty() && words.iter().all(is_gone)) {
        PlacedStatus::Cancelled
    } else if words.iter().chain(&own).any(is_open) {
        PlacedStatus::Pending
    } else {
        PlacedStatus::Confirmed
    }
}

/// What the offers of an order cost together; none where one of them does not tell.
fn charged(offers: &[Box<RawValue>]) -> Option<Money> {
    /// All that is needed of an offer to tell what it costs.
    #[derive(serde::Deserialize)]
    struct PricedPart {
        price: wire::Price,
    }
    let mut sum: Option<Money> = None;
    for raw in offers {
        let part: PricedPart = serde_json::from_str(raw.get()).ok()?;
        let own = total(&part.price).ok()?;
        sum = Some(match sum {
            Some(sum) => sum.plus(own).ok()?,
            None => own,
        });
    }
    sum
}

/// An order. What Amadeus does not repeat of it, or not so that it can be read, is as it was ordered:
/// `agreed` is the price of that.
pub(super) fn order(
    order: &wire::Order,
    known: &Known,
    handle: &Value,
    agreed: Money,
) -> Result<PlacedOrder, String> {
    let raw = order.flight_offers.as_deref().unwrap_or_default();
    let charged = charged(raw);
    let mut warnings = Vec::new();
    if charged.is_none() && !raw.is_empty() {
        let message = "the order's price cannot be read: it is the one agreed to";
        warnings.push(Warning::new(WarningCode::DataQuality, "total", message));
    }
    let offers = raw
        .iter()
        .filter_map(|raw| serde_json::from_str(raw.get()).ok());
    let offers: Vec<wire::Offer> = offers.collect();
    let details = match offers.as_slice() {
        [offer] => {
            // Whether the price can be read is told above; its parts are not shown.
            drop(prices(offer, &mut warnings));
            details(offer, known, false, &mut warnings).ok()
        }
        _ => None,
    };
    let records = order.associated_records.iter().flatten();
    let locator = records.filter_map(|one| one.reference.as_ref()).next();
    let locator = locator.unwrap_or(&order.id);
    let mut handle = handle.clone();
    if let Some(handle) = handle.as_object_mut() {
        handle.insert("order_id".to_owned(), json!(order.id.as_str()));
        handle.insert("locator".to_owned(), json!(locator.as_str()));
    }
    Ok(PlacedOrder {
        status: status(order, raw),
        supplier_reference: locator.0.clone(),
        total: charged.unwrap_or(agreed),
        details: details
            .map(|details| order_details(&details, &warnings))
            .transpose()?,
        handle,
    })
}

/// Whether it is certain that nothing has been paid for the order: it has no ticket, and Amadeus waits
/// with ticketing it. `CONFIRM` means "when the payment is done", and what is not said is not certain.
pub(super) fn is_unpaid(order: &wire::Order) -> bool {
    let no_ticket = match &order.tickets {
        None | Some(Value::Null) => true,
        Some(Value::Array(tickets)) => tickets.is_empty(),
        Some(_) => false,
    };
    let agreement = order.ticketing_agreement.as_ref();
    no_ticket
        && agreement.is_some_and(|agreement| {
            matches!(
                agreement.option.as_str(),
                "DELAY_TO_CANCEL" | "DELAY_TO_QUEUE"
            )
        })
}
