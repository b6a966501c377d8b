//! Exchange rates as a Frankfurter server gives them (version 1 of its API): `GET /v1/latest` and
//! `GET /v1/currencies`, in its format and with its rounding. The rates are drawn from the seed and the
//! day around the values of late 2025. Past days, ranges of days and `amount` are left out.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::Clock;
use crate::chance::between;

const BASE: &str = "EUR";
/// Rates are counted in millionths: Frankfurter never shows more than six decimals.
const ONE: u64 = 1_000_000;

/// Code, name and about what a euro is worth, in millionths: the currencies for which the European
/// Central Bank publishes reference rates in 2026.
const CURRENCIES: [(&str, &str, u64); 30] = [
    ("AUD", "Australian Dollar", 1_766_000),
    ("BRL", "Brazilian Real", 6_210_000),
    ("CAD", "Canadian Dollar", 1_620_000),
    ("CHF", "Swiss Franc", 932_000),
    ("CNY", "Chinese Renminbi Yuan", 8_230_000),
    ("CZK", "Czech Koruna", 24_280_000),
    ("DKK", "Danish Krone", 7_468_000),
    ("EUR", "Euro", ONE),
    ("GBP", "British Pound", 879_000),
    ("HKD", "Hong Kong Dollar", 9_010_000),
    ("HUF", "Hungarian Forint", 385_000_000),
    ("IDR", "Indonesian Rupiah", 19_300_000_000),
    ("ILS", "Israeli New Shekel", 3_770_000),
    ("INR", "Indian Rupee", 102_800_000),
    ("ISK", "Icelandic Króna", 146_000_000),
    ("JPY", "Japanese Yen", 180_500_000),
    ("KRW", "South Korean Won", 1_690_000_000),
    ("MXN", "Mexican Peso", 21_300_000),
    ("MYR", "Malaysian Ringgit", 4_800_000),
    ("NOK", "Norwegian Krone", 11_770_000),
    ("NZD", "New Zealand Dollar", 2_040_000),
    ("PHP", "Philippine Peso", 68_100_000),
    ("PLN", "Polish Złoty", 4_240_000),
    ("RON", "Romanian Leu", 5_090_000),
    ("SEK", "Swedish Krona", 10_990_000),
    ("SGD", "Singapore Dollar", 1_509_000),
    ("THB", "Thai Baht", 37_500_000),
    ("TRY", "Turkish Lira", 48_900_000),
    ("USD", "United States Dollar", 1_158_000),
    ("ZAR", "South African Rand", 19_900_000),
];

#[derive(Clone)]
struct World {
    clock: Clock,
    seed: u64,
}

/// All paths below `/frankfurter`.
pub(crate) fn router(clock: Clock, seed: u64) -> Router {
    Router::new()
        .route("/v1/latest", get(latest))
        .route("/v1/currencies", get(currencies))
        .fallback(async || not_found())
        .with_state(World { clock, seed })
}

/// About what a euro is worth in a currency, in millionths; none for one without a reference rate.
pub(crate) fn about(code: &str) -> Option<u64> {
    let known = CURRENCIES.iter().find(|(known, _, _)| *known == code);
    known.map(|(_, _, about)| *about)
}

/// The answer of `/v1/latest`.
#[derive(Serialize)]
struct Latest<'a> {
    amount: f64,
    base: &'a str,
    date: Date,
    rates: BTreeMap<&'a str, Box<RawValue>>,
}

async fn latest(State(world): State<World>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let mut base = BASE.to_owned();
    let mut symbols: Option<Vec<String>> = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = value.to_uppercase();
        match name.as_ref() {
            "base" | "from" => base = value,
            "symbols" | "to" => symbols = Some(value.split(',').map(str::to_owned).collect()),
            _ => {}
        }
    }
    if symbols.as_deref() == Some(std::slice::from_ref(&base)) {
        return message(StatusCode::UNPROCESSABLE_ENTITY, "bad currency pair");
    }
    let day = working_day(world.clock.now().to_zoned(TimeZone::UTC).date());
    let quotes: BTreeMap<&str, u64> = CURRENCIES
        .iter()
        .map(|(code, _, about)| (*code, quote(world.seed, day, code, *about)))
        .collect();
    let Some(divisor) = quotes.get(base.as_str()).copied() else {
        return not_found();
    };
    let rates: BTreeMap<&str, Box<RawValue>> = quotes
        .into_iter()
        .filter(|(code, _)| *code != base)
        .filter(|(code, _)| {
            let wanted = |wanted: &Vec<String>| wanted.iter().any(|symbol| symbol == code);
            symbols.as_ref().is_none_or(wanted)
        })
        .filter_map(|(code, rate)| Some((code, number(rebased(rate, divisor))?)))
        .collect();
    if rates.is_empty() {
        return not_found();
    }
    let latest = Latest {
        amount: 1.0,
        base: &base,
        date: day,
        rates,
    };
    answer(StatusCode::OK, &latest)
}

async fn currencies() -> Response {
    let names: BTreeMap<&str, &str> = CURRENCIES
        .iter()
        .map(|(code, name, _)| (*code, *name))
        .collect();
    answer(StatusCode::OK, &names)
}

fn not_found() -> Response {
    message(StatusCode::NOT_FOUND, "not found")
}

fn message(status: StatusCode, text: &str) -> Response {
    answer(status, &json!({ "message": text }))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=900"),
    ];
    let text = serde_json::to_string(body).unwrap_or_default();
    (status, headers, text).into_response()
}

/// The day itself, or the Friday before a weekend: there are no rates of a day without a market.
fn working_day(day: Date) -> Date {
    let back = match day.weekday() {
        Weekday::Saturday => 1,
        Weekday::Sunday => 2,
        _ => 0,
    };
    day.saturating_sub(back.days())
}

/// What a euro is worth on a day: the world's own level within 2 %, the day's within another 0.5 %.
fn quote(seed: u64, day: Date, code: &str, about: u64) -> u64 {
    if code == BASE {
        return ONE;
    }
    let level = between(seed, &format!("rate {code}"), 9_800, 10_200);
    let move_of_day = between(seed, &format!("rate {code} {day}"), 9_950, 10_050);
    rounded(about * level / 10_000 * move_of_day / 10_000)
}

/// Another base: Frankfurter divides the rates that it shows, and rounds again.
fn rebased(rate: u64, divisor: u64) -> u64 {
    if divisor == ONE {
        return rate;
    }
    rounded((rate * ONE + divisor / 2) / divisor)
}

/// Frankfurter's rounding: the larger a rate, the fewer decimals.
fn rounded(millionths: u64) -> u64 {
    let unit = if millionths > 5_000 * ONE {
        ONE
    } else if millionths > 80 * ONE {
        10_000
    } else if millionths > 20 * ONE {
        1_000
    } else if millionths > ONE {
        100
    } else if millionths > 100 {
        10
    } else {
        1
    };
    (millionths + unit / 2) / unit * unit
}

/// A JSON number without a float's detour.
fn number(millionths: u64) -> Option<Box<RawValue>> {
    let (whole, rest) = (millionths / ONE, millionths % ONE);
    let decimals = format!("{rest:06}");
    let decimals = decimals.trim_end_matches('0');
    let text = match decimals {
        "" => whole.to_string(),
        decimals => format!("{whole}.{decimals}"),
    };
    RawValue::from_string(text).ok()
}
