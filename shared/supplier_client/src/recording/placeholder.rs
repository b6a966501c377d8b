//! What stands in for a masked value: the same for the same value throughout a file, of the same JSON
//! type, and a date for a date, so that an adapter reads a recording as it reads the supplier.

use travel_types::jiff::ToSpan as _;
use travel_types::jiff::civil::{Date, date};

const PREFIX: &str = "masked-";
/// Masked numbers count up from here.
const FIRST_NUMBER: u64 = 990_000_000;
/// And stay below this.
const LAST_NUMBER: u64 = 990_999_999;
/// Masked dates lie in the nineteenth century: nobody is that old.
const CENTURY: &str = "18";
/// Characters of `2026-09-01`.
const DATE: usize = 10;

/// The stand-in of the `n`th value.
pub(super) fn of_text(n: u64, value: &str) -> String {
    match split_date(value) {
        Some((_, rest)) => {
            let days = i64::try_from(n % 36_000).unwrap_or_default();
            let stand_in = date(1800, 1, 1).saturating_add(days.days());
            format!("{stand_in}{rest}")
        }
        None => format!("{PREFIX}{n}"),
    }
}

/// The stand-in of the `n`th value where a number stood.
pub(super) fn of_number(n: u64) -> String {
    (FIRST_NUMBER + n % (LAST_NUMBER - FIRST_NUMBER)).to_string()
}

/// Whether this is a stand-in already.
pub(super) fn is_one(text: &str) -> bool {
    let counted = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix(PREFIX).is_some_and(counted)
        || text
            .parse()
            .is_ok_and(|number: u64| (FIRST_NUMBER..=LAST_NUMBER).contains(&number))
        || (text.starts_with(CENTURY) && split_date(text).is_some())
}

/// Whether looking for this value would find it in stand-ins.
pub(super) fn is_part_of_one(value: &str) -> bool {
    PREFIX.contains(&value.to_lowercase())
}

/// The number of the stand-in `masked-n` with the highest number in this text.
pub(super) fn highest(text: &str) -> u64 {
    text.split(PREFIX)
        .skip(1)
        .map(|after| {
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            after.get(..digits).unwrap_or_default()
        })
        .filter_map(|digits| digits.parse().ok())
        .max()
        .unwrap_or_default()
}

fn split_date(text: &str) -> Option<(Date, &str)> {
    let (day, rest) = text.split_at_checked(DATE)?;
    let whole = rest.is_empty() || rest.starts_with(['T', ' ']);
    let day = whole.then(|| day.parse().ok())??;
    Some((day, rest))
}

/// The text with every stand-in replaced by one and the same: two recordings of the same exchange number
/// their values differently.
pub(super) fn blurred(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut bounded = true;
    while let Some(first) = rest.chars().next() {
        let digits =
            |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (length, instead) = if let Some(after) = rest.strip_prefix(PREFIX)
            && digits(after) > 0
        {
            (PREFIX.len() + digits(after), "masked")
        } else if bounded && rest.get(..DATE).is_some_and(is_one) && rest.starts_with(CENTURY) {
            (DATE, "1800-01-01")
        } else if bounded
            && digits(rest) == FIRST_NUMBER.to_string().len()
            && rest.get(..digits(rest)).is_some_and(is_one)
        {
            (digits(rest), "990000000")
        } else {
            (first.len_utf8(), "")
        };
        let (taken, after) = rest.split_at(length);
        out.push_str(if instead.is_empty() { taken } else { instead });
        bounded = !first.is_alphanumeric();
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_has_the_shape_of_its_value_and_is_known_again() {
        assert_eq!(of_text(3, "Ada"), "masked-3");
        assert_eq!(of_text(31, "1990-05-06"), "1800-02-01");
        assert_eq!(of_text(0, "1990-05-06T00:00:00"), "1800-01-01T00:00:00");
        assert_eq!(of_number(7), "990000007");
        for known in ["masked-3", "1800-02-01", "1800-01-01T00:00:00", "990000007"] {
            assert!(is_one(known), "{known}");
        }
        for other in [
            "masked-",
            "masked-x",
            "1990-05-06",
            "18",
            "Ada",
            "991000000",
        ] {
            assert!(!is_one(other), "{other}");
        }
    }

    #[test]
    fn blurred_texts_differ_in_nothing_but_real_values() {
        let text = r#"{"a":"masked-12","b":990000003,"c":"1801-02-03T00","d":"x masked-1, ü","e":1990000003}"#;
        let expected =
            r#"{"a":"masked","b":990000000,"c":"1800-01-01T00","d":"x masked, ü","e":1990000003}"#;
        assert_eq!(blurred(text), expected);
        assert_eq!(highest(text), 12);
    }
}
