//! Conversions, compared with exact fractions.

use proptest::prelude::*;
use travel_types::{Currency, Money};

use super::{BadRate, RateTable};

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn table(rates: &[(&str, &str)]) -> Result<RateTable, BadRate> {
    RateTable::new(
        "2026-11-20".parse().unwrap(),
        "European Central Bank",
        currency("EUR"),
        rates
            .iter()
            .map(|(code, literal)| (currency(code), *literal)),
    )
}

fn convert(rates: &[(&str, &str)], amount: &str, to: &str) -> Option<(String, String)> {
    let (amount, from) = amount.split_once(' ').unwrap();
    let money = Money::parse(amount, from).unwrap();
    let converted = table(rates).unwrap().convert(money, currency(to))?;
    assert_eq!(converted.total.currency(), currency(to));
    assert_eq!(converted.date.to_string(), "2026-11-20");
    assert_eq!(converted.source, "European Central Bank");
    Some((converted.total.amount(), converted.rate))
}

const RATES: [(&str, &str); 4] = [
    ("USD", "1.0823"),
    ("GBP", "0.8432"),
    ("JPY", "162.5"),
    ("KWD", "0.33241"),
];

#[test]
fn an_amount_is_converted_over_the_base_and_rounded_once_to_the_currencys_own_digits() {
    for (amount, to, shown, rate) in [
        ("100.00 EUR", "USD", "108.23", "1.0823"),
        ("108.23 USD", "EUR", "100.00", "0.923958237088"),
        // Over 19.98 EUR, rounded on the way, it would be 21.62.
        ("16.85 GBP", "USD", "21.63", "1.2835626186"),
        ("1016.15 GBP", "JPY", "195831", "192.718216319"),
        ("15000 JPY", "KWD", "30.684", "0.0020456"),
        ("30.684 KWD", "GBP", "77.83", "2.53662645528"),
        ("1 JPY", "GBP", "0.01", "0.00518892307692"),
        ("-12.34 GBP", "JPY", "-2378", "192.718216319"),
        ("0.00 USD", "KWD", "0.000", "0.30713295759"),
    ] {
        let expected = (shown.to_owned(), rate.to_owned());
        assert_eq!(convert(&RATES, amount, to), Some(expected), "{amount} {to}");
    }
}

#[test]
fn half_a_unit_goes_to_the_even_neighbour_whatever_the_sign() {
    let half = [("USD", "0.5"), ("JPY", "2.5")];
    for (amount, to, shown) in [
        ("0.01 EUR", "USD", "0.00"),
        ("0.03 EUR", "USD", "0.02"),
        ("0.05 EUR", "USD", "0.02"),
        ("-0.05 EUR", "USD", "-0.02"),
        ("-0.07 EUR", "USD", "-0.04"),
        ("1.00 EUR", "JPY", "2"),
        ("3.00 EUR", "JPY", "8"),
        ("-1.00 EUR", "JPY", "-2"),
    ] {
        assert_eq!(convert(&half, amount, to).unwrap().0, shown, "{amount}");
    }
}

#[test]
fn an_amount_in_its_own_currency_is_left_alone_even_without_a_rate() {
    for amount in ["1016.15 GBP", "-0.01 CHF", "1.234 BHD"] {
        let to = amount.split_once(' ').unwrap().1;
        let (shown, rate) = convert(&RATES, amount, to).unwrap();
        assert_eq!(
            (format!("{shown} {to}").as_str(), rate.as_str()),
            (amount, "1")
        );
    }
}

#[test]
fn without_a_rate_or_beyond_64_bits_there_is_no_conversion() {
    assert_eq!(convert(&RATES, "1.00 CHF", "EUR"), None);
    assert_eq!(convert(&RATES, "1.00 EUR", "CHF"), None);
    let wild = [
        ("USD", "0.000000000000000001"),
        ("JPY", "999999999999.999999"),
    ];
    assert_eq!(convert(&wild, "92233720368547758.07 EUR", "JPY"), None);
    assert_eq!(convert(&wild, "92233720368547758.07 USD", "JPY"), None);
    assert_eq!(convert(&wild, "-92233720368547758.07 USD", "EUR"), None);
    let tiny = convert(&wild, "92233720368547758 JPY", "USD").unwrap();
    assert_eq!(tiny.0, "0.00");
}

#[test]
fn a_rate_is_read_as_json_writes_numbers() {
    for (literal, rate) in [
        ("1", "1"),
        ("1.0", "1"),
        ("17935", "17935"),
        ("17935.120", "17935.12"),
        ("5.6e-05", "0.000056"),
        ("1.25E+3", "1250"),
        ("10e-1", "1"),
        ("999999999999", "999999999999"),
    ] {
        let (_, shown) = convert(&[("USD", literal)], "1.00 EUR", "USD").unwrap();
        assert_eq!(shown, rate, "{literal}");
    }
}

#[test]
fn what_is_no_believable_rate_is_refused() {
    for literal in [
        "",
        "0",
        "0.0",
        "0e5",
        "-1",
        "-0.5",
        "+1",
        ".5",
        "1.",
        "1.2.3",
        "1,2",
        "NaN",
        "nan",
        "Infinity",
        "-inf",
        "1e",
        "e5",
        "1e5.5",
        "1e99999",
        "1e-99999",
        "1e13",
        "1000000000000",
        "0.0000000000000000001",
        "1234567890.1234567891",
        "0x10",
        "1_000",
        " 1",
        "1 ",
        "null",
        "true",
        "٣",
        "1e٣",
        "1.08\u{0}",
    ] {
        let refused = table(&[("USD", literal)]);
        assert_eq!(refused, Err(BadRate(currency("USD"))), "{literal:?}");
    }
    let long = format!("1.{}", "0".repeat(1_000_000));
    assert!(table(&[("USD", &long)]).is_err());
    assert!(table(&[("EUR", "1.0")]).is_ok());
    assert_eq!(table(&[("EUR", "1.1")]), Err(BadRate(currency("EUR"))));
    let twice = table(&[("USD", "1.1"), ("USD", "1.2")]);
    assert_eq!(twice, Err(BadRate(currency("USD"))));
}

#[test]
fn a_converted_amount_survives_its_json() {
    let money = Money::parse("100.00", "EUR").unwrap();
    let converted = table(&RATES).unwrap().convert(money, currency("JPY"));
    let json = serde_json::to_value(converted.as_ref().unwrap()).unwrap();
    let expected = serde_json::json!({
        "total": { "amount": "16250", "currency": "JPY" },
        "rate": "162.5",
        "date": "2026-11-20",
        "source": "European Central Bank",
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value(json).ok(), converted);
}

/// A rate as literal, and as mantissa and scale.
fn rate() -> impl Strategy<Value = (String, i128, u32)> {
    (1_u32..1_000_000, 0_u32..5)
        .prop_map(|(mantissa, scale)| (format!("{mantissa}e-{scale}"), i128::from(mantissa), scale))
}

proptest! {
    /// The exact result is `exact / under`; the amount must be the whole number nearest to it, and the
    /// even one if two are equally near.
    #[test]
    fn a_conversion_is_the_exact_fraction_rounded_half_to_even(
        minor in -1_000_000_000_000_i64..1_000_000_000_000,
        (sold, sold_mantissa, sold_scale) in rate(),
        (bought, bought_mantissa, bought_scale) in rate(),
        pair in 0_usize..9,
    ) {
        let codes = ["JPY", "USD", "KWD"];
        // The base has two digits as well; each rate is another currency's.
        let (from, to) = (codes[pair / 3], ["KRW", "GBP", "BHD"][pair % 3]);
        let table = table(&[(from, &sold), (to, &bought)]).unwrap();
        let (from, to) = (currency(from), currency(to));
        let converted = table.convert(Money::new(minor, from), to);
        let ten = |exponent: u32| 10_i128.pow(exponent);
        let exact = i128::from(minor) * bought_mantissa * ten(sold_scale) * ten(to.digits());
        let under = sold_mantissa * ten(bought_scale) * ten(from.digits());
        let Some(converted) = converted else {
            prop_assert!((exact / under).abs() >= i128::from(i64::MAX));
            return Ok(());
        };
        let got = i128::from(converted.total.minor());
        let off = 2 * (exact - got * under).abs();
        prop_assert!(off < under || (off == under && got % 2 == 0));
        let back = table.convert(Money::new(-minor, from), to).unwrap();
        prop_assert_eq!(i128::from(back.total.minor()), -got);
        // The rate shown is the nearest to the exact one with its decimals, of which none is idle.
        let (whole, fraction) = converted.rate.split_once('.').unwrap_or((&converted.rate, ""));
        let digits = format!("{whole}{fraction}");
        let shown: i128 = digits.parse().unwrap();
        let decimals = ten(u32::try_from(fraction.len()).unwrap());
        let (over, under) = (bought_mantissa * ten(sold_scale), sold_mantissa * ten(bought_scale));
        let off = 2 * (shown * under - over * decimals).abs();
        let significant = digits.trim_start_matches('0').len();
        prop_assert!(off <= under && !fraction.ends_with('0'), "{}", converted.rate);
        prop_assert!(off == 0 || significant >= 8, "{}", converted.rate);
        prop_assert!(significant <= 12 || fraction.is_empty(), "{}", converted.rate);
    }

    #[test]
    fn nothing_that_can_be_read_panics(
        minor in any::<i64>(),
        sold in "[0-9]{1,13}(\\.[0-9]{1,19})?(e-?[0-9]{1,2})?",
        bought in "[0-9]{1,13}(\\.[0-9]{1,19})?(e-?[0-9]{1,2})?",
        other in ".{0,20}",
    ) {
        drop(table(&[("USD", &other)]));
        if let Ok(table) = table(&[("KWD", &sold), ("JPY", &bought)]) {
            for (from, to) in [("KWD", "JPY"), ("JPY", "KWD"), ("EUR", "JPY"), ("KWD", "EUR")] {
                drop(table.convert(Money::new(minor, currency(from)), currency(to)));
            }
        }
    }
}
