//! What cancelling brings, from the provider's rules: a fee in percent or as an amount, for so long
//! before pick-up. Days and years are counted on the calendar of the place of pick-up, hours and minutes
//! on the clock.

use jiff::Span;
use jiff::civil::DateTime;
use serde_json::value::RawValue;
use supplier_client::tolerant::Literal;
use travel_types::jiff::Timestamp;
use travel_types::{LocalTime, Money, Warning, WarningCode};
use vertical_kit::CancellationTerm;

use super::wire;

const PATH: &str = "conditions.cancellation";

/// From when until when a rule holds, and what comes back then.
struct Window {
    from: Timestamp,
    until: Timestamp,
    refund: Money,
}

/// The schedule that the rules make: its terms in order, the first one of which holds `now`. None where
/// the rules do not tell what holds now, leave a gap, or contradict each other. What comes after the last
/// term is not told.
pub(super) fn terms(
    rules: Option<&RawValue>,
    pickup: &LocalTime,
    total: Money,
    now: Timestamp,
    warnings: &mut Vec<Warning>,
) -> Option<Vec<CancellationTerm>> {
    let rules = rules?;
    let mut flag = |message: &str| {
        warnings.push(Warning::new(WarningCode::DataQuality, PATH, message));
    };
    let Ok(rules) = serde_json::from_str::<Vec<wire::Rule>>(rules.get()) else {
        flag("the rules of cancelling cannot be read");
        return None;
    };
    let mut windows = Vec::with_capacity(rules.len());
    for rule in &rules {
        let Some(window) = window(rule, pickup, total, &mut flag) else {
            flag("a rule of cancelling cannot be read");
            return None;
        };
        windows.push(window);
    }
    windows.sort_by_key(|window| window.until);
    let pairs = windows.iter().zip(windows.iter().skip(1));
    if pairs
        .into_iter()
        .any(|(before, after)| before.until != after.from)
    {
        flag("the rules of cancelling leave a gap or overlap");
        return None;
    }
    // Before the first window nothing is told: a rule for the last day says nothing of the month before.
    if windows.first().is_none_or(|first| now < first.from) {
        return None;
    }
    let terms = windows.into_iter().map(|window| CancellationTerm {
        until: window.until,
        refund: window.refund,
    });
    Some(terms.collect())
}

fn window(
    rule: &wire::Rule,
    pickup: &LocalTime,
    total: Money,
    flag: &mut impl FnMut(&str),
) -> Option<Window> {
    let unit = rule.metric_type.as_deref()?;
    let window = Window {
        from: begin(pickup, unit, rule.metric_max.as_ref())?,
        until: before(pickup, unit, rule.metric_min.as_ref()?.as_str())?,
        refund: refund(rule, total, flag)?,
    };
    (window.from < window.until).then_some(window)
}

/// The instant so long before pick-up at the most: from ever where no most is told, or more than any clock
/// can count.
fn begin(pickup: &LocalTime, unit: &str, most: Option<&Literal>) -> Option<Timestamp> {
    let most = most.map_or("", Literal::as_str);
    if !most.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Whether the unit is a known one.
    before(pickup, unit, "0")?;
    Some(before(pickup, unit, most).unwrap_or(Timestamp::MIN))
}

/// The instant so long before pick-up.
fn before(pickup: &LocalTime, unit: &str, distance: &str) -> Option<Timestamp> {
    let distance: i64 = distance.parse().ok().filter(|distance| *distance >= 0)?;
    let span = Span::new();
    let calendar = match unit {
        "MINUTES" => {
            return pickup
                .utc()
                .checked_sub(span.try_minutes(distance).ok()?)
                .ok();
        }
        "HOURS" => {
            return pickup
                .utc()
                .checked_sub(span.try_hours(distance).ok()?)
                .ok();
        }
        "DAYS" => span.try_days(distance).ok()?,
        "YEARS" => span.try_years(distance).ok()?,
        _ => return None,
    };
    let local: DateTime = pickup.local().checked_sub(calendar).ok()?;
    let time = LocalTime::parse(&local.to_string(), pickup.zone()).ok()?;
    Some(time.utc())
}

/// What is left of the total. A fee above it takes all of it, and is flagged.
fn refund(rule: &wire::Rule, total: Money, flag: &mut impl FnMut(&str)) -> Option<Money> {
    let value = rule.fee_value.as_ref()?.as_str();
    let fee = match rule.fee_type.as_deref()? {
        "PERCENTAGE" => percentage(value, total)?,
        "VALUE" => {
            let currency = rule.currency_code.as_deref();
            Money::parse(value, currency.unwrap_or(total.currency().code())).ok()?
        }
        _ => return None,
    };
    if fee.minor() < 0 {
        return None;
    }
    let left = total.minus(fee).ok()?;
    if left.minor() < 0 {
        flag("a fee for cancelling is more than the total");
    }
    Some(Money::new(left.minor().max(0), total.currency()))
}

/// So many percent of the total; a fraction of the smallest unit counts as a whole one, so that no more
/// is promised than comes back.
fn percentage(value: &str, total: Money) -> Option<Money> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let parts: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 100 * 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let product = i128::from(total.minor()).checked_mul(parts)?;
    let fee = product.checked_add(scale - 1)? / scale;
    Some(Money::new(i64::try_from(fee).ok()?, total.currency()))
}
