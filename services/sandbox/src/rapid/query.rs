//! What a request to Rapid asks for: its query, the stay and the occupancies in it.

use jiff::civil::Date;
use serde_json::Value;

use super::answer::{Problem, field, wrong};
use super::rates;
use crate::query;

/// The query of a request, decoded; a name may come several times.
pub(crate) struct Query(query::Query);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        Self(query::Query::parse(query))
    }

    /// The first value with this name that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.filled(name)
    }

    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.all(name)
    }

    /// A parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Problem> {
        self.get(name)
            .ok_or_else(|| Problem::invalid(vec![missing(name)]))
    }
}

/// The error for a parameter that is not there.
fn missing(name: &str) -> Value {
    let message = format!("A {name} is required.");
    let fields = vec![field(name, "querystring", Value::Null)];
    wrong(&format!("{name}.required"), &message, fields)
}

/// Who sleeps in one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Occupancy {
    pub(crate) adults: u32,
    pub(crate) child_ages: Vec<u32>,
}

impl Occupancy {
    /// `2-9,4`: two adults, a child of nine and one of four.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (adults, ages) = match text.split_once('-') {
            None => (text, Vec::new()),
            Some((adults, ages)) => {
                let ages = ages.split(',').map(|age| age.parse().ok());
                (adults, ages.collect::<Option<Vec<u32>>>()?)
            }
        };
        Some(Self {
            adults: adults.parse().ok()?,
            child_ages: ages,
        })
    }

    pub(crate) fn children(&self) -> u32 {
        u32::try_from(self.child_ages.len()).unwrap_or(u32::MAX)
    }

    /// As Rapid writes it in queries and as a key.
    pub(crate) fn text(&self) -> String {
        if self.child_ages.is_empty() {
            return self.adults.to_string();
        }
        let ages: Vec<String> = self.child_ages.iter().map(u32::to_string).collect();
        format!("{}-{}", self.adults, ages.join(","))
    }
}

/// A stay that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) checkin: Date,
    pub(crate) checkout: Date,
    /// One for each room.
    pub(crate) occupancies: Vec<Occupancy>,
    /// Request currency.
    pub(crate) currency: String,
}

impl Stay {
    pub(crate) fn nights(&self) -> impl Iterator<Item = Date> {
        let checkout = self.checkout;
        self.checkin
            .series(jiff::Span::new().days(1))
            .take_while(move |night| *night < checkout)
    }

    pub(crate) fn rooms(&self) -> u32 {
        u32::try_from(self.occupancies.len()).unwrap_or(u32::MAX)
    }
}

/// The query of `GET /v3/properties/availability`.
pub(crate) struct Shop {
    pub(crate) stay: Stay,
    /// Property ids, in the order asked for.
    pub(crate) properties: Vec<u64>,
    /// How many rates of each property are wanted.
    pub(crate) most_rates: usize,
    /// Whether a property that cannot take these people says why.
    pub(crate) reasons: bool,
    pub(crate) refundable_only: bool,
}

impl Shop {
    /// # Errors
    /// 400 with everything that is wrong, as Rapid lists it.
    pub(crate) fn parse(query: &Query, today: Date, base: &str) -> Result<Self, Problem> {
        let mut errors: Vec<Value> = Vec::new();
        for name in [
            "checkin",
            "checkout",
            "currency",
            "country_code",
            "language",
            "occupancy",
            "property_id",
            "rate_plan_count",
            "sales_channel",
            "sales_environment",
        ] {
            if query.get(name).is_none() {
                errors.push(missing(name));
            }
        }
        let mut complain = |kind: &str, message: &str, name: &str, value: &str| {
            errors.push(wrong(
                kind,
                message,
                vec![field(name, "querystring", value)],
            ));
        };
        let mut date = |name: &str| {
            let text = query.get(name)?;
            let parsed = text.parse::<Date>().ok().filter(|_| text.len() == 10);
            if parsed.is_none() {
                let message = format!(
                    "Invalid {name} format. It must be formatted in ISO 8601 (YYYY-mm-dd) http://www.iso.org/iso/catalogue_detail?csnumber=40874."
                );
                complain(&format!("{name}.invalid_date_format"), &message, name, text);
            }
            parsed
        };
        let (checkin, checkout) = (date("checkin"), date("checkout"));
        if let Some(checkin) = checkin {
            let text = checkin.to_string();
            // Yesterday is still today somewhere.
            if days(checkin, today) > 1 {
                let message = "Checkin cannot be in the past.";
                complain(
                    "checkin.invalid_date_in_the_past",
                    message,
                    "checkin",
                    &text,
                );
            } else if days(today, checkin) > 500 {
                let message = "Checkin too far in the future.";
                complain(
                    "checkin.invalid_date_too_far_out",
                    message,
                    "checkin",
                    &text,
                );
            }
        }
        if let (Some(checkin), Some(checkout)) = (checkin, checkout) {
            let text = checkout.to_string();
            if checkout <= checkin {
                let message = "Checkout must be after checkin.";
                complain(
                    "checkout.invalid_checkout_before_checkin",
                    message,
                    "checkout",
                    &text,
                );
            } else if days(checkin, checkout) > 28 {
                let message = "Invalid date range. Checkin and checkout dates cannot differ by more than 28 days.";
                complain(
                    "checkout.invalid_length_of_stay_too_long",
                    message,
                    "checkout",
                    &text,
                );
            }
        }
        let texts: Vec<&str> = query
            .all("occupancy")
            .filter(|one| !one.is_empty())
            .collect();
        if texts.len() > 8 {
            let (kind, count) = ("number_of_occupancies.invalid_above_maximum", texts.len());
            let message = "Number of occupancies must be less than 9.";
            complain(kind, message, "occupancy", &count.to_string());
        }
        let mut occupancies = Vec::with_capacity(texts.len());
        for text in texts {
            match Occupancy::parse(text) {
                None => complain(
                    "occupancy.invalid_format",
                    "Invalid occupancy format. It must be numberOfAdults[-firstChildAge[,nextChildAge]].",
                    "occupancy",
                    text,
                ),
                Some(one) if one.adults == 0 => complain(
                    "number_of_adults.invalid_below_minimum",
                    "Number of adults must be greater than 0.",
                    "occupancy",
                    text,
                ),
                Some(one) if one.adults > 8 => complain(
                    "number_of_adults.invalid_above_maximum",
                    "Number of adults must be less than 9.",
                    "occupancy",
                    text,
                ),
                Some(one) if one.child_ages.iter().any(|age| *age > 17) => complain(
                    "child_age.invalid_outside_accepted_range",
                    "Child age must be between 0 and 17.",
                    "occupancy",
                    text,
                ),
                Some(one) => occupancies.push(one),
            }
        }
        let mut properties = Vec::new();
        for text in query.all("property_id").filter(|one| !one.is_empty()) {
            match text.parse::<u64>() {
                Ok(number) => properties.push(number),
                Err(_) => complain(
                    "property_id.must_be_numeric",
                    "All provided property_id query parameters must be numeric (contains only digits 0-9, with no other characters).",
                    "property_id",
                    text,
                ),
            }
        }
        if properties.len() > 250 {
            let message = "A maximum of 250 property_id query parameters is supported.";
            let count = properties.len().to_string();
            complain("property_id.above_maximum", message, "property_id", &count);
        }
        let currency = query.get("currency").unwrap_or_default();
        if !currency.is_empty() && rates::convert(100, base, currency).is_none() {
            let message = "Currency is not supported.";
            complain("currency.not_supported", message, "currency", currency);
        }
        if let Some(text) = query.get("language").filter(|text| !spoken(text)) {
            complain(
                "language.not_supported",
                "Language is not supported.",
                "language",
                text,
            );
        }
        let count = query.get("rate_plan_count").unwrap_or_default();
        let most_rates = count.parse().ok().filter(|most| (1..=250).contains(most));
        if most_rates.is_none() && !count.is_empty() {
            let message = "Rate plan count must be between 1 and 250.";
            complain("rate_plan_count.invalid", message, "rate_plan_count", count);
        }
        for one in query.all("include") {
            if !INCLUDES.contains(&one) {
                let message = format!(
                    "Include value not supported. Supported include values are: [{}]",
                    INCLUDES.join(", ")
                );
                complain("include.not_supported", &message, "include", one);
            }
        }
        match (checkin, checkout, most_rates) {
            (Some(checkin), Some(checkout), Some(most_rates)) if errors.is_empty() => Ok(Self {
                stay: Stay {
                    checkin,
                    checkout,
                    occupancies,
                    currency: currency.to_owned(),
                },
                properties,
                most_rates,
                reasons: query.all("include").any(|one| one == "unavailable_reason"),
                refundable_only: query.all("filter").any(|one| one == "refundable"),
            }),
            _ => Err(Problem::invalid(errors)),
        }
    }
}

/// What can be asked for beside the rates.
const INCLUDES: [&str; 4] = [
    "unavailable_reason",
    "sale_scenario.mobile_promotion",
    "rooms.rates.marketing_fee_incentives",
    "rooms.rates.current_refundability",
];

/// Whether a language is of the form `en-US`.
pub(crate) fn spoken(language: &str) -> bool {
    language.split_once('-').is_some_and(|(language, country)| {
        let letters = |part: &str, upper: bool| {
            part.len() == 2
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphabetic() && byte.is_ascii_uppercase() == upper)
        };
        letters(language, false) && letters(country, true)
    })
}

/// Days from one date to another, negative if the other is earlier.
pub(crate) fn days(from: Date, to: Date) -> i32 {
    from.until(to).map_or(i32::MAX, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occupancy_is_read_and_written_the_same() {
        for text in ["2", "2-9,4", "1-0"] {
            assert_eq!(Occupancy::parse(text).unwrap().text(), text);
        }
        for text in ["", "-", "2-", "a", "2-9,", "-4", "2-9;4"] {
            assert_eq!(Occupancy::parse(text), None, "{text}");
        }
    }
}
