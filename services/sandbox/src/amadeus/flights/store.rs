//! The offers that can still be ordered. A buyer sends the whole offer back, so an offer is known by
//! what makes it this offer and no other: its flights, fares and travellers.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::offer::Offer;
use crate::amadeus::platform::list;

/// How long an offer that is too old is still known, and then refused as such.
const KEPT_AFTER_EXPIRY: SignedDuration = SignedDuration::from_hours(1);
/// How many offers are remembered: about a kilobyte each, so that a long load test does not fill the
/// memory.
const KEPT: usize = 100_000;

/// An offer and what became of it.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) offer: Arc<Offer>,
    pub(crate) expires_at: Timestamp,
    /// By how much it is dearer now, in hundredths.
    pub(crate) raise: i64,
    /// The scenario PRICECHANGE has refused one order of this offer.
    pub(crate) refused_once: bool,
}

impl Kept {
    pub(crate) fn total(&self) -> i64 {
        self.offer.total() + self.raise
    }
}

#[derive(Default)]
pub(crate) struct Store {
    offers: HashMap<u64, Kept>,
    by_expiry: VecDeque<(Timestamp, u64)>,
}

impl Store {
    /// Keeps offers, each beside it as it was shown.
    pub(crate) fn keep(
        &mut self,
        offers: &[Arc<Offer>],
        shown: &[Value],
        life: Duration,
        now: Timestamp,
    ) {
        let later =
            |from: Timestamp, by: SignedDuration| from.checked_add(by).unwrap_or(Timestamp::MAX);
        let life = SignedDuration::try_from(life).unwrap_or(SignedDuration::MAX);
        let expires_at = later(now, life);
        while let Some((expiry, key)) = self.by_expiry.front().copied() {
            if self.by_expiry.len() < KEPT && later(expiry, KEPT_AFTER_EXPIRY) > now {
                break;
            }
            self.by_expiry.pop_front();
            self.offers.remove(&key);
        }
        for (offer, shown) in offers.iter().zip(shown) {
            let key = key(shown);
            let kept = Kept {
                offer: Arc::clone(offer),
                expires_at,
                raise: 0,
                refused_once: false,
            };
            self.offers.insert(key, kept);
            self.by_expiry.push_back((expires_at, key));
        }
    }

    /// The offer that a buyer sent back, if it is one that was made, unaltered but for its price.
    pub(crate) fn find(&mut self, sent: &Value) -> Option<&mut Kept> {
        self.offers.get_mut(&key(sent))
    }
}

/// A fingerprint of what makes an offer this offer. Prices and what other steps of the sale add or
/// leave out are no part of it.
fn key(offer: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut add = |value: Option<&Value>| {
        // Whatever a member is, it is told apart from what follows.
        match value {
            Some(Value::String(text)) => text.hash(&mut hasher),
            Some(Value::Null) | None => 0_u8.hash(&mut hasher),
            Some(other) => other.to_string().hash(&mut hasher),
        }
    };
    add(offer.get("id"));
    for itinerary in list(offer.get("itineraries")) {
        for segment in list(itinerary.get("segments")) {
            for path in [
                "/id",
                "/carrierCode",
                "/number",
                "/departure/iataCode",
                "/departure/at",
                "/arrival/iataCode",
                "/arrival/at",
            ] {
                add(segment.pointer(path));
            }
        }
        add(None);
    }
    for traveler in list(offer.get("travelerPricings")) {
        for name in ["travelerId", "travelerType", "associatedAdultId"] {
            add(traveler.get(name));
        }
        for detail in list(traveler.get("fareDetailsBySegment")) {
            for path in [
                "/segmentId",
                "/cabin",
                "/fareBasis",
                "/class",
                "/includedCheckedBags/quantity",
                "/includedCheckedBags/weight",
            ] {
                add(detail.pointer(path));
            }
        }
    }
    hasher.finish()
}
