//! Query parameters as Amadeus reads them.

use super::problem::{Problem, Source};
use crate::query::Query;

/// The query of a request, decoded.
pub(crate) struct Params(Query);

impl Params {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        Self(Query::parse(query))
    }

    /// The value of `name`; none when it is absent or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.first(name).filter(|value| !value.is_empty())
    }

    /// # Errors
    /// 32171, it is absent.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Problem> {
        let missing = || Problem::missing(Source::Parameter(name.to_owned()));
        self.get(name).ok_or_else(missing)
    }

    /// A whole number of `low` to `high`.
    ///
    /// # Errors
    /// 477, it is something else.
    pub(crate) fn number(&self, name: &str, low: u64, high: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|n| (low..=high).contains(n));
        let detail = format!("must be a number of {low} to {high}");
        number
            .ok_or_else(|| Problem::format(Source::Parameter(name.to_owned()), &detail))
            .map(Some)
    }

    /// Codes with commas between them.
    pub(crate) fn codes(&self, name: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        text.split(',')
            .filter(|code| !code.is_empty())
            .map(str::to_owned)
            .collect()
    }
}
