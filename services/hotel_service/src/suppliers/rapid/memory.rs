//! What the adapter remembers of an offer and of the order made from it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::penalties::Rules;
use crate::model::{Guests, HotelDetails, PaymentTime};

/// The memory of an offer; of an order once it is placed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Where the present price is asked for.
    pub(super) price_check: String,
    /// Where it is booked, once its price was checked.
    pub(super) book: Option<BookLink>,
    /// What cancelling costs, in Rapid's words.
    pub(super) rules: Rules,
    /// IANA name of the zone that is likely the property's.
    pub(super) zone: Option<String>,
    /// What was shown at the time of the search: a price check tells prices only.
    pub(super) details: HotelDetails,
    /// The order's id with Rapid.
    pub(super) itinerary_id: Option<String>,
    /// Where the order can be read without naming an address of mail.
    pub(super) retrieve: Option<String>,
}

/// Where a checked price can be booked, and until when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BookLink {
    pub(super) href: String,
    pub(super) expires: Option<Timestamp>,
}

impl Memory {
    /// Reads it back.
    pub(super) fn read(handle: &Value) -> Result<Self, String> {
        serde_json::from_value(handle.clone())
            .map_err(|error| format!("what was remembered of the offer is not readable: {error}"))
    }

    /// As it is kept.
    pub(super) fn handle(&self) -> Result<Value, String> {
        serde_json::to_value(self).map_err(|error| error.to_string())
    }

    /// The rooms as Rapid is asked for them.
    pub(super) fn occupancies(&self) -> Vec<String> {
        let rooms = self.details.rooms.iter();
        rooms.map(|room| occupancy(&room.guests)).collect()
    }

    /// Whether the property takes the money itself.
    pub(super) fn paid_at_property(&self) -> bool {
        self.details.payment == PaymentTime::AtProperty
    }

    /// The days of the stay.
    pub(super) fn days(&self) -> (Date, Date) {
        (self.details.check_in, self.details.check_out)
    }
}

/// `2-9,4`: two adults and children of nine and four.
pub(super) fn occupancy(guests: &Guests) -> String {
    let ages: Vec<String> = guests.children_ages.iter().map(u32::to_string).collect();
    if ages.is_empty() {
        return guests.adults.to_string();
    }
    format!("{}-{}", guests.adults, ages.join(","))
}
