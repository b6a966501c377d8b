//! What is known beside an answer: the names of what it only has codes for, and what an earlier answer
//! told of the same offer. Pricing answers and orders repeat little of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use travel_types::{Place, Warning, WarningCode};

use super::wire;
use crate::model::{Carrier, FlightDetails, Segment};

/// Airlines, aircraft and places: those of this answer, else those that came with the search.
#[derive(Default)]
pub(super) struct Known {
    carriers: BTreeMap<String, String>,
    aircraft: BTreeMap<String, String>,
    /// The city of each airport or station.
    cities: BTreeMap<String, String>,
    told: Told,
}

/// What a search tells of an offer and later answers leave out.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Told {
    seats_left: Option<u32>,
    /// How long each direction takes, by its ends.
    durations: BTreeMap<String, String>,
}

impl Told {
    pub(super) fn by(details: &FlightDetails) -> Self {
        let durations = details.slices.iter().filter_map(|slice| {
            let duration = slice.duration.clone()?;
            Some((ends(&slice.segments)?, duration))
        });
        Self {
            seats_left: details.seats_left,
            durations: durations.collect(),
        }
    }
}

/// Where and when a direction begins and ends: it takes as long as another one with the same ends.
fn ends(segments: &[Segment]) -> Option<String> {
    let (from, to) = (&segments.first()?.departure, &segments.last()?.arrival);
    let end = |place: &Place, at| format!("{} {at}", place.iata_code);
    let from = end(&from.place, from.time.utc());
    let to = end(&to.place, to.time.utc());
    Some(format!("{from} {to}"))
}

impl Known {
    /// Of an answer about the offer or order of a handle.
    pub(super) fn of(answer: Option<wire::Dictionaries>, handle: &Value) -> Self {
        let mut known = Self::default();
        for dictionary in [kept(handle, "names"), answer].into_iter().flatten() {
            let name = |name: &Value| Some(name.as_str()?.to_owned());
            let city = |location: &Value| name(location.get("cityCode")?);
            known.carriers.extend(read(dictionary.carriers, name));
            known.aircraft.extend(read(dictionary.aircraft, name));
            known.cities.extend(read(dictionary.locations, city));
        }
        known.told = kept(handle, "told").unwrap_or_default();
        known
    }

    pub(super) fn carrier(&self, code: &str) -> Carrier {
        Carrier {
            iata_code: Some(code.to_owned()),
            name: self
                .carriers
                .get(code)
                .map_or_else(|| code.to_owned(), Clone::clone),
        }
    }

    pub(super) fn aircraft(&self, code: &str) -> Option<&str> {
        self.aircraft.get(code).map(String::as_str)
    }

    /// Seats left at an earlier answer.
    pub(super) fn seats_left(&self) -> Option<u32> {
        self.told.seats_left
    }

    /// How long an earlier answer said that these flights take together.
    pub(super) fn duration(&self, segments: &[Segment]) -> Option<String> {
        self.told.durations.get(&ends(segments)?).cloned()
    }

    /// Amadeus names places by their codes alone; the rest stands in the IATA list. A city's code is read
    /// as its first airport's. A railway or bus station is in no list: it is shown where the airport of
    /// its city is, and flagged.
    pub(super) fn place(
        &self,
        code: &str,
        path: &str,
        warnings: &mut Vec<Warning>,
    ) -> Result<Place, String> {
        if let Some(mut place) = listed(code) {
            code.clone_into(&mut place.iata_code);
            return Ok(place);
        }
        let city = self.cities.get(code);
        let mut place = city.and_then(|city| listed(city)).ok_or_else(|| {
            let shown: String = code.chars().take(8).collect();
            format!("the time zone of {shown} is unknown")
        })?;
        let message = format!(
            "is in no list of airports: position and time zone are those of {}",
            place.iata_code
        );
        warnings.push(Warning::new(WarningCode::DataQuality, path, message));
        place.name.clone_from(&place.city);
        code.clone_into(&mut place.iata_code);
        Ok(place)
    }

    /// The names that an offer needs.
    pub(super) fn used_by(&self, offer: &wire::Offer) -> wire::Dictionaries {
        let flights = || offer.itineraries.iter().flat_map(|one| &one.segments);
        let keep = |all: &BTreeMap<String, String>, codes: Vec<&str>| {
            let all = all.iter();
            let used = all.filter(|(code, _)| codes.contains(&code.as_str()));
            Some(
                used.map(|(code, name)| (code.clone(), json!(name)))
                    .collect(),
            )
        };
        let operators = flights().filter_map(|one| one.operating.as_ref()?.carrier_code.as_deref());
        let sellers = flights().filter_map(|one| one.carrier_code.as_deref());
        let validating = offer.validating_airline_codes.iter().flatten();
        let planes =
            flights().filter_map(|one| Some(one.aircraft.as_ref()?.code.as_ref()?.as_str()));
        let stops = flights().flat_map(|one| [&one.departure, &one.arrival]);
        let stations = stops
            .filter_map(|stop| stop.as_ref()?.iata_code.as_deref())
            .filter(|code| listed(code).is_none())
            .filter_map(|code| {
                let city = self.cities.get(code)?;
                Some((code.to_owned(), json!({ "cityCode": city })))
            });
        let stations: BTreeMap<String, Value> = stations.collect();
        wire::Dictionaries {
            carriers: keep(
                &self.carriers,
                sellers
                    .chain(operators)
                    .chain(validating.map(String::as_str))
                    .collect(),
            ),
            aircraft: keep(&self.aircraft, planes.collect()),
            locations: (!stations.is_empty()).then_some(stations),
        }
    }
}

/// What a handle holds under a key.
fn kept<T: serde::de::DeserializeOwned>(handle: &Value, key: &str) -> Option<T> {
    T::deserialize(handle.get(key)?).ok()
}

/// The entries of a dictionary that can be read.
fn read(
    stated: Option<BTreeMap<String, Value>>,
    entry: impl Fn(&Value) -> Option<String>,
) -> BTreeMap<String, String> {
    let stated = stated.into_iter().flatten();
    stated
        .filter_map(|(code, value)| Some((code, entry(&value)?)))
        .collect()
}

/// An airport, or the first one of a city.
fn listed(code: &str) -> Option<Place> {
    travel_types::airport(code)
        .or_else(|| travel_types::city(code)?.airports.first().copied())
        .map(Place::from)
}
