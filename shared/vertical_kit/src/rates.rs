//! Exchange rates: what an offer's price is in the currency that a caller wants to see. The rates stand
//! behind a trait and carry their date and their source, because a converted amount is information: what
//! is charged is the supplier's own price. A rate is a decimal literal and stays one; a conversion is one
//! exact fraction, rounded once, at the end.

mod http;
#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use supplier_client::{CallCx, SupplierError};
use travel_types::{Currency, Money};
use utoipa::ToSchema;

pub use http::{HttpRates, RatesConfig, configured};

/// Where exchange rates come from.
#[async_trait]
pub trait RateSource: Send + Sync {
    /// The rates to use now, at once if they are at hand. A caller waits for them no longer than the
    /// source's own time-out, nor beyond the call's deadline.
    ///
    /// # Errors
    /// [`SupplierError`] when there are none, or none that are recent enough.
    async fn rates(&self, cx: &CallCx) -> Result<Arc<RateTable>, SupplierError>;
}

/// The rates of one day: what one unit of the base currency is worth in each of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateTable {
    /// The day that the rates are of.
    pub date: Date,
    /// Who says so, for people: `European Central Bank`.
    pub source: String,
    /// The currency that the rates are per unit of.
    pub base: Currency,
    rates: HashMap<Currency, Rate>,
}

/// A rate that is no rate. The literal is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rate of {0} is not a positive decimal of believable size")]
pub struct BadRate(pub Currency);

/// An amount in another currency, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Converted {
    /// The total, rounded half to even to the currency's ISO 4217 digits.
    pub total: Money,
    /// What one unit of the original currency was taken for: a decimal of at most 12 significant digits.
    /// The amount comes from the exact fraction.
    #[schema(example = "1.17173248213")]
    pub rate: String,
    /// The day that the rate is of.
    #[schema(value_type = String, format = Date, example = "2026-11-20")]
    pub date: Date,
    /// Who published it.
    #[schema(example = "European Central Bank")]
    pub source: String,
}

impl RateTable {
    /// A table from decimal literals such as `1.0823`: units of each currency for one unit of `base`,
    /// whose own rate is 1 and need not be given.
    ///
    /// # Errors
    /// [`BadRate`] for a literal that is no positive decimal, that has more than 18 significant digits,
    /// 12 before the point or 18 after it, for a rate of `base` that is not 1, and for a currency
    /// with two rates.
    pub fn new<'a>(
        date: Date,
        source: impl Into<String>,
        base: Currency,
        literals: impl IntoIterator<Item = (Currency, &'a str)>,
    ) -> Result<Self, BadRate> {
        let mut rates = HashMap::from([(base, Rate::ONE)]);
        for (currency, literal) in literals {
            let rate = Rate::parse(literal).ok_or(BadRate(currency))?;
            if *rates.entry(currency).or_insert(rate) != rate {
                return Err(BadRate(currency));
            }
        }
        Ok(Self {
            date,
            source: source.into(),
            base,
            rates,
        })
    }

    /// Whether amounts can be shown in this currency.
    pub fn knows(&self, currency: Currency) -> bool {
        self.rates.contains_key(&currency)
    }

    /// The amount in another currency, over the base if need be. In its own currency an amount stays
    /// what it is, at rate 1.
    ///
    /// None if one of the currencies has no rate, or the result does not fit.
    pub fn convert(&self, money: Money, to: Currency) -> Option<Converted> {
        let (amount, rate) = if money.currency() == to {
            (money, "1".to_owned())
        } else {
            let sold = self.rates.get(&money.currency())?;
            let bought = self.rates.get(&to)?;
            let ratio = sold.cross(*bought);
            (ratio.apply(money, to)?, ratio.decimal())
        };
        Some(Converted {
            total: amount,
            rate,
            date: self.date,
            source: self.source.clone(),
        })
    }
}

/// `mantissa / 10^scale`, in lowest terms as a decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    mantissa: u64,
    scale: u32,
}

/// Bounds of a rate. They keep a cross rate within 128 bits, and no currency comes near them.
const MOST_SCALE: u32 = 18;
const MOST_MANTISSA: u64 = 10_u64.pow(18);
const MOST_WHOLE: u64 = 10_u64.pow(12);
/// Longest literal that is looked at.
const MOST_TEXT: usize = 64;

impl Rate {
    const ONE: Self = Self {
        mantissa: 1,
        scale: 0,
    };

    /// Reads a number as JSON writes it (RFC 8259 §6), exponent included, if it is positive.
    fn parse(literal: &str) -> Option<Self> {
        if literal.len() > MOST_TEXT {
            return None;
        }
        let (number, exponent) = match literal.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i16>().ok()?),
            None => (literal, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (number, ""),
        };
        let digits = format!("{whole}{fraction}");
        if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_end_matches('0');
        let dropped = i64::try_from(digits.len() - significant.len()).ok()?;
        let scale = i64::try_from(fraction.len()).ok()? - dropped - i64::from(exponent);
        let mantissa: u64 = significant.parse().ok()?;
        let (mantissa, scale) = match u32::try_from(scale) {
            Ok(scale) => (mantissa, scale),
            Err(_) => {
                let zeros = u32::try_from(scale.checked_neg()?).ok()?;
                (mantissa.checked_mul(10_u64.checked_pow(zeros)?)?, 0)
            }
        };
        let fits = scale <= MOST_SCALE
            && mantissa < MOST_MANTISSA
            && mantissa / 10_u64.pow(scale) < MOST_WHOLE;
        fits.then_some(Self { mantissa, scale })
    }

    /// Units of the currency with rate `bought` for one unit of the one with this rate.
    fn cross(self, bought: Self) -> Ratio {
        let common = self.scale.min(bought.scale);
        let over = u128::from(bought.mantissa) * 10_u128.pow(self.scale - common);
        let under = u128::from(self.mantissa) * 10_u128.pow(bought.scale - common);
        let divisor = greatest_common_divisor(over, under);
        Ratio {
            over: over / divisor,
            under: under / divisor,
        }
    }
}

/// A cross rate, exactly. Neither part is 0 nor above 10^36.
struct Ratio {
    over: u128,
    under: u128,
}

/// Significant digits of a rate as it is shown.
const SHOWN: u128 = 10_u128.pow(12);

impl Ratio {
    fn apply(&self, money: Money, to: Currency) -> Option<Money> {
        let over = u128::from(money.minor().unsigned_abs())
            .checked_mul(self.over)?
            .checked_mul(10_u128.pow(to.digits()))?;
        let under = self
            .under
            .checked_mul(10_u128.pow(money.currency().digits()))?;
        let minor = i64::try_from(half_even(over / under, over % under, under)).ok()?;
        let sign = if money.minor() < 0 { -1 } else { 1 };
        Some(Money::new(sign * minor, to))
    }

    /// As a decimal, by long division until it ends or enough digits are there.
    fn decimal(&self) -> String {
        let mut quotient = self.over / self.under;
        let mut rest = self.over % self.under;
        let mut scale = 0;
        while rest > 0 && quotient < SHOWN / 10 {
            rest *= 10;
            quotient = quotient * 10 + rest / self.under;
            rest %= self.under;
            scale += 1;
        }
        let digits = half_even(quotient, rest, self.under).to_string();
        if scale == 0 {
            return digits;
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        }
    }
}

/// `quotient + rest / under`, rounded to the nearest whole number, to the even one of two.
fn half_even(quotient: u128, rest: u128, under: u128) -> u128 {
    let up = match rest.cmp(&(under - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient + u128::from(up)
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}
