//! How a search is read from its parameters. A search that exists is one that can be made: everything
//! is checked while it is read.

use std::sync::Arc;

use service_kit::{Params, one_of, place, whole};
use travel_types::jiff::civil::DateTime;
use travel_types::jiff::tz::{AmbiguousOffset, TimeZone};
use travel_types::jiff::{Span, Timestamp, ToSpan as _};
use travel_types::{Clock, Currency, Place};
use vertical_kit::{Filter, Offer, Searching, Wanted};

use crate::model::{CarKind, CarSearch, Transmission};
use crate::ranking;
use crate::rules::{OLDEST, YOUNGEST};

/// How far ahead cars are let, in days.
const HORIZON_DAYS: i64 = 360;
/// The longest rental, in days.
const LONGEST_DAYS: i64 = 90;
/// The most people who ride in one transfer.
const MOST_PASSENGERS: u32 = 16;

/// The search of this vertical.
pub(crate) const SEARCHING: Searching<CarSearch> = Searching {
    parameters: &[
        "pickup",
        "dropoff",
        "pickup_at",
        "dropoff_at",
        "driver_age",
        "driver_country",
        "passengers",
        "kind",
        "class",
        "transmission",
    ],
    sorts: &[("seats", ranking::by_seats)],
    tie: ranking::by_name,
    groupings: &[],
    read,
};

fn read(
    params: &mut Params,
    clock: &Clock,
    currency: Option<Currency>,
) -> Option<Wanted<CarSearch>> {
    let pickup = params.required("pickup", place);
    let dropoff = params.optional("dropoff", place);
    let pickup_at = params.required("pickup_at", local);
    let dropoff_at = params.required("dropoff_at", local);
    let driver_age = params.required("driver_age", whole(YOUNGEST, OLDEST));
    let driver_country = params.optional("driver_country", country);
    let passengers = params.optional("passengers", whole(1, MOST_PASSENGERS));
    let kind = params.optional(
        "kind",
        one_of(&[("rental", CarKind::Rental), ("transfer", CarKind::Transfer)]),
    );
    let class = params.optional("class", class);
    let transmission = params.optional(
        "transmission",
        one_of(&[
            ("manual", Transmission::Manual),
            ("automatic", Transmission::Automatic),
        ]),
    );
    let dropoff = match params.has("dropoff") {
        true => dropoff,
        false => pickup.clone(),
    };
    let from = instant(params, "pickup_at", pickup_at, pickup.as_ref());
    let to = instant(params, "dropoff_at", dropoff_at, dropoff.as_ref());
    check_times(params, clock.now(), from, to);
    let country = pickup.as_ref().map(|place| place.country.clone());
    Some(Wanted {
        search: CarSearch {
            pickup: pickup?,
            dropoff: dropoff?,
            pickup_at: pickup_at?,
            dropoff_at: dropoff_at?,
            driver_age: driver_age?,
            driver_country: driver_country.or(country)?,
            passengers: passengers.unwrap_or(1),
            currency,
        },
        filter: filter(kind, class, transmission),
    })
}

/// The instant of a local time. One that the clocks skip is refused; of one that they show twice the
/// first is meant.
fn instant(
    params: &mut Params,
    name: &str,
    at: Option<DateTime>,
    place: Option<&Place>,
) -> Option<Timestamp> {
    let (at, place) = (at?, place?);
    let zone = TimeZone::get(&place.time_zone).ok()?;
    let time = zone.to_ambiguous_timestamp(at);
    params.errors().check(
        !matches!(time.offset(), AmbiguousOffset::Gap { .. }),
        name,
        "INVALID_DATE",
        format!(
            "does not exist at {}: clocks are put forward over it",
            place.iata_code
        ),
    );
    time.compatible().ok()
}

fn check_times(
    params: &mut Params,
    now: Timestamp,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) {
    let errors = params.errors();
    let later = |at: Timestamp, span: Span| at.checked_add(span).unwrap_or(Timestamp::MAX);
    if let Some(from) = from {
        errors.check(
            from > now,
            "pickup_at",
            "INVALID_DATE",
            "must not be in the past",
        );
        errors.check(
            from <= later(now, (HORIZON_DAYS * 24).hours()),
            "pickup_at",
            "INVALID_DATE",
            format!("must be within {HORIZON_DAYS} days: cars are let no further ahead"),
        );
    }
    if let (Some(from), Some(to)) = (from, to) {
        errors.check(
            to >= later(from, 1.hour()),
            "dropoff_at",
            "INVALID_DATE",
            "must be at least one hour after pickup_at",
        );
        errors.check(
            to <= later(from, (LONGEST_DAYS * 24).hours()),
            "dropoff_at",
            "INVALID_DATE",
            format!("must be at most {LONGEST_DAYS} days after pickup_at"),
        );
    }
}

/// `2026-12-01T10:30` or with seconds: local at the place, without an offset.
fn local(text: &str) -> Result<DateTime, String> {
    Some(text)
        .filter(|text| text.len() == 16 || text.len() == 19)
        .filter(|text| text.as_bytes().get(10) == Some(&b'T'))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            "must be a local time at the place without an offset, e.g. 2026-12-01T10:30".to_owned()
        })
}

fn country(text: &str) -> Result<String, String> {
    Some(text)
        .filter(|text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()))
        .map(str::to_owned)
        .ok_or_else(|| "must be an ISO 3166-1 code of two capitals, e.g. GB".to_owned())
}

/// Four letters of an ACRISS code; a star stands for any letter, and letters may be left off the end.
fn class(text: &str) -> Result<String, String> {
    Some(text)
        .filter(|text| (1..=4).contains(&text.len()))
        .filter(|text| text.bytes().all(|b| b.is_ascii_uppercase() || b == b'*'))
        .map(str::to_owned)
        .ok_or_else(|| {
            "must be an ACRISS code such as CDMR, or a part of one such as C or C**A".to_owned()
        })
}

fn filter(
    kind: Option<CarKind>,
    class: Option<String>,
    transmission: Option<Transmission>,
) -> Option<Filter> {
    if kind.is_none() && class.is_none() && transmission.is_none() {
        return None;
    }
    let kind = kind.and_then(|kind| serde_json::to_value(kind).ok());
    let transmission = transmission.and_then(|gears| serde_json::to_value(gears).ok());
    Some(Arc::new(move |offer: &Offer| {
        let has = |pointer: &str, wanted: &Option<serde_json::Value>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| offer.details.pointer(pointer) == Some(wanted))
        };
        let of_class = class.as_ref().is_none_or(|class| {
            let acriss = offer.details.pointer("/vehicle/acriss");
            acriss
                .and_then(serde_json::Value::as_str)
                .is_some_and(|acriss| matches(class, acriss))
        });
        has("/kind", &kind) && has("/vehicle/transmission", &transmission) && of_class
    }))
}

fn matches(class: &str, acriss: &str) -> bool {
    class.len() <= acriss.len()
        && class
            .bytes()
            .zip(acriss.bytes())
            .all(|(wanted, letter)| wanted == b'*' || wanted == letter)
}

#[cfg(test)]
mod tests {
    use service_kit::ApiError;

    use super::*;

    const BASE: &str =
        "pickup=LHR&pickup_at=2026-12-01T10:30&dropoff_at=2026-12-03T10:30&driver_age=35";

    fn read(query: &str) -> Result<CarSearch, ApiError> {
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let mut params = Params::read(Some(query), SEARCHING.parameters)?;
        let wanted = super::read(&mut params, &clock, None);
        params.finish()?;
        Ok(wanted.unwrap().search)
    }

    fn wrong(query: &str) -> Vec<String> {
        let error = read(query).err().unwrap();
        assert_eq!(error.status(), 422);
        testkit::adapters::fields(&error)
    }

    #[test]
    fn a_car_comes_back_where_it_was_taken_unless_another_place_is_named() {
        let search = read(BASE).unwrap();
        assert_eq!(search.dropoff.iata_code, "LHR");
        assert!(!search.is_one_way());
        assert_eq!(search.driver_country, "GB");
        assert!(read(&format!("{BASE}&dropoff=MAN")).unwrap().is_one_way());
    }

    #[test]
    fn every_rule_names_its_parameter() {
        assert_eq!(
            wrong(""),
            ["pickup", "pickup_at", "dropoff_at", "driver_age"]
        );
        assert_eq!(
            wrong(&BASE.replace("2026-12-01", "2026-11-20")),
            ["pickup_at"]
        );
        assert_eq!(
            wrong(&BASE.replace("2026-12-03", "2026-11-30")),
            ["dropoff_at"]
        );
        assert_eq!(
            wrong(&BASE.replace("2026-12-03", "2027-06-03")),
            ["dropoff_at"]
        );
        for bad in [
            "2026-12-01",
            "2026-12-01T10:30Z",
            "2026-12-01 10:30",
            "2026-12-01T25:00",
        ] {
            assert_eq!(wrong(&BASE.replace("2026-12-01T10:30", bad)), ["pickup_at"]);
        }
        assert_eq!(wrong(&BASE.replace("=35", "=17")), ["driver_age"]);
        assert_eq!(
            wrong(&format!(
                "{BASE}&dropoff=xxx&driver_country=uk&passengers=0"
            )),
            ["dropoff", "driver_country", "passengers"]
        );
        assert_eq!(
            wrong(&format!("{BASE}&kind=bus&class=cdmr&transmission=cvt")),
            ["kind", "class", "transmission"]
        );
    }

    #[test]
    fn a_time_that_clocks_skip_is_refused() {
        let query = BASE
            .replace("2026-12-01T10:30", "2027-03-28T01:30")
            .replace("2026-12-03", "2027-03-30");
        assert_eq!(wrong(&query), ["pickup_at"]);
    }

    #[test]
    fn a_class_matches_by_its_letters() {
        assert!(matches("CDMR", "CDMR"));
        assert!(matches("C", "CDMR"));
        assert!(matches("**A", "ECAR"));
        assert!(!matches("**A", "ECMR"));
        assert!(!matches("CDMRX", "CDMR"));
    }
}
