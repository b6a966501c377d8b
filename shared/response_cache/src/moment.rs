//! Instants of the wall clock in milliseconds, and the dates of HTTP.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

/// An instant of the wall clock: milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// The milliseconds that have passed since `earlier`; negative when that is in the future.
    pub(crate) fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) fn minus(self, millis: i64) -> Self {
        Self(self.0.saturating_sub(millis))
    }

    pub(crate) fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Reads a date in any of the three forms of RFC 9110 §5.6.7. Letters may be of either case, as
    /// they are in the wild; everything else is as strict as the grammar.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut canonical = String::with_capacity(text.len());
        let mut inside_word = false;
        for letter in text.trim().chars() {
            canonical.push(if inside_word {
                letter.to_ascii_lowercase()
            } else {
                letter.to_ascii_uppercase()
            });
            inside_word = letter.is_ascii_alphabetic();
        }
        if let Some(rest) = canonical.strip_suffix(" Gmt") {
            canonical = format!("{rest} GMT");
        }
        let time = httpdate::parse_http_date(&canonical)
            .ok()
            .or_else(|| with_the_right_weekday(&canonical))?;
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok().map(Self)
    }

    /// The date as a field's value.
    pub(crate) fn http_date(self) -> Option<HeaderValue> {
        let since = Duration::from_millis(u64::try_from(self.0).ok()?);
        HeaderValue::try_from(httpdate::fmt_http_date(UNIX_EPOCH.checked_add(since)?)).ok()
    }
}

/// Reads a date whose weekday is another than it says: the day of the month is the one that counts.
fn with_the_right_weekday(text: &str) -> Option<SystemTime> {
    const WEEKDAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    let (said, _) = text.split_once([',', ' '])?;
    let rest = text.strip_prefix(said)?;
    let short = |day: &'static str| day.split_at_checked(3).map(|(short, _)| short);
    let is_long = WEEKDAYS.contains(&said);
    if !is_long && !WEEKDAYS.iter().any(|day| short(day) == Some(said)) {
        return None;
    }
    WEEKDAYS.iter().find_map(|day| {
        let day = if is_long { day } else { short(day)? };
        httpdate::parse_http_date(&format!("{day}{rest}")).ok()
    })
}

/// The date in a field. A field that stands there twice is as good as an unreadable one.
pub(crate) fn date_of(headers: &HeaderMap, name: &HeaderName) -> Option<Moment> {
    let mut lines = headers.get_all(name).iter();
    let value = lines.next()?.to_str().ok()?;
    if lines.next().is_some() {
        return None;
    }
    Moment::parse(value)
}

/// A duration in milliseconds, at most some 292 million years.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_a_date_are_read_in_any_case() {
        for text in [
            "Thu, 18 Aug 2050 02:01:18 GMT",
            "THU, 18 AUG 2050 02:01:18 gMT",
            "Thursday, 18-Aug-50 02:01:18 GMT",
            "Thu Aug 18 02:01:18 2050",
            "Mon Aug 18 02:01:18 2050",
            "Monday, 18-Aug-50 02:01:18 GMT",
        ] {
            assert_eq!(
                Moment::parse(text),
                Some(Moment(2_544_400_878_000)),
                "{text}"
            );
        }
        let again = Moment(2_544_400_878_000).http_date().unwrap();
        assert_eq!(again, "Thu, 18 Aug 2050 02:01:18 GMT");
    }

    #[test]
    fn what_is_nearly_a_date_is_none() {
        for text in [
            "0",
            "",
            "Foo, 18 Aug 2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18 AEST",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
