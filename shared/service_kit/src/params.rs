//! Query parameters: unknown and repeated ones are refused at once, and every one that does not parse
//! is named in a single answer.

use std::collections::BTreeMap;

use travel_types::{FieldErrors, Place};

use crate::error::{ApiError, codes};

/// The query of a request while it is being read.
#[derive(Debug)]
pub struct Params {
    values: BTreeMap<String, String>,
    errors: FieldErrors,
}

impl Params {
    /// Splits a query (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// 400 for a parameter that is not in `known` or stands twice, and for what is not
    /// percent-encoded UTF-8.
    pub fn read(query: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        if !is_well_encoded(query.unwrap_or_default()) {
            return Err(ApiError::new(&codes::BAD_REQUEST).message(
                "The query is not percent-encoded UTF-8. Encode it as application/x-www-form-urlencoded.",
            ));
        }
        let mut values = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let shown: String = name.chars().take(64).collect();
            if !known.contains(&name.as_ref()) {
                return Err(ApiError::new(&codes::UNKNOWN_PARAMETER)
                    .message(format!(
                        "There is no parameter of this name here; known are {}.",
                        known.join(", ")
                    ))
                    .field(shown));
            }
            if values
                .insert(name.into_owned(), value.into_owned())
                .is_some()
            {
                return Err(ApiError::new(&codes::REPEATED_PARAMETER).field(shown));
            }
        }
        Ok(Self {
            values,
            errors: FieldErrors::new(),
        })
    }

    /// A parameter that must be there. `parse` says in words what would be right.
    pub fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.values.contains_key(name) {
            self.errors.add(name, "REQUIRED", "is required");
        }
        self.optional(name, parse)
    }

    /// A parameter that may be absent.
    pub fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.values.get(name)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.errors.add(name, "INVALID_PARAMETER", message);
                None
            }
        }
    }

    /// Whether a parameter was given, rightly or wrongly.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// What was asked for, sorted by name, without the parameters `beside`.
    pub fn asked_for(&self, beside: &[&str]) -> Vec<(&str, &str)> {
        let all = self.values.iter();
        let asked = all.filter(|(name, _)| !beside.contains(&name.as_str()));
        asked
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// The list of what is wrong so far, for rules that span parameters.
    pub fn errors(&mut self) -> &mut FieldErrors {
        &mut self.errors
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 422 that names every bad parameter.
    pub fn finish(self) -> Result<(), ApiError> {
        self.errors.or(()).map_err(ApiError::invalid)
    }
}

/// Whether every percent sign begins an encoded byte and all bytes are UTF-8. A lenient reader would
/// search for something else than what was meant.
fn is_well_encoded(query: &str) -> bool {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(query.len());
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return false;
        };
        decoded.extend(u8::try_from(high << 4 | low));
    }
    str::from_utf8(&decoded).is_ok()
}

/// A whole number within bounds, in digits alone.
pub fn whole(low: u32, high: u32) -> impl Fn(&str) -> Result<u32, String> {
    move |text| {
        Some(text)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| format!("must be a whole number from {low} to {high}"))
    }
}

/// A date as `YYYY-MM-DD`.
pub fn date(text: &str) -> Result<travel_types::jiff::civil::Date, String> {
    Some(text)
        .filter(|text| text.len() == 10)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| "must be a date such as 2026-12-01".to_owned())
}

/// One of the names of a table.
pub fn one_of<T: Copy>(known: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let row = known.iter().find(|(name, _)| *name == text);
        row.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}

/// An airport or a city, by its IATA code.
pub fn place(text: &str) -> Result<Place, String> {
    travel_types::place(text).ok_or_else(|| {
        "must be the IATA code of an airport or a city in capitals, e.g. LHR; \
         GET /api/v1/places?query= finds codes"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_parameter_is_named_in_one_answer() {
        let mut params = Params::read(
            Some("adults=0&departure_date=tomorrow"),
            &["adults", "departure_date", "origin"],
        )
        .unwrap();
        assert_eq!(params.required("adults", whole(1, 9)), None);
        assert_eq!(params.required("departure_date", date), None);
        assert_eq!(params.required("origin", |text| Ok(text.to_owned())), None);
        let error = params.finish().unwrap_err();
        let fields: Vec<_> = error
            .entries()
            .iter()
            .map(|e| e.field.clone().unwrap())
            .collect();
        assert_eq!(fields, ["adults", "departure_date", "origin"]);
        assert_eq!(error.status(), 422);
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused() {
        let code = |query| {
            Params::read(Some(query), &["a"])
                .unwrap_err()
                .code()
                .to_owned()
        };
        assert_eq!(code("b=1"), "UNKNOWN_PARAMETER");
        assert_eq!(code("a=1&a=2"), "REPEATED_PARAMETER");
    }

    #[test]
    fn a_query_that_is_not_percent_encoded_utf_8_is_refused() {
        for query in ["a=%", "a=%zz", "a=%4", "a=%ff", "a=%c0%af", "%f0%9f=1"] {
            let error = Params::read(Some(query), &["a"]).unwrap_err();
            assert_eq!(error.code(), "BAD_REQUEST", "{query}");
        }
        let mut params = Params::read(Some("%61=%C3%A9+%25"), &["a"]).unwrap();
        let value = params.required("a", |text| Ok(text.to_owned()));
        assert_eq!(value.as_deref(), Some("\u{e9} %"));
    }

    #[test]
    fn a_whole_number_is_digits_alone() {
        assert_eq!(whole(0, 9)("7"), Ok(7));
        for text in ["", "+7", "-0", "7.0", "7e0", " 7", "0x7", "\u{ff17}", "10"] {
            assert!(whole(0, 9)(text).is_err(), "{text:?}");
        }
    }
}
