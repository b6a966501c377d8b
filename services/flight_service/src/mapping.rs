//! What the adapters of this service share when they map a supplier's answer: times that contradict each
//! other, and who of the travellers takes which place of an offer, beside what all verticals share. What
//! looks wrong is kept and flagged, never fixed.

use serde_json::Value;
use travel_types::jiff::civil::Date;
use travel_types::jiff::{SignedDuration, Span, SpanRelativeTo};
use travel_types::{Gender, Title, Traveller, Warning, WarningCode};
use vertical_kit::mapping::text;

use crate::model::{Carrier, PassengerKind, Segment, Slice, Stop};

/// The airline that sells; without a name, and flagged, where the supplier does not tell.
pub(crate) fn seller(named: Option<Carrier>, warnings: &mut Vec<Warning>) -> Carrier {
    let seller = named.unwrap_or_else(|| Carrier {
        iata_code: None,
        name: String::new(),
    });
    if seller.name.is_empty() {
        let message = "the supplier does not name the airline that sells";
        let path = "details.airline";
        warnings.push(Warning::new(WarningCode::DataQuality, path, message));
    }
    seller
}

/// The flight that comes before the next one of a direction: its own last one so far, else the last of the
/// direction before.
pub(crate) fn flight_before<'a>(
    slices: &'a [Slice],
    segments: &'a [Segment],
) -> Option<&'a Segment> {
    segments.last().or_else(|| slices.last()?.segments.last())
}

/// Flags a flight that leaves before the one before it has arrived.
pub(crate) fn check_connection(
    before: Option<&Segment>,
    flight: &Segment,
    path: &str,
    warnings: &mut Vec<Warning>,
) {
    if before.is_some_and(|before| before.arrival.time.utc() > flight.departure.time.utc()) {
        let message = "leaves before the flight before it has arrived";
        warnings.push(Warning::new(WarningCode::TimeInconsistent, path, message));
    }
}

/// Flags the duration of a direction if it cannot be read.
pub(crate) fn check_duration(stated: Option<&str>, path: &str, warnings: &mut Vec<Warning>) {
    if stated.is_some_and(|stated| read_duration(stated).is_none()) {
        let message = "the stated duration cannot be read";
        warnings.push(Warning::new(WarningCode::TimeInconsistent, path, message));
    }
}

/// Flags times that cannot all be true. Duffel's sandbox airline states the difference of the local
/// times as duration, and schedules are wrong around unusual clock changes.
pub(crate) fn check_times(
    departure: &Stop,
    arrival: &Stop,
    stated: Option<&str>,
    path: &str,
    warnings: &mut Vec<Warning>,
) {
    let mut flag = |message: String| {
        warnings.push(Warning::new(WarningCode::TimeInconsistent, path, message));
    };
    let under_way = arrival.time.utc().duration_since(departure.time.utc());
    if under_way <= SignedDuration::ZERO {
        flag("arrives before it leaves".to_owned());
    }
    match stated.map(read_duration) {
        Some(Some(stated)) if stated != under_way => {
            let minutes = under_way.as_mins();
            flag(format!(
                "the stated duration is not arrival minus departure, which is {minutes} minutes"
            ));
        }
        Some(None) => flag("the stated duration cannot be read".to_owned()),
        _ => {}
    }
    for (stop, what) in [(departure, "departure"), (arrival, "arrival")] {
        if stop.time.is_ambiguous() {
            flag(format!("the {what} falls into a change of the clocks"));
        }
    }
}

/// Reads `PT01H35M`, `PT8H8M`, `P1DT2H`; a day is 24 hours.
fn read_duration(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

/// The same duration as ISO 8601 is usually written: `PT01H35M` is `PT1H35M`. What cannot be read stays
/// as it came.
pub(crate) fn iso_duration(text: &str) -> String {
    text.parse::<Span>()
        .map_or_else(|_| text.to_owned(), |span| span.to_string())
}

/// A place of an offer and who takes it.
pub(crate) struct Seat<'t> {
    /// The supplier's id of the place.
    pub(crate) id: String,
    /// Whom it was priced for.
    pub(crate) kind: PassengerKind,
    /// Who takes it.
    pub(crate) traveller: &'t Traveller,
}

/// Gives each traveller a place that was priced for one of that age on the day of departure, in the
/// travellers' order. `handle` holds `passengers` (`[{id, kind}]`) and `departure_day` of the offer.
pub(crate) fn seats<'t>(
    handle: &Value,
    travellers: &'t [Traveller],
) -> Result<Vec<Seat<'t>>, String> {
    let empty = Vec::new();
    let places = handle.get("passengers").and_then(Value::as_array);
    let mut free: Vec<(String, PassengerKind)> = Vec::new();
    for place in places.unwrap_or(&empty) {
        let kind = place.get("kind").cloned().unwrap_or(Value::Null);
        let kind = serde_json::from_value(kind).map_err(|error| error.to_string())?;
        free.push((text(place, "id")?, kind));
    }
    let day: Option<Date> = handle
        .get("departure_day")
        .and_then(Value::as_str)
        .and_then(|day| day.parse().ok());
    let mut seats = Vec::with_capacity(travellers.len());
    for traveller in travellers {
        let place = free
            .iter()
            .position(|(_, kind)| {
                day.is_none_or(|day| PassengerKind::of_age(traveller.age_on(day)) == *kind)
            })
            .ok_or("more travellers than the offer was made for")?;
        let (id, kind) = free.remove(place);
        seats.push(Seat {
            id,
            kind,
            traveller,
        });
    }
    Ok(seats)
}

/// The gender that a traveller gave, or that the title tells.
pub(crate) fn gender(traveller: &Traveller) -> Option<Gender> {
    traveller.gender.or(match traveller.title {
        Some(Title::Mr) => Some(Gender::Male),
        Some(Title::Ms | Title::Mrs | Title::Miss) => Some(Gender::Female),
        Some(Title::Dr) | None => None,
    })
}
