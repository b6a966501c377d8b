//! What cancelling costs, in Rapid's words: whether a rate is refundable, penalties with their times
//! (an amount, a share of the total, or nights), and nights of the stay that give nothing back.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use travel_types::{Money, Warning, WarningCode};
use vertical_kit::CancellationTerm;

use super::wire::{CancelPenalty, DateRange, Policy};
use crate::cancellation::{self, Window};
use crate::model;

const PATH: &str = "conditions.cancellation";

/// The words, as they are remembered between search and order: what Rapid wrote, unread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Rules {
    refundable: Option<bool>,
    current: Option<String>,
    penalties: Option<String>,
    ranges: Option<String>,
}

impl Rules {
    /// The rules of a rate, or of a booked room's rate.
    pub(super) fn read(rate: &RawValue) -> Self {
        let policy: Policy = super::wire::part(rate).unwrap_or_default();
        let text = |raw: Option<Box<RawValue>>| raw.map(|raw| raw.get().to_owned());
        Self {
            refundable: policy.refundable,
            current: policy.current_refundability,
            penalties: text(policy.cancel_penalties),
            ranges: text(policy.nonrefundable_date_ranges),
        }
    }
}

/// What the rules are applied to.
#[derive(Debug)]
pub(super) struct Stay<'a> {
    /// What is paid for all rooms.
    pub(super) total: Money,
    /// The price of each night, if it is known.
    pub(super) nights: Option<&'a [Money]>,
    /// An amount of penalty is stated for one room: Rapid's itineraries state it so, room by room.
    pub(super) rooms: u32,
    pub(super) check_in: Date,
    pub(super) check_out: Date,
    /// IANA name of the zone that is likely the property's.
    pub(super) zone: Option<&'a str>,
    pub(super) now: Timestamp,
}

/// The schedule; none if Rapid does not say, or says it in a way that cannot be told truthfully.
pub(super) fn schedule(
    rules: &Rules,
    stay: &Stay<'_>,
    warnings: &mut Vec<Warning>,
) -> Option<Vec<CancellationTerm>> {
    let mut unknown = |message: &str| {
        warnings.push(Warning::new(WarningCode::DataQuality, PATH, message));
        None
    };
    let penalties: Vec<CancelPenalty> = match &rules.penalties {
        None => Vec::new(),
        Some(text) => match serde_json::from_str(text) {
            Ok(penalties) => penalties,
            Err(_) => return unknown("the penalties are not as the supplier documents them"),
        },
    };
    let offset = penalties.iter().find_map(offset_of);
    let named = || TimeZone::get(stay.zone?).ok();
    let zone = offset.or_else(named).unwrap_or(TimeZone::UTC);
    let end = cancellation::end_of_arrival(stay.check_in, &zone);
    let lost = match lost_nights(rules.ranges.as_deref(), stay) {
        Ok(lost) => lost,
        Err(message) => return unknown(message),
    };
    let nothing = rules.current.as_deref() == Some("non_refundable")
        || (rules.refundable == Some(false) && penalties.is_empty());
    if nothing || (lost > 0 && lost >= model::nights(stay.check_in, stay.check_out)) {
        return Some(cancellation::non_refundable(stay.total, end));
    }
    if lost > 0 {
        return unknown("some nights give nothing back, and the supplier does not say how much");
    }
    if penalties.is_empty() {
        // "fully refundable at the time of booking. Cancel penalties may still apply."
        return match rules.refundable {
            Some(_) => unknown("the rate is called refundable, and its penalties are not told"),
            None => None,
        };
    }
    let windows: Vec<Window> = penalties
        .iter()
        .map(|penalty| window(penalty, stay, &zone))
        .collect();
    let free_now = !windows
        .iter()
        .any(|window| window.from.is_none_or(|from| from <= stay.now));
    if rules.refundable == Some(false) && free_now {
        return unknown("the rate is called non-refundable, and its penalties begin later");
    }
    if rules.current.as_deref() == Some("partially_refundable") && free_now {
        return unknown("not everything comes back now, and the penalties begin later");
    }
    let (terms, doubts) = cancellation::terms(stay.total, &windows, end);
    warnings.extend(doubts);
    // A schedule that had to stop in the past says nothing about today.
    terms.filter(|terms| {
        let last = terms.last().map(|term| term.until);
        last.is_some_and(|until| until >= stay.now.min(end))
    })
}

/// The offset that Rapid writes its deadlines with: the property's.
fn offset_of(penalty: &CancelPenalty) -> Option<TimeZone> {
    let start = penalty.start.as_ref().or(penalty.end.as_ref())?;
    let pieces = Pieces::parse(start.as_str()).ok()?;
    pieces.to_numeric_offset().map(TimeZone::fixed)
}

fn window(penalty: &CancelPenalty, stay: &Stay<'_>, zone: &TimeZone) -> Window {
    let instant = |text: &str| -> Option<Timestamp> {
        text.parse().ok().or_else(|| {
            let local: DateTime = text.parse().ok()?;
            zone.to_timestamp(local).ok()
        })
    };
    let start = penalty.start.as_ref().map(|start| instant(start.as_str()));
    let end = penalty.end.as_ref().and_then(|end| instant(end.as_str()));
    match start {
        // A time that cannot be read may be any time.
        Some(None) => Window {
            from: None,
            until: None,
            penalty: None,
        },
        Some(Some(start)) => Window {
            from: Some(start),
            until: end,
            penalty: cost(penalty, stay),
        },
        None => Window {
            from: None,
            until: end,
            penalty: cost(penalty, stay),
        },
    }
}

/// The penalty in the currency of the total: an amount for each room, a share of the total and the price
/// of the first nights, together. None if a part of it cannot be told.
fn cost(penalty: &CancelPenalty, stay: &Stay<'_>) -> Option<Money> {
    let mut parts = Vec::new();
    if let Some(amount) = &penalty.amount {
        let currency = penalty.currency.as_deref();
        let currency = currency.unwrap_or(stay.total.currency().code());
        let amount = Money::parse(amount.as_str(), currency).ok()?;
        let rooms = amount.minor().checked_mul(i64::from(stay.rooms))?;
        parts.push(Money::new(rooms, amount.currency()));
    }
    if let Some(percent) = &penalty.percent {
        parts.push(share(stay.total, percent.as_str())?);
    }
    if let Some(nights) = &penalty.nights {
        let count: u32 = nights.as_str().parse().ok()?;
        parts.push(first_nights(count, stay)?);
    }
    let mut parts = parts.into_iter();
    let first = parts.next()?;
    parts.try_fold(first, |sum, part| sum.plus(part).ok())
}

/// `30%` of an amount, a fraction of a minor unit counted whole: a penalty is never told too small.
fn share(total: Money, percent: &str) -> Option<Money> {
    let digits = percent.trim().trim_end_matches('%').trim();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return None;
    }
    let percent: i128 = format!("{whole}{fraction}").parse().ok()?;
    let product = i128::from(total.minor()).checked_mul(percent)?;
    let divisor = scale.checked_mul(100)?;
    let rounded_up = product.checked_add(divisor - 1)?.div_euclid(divisor);
    Some(Money::new(
        i64::try_from(rounded_up).ok()?,
        total.currency(),
    ))
}

fn first_nights(count: u32, stay: &Stay<'_>) -> Option<Money> {
    if count >= model::nights(stay.check_in, stay.check_out) {
        return Some(stay.total);
    }
    let zero = Money::zero(stay.total.currency());
    let count = usize::try_from(count).ok()?;
    let nights = stay.nights?.get(..count)?;
    nights
        .iter()
        .try_fold(zero, |sum, night| sum.plus(*night).ok())
}

/// How many nights of the stay lie in ranges that give nothing back, "regardless of cancel penalty
/// windows".
fn lost_nights(ranges: Option<&str>, stay: &Stay<'_>) -> Result<u32, &'static str> {
    let Some(text) = ranges else { return Ok(0) };
    let odd = "the nights that give nothing back are not as the supplier documents them";
    let ranges: Vec<DateRange> = serde_json::from_str(text).map_err(|_| odd)?;
    let mut days = Vec::with_capacity(ranges.len());
    for range in ranges {
        let start: Date = range.start.as_str().parse().map_err(|_| odd)?;
        let end: Date = range.end.as_str().parse().map_err(|_| odd)?;
        days.push((start, end));
    }
    let lost = stay
        .check_in
        .series(jiff::Span::new().days(1))
        .take_while(|night| *night < stay.check_out)
        .filter(|night| {
            days.iter()
                .any(|(start, end)| start <= night && night <= end)
        })
        .count();
    u32::try_from(lost).map_err(|_| odd)
}
