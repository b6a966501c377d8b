//! `POST /v1/shopping/flight-offers/pricing`: the offer is sent back whole, and what it costs now is
//! answered, with taxes and what an order must hold.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Flights;
use super::offer::Offer;
use super::scenario::Route;
use super::store::Kept;
use super::wire::{self, Step};
use crate::amadeus::platform::{Answered, Params, Problem, Source, insert, list};
use crate::answer::Answer;

/// By how much the dearer-at-pricing route goes up every time, in hundredths.
const RAISE: i64 = 1_000;

pub(crate) fn price(flights: &Flights, query: Option<&str>, body: &Value) -> Answered {
    let office = &flights.platform.office;
    let now = office.clock.now();
    let data = body.get("data");
    let pointer = |path: &str| Source::Pointer(format!("/data/{path}"));
    let kind = data.and_then(|data| data.get("type")?.as_str());
    if kind != Some("flight-offers-pricing") {
        return Err(Problem::missing(pointer("type")));
    }
    let sent: Vec<&Value> = list(data.and_then(|data| data.get("flightOffers"))).collect();
    if sent.is_empty() {
        return Err(Problem::missing(pointer("flightOffers")));
    }
    let mut priced: Vec<Kept> = Vec::with_capacity(sent.len());
    for (index, sent) in sent.into_iter().enumerate() {
        let source = || pointer(&format!("flightOffers/{index}"));
        let mut store = flights.store();
        let kept = store.find(sent);
        let kept = kept.ok_or_else(|| Problem::data(source(), "this offer was never made"))?;
        let short = |(item, seats): (String, u32)| office.inventory.show(&item) < seats;
        let unfit = kept.offer.scenario() == Some(Route::NoFareAtPricing)
            || kept.offer.units().into_iter().any(short);
        if now >= kept.expires_at {
            return Err(Problem::data(source(), "the offer is too old"));
        }
        if unfit {
            return Err(Problem::data(source(), "No fare applicable"));
        }
        if kept.offer.scenario() == Some(Route::DearerAtPricing) {
            kept.raise += RAISE;
        }
        priced.push(kept.clone());
    }
    let offers: Vec<Value> = priced
        .iter()
        .map(|kept| wire::offer(&kept.offer, kept.raise, Step::Pricing))
        .collect();
    let required = |traveler: &Value| {
        json!({
            "travelerId": traveler.get("travelerId"),
            "genderRequired": true,
            "dateOfBirthRequired": true,
        })
    };
    let party = offers.first().and_then(|o| o.get("travelerPricings"));
    let requirements: Vec<Value> = list(party).map(required).collect();
    let all = priced.iter().map(|kept| kept.offer.as_ref());
    let dictionaries = wire::dictionaries(all, &office.currency, Step::Pricing);
    let mut answer = json!({
        "data": {
            "type": "flight-offers-pricing",
            "flightOffers": offers,
            "bookingRequirements": {
                "emailAddressRequired": true,
                "mobilePhoneNumberRequired": true,
                "travelerRequirements": requirements,
            },
        },
        "dictionaries": dictionaries,
    });
    let included = Params::parse(query).codes("include");
    if included.iter().any(|name| name == "detailed-fare-rules") {
        let all = priced.iter().map(|kept| kept.offer.as_ref());
        let rules = json!({ "detailed-fare-rules": fare_rules(all) });
        insert(&mut answer, "included", rules);
    }
    Ok(Answer::json(StatusCode::OK, answer))
}

/// The penalties of every segment's fare, numbered from 1.
fn fare_rules<'a>(offers: impl Iterator<Item = &'a Offer>) -> Value {
    let mut rules = Map::new();
    for offer in offers {
        let Some(traveler) = offer.travelers.first() else {
            continue;
        };
        for segment in offer.itineraries.iter().flatten() {
            let rule = json!({
                "fareBasis": wire::fare_basis(offer, traveler, segment),
                "name": format!("{} FARE", offer.fare.brand),
                "fareNotes": {
                    "descriptions": [{
                        "descriptionType": "PENALTIES",
                        "text": offer.fare.penalty,
                    }],
                },
                "segmentId": segment.id,
            });
            rules.insert((rules.len() + 1).to_string(), rule);
        }
    }
    Value::Object(rules)
}
