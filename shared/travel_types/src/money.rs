//! Money as whole minor units of an ISO 4217 currency. No float comes near it, and nothing is
//! rounded in silence: an amount finer than its currency allows is an error that the caller sees.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

/// An ISO 4217 currency that has minor units (not gold, not "no currency").
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Digits after the decimal point: 2 for GBP, 0 for JPY, 3 for KWD.
    pub fn digits(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }

    /// The three letters, upper case.
    pub fn code(self) -> &'static str {
        self.0.code()
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or_else(|| MoneyError::Currency(code.chars().take(8).collect()))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(|_| de::Error::custom("must be an ISO 4217 code, e.g. GBP"))
    }
}

/// Why a text is not an amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code with minor units.
    #[error("'{0}' is not an ISO 4217 currency code")]
    Currency(String),
    /// Not digits with at most one point.
    #[error("'{0}' is not a decimal amount such as 1016.15")]
    Syntax(String),
    /// Digits beyond the currency's own that are not zero.
    #[error("{amount} is finer than {currency} allows ({digits} digits)")]
    Precision {
        /// The literal as given.
        amount: String,
        /// The currency's code.
        currency: &'static str,
        /// The digits that the currency has.
        digits: u32,
    },
    /// More than 64 bits of minor units.
    #[error("'{0}' is too large")]
    Range(String),
    /// Two currencies in one sum.
    #[error("{0} and {1} cannot be added")]
    Mixed(&'static str, &'static str),
}

/// An amount of one currency, in minor units (pence, cents, yen).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// An amount from its minor units: `Money::new(101615, GBP)` is 1,016.15 pounds.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Reads a supplier's or a client's decimal literal: `"627.00"`, `"20.0"`, `"1500"`, `"-3.5"`.
    /// The scale need not be the currency's own as long as no value is lost.
    ///
    /// # Errors
    /// See [`MoneyError`]; nothing is ever rounded.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, MoneyError> {
        Self::parse_in(amount, currency.parse()?)
    }

    /// As [`Money::parse`], in a currency already known.
    ///
    /// # Errors
    /// See [`MoneyError`].
    pub fn parse_in(amount: &str, currency: Currency) -> Result<Self, MoneyError> {
        let shown = || amount.chars().take(32).collect::<String>();
        let (negative, unsigned) = match amount.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, amount),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(MoneyError::Syntax(shown())),
            None => (unsigned, ""),
        };
        let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
            return Err(MoneyError::Syntax(shown()));
        }
        let digits = currency.digits();
        let mut minor: i64 = 0;
        let mut push = |digit: u8| -> Option<()> {
            minor = minor
                .checked_mul(10)?
                .checked_add(i64::from(digit.saturating_sub(b'0')))?;
            Some(())
        };
        let mut kept = 0;
        let mut fits = true;
        for digit in whole.bytes() {
            fits = fits && push(digit).is_some();
        }
        for digit in fraction.bytes() {
            if kept < digits {
                fits = fits && push(digit).is_some();
                kept += 1;
            } else if digit != b'0' {
                return Err(MoneyError::Precision {
                    amount: shown(),
                    currency: currency.code(),
                    digits,
                });
            }
        }
        while kept < digits {
            fits = fits && push(b'0').is_some();
            kept += 1;
        }
        if !fits {
            return Err(MoneyError::Range(shown()));
        }
        Ok(Self {
            minor: if negative { -minor } else { minor },
            currency,
        })
    }

    /// Minor units.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The amount as a decimal literal with exactly the currency's digits, `"1016.15"`.
    pub fn amount(self) -> String {
        let digits = self.currency.digits();
        let sign = if self.minor < 0 { "-" } else { "" };
        let unit = 10_u64.pow(digits);
        let minor = self.minor.unsigned_abs();
        match usize::try_from(digits) {
            Ok(0) | Err(_) => format!("{sign}{minor}"),
            Ok(width) => format!("{sign}{}.{:0width$}", minor / unit, minor % unit),
        }
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::Mixed`] for two currencies, [`MoneyError::Range`] on overflow.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_add)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::Mixed`] for two currencies, [`MoneyError::Range`] on overflow.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_sub)
    }

    fn combine(
        self,
        other: Self,
        operation: fn(i64, i64) -> Option<i64>,
    ) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(
                self.currency.code(),
                other.currency.code(),
            ));
        }
        operation(self.minor, other.minor)
            .map(|minor| Self::new(minor, self.currency))
            .ok_or_else(|| MoneyError::Range(self.amount()))
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

/// The shape on the wire; also the schema.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Money)]
struct MoneyText {
    /// Decimal string with exactly the currency's ISO 4217 digits.
    #[schema(example = "1016.15", pattern = r"^-?\d+(\.\d+)?$")]
    amount: String,
    /// ISO 4217 code.
    #[schema(value_type = String, example = "GBP", pattern = "^[A-Z]{3}$")]
    currency: Currency,
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        MoneyText {
            amount: self.amount(),
            currency: self.currency,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = MoneyText::deserialize(deserializer)?;
        let (amount, currency) = (text.amount, text.currency);
        let money = Self::parse(&amount, currency.code()).ok();
        // Exactly the currency's digits: `9999` may be 99.99 to its writer.
        let exact = money.filter(|money| money.amount() == amount);
        exact.ok_or_else(|| {
            let example = Self::new(101_615, currency).amount();
            de::Error::custom(format!(
                "`amount` must be a decimal string with exactly the digits of {currency}, e.g. {example}"
            ))
        })
    }
}

impl utoipa::PartialSchema for Money {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        MoneyText::schema()
    }
}

impl ToSchema for Money {
    fn name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(amount: &str, currency: &str) -> Result<Money, MoneyError> {
        Money::parse(amount, currency)
    }

    #[test]
    fn a_literal_of_any_scale_keeps_its_value() {
        for (literal, currency, shown) in [
            ("627.00", "GBP", "627.00"),
            ("20.0", "GBP", "20.00"),
            ("1500", "GBP", "1500.00"),
            ("0", "USD", "0.00"),
            ("-3.5", "EUR", "-3.50"),
            ("-0.05", "EUR", "-0.05"),
            ("1500", "JPY", "1500"),
            ("1500.00", "JPY", "1500"),
            ("1.234", "KWD", "1.234"),
            ("0021.10", "GBP", "21.10"),
        ] {
            assert_eq!(money(literal, currency).unwrap().amount(), shown);
        }
    }

    #[test]
    fn what_would_change_value_is_refused() {
        for (literal, currency) in [("1.005", "GBP"), ("1.5", "JPY"), ("1.2345", "KWD")] {
            assert!(matches!(
                money(literal, currency),
                Err(MoneyError::Precision { .. })
            ));
        }
        for literal in [
            "", "-", ".5", "5.", "1,000.00", "1e3", "NaN", " 1", "+1", "1.-0", "٣",
        ] {
            assert!(matches!(money(literal, "GBP"), Err(MoneyError::Syntax(_))));
        }
        assert!(matches!(
            money("92233720368547758.08", "GBP"),
            Err(MoneyError::Range(_))
        ));
        for code in ["", "gbp", "ZZZ", "XAU", "POUNDS"] {
            assert!(matches!(money("1", code), Err(MoneyError::Currency(_))));
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_text(minor in any::<i64>().prop_filter("abs", |m| *m != i64::MIN), which in 0_usize..3) {
            let code = ["GBP", "JPY", "KWD"][which];
            let amount = Money::new(minor, code.parse().unwrap());
            prop_assert_eq!(Money::parse(&amount.amount(), code).unwrap(), amount);
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), amount);
        }
    }
}
