//! One rate: its price, who it is for, its taxes, its penalties, and what the hotel wants guests to know.

use serde_json::value::RawValue;
use supplier_client::tolerant::Literal;
use travel_types::jiff::Timestamp;
use travel_types::jiff::fmt::temporal::Pieces;
use travel_types::jiff::tz::TimeZone;
use travel_types::{Currency, Money, MoneyError, Warning, WarningCode};
use vertical_kit::mapping;

use super::stay::{Penalty, Rate};
use super::{wire, words};
use crate::{Board, Guests, PaymentTime, PropertyCharge};

/// What a rate leaves to its hotel.
pub(super) struct Terms<'a> {
    pub(super) currency: Option<&'a str>,
    /// IANA name of the zone near the hotel.
    pub(super) zone: Option<&'a str>,
    pub(super) nights: u32,
}

/// Whom a rate says that it is for.
pub(super) struct Occupancy {
    pub(super) rooms: Option<usize>,
    adults: Option<u32>,
    children: Option<usize>,
    ages: Option<Vec<u32>>,
}

/// Reads whom a rate is for.
pub(super) fn occupancy(rate: &wire::Rate) -> Occupancy {
    let count = |number: &Option<Literal>| number.as_ref()?.as_str().parse::<u32>().ok();
    let size = |number: &Option<Literal>| usize::try_from(count(number)?).ok();
    let ages = rate.children_ages.as_deref().map(ages);
    Occupancy {
        rooms: size(&rate.rooms).filter(|rooms| (1..=99).contains(rooms)),
        adults: count(&rate.adults),
        children: size(&rate.children),
        ages: ages.filter(|ages| !ages.is_empty()),
    }
}

/// Ages, however they are put: `5,6`, `5~6`, `[5, 6]`.
fn ages(raw: &RawValue) -> Vec<u32> {
    let mut ages: Vec<u32> = raw
        .get()
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|age| age.parse().ok())
        .collect();
    ages.sort_unstable();
    ages
}

impl Occupancy {
    /// Whether nothing that it says speaks against these guests in so many rooms.
    pub(super) fn fits(&self, guests: &Guests, rooms: usize) -> bool {
        self.rooms.is_none_or(|told| told == rooms)
            && self.adults.is_none_or(|told| told == guests.adults)
            && self
                .children
                .is_none_or(|told| told == guests.children_ages.len())
            && self
                .ages
                .as_ref()
                .is_none_or(|told| *told == guests.children_ages)
    }

    /// The guests that it is for, where it says nothing else those searched for.
    pub(super) fn guests(&self, searched: &Guests) -> Result<Guests, String> {
        let children = self.children.or(self.ages.as_ref().map(Vec::len));
        let children = children.unwrap_or(searched.children_ages.len());
        let ages = match &self.ages {
            Some(ages) if ages.len() == children => ages.clone(),
            _ if children == searched.children_ages.len() => searched.children_ages.clone(),
            _ if children == 0 => Vec::new(),
            _ => return Err("is for children of ages that it does not tell".to_owned()),
        };
        Ok(Guests {
            adults: self.adults.unwrap_or(searched.adults),
            children_ages: ages,
        })
    }
}

/// A rate of certain rooms with certain guests.
pub(super) fn rate(
    rate: &wire::Rate,
    room: &wire::Room,
    guests: &Guests,
    rooms: Vec<usize>,
    terms: &Terms<'_>,
) -> Result<Rate, String> {
    let mut warnings = Vec::new();
    let key = rate.rate_key.as_ref().filter(|key| !key.is_empty());
    let price = price(rate, terms.currency)?;
    let (board, doubt) = board(rate);
    warnings.extend(doubt);
    let class = rate.rate_class.clone();
    let (taxes, charges) = taxes(rate, price.total, &mut warnings);
    let penalties = penalties(rate, price, terms, &mut warnings);
    let stated = penalties
        .iter()
        .flatten()
        .filter_map(|penalty| penalty.amount);
    if price.mandatory
        && stated
            .clone()
            .next_back()
            .is_some_and(|last| last != price.total)
    {
        let message = "the penalties may be stated on the supplier's net price";
        let path = "conditions.cancellation";
        warnings.push(Warning::new(WarningCode::DataQuality, path, message));
    }
    Ok(Rate {
        key: key.ok_or("a rate without a key")?.clone(),
        recheck: rate.rate_type.as_deref() == Some("RECHECK"),
        card: false,
        non_refundable: class.as_deref() == Some(words::NON_REFUNDABLE),
        rate_name: words::rate_name(class.as_deref()),
        class,
        rooms,
        guests: guests.clone(),
        room_name: room
            .name
            .as_deref()
            .or(room.code.as_deref())
            .map(words::tidy)
            .unwrap_or_default(),
        room_code: room.code.clone(),
        board: board.unwrap_or(Board::RoomOnly),
        payment: match rate.payment_type.as_deref() {
            Some("AT_HOTEL") => PaymentTime::AtProperty,
            _ => PaymentTime::Now,
        },
        price: price.total,
        taxes,
        penalties,
        charges,
        remarks: remarks(rate, board.is_none()),
        left: rate
            .allotment
            .as_ref()
            .and_then(|left| left.as_str().parse().ok()),
        warnings,
    })
}

/// What a rate costs.
#[derive(Clone, Copy)]
struct Price {
    total: Money,
    /// It is the price that the hotel wants to be sold at.
    mandatory: bool,
}

/// The selling rate where the hotel insists on it, else the net price.
fn price(rate: &wire::Rate, currency: Option<&str>) -> Result<Price, String> {
    let currency = currency.ok_or("the currency is missing")?;
    let mandatory = rate.hotel_mandatory.is_some_and(|flag| flag.0);
    let (stated, name) = if mandatory {
        (&rate.selling_rate, "sellingRate")
    } else {
        (&rate.net, "net")
    };
    let literal = stated
        .as_ref()
        .ok_or_else(|| format!("{name} is missing"))?;
    let total =
        Money::parse(literal.as_str(), currency).map_err(|error| format!("total: {error}"))?;
    if total.minor() < 0 {
        return Err("the total is below zero".to_owned());
    }
    Ok(Price { total, mandatory })
}

fn board(rate: &wire::Rate) -> (Option<Board>, Option<Warning>) {
    let board = words::board(rate.board_code.as_deref(), rate.board_name.as_deref());
    let doubt = board.is_none().then(|| {
        let message = "the supplier's board is not one of ours; see remarks";
        Warning::new(WarningCode::DataQuality, "details.board", message)
    });
    (board, doubt)
}

fn remarks(rate: &wire::Rate, odd_board: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut add = |text: &str| {
        let text = words::tidy(text);
        if !text.is_empty() && !remarks.contains(&text) {
            remarks.push(text);
        }
    };
    if odd_board && let Some(name) = rate.board_name.as_deref().or(rate.board_code.as_deref()) {
        add(&format!("Board: {name}"));
    }
    for comment in rate.rate_comments.iter().flat_map(|text| text.lines()) {
        add(comment);
    }
    for named in rate.promotions.iter().chain(&rate.offers).flatten() {
        for text in [&named.name, &named.remark].into_iter().flatten() {
            add(text);
        }
    }
    if rate.packaging.is_some_and(|flag| flag.0) {
        add("A rate for packages: to be sold together with another service.");
    }
    remarks
}

/// An amount beside the price; flagged if it is none.
fn amount(
    stated: Option<&Literal>,
    currency: &str,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Option<Money> {
    let (code, message) = match Money::parse(stated?.as_str(), currency) {
        Ok(money) if money.minor() >= 0 => return Some(money),
        Ok(_) => (
            WarningCode::DataQuality,
            "is below zero and left out".to_owned(),
        ),
        Err(error) => mapping::doubt(&error),
    };
    warnings.push(Warning::new(code, path, message));
    None
}

/// What a rate of a booking says beside its price: what is due at the property, and its comments, which
/// a search does not tell.
pub(super) fn notes(rate: &wire::Rate, currency: Currency) -> (Vec<PropertyCharge>, Vec<String>) {
    let mut doubts = Vec::new();
    let (_, charges) = taxes(rate, Money::zero(currency), &mut doubts);
    (charges, remarks(rate, false))
}

/// The taxes that the price holds, where all of them are told, and what is due at the property: as it
/// stands in figures, else as a comment puts it.
fn taxes(
    rate: &wire::Rate,
    price: Money,
    warnings: &mut Vec<Warning>,
) -> (Option<Money>, Vec<PropertyCharge>) {
    let (included, mut charges) = figures(rate, price, warnings);
    if charges.is_empty() {
        charges.extend(rate.rate_comments.as_deref().and_then(words::charge_in));
    }
    (included, charges)
}

fn figures(
    rate: &wire::Rate,
    price: Money,
    warnings: &mut Vec<Warning>,
) -> (Option<Money>, Vec<PropertyCharge>) {
    let Some(raw) = &rate.taxes else {
        return (None, Vec::new());
    };
    let read = serde_json::from_str::<wire::Taxes>(raw.get());
    let plain = |taxes| wire::Taxes {
        taxes,
        all_included: None,
    };
    let Ok(told) = read.or_else(|_| serde_json::from_str(raw.get()).map(plain)) else {
        let message = "the taxes cannot be read";
        warnings.push(Warning::new(WarningCode::DataQuality, "taxes", message));
        return (None, Vec::new());
    };
    let mut included: Option<Option<Money>> = None;
    let mut charges = Vec::new();
    for entry in &told.taxes {
        let Ok(tax) = serde_json::from_str::<wire::Tax>(entry.get()) else {
            let message = "a tax cannot be read and is left out";
            warnings.push(Warning::new(WarningCode::DataQuality, "taxes", message));
            included = Some(None);
            continue;
        };
        if tax
            .included
            .or(told.all_included)
            .is_some_and(|flag| flag.0)
        {
            let currency = price.currency();
            let known = tax.amount.as_ref().filter(|_| {
                let told = tax.currency.as_deref();
                told.is_none_or(|code| code == currency.code())
            });
            let known = amount(known, currency.code(), "taxes", warnings);
            let sum = included.unwrap_or(Some(Money::zero(currency)));
            included = Some(sum.zip(known).and_then(|(sum, known)| sum.plus(known).ok()));
        } else {
            charges.push(charge(&tax, warnings));
        }
    }
    let included = included.flatten();
    if included.is_some_and(|taxes| taxes.minor() > price.minor()) {
        let message = "the included taxes are greater than the total";
        warnings.push(Warning::new(WarningCode::SumMismatch, "taxes", message));
    }
    (included, charges)
}

/// A tax that is paid at the property: in the property's currency where that is told, else in ours.
fn charge(tax: &wire::Tax, warnings: &mut Vec<Warning>) -> PropertyCharge {
    let path = "details.due_at_property";
    let own = tax.currency.as_deref().zip(tax.amount.as_ref());
    let ours = tax
        .client_currency
        .as_deref()
        .zip(tax.client_amount.as_ref());
    let stated = own.or(ours);
    let money =
        stated.and_then(|(currency, literal)| amount(Some(literal), currency, path, warnings));
    let percent = tax
        .percent
        .as_ref()
        .map(|percent| format!("{} %", percent.as_str()));
    let told = stated.map(|(currency, literal)| format!("{} {currency}", literal.as_str()));
    PropertyCharge {
        name: match tax.kind.as_deref() {
            Some("FEE") => "fee".to_owned(),
            Some("TAXESANDFEES") => "taxes_and_fees".to_owned(),
            Some("TAX") | None => "tax".to_owned(),
            Some(other) => other.to_lowercase(),
        },
        amount: money,
        note: if money.is_some() {
            percent
        } else {
            told.or(percent)
        },
    }
}

/// The penalties of cancelling; none where Hotelbeds says nothing that can be read.
fn penalties(
    rate: &wire::Rate,
    price: Price,
    terms: &Terms<'_>,
    warnings: &mut Vec<Warning>,
) -> Option<Vec<Penalty>> {
    const PATH: &str = "conditions.cancellation";
    let raw = rate.cancellation_policies.as_ref()?;
    let Ok(policies) = serde_json::from_str::<Vec<wire::CancellationPolicy>>(raw.get()) else {
        let message = "the cancellation policies cannot be read";
        warnings.push(Warning::new(WarningCode::DataQuality, PATH, message));
        return None;
    };
    let mut penalties = Vec::with_capacity(policies.len());
    for policy in &policies {
        let begins = policy.from.as_deref().map(|from| instant(from, terms.zone));
        let (from, offset) = match begins {
            None => (None, None),
            Some(Some((from, offset))) => (Some(from), offset),
            Some(None) => {
                let message = "the beginning of a penalty cannot be read";
                warnings.push(Warning::new(WarningCode::TimeInconsistent, PATH, message));
                return None;
            }
        };
        let currency = price.total.currency().code();
        let of_hotel = || {
            let same = policy.hotel_currency.as_deref() == Some(currency);
            policy.hotel_amount.as_ref().filter(|_| same)
        };
        let stated = policy.amount.as_ref().or_else(of_hotel);
        // Below zero is for the schedule to flag.
        let amount = match stated.map(|literal| Money::parse(literal.as_str(), currency)) {
            Some(Ok(money)) => Some(money),
            unread => {
                if let Some(Err(MoneyError::Precision { .. })) = unread {
                    let message = "a penalty is finer than its currency allows";
                    warnings.push(Warning::new(WarningCode::AmountPrecision, PATH, message));
                }
                share(policy, price.total, terms.nights)
            }
        };
        penalties.push(Penalty {
            from,
            offset,
            amount,
        });
    }
    (!penalties.is_empty()).then_some(penalties)
}

/// A penalty that is told as a share of the price, where that is an amount without a rest.
fn share(policy: &wire::CancellationPolicy, price: Money, nights: u32) -> Option<Money> {
    let (part, whole) = match (&policy.percent, &policy.number_of_nights) {
        (Some(percent), _) => {
            let (units, cents) = percent
                .as_str()
                .split_once('.')
                .unwrap_or((percent.as_str(), ""));
            let cents = cents.trim_end_matches('0');
            let scale = 10_i64.checked_pow(u32::try_from(cents.len()).ok()?)?;
            let digits: i64 = format!("{units}{cents}").parse().ok()?;
            (digits, scale.checked_mul(100)?)
        }
        (None, Some(told)) => {
            let told: i64 = told.as_str().parse().ok()?;
            (told.min(i64::from(nights)), i64::from(nights.max(1)))
        }
        (None, None) => return None,
    };
    let product = i128::from(price.minor()).checked_mul(i128::from(part))?;
    let whole = i128::from(whole);
    if part < 0 || product % whole != 0 {
        return None;
    }
    let minor = i64::try_from(product / whole).ok()?;
    Some(Money::new(minor, price.currency()))
}

/// An instant and the offset that it is written with. Without an offset it is read as local time near
/// the hotel, if that is known.
fn instant(text: &str, zone: Option<&str>) -> Option<(Timestamp, Option<i32>)> {
    let pieces = Pieces::parse(text).ok()?;
    let local = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    if let Some(offset) = pieces.to_numeric_offset() {
        return Some((offset.to_timestamp(local).ok()?, Some(offset.seconds())));
    }
    let zone = TimeZone::get(zone?).ok()?;
    Some((zone.to_timestamp(local).ok()?, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_as_shares_are_amounts_only_without_a_rest() {
        let policy = |json: &str| serde_json::from_str::<wire::CancellationPolicy>(json).unwrap();
        let price = Money::parse("100.10", "EUR").unwrap();
        for (json, penalty) in [
            (r#"{"percent":"50.00"}"#, Some("50.05")),
            (r#"{"percent":100}"#, Some("100.10")),
            (r#"{"percent":"12.5"}"#, None),
            (r#"{"percent":"-5"}"#, None),
            (r#"{"percent":"all"}"#, None),
            (r#"{"numberOfNights":1}"#, Some("50.05")),
            (r#"{"numberOfNights":"9"}"#, Some("100.10")),
            (r"{}", None),
        ] {
            let read = share(&policy(json), price, 2).map(Money::amount);
            assert_eq!(read.as_deref(), penalty, "{json}");
        }
        assert_eq!(share(&policy(r#"{"numberOfNights":1}"#), price, 3), None);
    }

    #[test]
    fn deadlines_are_instants_with_whatever_offset_they_come() {
        for (text, zone, read) in [
            (
                "2024-04-01T14:00:00+01:00",
                None,
                Some("2024-04-01T13:00:00Z"),
            ),
            ("2024-02-22T23:59:00Z", None, Some("2024-02-22T23:59:00Z")),
            (
                "2019-05-31T21:59:00.000Z",
                None,
                Some("2019-05-31T21:59:00Z"),
            ),
            (
                "2024-04-01T14:00:00",
                Some("Europe/Madrid"),
                Some("2024-04-01T12:00:00Z"),
            ),
            (
                "2024-04-01",
                Some("Europe/Madrid"),
                Some("2024-03-31T22:00:00Z"),
            ),
            ("2024-04-01T14:00:00", None, None),
            ("soon", None, None),
        ] {
            let at = instant(text, zone).map(|(at, _)| at.to_string());
            assert_eq!(at.as_deref(), read, "{text}");
        }
    }
}
