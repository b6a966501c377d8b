//! What a simulated supplier is to the sandbox, and what every one of them works with: the same clock,
//! journal, faults and inventory, whatever it sells.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use http::Method;
use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize as _;
use serde_json::Value;

use crate::Options;
use crate::answer::Answer;
use crate::clock::Clock;
use crate::faults::{Faults, Operation};
use crate::inventory::{Inventory, Units};
use crate::journal::{Effect, Journal, Kind, Line};

/// How a supplier fails, in its own words, when a fault says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// 429.
    RateLimit,
}

/// One simulated supplier.
pub(crate) trait Simulator: Send + Sync {
    /// What it works with.
    fn office(&self) -> &Office;

    /// Its endpoints, as the supplier's paths have them, below `/<name>`. Every handler answers with
    /// an [`Answer`]; [`crate::front`] does the rest.
    fn routes(self: Arc<Self>) -> Router;

    /// Which operation of the fault table a request is; none for those that no fault can hit. The path
    /// begins after `/<name>`.
    fn operation(&self, method: &Method, path: &str) -> Option<Operation>;

    /// Checks credentials and required headers.
    ///
    /// # Errors
    /// The supplier's refusal.
    fn admit(&self, request: &Parts) -> Result<(), Answer>;

    /// The supplier's words for a failure.
    fn failure(&self, failure: Failure) -> Answer;

    /// Adds what stands on every answer: rate-limit headers, request ids, media types.
    fn finish(&self, answer: &mut Answer);

    /// The names of the keys that identify a thing in its answers; the fault `missing_key` takes them
    /// away.
    fn keys(&self) -> &'static [&'static str];

    /// Does again what a journal line says was done; [`Kind::Stock`] is done by the sandbox.
    ///
    /// # Errors
    /// The line's record is not one of this simulator's.
    fn replay(&self, line: &Line) -> Result<(), serde_json::Error>;

    /// Forgets everything but the inventory, which the sandbox resets.
    fn reset(&self);
}

/// What a simulator works with.
pub(crate) struct Office {
    /// The supplier's name in paths, faults and journal lines.
    pub(crate) name: &'static str,
    /// An item of its inventory, as an example for people.
    pub(crate) example_item: &'static str,
    pub(crate) seed: u64,
    /// How long an offer can be ordered.
    pub(crate) offer_life: Duration,
    /// How late the scenario SLOW answers an order.
    pub(crate) slow: Duration,
    /// ISO 4217 code of its prices; two decimals.
    pub(crate) currency: String,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<Journal>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) inventory: Inventory,
    pub(crate) rate_limit: u32,
    pub(crate) enforce_rate_limit: bool,
    /// The present minute, and the requests answered in it.
    window: Mutex<(i64, u32)>,
}

/// An effect to be written down.
pub(crate) struct Deed<'a> {
    pub(crate) kind: Kind,
    pub(crate) supplier_reference: &'a str,
    pub(crate) client_reference: Option<&'a str>,
    /// In hundredths.
    pub(crate) amount: i64,
    pub(crate) currency: &'a str,
    pub(crate) units: &'a [Units],
    /// What [`Simulator::replay`] needs to do it again.
    pub(crate) record: Value,
}

impl Office {
    /// `capacity` tells how many units an inventory item has at first; 0 for a name that is no item.
    pub(crate) fn new(
        name: &'static str,
        example_item: &'static str,
        capacity: fn(u64, &str) -> u32,
        options: &Options,
        journal: &Arc<Journal>,
        faults: &Arc<Faults>,
    ) -> Self {
        Self {
            name,
            example_item,
            seed: options.seed,
            offer_life: options.offer_life,
            slow: options.slow_order,
            currency: options.currency.clone(),
            clock: options.clock.clone(),
            journal: Arc::clone(journal),
            faults: Arc::clone(faults),
            inventory: Inventory::new(options.seed, capacity),
            rate_limit: options.rate_limit,
            enforce_rate_limit: options.enforce_rate_limit,
            window: Mutex::default(),
        }
    }

    /// Writes an effect to the journal; it is on disk afterwards.
    ///
    /// # Errors
    /// The journal's.
    pub(crate) async fn record(&self, deed: Deed<'_>) -> std::io::Result<()> {
        let items: Vec<&str> = deed.units.iter().map(|(item, _)| item.as_str()).collect();
        self.journal
            .append(Line {
                effect: Effect {
                    seq: 0,
                    at: self.clock.now(),
                    supplier: self.name.to_owned(),
                    kind: deed.kind,
                    supplier_reference: deed.supplier_reference.to_owned(),
                    client_reference: deed.client_reference.map(str::to_owned),
                    amount: Some(decimal(deed.amount)),
                    currency: Some(deed.currency.to_owned()),
                    item: Some(items.join(",")),
                },
                record: deed.record,
            })
            .await
    }

    /// From when on an order that is made now can be looked up.
    pub(crate) fn visible_at(&self) -> Timestamp {
        self.clock
            .after(self.faults.lag(self.name, Operation::Order))
    }

    /// Tells of an order, by when it was made and from when on it is visible, whether this look-up
    /// sees it.
    pub(crate) fn sight(&self) -> impl Fn(Timestamp, Timestamp) -> bool + use<> {
        let now = self.clock.now();
        let lag = self.faults.lag(self.name, Operation::Retrieve);
        let lag = SignedDuration::try_from(lag).unwrap_or_default();
        move |created_at, visible_at| {
            let seen = created_at.checked_add(lag).unwrap_or(Timestamp::MAX);
            now >= visible_at && now >= seen
        }
    }

    /// Counts a request; how many are left of the present minute's promise. A promise that is not
    /// enforced never looks used up: a careful client would wait.
    pub(crate) fn count_request(&self) -> u32 {
        let minute = self.minute();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.0 != minute {
            *window = (minute, 0);
        }
        window.1 = window.1.saturating_add(1);
        let left = self.rate_limit.saturating_sub(window.1);
        if self.enforce_rate_limit {
            left
        } else {
            left.max(1)
        }
    }

    /// Whether the promise is enforced and used up.
    pub(crate) fn over_limit(&self) -> bool {
        let minute = self.minute();
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        self.enforce_rate_limit && window.0 == minute && window.1 >= self.rate_limit
    }

    /// When the present minute is over.
    pub(crate) fn next_minute(&self) -> Timestamp {
        Timestamp::from_second((self.minute() + 1) * 60).unwrap_or(Timestamp::MAX)
    }

    fn minute(&self) -> i64 {
        self.clock.now().as_second() / 60
    }

    /// Does a line about stock again.
    ///
    /// # Errors
    /// The line's record is no number.
    pub(crate) fn restock(&self, line: &Line) -> Result<(), serde_json::Error> {
        let units = u32::deserialize(&line.record)?;
        let item = line.effect.item.as_deref().unwrap_or_default();
        self.inventory.set(item, units);
        Ok(())
    }
}

/// Hundredths as a decimal string with two digits.
pub(crate) fn decimal(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let amount = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", amount / 100, amount % 100)
}

/// `"221.78"`, `"1500"` or `"20.0"` in hundredths; none for anything finer or else.
pub(crate) fn hundredths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let (cents, rest) = match fraction.as_bytes() {
        [_] => (fraction.parse::<i64>().ok()? * 10, ""),
        _ => (fraction.get(..2)?.parse().ok()?, fraction.get(2..)?),
    };
    if rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(100)?
        .checked_add(cents)
}

#[cfg(test)]
mod tests {
    use super::hundredths;

    #[test]
    fn amounts_are_read_whatever_their_zeros() {
        for (text, value) in [
            ("221.78", Some(22_178)),
            ("1500", Some(150_000)),
            ("20.0", Some(2_000)),
            ("20.000", Some(2_000)),
            ("20.005", None),
            ("-1.00", None),
            ("1e3", None),
            ("", None),
            ("1.", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(hundredths(text), value, "{text}");
        }
    }
}
