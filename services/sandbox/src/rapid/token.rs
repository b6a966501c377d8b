//! The tokens in Rapid's links. A token holds all that the next call needs, so that a search stores
//! nothing; a check word tells a token of ours from any other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::query::{Occupancy, Stay};
use super::rates::Plan;
use crate::chance::draw;

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The price check of a rate, its payment options too.
    Check,
    /// A booking.
    Book,
    /// More rates of the same property.
    Shop,
}

impl Use {
    fn letter(self) -> &'static str {
        match self {
            Self::Check => "c",
            Self::Book => "b",
            Self::Shop => "s",
        }
    }
}

/// One rate of one search, for one choice of beds.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) property: u64,
    /// Room type.
    pub(crate) room: String,
    pub(crate) plan: Plan,
    /// Which of the room's choices of beds.
    pub(crate) beds: usize,
    pub(crate) stay: Stay,
    /// Of the search.
    pub(crate) nonce: u64,
    /// By how much each room costs more than when it was searched, in hundredths.
    pub(crate) raise: i64,
    pub(crate) expires_at: Timestamp,
}

impl Offer {
    /// What stays the same about an offer while its price and its links change.
    fn identity(&self) -> String {
        let people: Vec<String> = self.stay.occupancies.iter().map(Occupancy::text).collect();
        format!(
            "{}|{}|{}|{}|{}|{}|{}|{}|{:x}",
            self.property,
            self.room,
            self.plan.digit(),
            self.beds,
            self.stay.checkin,
            self.stay.checkout,
            people.join(";"),
            self.stay.currency,
            self.nonce,
        )
    }

    /// The same number for all tokens of one offer.
    pub(crate) fn key(&self) -> u64 {
        draw(0, &self.identity())
    }

    pub(crate) fn token(&self, seed: u64, used: Use) -> String {
        seal(
            seed,
            &format!(
                "{}|{}|{}|{}",
                used.letter(),
                self.identity(),
                self.raise,
                self.expires_at.as_second(),
            ),
        )
    }

    /// Reads a token that is meant for `used`; none for any other, expired ones included.
    pub(crate) fn read(seed: u64, token: &str, used: Use, now: Timestamp) -> Option<Self> {
        let text = open(seed, token)?;
        let parts: Vec<&str> = text.split('|').collect();
        let [
            letter,
            property,
            room,
            plan,
            beds,
            checkin,
            checkout,
            people,
            currency,
            nonce,
            raise,
            expires,
        ] = parts.as_slice()
        else {
            return None;
        };
        let expires_at = Timestamp::from_second(expires.parse().ok()?).ok()?;
        if *letter != used.letter() || now >= expires_at {
            return None;
        }
        Some(Self {
            property: property.parse().ok()?,
            room: (*room).to_owned(),
            plan: Plan::of(plan)?,
            beds: beds.parse().ok()?,
            stay: Stay {
                checkin: checkin.parse().ok()?,
                checkout: checkout.parse().ok()?,
                occupancies: people
                    .split(';')
                    .map(Occupancy::parse)
                    .collect::<Option<Vec<Occupancy>>>()?,
                currency: (*currency).to_owned(),
            },
            nonce: u64::from_str_radix(nonce, 16).ok()?,
            raise: raise.parse().ok()?,
            expires_at,
        })
    }
}

/// The token that opens an itinerary.
pub(crate) fn of_itinerary(seed: u64, id: &str) -> String {
    seal(seed, &format!("i|{id}"))
}

/// Whether `token` opens the itinerary `id`.
pub(crate) fn opens(seed: u64, token: &str, id: &str) -> bool {
    open(seed, token).is_some_and(|text| text.strip_prefix("i|") == Some(id))
}

fn seal(seed: u64, text: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{text}#{:016x}", check(seed, text)))
}

fn open(seed: u64, token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (text, word) = text.rsplit_once('#')?;
    (u64::from_str_radix(word, 16).ok()? == check(seed, text)).then(|| text.to_owned())
}

fn check(seed: u64, text: &str) -> u64 {
    draw(seed ^ 0x5241_5049_4420_7633, text)
}
