//! `POST /v1/booking/flight-orders`: an order of priced offers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Flights;
use super::scenario::Route;
use super::store::Kept;
use super::wire::{self, Step};
use crate::amadeus::platform::{
    self, Answered, New, Problem, Source, client_reference, created, creation_date, insert, list,
};
use crate::answer::{Answer, Twist};
use crate::chance::booking_reference;
use crate::scenario::Name;
use crate::supplier::hundredths;

/// By how much the scenario PRICECHANGE raises an offer's price, in hundredths.
const RAISE: i64 = 1_000;
/// What an order keeps of its request, besides offers and travellers.
const ECHOED: [&str; 6] = [
    "queuingOfficeId",
    "ownerOfficeId",
    "remarks",
    "ticketingAgreement",
    "automatedProcess",
    "contacts",
];

pub(crate) async fn create(flights: &Flights, body: &Value) -> Answered {
    let data = body.get("data").unwrap_or(&Value::Null);
    let Accepted { offers, name, own } = accept(flights, data)?;
    let office = &flights.platform.office;
    let units: Vec<_> = offers.iter().flat_map(|kept| kept.offer.units()).collect();
    if !office.inventory.take(&units) {
        return Err(Problem::no_segment("Could not sell segment 1"));
    }
    let texts = list(data.pointer("/remarks/general"))
        .filter_map(|remark| remark.get("text").and_then(Value::as_str));
    let new = New {
        units,
        total: offers.iter().map(Kept::total).sum(),
        currency: office.currency.clone(),
        client_reference: client_reference(texts),
    };
    let now = office.clock.now();
    let show = |id: &str, reference: &str| shown(&offers, data, id, reference, now);
    let order = flights.platform.book(new, show).await?;
    if matches!(own, Some(platform::Name::CheckFirst)) {
        return Ok(Answer::from(Problem::check_first()).committed(None));
    }
    let all = offers.iter().map(|kept| kept.offer.as_ref());
    let dictionaries = wire::dictionaries(all, &office.currency, Step::Order);
    let body = json!({ "data": order, "dictionaries": dictionaries });
    Ok(created(body, Twist::of(name, office.slow)))
}

struct Accepted {
    offers: Vec<Kept>,
    name: Option<Name>,
    own: Option<platform::Name>,
}

/// Checks everything about an order but the seats.
fn accept(flights: &Flights, data: &Value) -> Result<Accepted, Problem> {
    let pointer = |path: &str| Source::Pointer(format!("/data{path}"));
    match data.get("type").and_then(Value::as_str) {
        Some("flight-order") => {}
        Some(_) => return Err(Problem::format(pointer("/type"), "flight-order")),
        None => return Err(Problem::missing(pointer("/type"))),
    }
    let sent: Vec<&Value> = list(data.get("flightOffers")).collect();
    if sent.is_empty() {
        return Err(Problem::missing(pointer("/flightOffers")));
    }
    if sent.len() > 6 {
        return Err(Problem::data(pointer("/flightOffers"), "at most 6"));
    }
    let agreement = data.pointer("/ticketingAgreement/option");
    let options = ["CONFIRM", "DELAY_TO_QUEUE", "DELAY_TO_CANCEL"];
    if agreement.is_some_and(|option| !option.as_str().is_some_and(|o| options.contains(&o))) {
        let source = pointer("/ticketingAgreement/option");
        return Err(Problem::format(source, "CONFIRM or a delay"));
    }
    let last_name = data.pointer("/travelers/0/name/lastName");
    let last_name = last_name.and_then(Value::as_str).unwrap_or_default();
    let name = crate::scenario::of_name(last_name);
    let own = platform::of_name(last_name);
    let now = flights.platform.office.clock.now();
    let mut store = flights.store();
    let mut offers = Vec::with_capacity(sent.len());
    for (index, sent) in sent.into_iter().enumerate() {
        let source = pointer(&format!("/flightOffers/{index}"));
        let kept = store.find(sent);
        let kept = kept.ok_or_else(|| Problem::data(source, "this offer was never made"))?;
        super::travelers::check(&kept.offer, data)?;
        if now >= kept.expires_at {
            return Err(Problem::no_segment("the offer is too old"));
        }
        match name {
            Some(Name::SoldOut) => return Err(Problem::no_segment("Could not sell segment 1")),
            Some(Name::Refused) => return Err(Problem::booking_failed("the airline refuses")),
            Some(Name::PriceChange) if !kept.refused_once => {
                kept.refused_once = true;
                kept.raise += RAISE;
            }
            _ => {}
        }
        if let Some(platform::Name::Error(problem)) = own {
            return Err(problem);
        }
        same_price(kept, sent)?;
        if kept.offer.scenario() == Some(Route::CannotBeSold) {
            return Err(Problem::no_segment("Could not sell segment 1"));
        }
        offers.push(kept.clone());
    }
    Ok(Accepted { offers, name, own })
}

/// The buyer must know what the offer costs now.
fn same_price(kept: &Kept, sent: &Value) -> Result<(), Problem> {
    let amount = |path: &str| sent.pointer(path).and_then(Value::as_str);
    let same = |path: &str| amount(path).and_then(hundredths) == Some(kept.total());
    let travelers: Option<i64> = list(sent.get("travelerPricings"))
        .map(|traveler| hundredths(traveler.pointer("/price/total")?.as_str()?))
        .sum();
    if same("/price/grandTotal")
        && same("/price/total")
        && amount("/price/currency") == Some(kept.offer.currency.as_str())
        && travelers == Some(kept.total())
    {
        return Ok(());
    }
    let detail = "Current grandTotal price is different from request one";
    let source = Source::Pointer("/data/flightOffers/0/price".to_owned());
    Err(Problem::price(source, detail))
}

fn shown(offers: &[Kept], data: &Value, id: &str, reference: &str, now: Timestamp) -> Value {
    let record = |reference: &str, system: &str, kept: &Kept| {
        json!({
            "reference": reference,
            "creationDate": creation_date(now),
            "originSystemCode": system,
            "flightOfferId": kept.offer.id,
        })
    };
    let airline = |kept: &Kept| {
        let carrier = kept.offer.flights().next()?.airline.iata;
        let own = booking_reference(reference, 1);
        Some(record(&own, carrier, kept))
    };
    let records = (offers.iter().map(|kept| record(reference, "GDS", kept)))
        .chain(offers.iter().filter_map(airline));
    let shown: Vec<Value> = offers
        .iter()
        .map(|kept| wire::offer(&kept.offer, kept.raise, Step::Order))
        .collect();
    let ids: Vec<&str> = offers.iter().map(|kept| kept.offer.id.as_str()).collect();
    let mut order = json!({
        "type": "flight-order",
        "id": id,
        "associatedRecords": records.collect::<Vec<Value>>(),
        "flightOffers": shown,
        "travelers": data.get("travelers"),
        // Card data is not kept: what was paid with it is answered as the agency's own money.
        "formOfPayments": [{ "other": { "method": "CASH", "flightOfferIds": ids } }],
    });
    for name in ECHOED {
        if let Some(value) = data.get(name).filter(|value| !value.is_null()) {
            insert(&mut order, name, value.clone());
        }
    }
    order
}
