//! Values that a client makes itself, above all its reference of an order. They are others each time, so
//! a replay takes the present one for the recorded one in requests, and the reverse in answers.

use serde_json::Value;
use travel_types::jiff::civil::Date;

use super::placeholder;

/// Shorter values are codes, which mean the same to everybody.
const SHORTEST: usize = 12;
/// Characters of `2026-09-01`.
const DATE: usize = 10;

/// A value as the recorded request had it, and as the present one has it in the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) recorded: String,
    pub(super) present: String,
}

/// Whether a client may have made this: one long word of letters and digits that is no date, and no
/// stand-in for what was masked.
pub(super) fn may_be(text: &str) -> bool {
    let date = text
        .get(..DATE)
        .is_some_and(|day| day.parse::<Date>().is_ok());
    text.len() >= SHORTEST
        && text.bytes().all(within)
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !date
        && !placeholder::is_one(text)
}

/// Characters of such a word: none that JSON or an address would escape.
fn within(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// The texts in which two bodies differ, place by place, and whether they differ in nothing else.
pub(super) fn differing(recorded: &Value, present: &Value, into: &mut Vec<Own>) -> bool {
    match (recorded, present) {
        (Value::String(recorded), Value::String(present)) => {
            note(recorded, present, into);
            true
        }
        (Value::Array(recorded), Value::Array(present)) => {
            let same = recorded.len() == present.len();
            let items = recorded.iter().zip(present);
            items.fold(same, |alike, (a, b)| differing(a, b, into) && alike)
        }
        (Value::Object(recorded), Value::Object(present)) => {
            let same = recorded.len() == present.len();
            recorded.iter().fold(same, |alike, (name, member)| {
                let other = present.get(name);
                other.is_some_and(|other| differing(member, other, into)) && alike
            })
        }
        _ => recorded == present,
    }
}

/// Adds the two values if they differ.
pub(super) fn note(recorded: &str, present: &str, into: &mut Vec<Own>) {
    if recorded != present {
        into.push(Own {
            recorded: recorded.to_owned(),
            present: present.to_owned(),
        });
    }
}

/// The text with a word replaced wherever it stands alone.
pub(super) fn replaced(text: &str, word: &str, with: &str) -> String {
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices(word) {
        let (before, rest) = text.split_at(at);
        let after = rest.get(word.len()..).unwrap_or_default();
        if !before.ends_with(inside) && !after.starts_with(inside) {
            out.push_str(text.get(done..at).unwrap_or_default());
            out.push_str(with);
            done = at + word.len();
        }
    }
    out + text.get(done..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_may_be_a_clients_own_and_nothing_that_a_trip_is_made_of() {
        for text in [
            "ord_019a8b7c6d5e7f00a1b2c3d4e5f60718",
            "0G3K9V7M2Q4X8Z5T1W6Y",
            "550e8400-e29b-41d4-a716-446655440000",
            "ACME-2026-000815",
        ] {
            assert!(may_be(text), "{text}");
        }
        for text in [
            "2026-09-01T10:00",
            "2026-09-01-LONDON",
            "JFK",
            "Barcelona-Sants",
            "1234567890123456",
            "20260901|W|1|229351",
            "ada1234567@example.com",
            "masked-1234567",
            "1800-02-01T00-00",
        ] {
            assert!(!may_be(text), "{text}");
        }
    }

    #[test]
    fn what_differs_is_found_place_by_place() {
        let mut found = Vec::new();
        let (a, b) = (
            json!({"a": ["x", {"b": "1"}]}),
            json!({"a": ["x", {"b": "2"}]}),
        );
        assert!(differing(&a, &b, &mut found));
        let own = |recorded: &str, present: &str| Own {
            recorded: recorded.to_owned(),
            present: present.to_owned(),
        };
        assert_eq!(found, [own("1", "2")]);
        for other in [
            json!({"a": ["x"]}),
            json!({}),
            json!({"a": ["x", {"c": "2"}]}),
        ] {
            assert!(!differing(&a, &other, &mut Vec::new()), "{other}");
        }
        assert!(!differing(&json!({"a": 1}), &json!({"a": 2}), &mut found));
    }

    #[test]
    fn a_word_is_replaced_where_it_stands_alone() {
        let text = r#"ref_1 "ref_1",ref_12 xref_1 a/ref_1?ref_1."#;
        let expected = r#"mine "mine",ref_12 xref_1 a/mine?mine."#;
        assert_eq!(replaced(text, "ref_1", "mine"), expected);
    }
}
