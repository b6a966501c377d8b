//! An offer: flights, a fare, a party and a price. Prices are whole hundredths of the currency, worked
//! out from distance, cabin, airline and date; an offer's price never depends on who asks or when.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::scenario::{self, Route};
use crate::cabin::Cabin;
use crate::chance::{base62, between, draw};
use crate::flights::Flight;
use crate::inventory::Units;
use crate::supplier::decimal;

/// A fare: what it costs beyond the lowest, what it includes and what it allows.
#[derive(Debug)]
pub(crate) struct Fare {
    pub(crate) brand: &'static str,
    pub(crate) code: &'static str,
    percent: i64,
    pub(crate) checked_bags: u32,
    /// The penalty for a refund or a change in hundredths; none: not allowed.
    pub(crate) refund: Option<i64>,
    pub(crate) change: Option<i64>,
}

/// The fares that every flight is sold at.
pub(crate) static FARES: [Fare; 3] = [
    Fare {
        brand: "Basic",
        code: "OLTBASIC",
        percent: 100,
        checked_bags: 0,
        refund: None,
        change: None,
    },
    Fare {
        brand: "Standard",
        code: "MSTDRET",
        percent: 118,
        checked_bags: 1,
        refund: None,
        change: Some(4_000),
    },
    Fare {
        brand: "Flexible",
        code: "YFLEXRT",
        percent: 145,
        checked_bags: 1,
        refund: Some(4_000),
        change: Some(0),
    },
];

/// What kind of traveller a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Adult,
    Child,
    Infant,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Adult => "adult",
            Self::Child => "child",
            Self::Infant => "infant_without_seat",
        }
    }

    fn percent(self) -> i64 {
        match self {
            Self::Adult => 100,
            Self::Child => 75,
            Self::Infant => 10,
        }
    }
}

/// One traveller of a search.
#[derive(Clone, Debug)]
pub(crate) struct Passenger {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) age: Option<i64>,
}

/// One flight of an offer.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) id: String,
    pub(crate) flight: Flight,
}

/// One direction of an offer: never without a segment.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) id: String,
    pub(crate) segments: Vec<Segment>,
}

/// Something that one passenger can add to the order.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) passenger_id: String,
    pub(crate) segment_ids: Vec<String>,
    /// Hundredths.
    pub(crate) amount: i64,
}

/// An offer as it was made; only its price can change afterwards, and that is kept beside it.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) id: String,
    pub(crate) request_id: String,
    pub(crate) passengers: Arc<Vec<Passenger>>,
    /// Shared by the fares that are sold on them.
    pub(crate) slices: Arc<Vec<Slice>>,
    pub(crate) cabin: Cabin,
    pub(crate) fare: &'static Fare,
    pub(crate) currency: String,
    pub(crate) base: i64,
    pub(crate) tax: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Offer {
    /// The flights in the order in which they are flown.
    pub(crate) fn flights(&self) -> impl DoubleEndedIterator<Item = &Flight> {
        self.slices
            .iter()
            .flat_map(|slice| slice.segments.iter().map(|segment| &segment.flight))
    }

    /// The test route of the first slice, if it is one.
    pub(crate) fn scenario(&self) -> Option<Route> {
        let first = self.slices.first()?;
        let origin = first.segments.first()?.flight.origin;
        let destination = first.segments.last()?.flight.destination;
        scenario::of_route(origin.iata, destination.iata)
    }

    /// Duffel's own airline can always be held, and the test route for it with every airline.
    pub(crate) fn holdable(&self) -> bool {
        self.scenario() == Some(Route::HoldableOnly)
            || self.flights().all(|flight| flight.airline.is_sandbox())
    }

    /// The seats that an order of this offer takes.
    pub(crate) fn units(&self) -> Vec<Units> {
        let seats = seats(&self.passengers);
        self.flights()
            .map(|flight| (flight.item(self.cabin.name()), seats))
            .collect()
    }

    /// Bags that can be added: one of 23 kg for each passenger with a seat, on ZZ only.
    pub(crate) fn services(&self) -> Vec<Service> {
        let none = [Some(Route::NoBaggage), Some(Route::NoServices)];
        if none.contains(&self.scenario()) || !self.flights().all(|f| f.airline.is_sandbox()) {
            return Vec::new();
        }
        let seated = self.passengers.iter().filter(|p| p.kind != Kind::Infant);
        seated
            .map(|passenger| Service {
                id: format!(
                    "ase_0000{}",
                    base62(draw(0, &format!("{}{}", self.id, passenger.id)), 18)
                ),
                passenger_id: passenger.id.clone(),
                segment_ids: (self.slices.iter())
                    .flat_map(|slice| slice.segments.iter().map(|s| s.id.clone()))
                    .collect(),
                amount: 2_000,
            })
            .collect()
    }

    /// Kilograms of CO2 for the whole party.
    pub(crate) fn emissions(&self) -> i64 {
        let kilometres: i64 = self.flights().map(Flight::whole_kilometres).sum();
        let seats = i64::from(seats(&self.passengers));
        (kilometres * 9 * self.cabin.percent() / 10_000 + 5) * seats
    }
}

/// Seats that a party needs: infants sit on a lap.
pub(crate) fn seats(passengers: &[Passenger]) -> u32 {
    let seated = passengers.iter().filter(|p| p.kind != Kind::Infant);
    u32::try_from(seated.count()).unwrap_or(u32::MAX)
}

/// Base and tax of a party on these slices, in hundredths.
pub(crate) fn price(
    seed: u64,
    slices: &[Vec<Flight>],
    cabin: Cabin,
    fare: &Fare,
    passengers: &[Passenger],
) -> (i64, i64) {
    let mut adult = 0;
    let mut tax = 0;
    for flights in slices {
        let through = if flights.len() > 1 { 80 } else { 100 };
        for flight in flights {
            let key = format!("price{}", flight.item(""));
            let demand = i64::try_from(between(seed, &key, 78, 138)).unwrap_or(100);
            let lowest = 2_400 + flight.whole_kilometres() * 5;
            adult +=
                lowest * demand * cabin.percent() / 100 * fare.percent / 100 * through / 10_000;
            tax += 1_250 + flight.whole_kilometres() * cabin.percent() / 250;
        }
    }
    tax += adult * 7 / 100;
    passengers.iter().fold((0, 0), |(base, taxes), passenger| {
        let percent = passenger.kind.percent();
        (base + adult * percent / 100, taxes + tax * percent / 100)
    })
}

/// A condition of a fare as Duffel writes it.
pub(crate) fn condition(penalty: Option<i64>, currency: &str) -> Value {
    json!({
        "penalty_currency": penalty.map(|_| currency),
        "penalty_amount": penalty.map(decimal),
        "allowed": penalty.is_some(),
    })
}
