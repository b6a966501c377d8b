//! An offer: flights, a fare, a party and a price. The flights are those of the world's timetable, the
//! same that other suppliers sell; the fares are Amadeus's own, so the same seat is now cheaper, now
//! dearer here. Amounts are whole hundredths of the currency.

use std::sync::Arc;

use jiff::Timestamp;

use super::scenario::{self, Route};
use crate::cabin::Cabin;
use crate::chance::between;
use crate::flights::Flight;
use crate::inventory::Units;

/// A fare family.
#[derive(Debug)]
pub(crate) struct Fare {
    pub(crate) brand: &'static str,
    /// Booking classes in economy, premium economy, business and first.
    classes: [&'static str; 4],
    pub(crate) suffix: &'static str,
    percent: i64,
    pub(crate) bags: i64,
    /// What the fare rules say about a refund.
    pub(crate) penalty: &'static str,
}

impl Fare {
    pub(crate) fn class(&self, cabin: Cabin) -> &'static str {
        let [economy, premium, business, first] = self.classes;
        match cabin {
            Cabin::Economy => economy,
            Cabin::PremiumEconomy => premium,
            Cabin::Business => business,
            Cabin::First => first,
        }
    }
}

/// The fares that every flight is sold at.
pub(crate) static FARES: [Fare; 3] = [
    Fare {
        brand: "LIGHT",
        classes: ["O", "P", "I", "A"],
        suffix: "LGT0",
        percent: 100,
        bags: 0,
        penalty: "TICKET IS NON-REFUNDABLE. CHANGES NOT PERMITTED.",
    },
    Fare {
        brand: "CLASSIC",
        classes: ["M", "E", "D", "A"],
        suffix: "CLS1",
        percent: 117,
        bags: 1,
        penalty: "TICKET IS NON-REFUNDABLE. CHARGE 45.00 FOR REISSUE.",
    },
    Fare {
        brand: "FLEX",
        classes: ["Y", "W", "J", "F"],
        suffix: "FLX2",
        percent: 149,
        bags: 2,
        penalty: "CHARGE 35.00 FOR REFUND. CHANGES PERMITTED.",
    },
];

/// What kind of traveller a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Adult,
    Child,
    Senior,
    Young,
    HeldInfant,
    SeatedInfant,
    Student,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Adult,
        Self::Child,
        Self::Senior,
        Self::Young,
        Self::HeldInfant,
        Self::SeatedInfant,
        Self::Student,
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Adult => "ADULT",
            Self::Child => "CHILD",
            Self::Senior => "SENIOR",
            Self::Young => "YOUNG",
            Self::HeldInfant => "HELD_INFANT",
            Self::SeatedInfant => "SEATED_INFANT",
            Self::Student => "STUDENT",
        }
    }

    /// Whether someone of this age on the first and on the last day of travel pays this fare.
    pub(crate) fn fits(self, at_first: i32, at_last: i32) -> bool {
        match self {
            Self::Adult | Self::Young | Self::Student => at_first >= 12,
            Self::Senior => at_last >= 60,
            Self::Child => (2..12).contains(&at_first),
            Self::HeldInfant | Self::SeatedInfant => at_first >= 0 && at_last < 2,
        }
    }

    fn percent(self) -> i64 {
        match self {
            Self::Child | Self::SeatedInfant => 75,
            Self::HeldInfant => 10,
            Self::Senior | Self::Young | Self::Student => 90,
            Self::Adult => 100,
        }
    }
}

/// One traveller of a search.
#[derive(Clone, Debug)]
pub(crate) struct Traveler {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// On whose lap an infant sits.
    pub(crate) adult: Option<String>,
}

/// Seats that a party needs.
pub(crate) fn seats(travelers: &[Traveler]) -> u32 {
    let seated = travelers.iter().filter(|t| t.kind != Kind::HeldInfant);
    u32::try_from(seated.count()).unwrap_or(u32::MAX)
}

/// What one traveller pays.
#[derive(Clone, Debug)]
pub(crate) struct Price {
    pub(crate) base: i64,
    /// Amounts by code.
    pub(crate) taxes: Vec<(&'static str, i64)>,
}

impl Price {
    pub(crate) fn total(&self) -> i64 {
        self.base + self.taxes.iter().map(|(_, amount)| amount).sum::<i64>()
    }
}

/// A flight of an offer; the same flight has the same id in all offers of a search.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) id: String,
    pub(crate) flight: Flight,
}

/// The flights of one direction: never none.
pub(crate) type Itinerary = Vec<Segment>;

/// An offer as it was made; only its price can change afterwards, and that is kept beside it.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) id: String,
    /// Shared by the fares that are sold on them.
    pub(crate) itineraries: Arc<Vec<Itinerary>>,
    pub(crate) travelers: Arc<Vec<Traveler>>,
    pub(crate) cabin: Cabin,
    pub(crate) fare: &'static Fare,
    pub(crate) currency: String,
    /// One for each traveller.
    pub(crate) prices: Vec<Price>,
    /// Seats left in the fullest flight, at most 9.
    pub(crate) bookable: u32,
    pub(crate) offered_at: Timestamp,
}

impl Offer {
    pub(crate) fn flights(&self) -> impl DoubleEndedIterator<Item = &Flight> {
        let segments = self.itineraries.iter().flatten();
        segments.map(|segment| &segment.flight)
    }

    pub(crate) fn total(&self) -> i64 {
        self.prices.iter().map(Price::total).sum()
    }

    /// The dearest traveller's price.
    pub(crate) fn dearest(&self) -> i64 {
        self.prices.iter().map(Price::total).max().unwrap_or(0)
    }

    /// The seats that an order of this offer takes.
    pub(crate) fn units(&self) -> Vec<Units> {
        let seats = seats(&self.travelers);
        self.flights()
            .map(|flight| (flight.item(self.cabin.name()), seats))
            .collect()
    }

    /// The outcome of the first direction, if it is a test route.
    pub(crate) fn scenario(&self) -> Option<Route> {
        let first = self.itineraries.first()?;
        let origin = first.first()?.flight.origin;
        let destination = first.last()?.flight.destination;
        scenario::of_route(origin.iata, destination.iata)
    }
}

/// What each traveller pays for these flights. Bases are whole units of the currency, as airlines file
/// them.
pub(crate) fn prices(
    seed: u64,
    itineraries: &[Itinerary],
    cabin: Cabin,
    fare: &Fare,
    travelers: &[Traveler],
) -> Vec<Price> {
    let mut adult = 0;
    let mut carrier = 0;
    let mut departure: Vec<(&'static str, i64)> = Vec::new();
    for itinerary in itineraries {
        let through = if itinerary.len() > 1 { 80 } else { 100 };
        for segment in itinerary {
            let flight = &segment.flight;
            let kilometres = flight.whole_kilometres();
            let key = format!("amadeus{}", flight.item(""));
            let demand = i64::try_from(between(seed, &key, 74, 144)).unwrap_or(100);
            let lowest = 2_200 + kilometres * 5;
            adult +=
                lowest * demand * cabin.percent() / 100 * fare.percent / 100 * through / 10_000;
            carrier += 350 + kilometres * cabin.percent() / 500;
            let country = flight.origin.country;
            let due = 1_050 + kilometres * cabin.percent() / 600;
            match departure.iter_mut().find(|(code, _)| *code == country) {
                Some((_, amount)) => *amount += due,
                None => departure.push((country, due)),
            }
        }
    }
    travelers
        .iter()
        .map(|traveler| {
            let base = (adult * traveler.kind.percent() / 10_000 + 1) * 100;
            let mut taxes = Vec::new();
            if traveler.kind != Kind::HeldInfant {
                taxes.push(("YQ", carrier));
                taxes.extend(departure.iter().copied());
            }
            taxes.push(("XT", base * 6 / 100));
            Price { base, taxes }
        })
        .collect()
}
