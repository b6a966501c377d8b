//! Rapid's rates: what a stay in a room costs on each plan, and what giving it up costs.

use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use serde_json::{Map, Value, json};

use super::query::{Occupancy, Stay};
use crate::hotels::{Property, RoomType};
use crate::supplier::decimal;

/// Units of a currency in ten thousandths of a pound, more or less: those that Expedia's page "Hotel
/// currency options" (dev.ean.com) lists.
const PER_POUND: [(&str, i64); 34] = [
    ("AED", 47_700),
    ("ARS", 18_000_000),
    ("AUD", 19_800),
    ("BND", 17_300),
    ("BRL", 72_000),
    ("CAD", 17_500),
    ("CHF", 11_200),
    ("CNY", 94_000),
    ("DKK", 87_000),
    ("EGP", 640_000),
    ("EUR", 11_700),
    ("GBP", 10_000),
    ("HKD", 102_000),
    ("IDR", 216_000_000),
    ("ILS", 44_000),
    ("INR", 1_165_000),
    ("JPY", 2_050_000),
    ("KRW", 19_000_000),
    ("MOP", 105_000),
    ("MXN", 245_000),
    ("MYR", 55_000),
    ("NOK", 134_000),
    ("NZD", 23_000),
    ("PHP", 770_000),
    ("PLN", 49_800),
    ("RUB", 1_050_000),
    ("SAR", 48_700),
    ("SEK", 136_000),
    ("SGD", 17_300),
    ("THB", 430_000),
    ("TRY", 550_000),
    ("TWD", 410_000),
    ("USD", 13_000),
    ("VND", 345_000_000),
];

/// Those of them without a smaller unit (ISO 4217).
const WHOLE: [&str; 3] = ["JPY", "KRW", "VND"];

/// What a rate includes and whether it can be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Room only, refundable until some days before.
    Flexible,
    /// The same with breakfast.
    Breakfast,
    /// Room only, cheaper, never refundable.
    Saver,
}

impl Plan {
    pub(crate) const ALL: [Self; 3] = [Self::Flexible, Self::Breakfast, Self::Saver];

    /// As the last digit of a rate id.
    pub(crate) fn digit(self) -> &'static str {
        match self {
            Self::Flexible => "1",
            Self::Breakfast => "2",
            Self::Saver => "3",
        }
    }

    pub(crate) fn of(digit: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.digit() == digit)
    }

    fn percent(self) -> i64 {
        match self {
            Self::Flexible => 100,
            Self::Breakfast => 112,
            Self::Saver => 86,
        }
    }
}

/// An amount in another currency, in hundredths; none for a currency that is not traded here.
pub(crate) fn convert(amount: i64, from: &str, to: &str) -> Option<i64> {
    if from == to {
        return Some(amount);
    }
    let rate = |code: &str| {
        let mut rates = PER_POUND.iter();
        rates.find(|(known, _)| *known == code).map(|row| row.1)
    };
    let (from, to) = (rate(from)?, rate(to)?);
    Some((amount * to + from / 2) / from)
}

/// Hundredths as an amount of a currency.
fn written(hundredths: i64, currency: &str) -> String {
    if WHOLE.contains(&currency) {
        ((hundredths + 50) / 100).to_string()
    } else {
        decimal(hundredths)
    }
}

/// What each night of a stay costs in a room before plan and tax, in hundredths.
pub(crate) fn bases(property: &Property, room: &RoomType, stay: &Stay) -> Vec<i64> {
    stay.nights()
        .map(|night| property.price(room, night))
        .collect()
}

/// What one room costs for a whole stay, in hundredths of the billable currency.
#[derive(Clone, Debug)]
pub(crate) struct Price {
    /// Room and tax of each night.
    nights: Vec<(i64, i64)>,
    /// For adults beyond the second.
    extra: i64,
    /// Due at the property, by Rapid's name.
    fees: Vec<(&'static str, i64)>,
}

impl Price {
    /// `raise` is added to the first night; `bases` are [`bases`] of the room.
    pub(crate) fn of(
        property: &Property,
        bases: &[i64],
        plan: Plan,
        people: &Occupancy,
        raise: i64,
    ) -> Self {
        let mut raise = raise;
        let nights: Vec<(i64, i64)> = bases
            .iter()
            .map(|base| {
                let base = base * plan.percent() / 100;
                (base + std::mem::take(&mut raise), base * 12 / 100)
            })
            .collect();
        let count = i64::try_from(nights.len()).unwrap_or(i64::MAX);
        let adults = i64::from(people.adults);
        let mut fees = Vec::new();
        if property.chance("city tax", 3) == 0 {
            fees.push(("mandatory_tax", 250 * adults * count));
        }
        if property.half_stars >= 9 && property.amenities.contains(&"pool") {
            fees.push(("resort_fee", 1_500 * count));
        }
        if property.chance("linen", 12) == 0 {
            fees.push(("mandatory_fee", 1_200));
        }
        Self {
            nights,
            extra: (adults - 2).max(0) * 1_500 * count,
            fees,
        }
    }

    /// Without taxes.
    pub(crate) fn exclusive(&self) -> i64 {
        self.nights.iter().map(|(base, _)| base).sum::<i64>() + self.extra
    }

    /// What is paid now.
    pub(crate) fn inclusive(&self) -> i64 {
        self.exclusive() + self.nights.iter().map(|(_, tax)| tax).sum::<i64>()
    }

    fn first_night(&self) -> i64 {
        self.nights.first().map_or(0, |(base, tax)| base + tax)
    }

    /// As Rapid shows it, in the request currency too if there is one; `dealt` adds what it cost
    /// before a deal.
    pub(crate) fn shown(&self, billable: &str, request: Option<&str>, dealt: bool) -> Value {
        let charge = |kind: &str, amount: i64| json!({ "type": kind, "value": decimal(amount), "currency": billable });
        let both = |amount: i64| {
            let part = |amount: i64, currency: &str| json!({ "value": written(amount, currency), "currency": currency });
            let mut both = json!({ "billable_currency": part(amount, billable) });
            if let (Some(request), Some(map)) = (request, both.as_object_mut()) {
                let amount = convert(amount, billable, request).unwrap_or(amount);
                map.insert("request_currency".to_owned(), part(amount, request));
            }
            both
        };
        let nightly: Vec<Value> = self
            .nights
            .iter()
            .map(|(base, tax)| {
                json!([
                    charge("base_rate", *base),
                    charge("tax_and_service_fee", *tax)
                ])
            })
            .collect();
        let mut shown = Map::new();
        shown.insert("nightly".to_owned(), Value::from(nightly));
        if self.extra > 0 {
            let stay = json!([charge("extra_person_fee", self.extra)]);
            shown.insert("stay".to_owned(), stay);
        }
        let due: i64 = self.fees.iter().map(|(_, amount)| amount).sum();
        let mut totals = Map::new();
        let mut total = |name: &str, amount: i64| {
            totals.insert(name.to_owned(), both(amount));
        };
        total("inclusive", self.inclusive());
        total("exclusive", self.exclusive());
        total("property_inclusive", self.inclusive() + due);
        if dealt {
            total("strikethrough", self.exclusive() * 100 / 85);
            total("inclusive_strikethrough", self.inclusive() * 100 / 85);
        }
        if due > 0 {
            total("property_fees", due);
            let fees: Map<String, Value> = self
                .fees
                .iter()
                .map(|(name, amount)| ((*name).to_owned(), both(*amount)))
                .collect();
            shown.insert("fees".to_owned(), Value::from(fees));
        }
        shown.insert("totals".to_owned(), Value::from(totals));
        Value::from(shown)
    }
}

/// What a part of the time before a stay costs to whoever gives it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Penalty {
    Nights(i64),
    Percent(i64),
    /// Hundredths of the billable currency.
    Amount(i64),
}

/// The terms of a rate: from when to when, at the property, which penalty.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    windows: Vec<(Zoned, Zoned, Penalty)>,
    refundable: bool,
}

impl Terms {
    pub(crate) fn of(property: &Property, plan: Plan, stay: &Stay) -> Self {
        let Ok(zone) = jiff::tz::TimeZone::get(property.town.zone) else {
            return Self::never();
        };
        let at = |date: Date, before: i64, hour: i8| {
            date.checked_sub(before.days())
                .ok()?
                .to_datetime(Time::constant(hour, 0, 0, 0))
                .to_zoned(zone.clone())
                .ok()
        };
        if plan == Plan::Saver {
            return Self::never();
        }
        let rows: &[(i64, i64, Penalty)] = match property.chance("terms", 4) {
            0 => &[(1, 0, Penalty::Nights(1))],
            1 => &[(2, 0, Penalty::Percent(50))],
            2 => &[(3, 0, Penalty::Amount(4_000))],
            _ => &[(7, 1, Penalty::Percent(30)), (1, 0, Penalty::Percent(100))],
        };
        let windows = rows.iter().filter_map(|(from, to, penalty)| {
            let end = match to {
                0 => at(stay.checkout, 0, 11)?,
                days => at(stay.checkin, *days, 18)?,
            };
            Some((at(stay.checkin, *from, 18)?, end, *penalty))
        });
        Self {
            windows: windows.collect(),
            refundable: true,
        }
    }

    fn never() -> Self {
        Self {
            windows: Vec::new(),
            refundable: false,
        }
    }

    /// Whether all of the money comes back if the stay is given up now.
    pub(crate) fn free(&self, now: Timestamp) -> bool {
        let starts = self.windows.first().map(|(start, ..)| start.timestamp());
        self.refundable && starts.is_none_or(|start| now < start)
    }

    /// `refundable`, `partially_refundable` or `non_refundable`.
    pub(crate) fn word(&self, now: Timestamp) -> &'static str {
        let whole = |penalty: &Penalty| *penalty == Penalty::Percent(100);
        match self.present(now) {
            _ if !self.refundable => "non_refundable",
            None => "refundable",
            Some(penalty) if whole(&penalty) => "non_refundable",
            Some(_) => "partially_refundable",
        }
    }

    /// What comes back for one room if it is given up now, in hundredths.
    pub(crate) fn refund(&self, price: &Price, now: Timestamp) -> i64 {
        let total = price.inclusive();
        let penalty = match self.present(now) {
            _ if !self.refundable => total,
            None => 0,
            Some(Penalty::Nights(nights)) => price.first_night() * nights,
            Some(Penalty::Percent(percent)) => (total * percent + 50) / 100,
            Some(Penalty::Amount(amount)) => amount,
        };
        (total - penalty).max(0)
    }

    /// The penalty of this moment; after the stay it is all of it.
    fn present(&self, now: Timestamp) -> Option<Penalty> {
        let mut windows = self.windows.iter();
        let within = |(start, end, _): &&(Zoned, Zoned, Penalty)| {
            (start.timestamp()..end.timestamp()).contains(&now)
        };
        match windows.find(within) {
            Some((.., penalty)) => Some(*penalty),
            None if self.free(now) => None,
            None => Some(Penalty::Percent(100)),
        }
    }

    pub(crate) fn shown(&self, billable: &str) -> Value {
        self.windows
            .iter()
            .map(|(start, end, penalty)| {
                let (key, value) = match penalty {
                    Penalty::Nights(nights) => ("nights", nights.to_string()),
                    Penalty::Percent(percent) => ("percent", format!("{percent}%")),
                    Penalty::Amount(amount) => ("amount", decimal(*amount)),
                };
                json!({
                    "currency": billable,
                    "start": local(start),
                    "end": local(end),
                    key: value,
                })
            })
            .collect()
    }
}

/// `2018-02-12T11:59:00.000-08:00`.
fn local(at: &Zoned) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000%:z").to_string()
}

/// `2019-03-05T07:23:14.000Z`.
pub(crate) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The deposit of one room, if the property wants one: a fifth, a week before.
pub(crate) fn deposits(
    property: &Property,
    plan: Plan,
    stay: &Stay,
    billable: &str,
    total: i64,
) -> Option<Value> {
    if plan != Plan::Flexible || property.chance("deposit", 6) != 0 {
        return None;
    }
    let due = stay
        .checkin
        .checked_sub(SignedDuration::from_hours(7 * 24))
        .ok()?;
    Some(json!([{ "value": decimal(total / 5), "due": due.to_string(), "currency": billable }]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_without_a_smaller_unit_is_written_whole() {
        let yen = convert(10_050, "GBP", "JPY").unwrap();
        assert_eq!(written(yen, "JPY"), "20603");
        assert_eq!(written(10_050, "GBP"), "100.50");
        assert_eq!(convert(10_050, "GBP", "BHD"), None);
    }
}
