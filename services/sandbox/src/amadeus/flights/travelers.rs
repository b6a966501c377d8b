//! The travellers of an order, checked: all of the offer's, complete, with ages that fit their fares.

use std::collections::BTreeSet;

use jiff::Unit;
use jiff::civil::Date;
use serde_json::Value;

use super::offer::Offer;
use crate::amadeus::platform::{Problem, Source, list};

/// Checks the travellers of an order's data.
///
/// # Errors
/// The first member that is missing or does not fit.
pub(crate) fn check(offer: &Offer, data: &Value) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    let mut reachable = list(data.get("contacts")).any(is_reachable);
    for (index, traveler) in list(data.get("travelers")).enumerate() {
        let at = |path: &str| Source::Pointer(format!("/data/travelers/{index}/{path}"));
        let text = |path: &str| {
            let value = traveler.pointer(&format!("/{path}"));
            let value = value.and_then(Value::as_str).map(str::trim);
            let value = value.filter(|text| !text.is_empty());
            value.ok_or_else(|| Problem::missing(at(path)))
        };
        let id = text("id")?;
        let known = offer.travelers.iter().find(|known| known.id == id);
        let known = known
            .filter(|_| seen.insert(id))
            .ok_or_else(|| Problem::data(at("id"), "is no traveler of the offer"))?;
        text("name/firstName")?;
        text("name/lastName")?;
        if traveler
            .get("gender")
            .is_some_and(|gender| !gender.is_null())
            && !["MALE", "FEMALE"].contains(&text("gender")?)
        {
            return Err(Problem::format(at("gender"), "MALE or FEMALE"));
        }
        let born: Date = text("dateOfBirth")?
            .parse()
            .map_err(|_| Problem::format(at("dateOfBirth"), "such as 1982-01-16"))?;
        let mut days = offer.flights().map(|flight| flight.departs.date());
        let first = days.next().and_then(|day| age(born, day));
        let last = offer.flights().next_back();
        let last = last.and_then(|flight| age(born, flight.departs.date()));
        if !first.zip(last).is_some_and(|(a, b)| known.kind.fits(a, b)) {
            let detail = "the age does not fit the fare";
            return Err(Problem::data(at("dateOfBirth"), detail));
        }
        for (number, phone) in list(traveler.pointer("/contact/phones")).enumerate() {
            let part = |name: &str| phone.get(name).and_then(Value::as_str).unwrap_or_default();
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if !digits(part("number")) || !digits(part("countryCallingCode")) {
                let source = at(&format!("contact/phones/{number}"));
                return Err(Problem::format(
                    source,
                    "number and calling code are digits",
                ));
            }
        }
        reachable |= traveler.get("contact").is_some_and(is_reachable);
    }
    if seen.len() != offer.travelers.len() {
        let source = Source::Pointer("/data/travelers".to_owned());
        return Err(Problem::missing(source));
    }
    if !reachable {
        let source = Source::Pointer("/data/travelers/0/contact".to_owned());
        return Err(Problem::missing(source));
    }
    Ok(())
}

/// An email address and a telephone number, as the pricing's booking requirements ask for.
fn is_reachable(contact: &Value) -> bool {
    let address = contact.get("emailAddress").and_then(Value::as_str);
    address.is_some_and(|address| address.contains('@'))
        && list(contact.get("phones")).next().is_some()
}

fn age(born: Date, on: Date) -> Option<i32> {
    let span = born.until((Unit::Year, on)).ok()?;
    Some(i32::from(span.get_years()))
}
