//! Rates and their keys. A key says all that a rate is — stay, hotel, room, board, occupancy, what it
//! costs and since when — so nothing of a search is stored.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::chance::draw;
use crate::hotels::{self, Property, RoomType};
use crate::inventory::Units;
use crate::supplier::decimal;

/// What every hotel is paid in: not the currency of the other suppliers, so that converting matters.
pub(crate) const CURRENCY: &str = "EUR";
/// How long a key can be booked (WIRE §0).
const LIFE: SignedDuration = SignedDuration::from_mins(30);
/// By how much the scenario PRICECHANGE raises a rate, in hundredths.
pub(crate) const RAISE: i64 = 1_000;

/// The boards, with their names and prices against room only, in percent.
pub(crate) const BOARDS: [(&str, &str, i64); 5] = [
    ("RO", "ROOM ONLY", 100),
    ("BB", "BED AND BREAKFAST", 113),
    ("HB", "HALF BOARD", 134),
    ("FB", "FULL BOARD", 152),
    ("AI", "ALL INCLUSIVE", 171),
];

/// One occupancy of a search: `rooms` equal rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Occupancy {
    pub(crate) rooms: u32,
    pub(crate) adults: u32,
    pub(crate) ages: Vec<u32>,
}

/// What a rate key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) check_in: Date,
    pub(crate) check_out: Date,
    pub(crate) hotel: u64,
    /// The world's code, such as `DBL`.
    pub(crate) room: String,
    pub(crate) board: String,
    pub(crate) refundable: bool,
    pub(crate) recheck: bool,
    /// Came from a check of the rate.
    pub(crate) checked: bool,
    pub(crate) occupancy: Occupancy,
    /// What the scenario PRICECHANGE added, in hundredths.
    pub(crate) raised: i64,
    pub(crate) issued: Timestamp,
}

/// Hotelbeds' room code: the type and what is special about it.
pub(crate) fn room_code(room: &RoomType) -> String {
    let characteristic = match room.code {
        "SUI" => "JS",
        "DBL" if room.name.starts_with("Deluxe") => "DX",
        "TWN" if room.name.starts_with("Superior") => "SU",
        _ => "ST",
    };
    format!("{}.{characteristic}", room.code)
}

impl Rate {
    /// `20240402|20240403|W|164|6619|DBL.ST|BAR RO NRF|RO||1~2~1|8|N@06~~…`, as recorded.
    pub(crate) fn key(&self, seed: u64, property: &Property) -> String {
        let code = property.room(&self.room).map(room_code).unwrap_or_default();
        let ages: Vec<String> = self.occupancy.ages.iter().map(u32::to_string).collect();
        let class = if self.refundable { "NOR" } else { "NRF" };
        let kind = match (self.recheck, self.checked) {
            (_, true) => "C",
            (true, false) => "R",
            (false, false) => "S",
        };
        let says = format!(
            "{}|{}|W|{}|{}|{code}|BAR {} {class}|{}||{}~{}~{}|{}|N@06~~{kind}~{:x}~{:x}",
            self.check_in.strftime("%Y%m%d"),
            self.check_out.strftime("%Y%m%d"),
            1 + self.hotel % 400,
            self.hotel,
            self.board,
            self.board,
            self.occupancy.rooms,
            self.occupancy.adults,
            ages.len(),
            ages.join("~"),
            self.issued.as_second(),
            self.raised,
        );
        let seal = draw(seed, &says);
        format!("{says}~{seal:016X}")
    }

    /// Reads a key that this sandbox made; none for any other.
    pub(crate) fn read(seed: u64, key: &str) -> Option<Self> {
        let (says, seal) = key.rsplit_once('~')?;
        if format!("{:016X}", draw(seed, says)) != seal {
            return None;
        }
        let parts: Vec<&str> = says.split('|').collect();
        let [
            from,
            to,
            _,
            _,
            hotel,
            room,
            contract,
            board,
            _,
            people,
            ages,
            tail,
        ] = parts.as_slice()
        else {
            return None;
        };
        let tail: Vec<&str> = tail.split('~').collect();
        let [_, _, kind, issued, raised] = tail.as_slice() else {
            return None;
        };
        let mut people = people.split('~').map(str::parse);
        Some(Self {
            check_in: Date::strptime("%Y%m%d", from).ok()?,
            check_out: Date::strptime("%Y%m%d", to).ok()?,
            hotel: hotel.parse().ok()?,
            room: room.split('.').next()?.to_owned(),
            board: (*board).to_owned(),
            refundable: contract.ends_with("NOR"),
            recheck: *kind == "R",
            checked: *kind == "C",
            occupancy: Occupancy {
                rooms: people.next()?.ok()?,
                adults: people.next()?.ok()?,
                ages: ages.split('~').filter_map(|age| age.parse().ok()).collect(),
            },
            raised: i64::from_str_radix(raised, 16).ok()?,
            issued: Timestamp::from_second(i64::from_str_radix(issued, 16).ok()?).ok()?,
        })
    }

    pub(crate) fn expired(&self, now: Timestamp) -> bool {
        self.issued.checked_add(LIFE).is_ok_and(|end| now >= end)
    }

    pub(crate) fn nights(&self) -> impl Iterator<Item = Date> {
        let out = self.check_out;
        self.check_in
            .series(1.day())
            .take_while(move |day| *day < out)
    }

    pub(crate) fn units(&self) -> Vec<Units> {
        self.nights()
            .map(|night| {
                (
                    hotels::item(self.hotel, &self.room, night),
                    self.occupancy.rooms,
                )
            })
            .collect()
    }

    /// What all its rooms cost, in hundredths of euros. A check of a rate that needed it finds one of
    /// five dearer.
    pub(crate) fn net(&self, property: &Property, room: &RoomType) -> i64 {
        let nights: i64 = self.nights().map(|night| property.price(room, night)).sum();
        let board = BOARDS.iter().find(|(code, ..)| *code == self.board);
        let board = board.map_or(100, |(_, _, percent)| *percent);
        let terms = if self.refundable { 100 } else { 89 };
        let children = i64::try_from(self.occupancy.ages.len()).unwrap_or(0);
        let third = i64::from(self.occupancy.adults.saturating_sub(2));
        let people = 100 + children * 12 + third * 22;
        // The world's prices are in pounds, more or less.
        let one = [117, board, terms, people]
            .iter()
            .fold(nights, |amount, percent| amount * percent / 100);
        let words = format!("recheck/{}/{}/{}", self.room, self.board, self.check_in);
        let dearer = self.checked && self.refundable && property.chance(&words, 5) == 0;
        let one = if dearer { one * 103 / 100 } else { one };
        one * i64::from(self.occupancy.rooms) + self.raised
    }

    /// What a cancellation costs in hundredths, and from when on, earliest first.
    pub(crate) fn penalties(&self, property: &Property, net: i64) -> Vec<(Timestamp, i64)> {
        let at = |days: i64, hour: i8, minute: i8| {
            let day = self
                .check_in
                .checked_sub(days.days())
                .unwrap_or(self.check_in);
            local(property, day, hour, minute)
        };
        if !self.refundable {
            // As recorded: the day before the booking.
            let day = self.issued.to_zoned(TimeZone::UTC).date();
            let before = day.yesterday().unwrap_or(day);
            return vec![(local(property, before, 23, 59), net)];
        }
        let nights = i64::try_from(self.nights().count()).unwrap_or(1).max(1);
        match property.chance("policy", 3) {
            0 => vec![(at(1, 14, 0), net)],
            1 => vec![(at(4, 23, 59), net / nights), (at(2, 23, 59), net)],
            _ => vec![
                (at(8, 23, 59), net / 4),
                (at(4, 23, 59), net / 2),
                (at(1, 23, 59), net),
            ],
        }
    }
}

fn local(property: &Property, day: Date, hour: i8, minute: i8) -> Timestamp {
    let time = Time::new(hour, minute, 0, 0).unwrap_or_default();
    let zone = TimeZone::get(property.town.zone).unwrap_or(TimeZone::UTC);
    let zoned = day.to_datetime(time).to_zoned(zone);
    zoned.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// Hundredths as a JSON number, as searches write amounts.
pub(crate) fn number(hundredths: i64) -> Value {
    decimal(hundredths)
        .parse::<f64>()
        .map_or(Value::Null, Value::from)
}

/// How an answer writes a rate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Numbers; instants in UTC.
    Search,
    /// Numbers; instants with the hotel's offset; comments in full.
    Check,
    /// Texts; no key.
    Booking,
}

/// A rate as Hotelbeds writes it.
pub(crate) fn shown(
    rate: &Rate,
    property: &Property,
    room: &RoomType,
    style: Style,
    seed: u64,
    left: u32,
) -> Value {
    let net = rate.net(property, room);
    let amount = |hundredths: i64| match style {
        Style::Booking => json!(decimal(hundredths)),
        Style::Search | Style::Check => number(hundredths),
    };
    let zone = match style {
        Style::Search => TimeZone::UTC,
        Style::Check | Style::Booking => TimeZone::get(property.town.zone).unwrap_or(TimeZone::UTC),
    };
    let from = |at: Timestamp| {
        let format = if style == Style::Search {
            "%Y-%m-%dT%H:%M:%SZ"
        } else {
            "%Y-%m-%dT%H:%M:%S%:z"
        };
        at.to_zoned(zone.clone()).strftime(format).to_string()
    };
    let policies: Vec<Value> = (rate.penalties(property, net).into_iter())
        .map(|(at, penalty)| json!({ "amount": amount(penalty), "from": from(at) }))
        .collect();
    let board = BOARDS.iter().find(|(code, ..)| *code == rate.board);
    let children = rate.occupancy.ages.len();
    let mut shown = json!({
        "rateClass": if rate.refundable { "NOR" } else { "NRF" },
        "net": amount(net),
        "paymentType": "AT_WEB",
        "packaging": false,
        "boardCode": rate.board,
        "boardName": board.map(|(_, name, _)| *name),
        "cancellationPolicies": policies,
        "rooms": rate.occupancy.rooms,
        "adults": rate.occupancy.adults * if style == Style::Booking { rate.occupancy.rooms } else { 1 },
        "children": children,
    });
    let Some(map) = shown.as_object_mut() else {
        return shown;
    };
    let mut set = |name: &str, value: Value| map.insert(name.to_owned(), value);
    if children > 0 {
        let ages: Vec<String> = rate.occupancy.ages.iter().map(u32::to_string).collect();
        set("childrenAges", json!(ages.join(",")));
    }
    if style != Style::Booking {
        set("rateKey", json!(rate.key(seed, property)));
        set(
            "rateType",
            json!(if rate.recheck && !rate.checked {
                "RECHECK"
            } else {
                "BOOKABLE"
            }),
        );
        set("allotment", json!(left));
    }
    match property.chance("selling", 4) {
        0 => {}
        n => {
            set("sellingRate", amount(net * 107 / 100));
            if n == 1 {
                set("hotelMandatory", json!(true));
            }
        }
    }
    if let Some(taxes) = taxes(rate, property) {
        set("taxes", taxes);
    }
    let promoted = property.chance("promotion", 3) == 0;
    let discount = -(net / 12);
    match style {
        Style::Search => {
            set(
                "rateCommentsId",
                json!(format!("164|{}|0", property.number)),
            );
            set(
                "offers",
                if promoted {
                    json!([{ "code": "1100", "name": "Early booking", "amount": decimal(discount) }])
                } else {
                    Value::Null
                },
            );
            if promoted && !rate.refundable {
                set(
                    "promotions",
                    json!([{ "code": "073", "name": "Non-refundable rate. No amendments permitted" }]),
                );
            }
        }
        Style::Check | Style::Booking => {
            let comment = "Children policy: up to 11 Year old do not pay sharing the same bed with parents . Check-in hour 14:00 - .";
            set("rateComments", json!(comment));
            if promoted {
                let one =
                    json!({ "code": "PQ", "name": "Opaque Package", "amount": amount(discount) });
                set("rateBreakDown", json!({ "rateDiscounts": [one] }));
            }
        }
    }
    shown
}

/// One of three hotels says nothing, one has a tax to pay at the desk, one has all included.
fn taxes(rate: &Rate, property: &Property) -> Option<Value> {
    let nights = i64::try_from(rate.nights().count()).unwrap_or(1);
    let amount = nights * 175 * i64::from(rate.occupancy.adults * rate.occupancy.rooms);
    let tax = |included: bool| {
        json!({ "taxes": [{
            "included": included,
            "amount": decimal(amount),
            "currency": CURRENCY,
            "type": "TAX",
            "clientAmount": decimal(amount),
            "clientCurrency": CURRENCY,
        }], "allIncluded": included })
    };
    match property.chance("taxes", 3) {
        0 => None,
        1 => Some(tax(false)),
        _ => Some(tax(true)),
    }
}
