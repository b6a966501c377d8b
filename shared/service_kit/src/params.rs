//! Query parameters: unknown and repeated ones are refused at once, and every one that does not parse
//! is named in a single answer.

use std::collections::BTreeMap;

use travel_types::FieldErrors;

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
    /// 400 for a parameter that is not in `known` or stands twice.
    pub fn read(query: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
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

/// A whole number within bounds.
pub fn whole(low: u32, high: u32) -> impl Fn(&str) -> Result<u32, String> {
    move |text| {
        text.parse()
            .ok()
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
}
