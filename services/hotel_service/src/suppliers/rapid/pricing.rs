//! What a rate costs. Rapid prices each room by its occupancy: nights, what is charged for the whole stay,
//! totals, and what the property collects. Everything that is charged is in the billable currency; no
//! amount is computed where Rapid states one.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use travel_types::{Money, MoneyError, Warning, WarningCode};

use super::wire::{self, Amount, Charge, Pricing, Raw};
use crate::model::PropertyCharge;

/// The price of all rooms of a rate.
#[derive(Debug)]
pub(super) struct Price {
    pub(super) total: Money,
    pub(super) base: Option<Money>,
    pub(super) taxes: Option<Money>,
    /// What the property collects.
    pub(super) due: Vec<PropertyCharge>,
    /// The sum of each night; none if Rapid does not state it readably.
    pub(super) nights: Option<Vec<Money>>,
}

/// One room's share.
struct RoomPrice {
    inclusive: Money,
    exclusive: Option<Money>,
    nights: Option<Vec<Money>>,
    fees: Vec<Fee>,
}

/// What the property collects for one room.
struct Fee {
    name: String,
    billable: Money,
    requested: Option<Money>,
}

/// The price of rooms with these occupancies, each as it was asked for (`2-9,4`); the same twice is two
/// rooms. Doubts are added to `warnings`.
pub(super) fn price(
    by_occupancy: &BTreeMap<String, Raw>,
    occupancies: &[String],
    warnings: &mut Vec<Warning>,
) -> Result<Price, String> {
    let mut rooms = Vec::with_capacity(occupancies.len());
    for occupancy in occupancies {
        let raw = entry(by_occupancy, occupancy, occupancies, warnings)
            .ok_or("the price of a room is missing")?;
        rooms.push(room(raw, warnings)?);
    }
    summed(rooms, warnings)
}

/// The price of one room, as an itinerary states it.
pub(super) fn room_price(raw: &RawValue, warnings: &mut Vec<Warning>) -> Result<Price, String> {
    let one = room(raw, warnings)?;
    summed(vec![one], warnings)
}

/// The entry for a room: the occupancy as asked, or with its ages in another order, or the only one.
fn entry<'a>(
    by_occupancy: &'a BTreeMap<String, Raw>,
    occupancy: &str,
    all: &[String],
    warnings: &mut Vec<Warning>,
) -> Option<&'a Raw> {
    if let Some(raw) = by_occupancy.get(occupancy) {
        return Some(raw);
    }
    let wanted = sorted(occupancy);
    let same = |(key, _): &(&String, &Raw)| sorted(key) == wanted;
    if let Some((_, raw)) = by_occupancy.iter().find(same) {
        return Some(raw);
    }
    let mut entries = by_occupancy.values();
    let (Some(only), None) = (entries.next(), entries.next()) else {
        return None;
    };
    if all.iter().any(|other| sorted(other) != wanted) {
        return None;
    }
    let message = "the supplier prices another occupancy than was asked for, and no other";
    warnings.push(Warning::new(WarningCode::DataQuality, "total", message));
    Some(only)
}

/// Adults and the ages of the children, which may stand in any order.
fn sorted(occupancy: &str) -> (&str, Vec<&str>) {
    let (adults, ages) = occupancy.split_once('-').unwrap_or((occupancy, ""));
    let mut ages: Vec<&str> = ages.split(',').map(str::trim).collect();
    ages.sort_unstable();
    (adults.trim(), ages)
}

fn summed(rooms: Vec<RoomPrice>, warnings: &mut Vec<Warning>) -> Result<Price, String> {
    let total = sum(rooms.iter().map(|room| room.inclusive))?.ok_or("no room has a price")?;
    let exclusive: Option<Vec<Money>> = rooms.iter().map(|room| room.exclusive).collect();
    let base = exclusive.and_then(|parts| sum(parts.into_iter()).ok().flatten());
    let mut taxes = base.and_then(|base| total.minus(base).ok());
    if taxes.is_some_and(|taxes| taxes.minor() < 0) {
        let message = "the price without taxes is greater than the total";
        warnings.push(Warning::new(WarningCode::SumMismatch, "base", message));
        taxes = None;
    }
    let nights: Option<Vec<&Vec<Money>>> = rooms.iter().map(|room| room.nights.as_ref()).collect();
    let nights = nights.and_then(|rooms| {
        let count = rooms.first()?.len();
        (0..count)
            .map(|night| {
                let shares: Option<Vec<Money>> =
                    rooms.iter().map(|room| room.get(night).copied()).collect();
                sum(shares?.into_iter()).ok().flatten()
            })
            .collect()
    });
    let due = due(rooms.into_iter().flat_map(|room| room.fees))?;
    Ok(Price {
        total,
        base,
        taxes,
        due,
        nights,
    })
}

fn sum(parts: impl Iterator<Item = Money>) -> Result<Option<Money>, String> {
    let mut sum: Option<Money> = None;
    for part in parts {
        sum = Some(match sum {
            Some(sum) => sum.plus(part).map_err(|error| error.to_string())?,
            None => part,
        });
    }
    Ok(sum)
}

fn room(raw: &RawValue, warnings: &mut Vec<Warning>) -> Result<RoomPrice, String> {
    let pricing: Pricing =
        serde_json::from_str(raw.get()).map_err(|_| "a price is not as Rapid describes it")?;
    let totals = pricing.totals.unwrap_or_default();
    let inclusive = totals
        .inclusive
        .as_ref()
        .and_then(|charge| charge.billable_currency.as_ref())
        .ok_or("totals.inclusive is missing")?;
    let inclusive = money(inclusive).map_err(|error| format!("totals.inclusive: {error}"))?;
    if inclusive.minor() < 0 {
        return Err("the total is below zero".to_owned());
    }
    let exclusive = described(totals.exclusive.as_ref(), "base", warnings).filter(|exclusive| {
        let same = exclusive.currency() == inclusive.currency();
        if !same {
            let message = "is in another currency than the total and is left out";
            warnings.push(Warning::new(WarningCode::DataQuality, "base", message));
        }
        same && exclusive.minor() >= 0
    });
    let nights = breakdown(
        pricing.nightly.as_ref(),
        pricing.stay.as_ref(),
        inclusive,
        warnings,
    );
    let fees = fees(
        pricing.fees.as_ref(),
        totals.property_fees.as_ref(),
        warnings,
    );
    Ok(RoomPrice {
        inclusive,
        exclusive,
        nights,
        fees,
    })
}

fn money(amount: &Amount) -> Result<Money, String> {
    let value = amount.value.as_ref().ok_or("an amount has no value")?;
    let currency = amount
        .currency
        .as_deref()
        .ok_or("an amount has no currency")?;
    Money::parse(value.as_str(), currency).map_err(|error| error.to_string())
}

/// An amount that may be left out, with a warning if it cannot be kept.
fn described(charge: Option<&Charge>, path: &str, warnings: &mut Vec<Warning>) -> Option<Money> {
    let amount = charge?.billable_currency.as_ref()?;
    let (value, currency) = (amount.value.as_ref()?, amount.currency.as_deref()?);
    Money::parse(value.as_str(), currency)
        .inspect_err(|error| {
            let code = match error {
                MoneyError::Precision { .. } => WarningCode::AmountPrecision,
                _ => WarningCode::DataQuality,
            };
            let message = "an amount cannot be read and is left out";
            warnings.push(Warning::new(code, path, message));
        })
        .ok()
}

/// The sum of each night. Flags a breakdown that is not as documented (the specification's own example
/// of a changed price has an object where lists belong) or does not add up to the total.
fn breakdown(
    nightly: Option<&Raw>,
    stay: Option<&Raw>,
    inclusive: Money,
    warnings: &mut Vec<Warning>,
) -> Option<Vec<Money>> {
    let mut flag = |code, message: &str| warnings.push(Warning::new(code, "total", message));
    let Some(nightly) = nightly else {
        if stay.is_some_and(|stay| wire::part::<Vec<Amount>>(stay).is_none()) {
            let message = "the charges for the stay are not as the supplier documents them";
            flag(WarningCode::DataQuality, message);
        }
        return None;
    };
    let read: Option<Vec<Vec<Amount>>> = wire::part(nightly);
    let stay: Option<Vec<Amount>> = stay.map_or(Some(Vec::new()), |stay| wire::part(stay));
    let (Some(read), Some(stay)) = (read, stay) else {
        let message = "the breakdown of the price is not as the supplier documents it";
        flag(WarningCode::DataQuality, message);
        return None;
    };
    let zero = Money::zero(inclusive.currency());
    let add = |lines: &[Amount]| {
        lines.iter().try_fold(zero, |sum, line| {
            let line = money(line)?;
            sum.plus(line).map_err(|error| error.to_string())
        })
    };
    let nights: Result<Vec<Money>, String> = read.iter().map(|night| add(night)).collect();
    let whole = nights.as_ref().ok().zip(add(&stay).ok());
    let whole = whole.and_then(|(nights, stay)| {
        let mut nights = nights.iter();
        nights.try_fold(stay, |sum, night| sum.plus(*night).ok())
    });
    match whole {
        Some(whole) if whole == inclusive => {}
        Some(_) => flag(
            WarningCode::SumMismatch,
            "nights and charges for the stay do not add up to the total",
        ),
        None => flag(
            WarningCode::DataQuality,
            "the breakdown of the price cannot be read or mixes currencies",
        ),
    }
    nights.ok()
}

/// What the property collects for a room, by name.
fn fees(raw: Option<&Raw>, stated: Option<&Charge>, warnings: &mut Vec<Warning>) -> Vec<Fee> {
    const PATH: &str = "details.due_at_property";
    let mut flag = |code, message: &str| warnings.push(Warning::new(code, PATH, message));
    let named: BTreeMap<String, Raw> = match raw {
        None => BTreeMap::new(),
        Some(raw) => wire::part(raw).unwrap_or_else(|| {
            let message = "what the property collects is not as the supplier documents it";
            flag(WarningCode::DataQuality, message);
            BTreeMap::new()
        }),
    };
    let mut fees = Vec::with_capacity(named.len());
    for (name, raw) in named {
        let charge: Option<Charge> = wire::part(&raw);
        let billable = charge
            .as_ref()
            .and_then(|charge| charge.billable_currency.as_ref());
        match billable.map(money) {
            Some(Ok(billable)) if billable.minor() > 0 => fees.push(Fee {
                name,
                billable,
                requested: charge.and_then(|charge| money(charge.request_currency.as_ref()?).ok()),
            }),
            Some(Ok(billable)) if billable.minor() == 0 => {}
            _ => flag(
                WarningCode::DataQuality,
                "a charge of the property's cannot be read and is left out",
            ),
        }
    }
    let sum = sum(fees.iter().map(|fee| fee.billable)).ok().flatten();
    let stated_sum = stated.and_then(|charge| money(charge.billable_currency.as_ref()?).ok());
    match (sum, stated_sum) {
        (None, Some(stated)) if fees.is_empty() && stated.minor() > 0 => fees.push(Fee {
            name: "property_fees".to_owned(),
            billable: stated,
            requested: None,
        }),
        (Some(sum), Some(stated)) if sum.currency() == stated.currency() && sum != stated => flag(
            WarningCode::SumMismatch,
            "the charges of the property do not add up to the sum that the supplier states",
        ),
        _ => {}
    }
    fees
}

/// One charge per name and currency, for all rooms.
fn due(fees: impl Iterator<Item = Fee>) -> Result<Vec<PropertyCharge>, String> {
    let mut merged: Vec<Fee> = Vec::new();
    for fee in fees {
        let same = |other: &&mut Fee| {
            other.name == fee.name && other.billable.currency() == fee.billable.currency()
        };
        match merged.iter_mut().find(same) {
            Some(known) => {
                let added = known.billable.plus(fee.billable);
                known.billable = added.map_err(|error| error.to_string())?;
                known.requested = known
                    .requested
                    .zip(fee.requested)
                    .and_then(|(one, other)| one.plus(other).ok());
            }
            None => merged.push(fee),
        }
    }
    let charge = |fee: Fee| {
        let requested = fee
            .requested
            .filter(|requested| requested.currency() != fee.billable.currency());
        PropertyCharge {
            name: fee.name,
            amount: Some(fee.billable),
            note: requested.map(|requested| format!("about {requested}")),
        }
    };
    Ok(merged.into_iter().map(charge).collect())
}
