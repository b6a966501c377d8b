//! How a search is read from its parameters. A search that exists is one that can be made: everything
//! is checked while it is read.

use service_kit::{Params, date, one_of, place, whole};
use travel_types::jiff::{ToSpan as _, tz::TimeZone};
use travel_types::{Clock, Currency};
use vertical_kit::{Searching, Wanted};

use crate::model::{Cabin, FlightSearch};
use crate::ranking;

/// How far ahead airlines sell.
const HORIZON_DAYS: i64 = 361;
/// Seats that one booking may have.
const MOST_SEATS: u32 = 9;

/// The search of this vertical.
pub(crate) const SEARCHING: Searching<FlightSearch> = Searching {
    parameters: &[
        "origin",
        "destination",
        "departure_date",
        "return_date",
        "adults",
        "children",
        "infants",
        "cabin",
        "max_connections",
    ],
    sorts: &[
        ("duration", ranking::by_travel_time),
        ("departure", ranking::by_departure),
    ],
    tie: ranking::by_departure,
    groupings: &[],
    read,
};

fn read(
    params: &mut Params,
    clock: &Clock,
    _currency: Option<Currency>,
) -> Option<Wanted<FlightSearch>> {
    let origin = params.required("origin", place);
    let destination = params.required("destination", place);
    let departure_date = params.required("departure_date", date);
    let return_date = params.optional("return_date", date);
    let adults = params.required("adults", whole(1, MOST_SEATS));
    let children = params
        .optional("children", whole(0, MOST_SEATS - 1))
        .unwrap_or(0);
    let infants = params
        .optional("infants", whole(0, MOST_SEATS))
        .unwrap_or(0);
    let cabin = params.optional("cabin", one_of(Cabin::NAMES));
    let max_connections = params.optional("max_connections", whole(0, 2));
    let errors = params.errors();
    if let (Some(from), Some(to)) = (&origin, &destination) {
        errors.check(
            from.iata_code != to.iata_code,
            "destination",
            "INVALID_PARAMETER",
            "must be another place than origin",
        );
    }
    if let (Some(origin), Some(day)) = (&origin, departure_date) {
        let zone = TimeZone::get(&origin.time_zone).unwrap_or(TimeZone::UTC);
        let today = clock.now().to_zoned(zone).date();
        errors.check(
            day >= today,
            "departure_date",
            "INVALID_DATE",
            "must not be in the past",
        );
        let horizon = today.saturating_add(HORIZON_DAYS.days());
        let way_back = return_date.map(|day| ("return_date", day));
        for (name, day) in [("departure_date", day)].into_iter().chain(way_back) {
            errors.check(
                day <= horizon,
                name,
                "INVALID_DATE",
                format!("must be within {HORIZON_DAYS} days: airlines sell no further ahead"),
            );
        }
    }
    if let (Some(out), Some(back)) = (departure_date, return_date) {
        errors.check(
            back >= out,
            "return_date",
            "INVALID_DATE",
            "must not be before departure_date",
        );
    }
    if let Some(adults) = adults {
        errors.check(
            infants <= adults,
            "infants",
            "INVALID_PARAMETER",
            "must not be more than adults: each sits on an adult's lap",
        );
        errors.check(
            adults + children <= MOST_SEATS,
            "children",
            "INVALID_PARAMETER",
            format!("must not make more than {MOST_SEATS} seats together with adults"),
        );
    }
    Some(Wanted {
        search: FlightSearch {
            origin: origin?.iata_code,
            destination: destination?.iata_code,
            departure_date: departure_date?,
            return_date,
            adults: adults?,
            children,
            infants,
            cabin,
            max_connections,
        },
        filter: None,
    })
}

#[cfg(test)]
mod tests {
    use service_kit::ApiError;

    use super::*;

    fn read(query: &str) -> Result<FlightSearch, ApiError> {
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
    fn a_search_that_can_be_made_is_read() {
        let search = read("origin=LHR&destination=NYC&departure_date=2026-12-01&adults=2&infants=1&cabin=business&max_connections=0").unwrap();
        assert_eq!(search.cabin, Some(Cabin::Business));
        assert_eq!((search.adults, search.infants), (2, 1));
    }

    #[test]
    fn every_rule_names_its_parameter() {
        assert_eq!(
            wrong(""),
            ["origin", "destination", "departure_date", "adults"]
        );
        let base = "origin=LHR&destination=JFK&departure_date=2026-12-01&adults=1";
        assert_eq!(wrong(&base.replace("JFK", "LHR")), ["destination"]);
        assert_eq!(wrong(&base.replace("JFK", "jfk")), ["destination"]);
        assert_eq!(
            wrong(&base.replace("2026-12-01", "2026-11-20")),
            ["departure_date"]
        );
        assert_eq!(
            wrong(&base.replace("2026-12-01", "2028-01-01")),
            ["departure_date"]
        );
        assert_eq!(
            wrong(&format!("{base}&return_date=2026-11-30")),
            ["return_date"]
        );
        assert_eq!(
            wrong(&format!("{base}&return_date=9999-12-31")),
            ["return_date"]
        );
        assert_eq!(wrong(&format!("{base}&infants=2")), ["infants"]);
        assert_eq!(wrong(&format!("{base}&children=9")), ["children"]);
        assert_eq!(
            wrong(&format!("{base}&cabin=wing&max_connections=3")),
            ["cabin", "max_connections"]
        );
    }

    #[test]
    fn today_at_the_origin_can_still_be_searched() {
        // 12:00 UTC on the 21st is the 22nd in Auckland.
        assert!(read("origin=AKL&destination=SYD&departure_date=2026-11-22&adults=1").is_ok());
        assert_eq!(
            wrong("origin=AKL&destination=SYD&departure_date=2026-11-21&adults=1"),
            ["departure_date"]
        );
    }
}
