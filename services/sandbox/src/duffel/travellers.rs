//! The passengers of an order, checked as Duffel checks them: the same as in the search, complete,
//! with ages that fit, and every infant on the lap of one adult.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::offer::{Kind, Offer};
use super::platform::Problem;

const TITLES: [&str; 5] = ["mr", "ms", "mrs", "miss", "dr"];

/// Checks `asked` against the offer's passengers and writes them as the order shows them.
///
/// # Errors
/// The first field that is missing or does not fit.
pub(crate) fn check(offer: &Offer, asked: Option<&Value>) -> Result<Vec<Value>, Problem> {
    let asked = asked
        .and_then(Value::as_array)
        .filter(|passengers| !passengers.is_empty())
        .ok_or_else(|| Problem::required("/passengers"))?;
    let mut seen = BTreeSet::new();
    let mut on_laps = BTreeSet::new();
    let mut shown = Vec::with_capacity(asked.len());
    for (index, passenger) in asked.iter().enumerate() {
        let at = |name: &str| format!("/passengers/{index}/{name}");
        let text = |name: &str| {
            passenger
                .get(name)
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| Problem::required(&at(name)))
        };
        let one_of = |name: &str, allowed: &[&str]| {
            let value = text(name)?.to_owned();
            if allowed.contains(&value.as_str()) {
                Ok(value)
            } else {
                Err(Problem::inclusion(&at(name), allowed))
            }
        };
        let id = text("id")?;
        let known = offer.passengers.iter().find(|known| known.id == id);
        let known = known.filter(|_| seen.insert(id)).ok_or_else(|| {
            Problem::format(&at("id"), "must be one passenger of the selected offer")
        })?;
        // Some airlines book without either, so only a wrong value is refused.
        let stated = |name: &str| passenger.get(name).is_some_and(|value| !value.is_null());
        let optional =
            |name: &str, allowed: &[&str]| stated(name).then(|| one_of(name, allowed)).transpose();
        let title = optional("title", &TITLES)?;
        let gender = optional("gender", &["m", "f"])?;
        let (given_name, family_name) = (text("given_name")?, text("family_name")?);
        let born_on: Date = text("born_on")?
            .parse()
            .map_err(|_| Problem::format(&at("born_on"), "must be a date such as 1987-07-24"))?;
        if !age_fits(offer, known.kind, known.age, born_on) {
            let message = "doesn't match the age or type of the passenger in the search";
            return Err(Problem::format(&at("born_on"), message));
        }
        if !is_email(text("email")?) {
            return Err(Problem::format(
                &at("email"),
                "must be a valid email address",
            ));
        }
        if !is_phone_number(text("phone_number")?) {
            return Err(Problem::field(
                "invalid_phone_number",
                "Invalid phone number",
                &at("phone_number"),
                "Field 'phone_number' must be a valid E.164 phone number",
            ));
        }
        if let Some(infant) = passenger.get("infant_passenger_id").and_then(Value::as_str) {
            let lap = known.kind == Kind::Adult
                && offer
                    .passengers
                    .iter()
                    .any(|p| p.id == infant && p.kind == Kind::Infant)
                && on_laps.insert(infant.to_owned());
            if !lap {
                let message = "must be an infant who travels with no other adult";
                return Err(Problem::format(&at("infant_passenger_id"), message));
            }
        }
        shown.push(json!({
            "type": known.kind.name(),
            "title": title,
            "loyalty_programme_accounts": [],
            // The real one does not echo the link (WIRE §1.2).
            "infant_passenger_id": null,
            "id": id,
            "given_name": given_name,
            "gender": gender,
            "family_name": family_name,
            "born_on": born_on.to_string(),
        }));
    }
    if seen.len() != offer.passengers.len() {
        let message = "must hold every passenger of the selected offer";
        return Err(Problem::format("/passengers", message));
    }
    let infants = offer.passengers.iter().filter(|p| p.kind == Kind::Infant);
    if infants.count() != on_laps.len() {
        return Err(Problem::required("/passengers/0/infant_passenger_id"));
    }
    Ok(shown)
}

/// An age counts on the day of the first departure; where the search named one, the traveller may have
/// a birthday between the search and the last flight.
fn age_fits(offer: &Offer, kind: Kind, stated: Option<i64>, born_on: Date) -> bool {
    let days = || offer.flights().map(|flight| flight.departs.date());
    let (Some(first), Some(last)) = (days().next(), days().next_back()) else {
        return false;
    };
    let (at_first, at_last) = (age(born_on, first), age(born_on, last));
    if let Some(stated) = stated {
        return (at_first - 1..=at_last).contains(&stated);
    }
    match kind {
        Kind::Adult => at_first >= 12,
        Kind::Child => (2..=17).contains(&at_first),
        Kind::Infant => at_first >= 0 && at_last < 2,
    }
}

fn age(born_on: Date, on: Date) -> i64 {
    let before_birthday = (on.month(), on.day()) < (born_on.month(), born_on.day());
    i64::from(on.year()) - i64::from(born_on.year()) - i64::from(before_birthday)
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
    })
}

fn is_phone_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}
