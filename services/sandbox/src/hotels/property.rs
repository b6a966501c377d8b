//! One hotel: what it is, what a night costs, and what each supplier says about it.

use jiff::civil::{Date, Weekday};

use super::names::{self, Chain};
use super::rooms::{self, RoomType};
use super::{NEXT_DOOR, PER_TOWN, SPREAD_KM, Town};
use crate::chance::{between, draw, next};

/// Kilometres in one degree of latitude.
const DEGREE_KM: f64 = 111.195;

/// Every amenity that a hotel can have, for suppliers to translate.
const AMENITIES: [&str; 10] = [
    "wifi",
    "restaurant",
    "parking",
    "air_conditioning",
    "gym",
    "pool",
    "spa",
    "pets",
    "airport_shuttle",
    "wheelchair",
];

/// One hotel.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub(crate) number: u64,
    pub(crate) name: String,
    /// Twice the stars: 7 is three and a half.
    pub(crate) half_stars: u8,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    /// Street and house number.
    pub(crate) street: String,
    pub(crate) postal_code: String,
    /// Town, country and time zone.
    pub(crate) town: &'static Town,
    /// From the North American numbers set aside for fiction.
    pub(crate) phone: String,
    /// Code and name.
    pub(crate) chain: Option<(&'static str, &'static str)>,
    /// Of `wifi restaurant parking air_conditioning gym pool spa pets airport_shuttle wheelchair`.
    pub(crate) amenities: Vec<&'static str>,
    /// The double room first, which every property has.
    pub(crate) rooms: Vec<RoomType>,
    /// How many pictures there are.
    pub(crate) pictures: u8,
    /// The price of an ordinary night in a double room, in hundredths.
    base: i64,
    /// Chance of its own for all else.
    own: u64,
}

impl Property {
    pub(super) fn new(seed: u64, town: &'static Town, within: u64) -> Self {
        let mut state = draw(seed, &format!("hotel/{}/{within}", town.iata));
        let turn = draw(seed, town.iata) >> 16;
        let chained = super::has_next_door(within) || next(&mut state) % 5 < 2;
        // All hotels of a name's quarter come from different chains.
        let chain = names::chain_at((turn >> 8).wrapping_add(within / 11));
        let chain = chain.filter(|_| chained);
        let name = match chain {
            Some(chain) => names::branded(chain, false, town.name, turn, within),
            None => names::independent(turn, within),
        };
        let (latitude, longitude) = place(town, &mut state);
        Self::built(
            seed,
            town,
            within,
            name,
            (latitude, longitude),
            chain,
            state,
        )
    }

    /// The hotel some 80 m from the one at `within`: the same chain, another brand.
    pub(super) fn next_door(seed: u64, town: &'static Town, within: u64) -> Self {
        let first = Self::new(seed, town, within);
        let turn = draw(seed, town.iata) >> 16;
        let chain = names::chain_at((turn >> 8).wrapping_add(within / 11));
        let name = match chain {
            Some(chain) => names::branded(chain, true, town.name, turn, within),
            None => names::independent(turn, within + 50),
        };
        let state = draw(seed, &format!("hotel/{}/{}", town.iata, within + NEXT_DOOR));
        let place = moved((first.latitude, first.longitude), 0.08, state);
        let number = within + NEXT_DOOR;
        let mut second = Self::built(seed, town, number, name, place, chain, state);
        second.postal_code = first.postal_code;
        second
    }

    fn built(
        seed: u64,
        town: &'static Town,
        within: u64,
        name: String,
        (latitude, longitude): (f64, f64),
        chain: Option<&'static Chain>,
        mut state: u64,
    ) -> Self {
        let half_stars = [4, 5, 6, 6, 7, 7, 8, 8, 9, 10];
        let half_stars = names::pick(&half_stars, next(&mut state)).copied();
        let half_stars: u8 = half_stars.unwrap_or(6);
        let by_stars: i64 = match half_stars {
            ..=5 => 5_800,
            6 => 7_900,
            7 => 9_800,
            8 => 13_900,
            9 => 17_500,
            _ => 26_900,
        };
        let percent = |low: u64, high: u64, drawn: u64| {
            i64::try_from(low + drawn % (high - low + 1)).unwrap_or(100)
        };
        let by_town = percent(70, 150, draw(seed, &format!("prices/{}", town.iata)));
        let by_house = percent(85, 125, next(&mut state));
        let house = 1 + next(&mut state) % 180;
        let street = names::street(next(&mut state));
        let postal = 10_000 + (town.number() * 7 + next(&mut state) % 9) % 89_999;
        let line = 100 + next(&mut state) % 100;
        let amenities = next(&mut state);
        Self {
            number: town.number() * PER_TOWN + within,
            name,
            half_stars,
            latitude,
            longitude,
            street: format!("{house} {street}"),
            postal_code: postal.to_string(),
            town,
            phone: format!("+1 202 555 0{line}"),
            chain: chain.map(|chain| (chain.code, chain.name)),
            amenities: AMENITIES
                .into_iter()
                .enumerate()
                // Better hotels have more of them; wireless internet is everywhere.
                .filter(|(at, _)| *at == 0 || (amenities >> (at * 4)) % 12 < u64::from(half_stars))
                .map(|(_, amenity)| amenity)
                .collect(),
            rooms: rooms::of(half_stars, &mut state),
            pictures: u8::try_from(3 + next(&mut state) % 4).unwrap_or(3),
            base: by_stars * by_town * by_house / 10_000,
            own: next(&mut state),
        }
    }

    /// The room type with this code.
    pub(crate) fn room(&self, code: &str) -> Option<&RoomType> {
        self.rooms.iter().find(|room| room.code == code)
    }

    /// What one night in one room costs before anybody's taxes, board and terms, in hundredths.
    pub(crate) fn price(&self, room: &RoomType, night: Date) -> i64 {
        let summer = match night.month() {
            7 | 8 => 125,
            6 | 9 => 112,
            12 => 108,
            1 | 2 | 11 => 86,
            _ => 100,
        };
        let season = if self.town.latitude < 0.0 {
            210 - summer
        } else {
            summer
        };
        let day = match night.weekday() {
            Weekday::Friday | Weekday::Saturday => 116,
            Weekday::Sunday => 92,
            _ => 100,
        };
        let mood = between(self.own, &night.to_string(), 95, 108);
        let mood = i64::try_from(mood).unwrap_or(100);
        self.base * room.percent * season / 10_000 * day * mood / 10_000
    }

    /// Whether `supplier` has this property: about three of five are sold by `rapid` and by
    /// `hotelbeds`, each other one by one of them.
    pub(crate) fn sells(&self, supplier: &str) -> bool {
        let sellers: &[&str] = match self.own % 10 {
            ..=5 => &["rapid", "hotelbeds"],
            6 | 7 => &["rapid"],
            _ => &["hotelbeds"],
        };
        sellers.contains(&supplier)
    }

    /// The name as `supplier` spells it.
    pub(crate) fn name_for(&self, supplier: &str) -> String {
        match supplier {
            "hotelbeds" => names::respelled(&self.name, self.own >> 8),
            _ => self.name.clone(),
        }
    }

    /// Latitude and longitude as `supplier` has them, to the sixth decimal: less than 60 m away from
    /// anybody else's.
    pub(crate) fn position_for(&self, supplier: &str) -> (f64, f64) {
        let here = (self.latitude, self.longitude);
        match supplier {
            "hotelbeds" => {
                let metres = u32::try_from((self.own >> 16) % 55).unwrap_or(0);
                moved(here, f64::from(metres) / 1_000.0, self.own)
            }
            _ => here,
        }
    }

    /// A number below `below` that is always the same for this property and these words.
    pub(crate) fn chance(&self, words: &str, below: u64) -> u64 {
        draw(self.own, words).checked_rem(below).unwrap_or(0)
    }

    /// Paths of its pictures at the sandbox, the outside of the house first.
    pub(crate) fn picture_paths(&self) -> impl Iterator<Item = String> {
        (1..=self.pictures).map(|n| format!("/pictures/hotels/{}/{n}.svg", self.number))
    }
}

/// Somewhere in the town: most stand around its middle, where there are several airports some there.
fn place(town: &Town, state: &mut u64) -> (f64, f64) {
    let (middle, spread) = match names::pick(&town.airports, next(state)) {
        Some(airport) if town.airports.len() > 1 && next(state) % 10 < 3 => {
            ((airport.latitude, airport.longitude), 3.0)
        }
        _ => ((town.latitude, town.longitude), SPREAD_KM),
    };
    // Nearly even in distance, so that the middle is the densest.
    let far = fraction(next(state)).powf(0.9) * (spread - 0.4) + 0.3;
    moved(middle, far, next(state))
}

/// `far` kilometres from a point in the direction that `drawn` says, to the sixth decimal.
fn moved((latitude, longitude): (f64, f64), far: f64, drawn: u64) -> (f64, f64) {
    let direction = fraction(drawn) * std::f64::consts::TAU;
    let across = DEGREE_KM * latitude.to_radians().cos().max(0.01);
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    (
        round((latitude + far * direction.cos() / DEGREE_KM).clamp(-90.0, 90.0)),
        // East of 180 degrees is west.
        round((longitude + far * direction.sin() / across + 180.0).rem_euclid(360.0) - 180.0),
    )
}

/// A number from 0 to 1.
fn fraction(drawn: u64) -> f64 {
    f64::from(u32::try_from(drawn >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
