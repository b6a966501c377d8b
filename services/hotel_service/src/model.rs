//! What a hotel search asks for, and what a hotel offer shows.
//!
//! An offer is one rate: certain rooms of one property, for certain guests, on certain conditions.

use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};
use travel_types::{Currency, Money, OfferId};
use utoipa::ToSchema;
use vertical_kit::Offer;

/// A search as suppliers are asked it; checked before.
#[derive(Clone, Debug, PartialEq)]
pub struct HotelSearch {
    /// Where.
    pub area: Area,
    /// The day of arrival, local at the property.
    pub check_in: Date,
    /// The day of departure; at least one day later.
    pub check_out: Date,
    /// Who sleeps in which room; at least one room.
    pub rooms: Vec<Guests>,
    /// The currency that prices are wanted in. Suppliers that cannot may answer in another.
    pub currency: Option<Currency>,
    /// Only properties with at least so many stars. A hint: what comes back is filtered anyway.
    pub stars_min: Option<f64>,
}

/// Where a hotel is looked for: around a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// IATA code of the city that was named, if one was; suppliers that know such codes use it.
    pub city: Option<String>,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Kilometres around the point.
    pub radius_km: f64,
}

impl Area {
    /// Kilometres from its middle to a point (degrees north, degrees east), to the metre: no position of
    /// a hotel is known better.
    pub(crate) fn distance_km(&self, to: (f64, f64)) -> f64 {
        let exact = travel_types::distance_km((self.latitude, self.longitude), to);
        (exact * 1000.0).round() / 1000.0
    }
}

/// Who sleeps in one room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Guests {
    /// 18 years and older.
    #[schema(example = 2)]
    pub adults: u32,
    /// Ages of the children on the day of arrival, 0 to 17.
    pub children_ages: Vec<u32>,
}

impl HotelSearch {
    /// Nights of the stay.
    pub fn nights(&self) -> u32 {
        nights(self.check_in, self.check_out)
    }
}

/// Nights between two days; 0 when the second is not after the first.
pub fn nights(check_in: Date, check_out: Date) -> u32 {
    check_in
        .until(check_out)
        .map_or(0, |span| u32::try_from(span.get_days()).unwrap_or(0))
}

/// What a hotel offer or order shows beside what every vertical shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HotelDetails {
    /// The hotel.
    pub property: Property,
    /// The day of arrival.
    #[schema(value_type = String, format = Date, example = "2026-12-01")]
    pub check_in: Date,
    /// From when on the room can be had on that day, local time; null when the supplier does not say.
    #[schema(value_type = Option<String>, example = "15:00:00")]
    pub check_in_from: Option<Time>,
    /// The day of departure.
    #[schema(value_type = String, format = Date, example = "2026-12-03")]
    pub check_out: Date,
    /// Until when the room must be left on that day, local time.
    #[schema(value_type = Option<String>, example = "11:00:00")]
    pub check_out_until: Option<Time>,
    /// Nights.
    pub nights: u32,
    /// The rooms, one entry each.
    pub rooms: Vec<Room>,
    /// The meals that are included.
    pub board: Board,
    /// The supplier's words for the rate, e.g. `Best available rate`.
    pub rate_name: Option<String>,
    /// Rooms left at this price; null when the supplier does not say.
    pub rooms_left: Option<u32>,
    /// When the money is taken.
    pub payment: PaymentTime,
    /// What is paid at the property on top of `total`: resort fees, city taxes. Empty: nothing that the
    /// supplier tells of.
    pub due_at_property: Vec<PropertyCharge>,
    /// What the supplier wants guests to know, as it says it.
    pub remarks: Vec<String>,
}

/// A hotel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Property {
    /// The same for one hotel, whoever sells it. Adapters leave it empty; the service gives it.
    #[schema(example = "prp_0197f2b0c1a47d0e8f3a5b6c7d8e9f00")]
    pub id: String,
    /// The supplier's own code of it.
    #[schema(example = "19248")]
    pub supplier_code: String,
    /// Its name, as the supplier writes it.
    pub name: String,
    /// 0.5 to 5 in halves; null when it has none or the supplier does not say.
    #[schema(example = 4.5)]
    pub stars: Option<f64>,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Kilometres from the point that was searched around.
    pub distance_km: Option<f64>,
    /// Its address; null when the supplier does not say.
    pub address: Option<Address>,
    /// IANA name of its time zone; null when it is not known.
    #[schema(example = "Europe/London")]
    pub time_zone: Option<String>,
    /// Its telephone number.
    pub phone: Option<String>,
    /// Addresses of pictures, the best first.
    pub pictures: Vec<String>,
    /// What it has, in the supplier's words.
    pub amenities: Vec<String>,
}

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Address {
    /// Street and number, one or two lines.
    pub lines: Vec<String>,
    /// The city.
    pub city: Option<String>,
    /// The postal code.
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "GB")]
    pub country: Option<String>,
}

/// One room of an offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Room {
    /// The supplier's name of the room type.
    #[schema(example = "Deluxe Double Room")]
    pub name: String,
    /// The supplier's code of the room type.
    #[schema(example = "DBL.DX")]
    pub code: Option<String>,
    /// Its beds, in the supplier's words.
    #[schema(example = "1 Queen Bed")]
    pub beds: Option<String>,
    /// Who sleeps in it.
    pub guests: Guests,
}

/// Meals that are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Board {
    /// None, or the supplier does not say.
    RoomOnly,
    /// Breakfast.
    Breakfast,
    /// Breakfast and one more meal.
    HalfBoard,
    /// Three meals.
    FullBoard,
    /// Meals and drinks.
    AllInclusive,
}

impl Board {
    /// Every board with its name in parameters and answers.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("room_only", Self::RoomOnly),
        ("breakfast", Self::Breakfast),
        ("half_board", Self::HalfBoard),
        ("full_board", Self::FullBoard),
        ("all_inclusive", Self::AllInclusive),
    ];
}

/// When the money is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentTime {
    /// With the order.
    Now,
    /// By the property.
    AtProperty,
}

/// Something that is paid at the property.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PropertyCharge {
    /// What for, e.g. `mandatory_fee`, `resort_fee`, `city_tax`.
    #[schema(example = "resort_fee")]
    pub name: String,
    /// For the whole stay and all rooms; null when the supplier says it in words only.
    pub amount: Option<Money>,
    /// The supplier's words, where there are any.
    pub note: Option<String>,
}

/// A hotel with its rates: what `group_by=property` lists.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PropertyOffers {
    /// The hotel.
    #[schema(value_type = Property)]
    pub property: serde_json::Value,
    /// The cheapest of its offers.
    pub cheapest: Option<OfferId>,
    /// Who sells it.
    #[schema(example = json!(["hotelbeds", "rapid"]))]
    pub suppliers: Vec<String>,
    /// Its rates, in the order that was asked for.
    pub offers: Vec<Offer>,
}
