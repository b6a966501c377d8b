//! What must not be kept in text that has no members: parameters of links, addresses of e-mail, card
//! numbers, credentials behind the name of their scheme.

use std::ops::Range;

use super::names::{Kind, kind_of};

/// Shorter words behind `Bearer` are prose.
const SHORTEST_CREDENTIAL: usize = 8;

/// What must be masked, in order and without overlaps.
pub(super) fn findings(text: &str) -> Vec<(Range<usize>, Kind)> {
    let mut all = parameters(text);
    all.extend(schemes(text));
    all.extend(emails(text));
    all.extend(cards(text));
    all.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut end = 0;
    all.retain(|(range, _)| {
        let free = range.start >= end && !range.is_empty();
        if free {
            end = range.end;
        }
        free
    });
    all
}

/// What stands at the end of `text` and consists of such characters.
fn tail(text: &str, of: impl Fn(char) -> bool) -> &str {
    text.get(text.trim_end_matches(of).len()..)
        .unwrap_or_default()
}

/// What stands at the start of `text` and consists of such characters.
fn head(text: &str, of: impl Fn(char) -> bool) -> &str {
    let rest = text.trim_start_matches(of).len();
    text.get(..text.len() - rest).unwrap_or_default()
}

/// `name=value` where the name says that the value is secret or personal, as in links and in
/// `Authorization: EAN apikey=…,signature=…`.
fn parameters(text: &str) -> Vec<(Range<usize>, Kind)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('=') {
        let (before, after) = text.split_at(at);
        let name = tail(before, |c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        let after = after.get(1..).unwrap_or_default();
        let quote = usize::from(after.starts_with('"'));
        let value = after.get(quote..).unwrap_or_default();
        let value = head(value, |c| !c.is_whitespace() && !"&#,;\"'<>)".contains(c));
        let kind = match name {
            "key" => Some(Kind::Credential),
            _ => kind_of(name, &[]),
        };
        if let Some(kind) = kind {
            let start = at + 1 + quote;
            found.push((start..start + value.len(), kind));
        }
    }
    found
}

/// `Bearer …` and `Basic …`.
fn schemes(text: &str) -> Vec<(Range<usize>, Kind)> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for scheme in ["bearer ", "basic "] {
        for (at, _) in lower.match_indices(scheme) {
            let start = at + scheme.len();
            let rest = text.get(start..).unwrap_or_default();
            let value = head(rest, |c| c.is_ascii_alphanumeric() || "-._~+/=".contains(c));
            let spoken = value.chars().all(|c| c.is_ascii_lowercase() || c == '.');
            if value.len() >= SHORTEST_CREDENTIAL && !spoken {
                found.push((start..start + value.len(), Kind::Credential));
            }
        }
    }
    found
}

/// Addresses of e-mail, also with `%40`.
fn emails(text: &str) -> Vec<(Range<usize>, Kind)> {
    let mut found = Vec::new();
    for sign in ["@", "%40"] {
        for (at, _) in text.match_indices(sign) {
            let (before, after) = text.split_at(at);
            let after = after.get(sign.len()..).unwrap_or_default();
            let local = tail(before, |c| c.is_alphanumeric() || "._%+-".contains(c));
            let domain = head(after, |c| c.is_alphanumeric() || ".-".contains(c));
            let domain = domain.trim_end_matches(['.', '-']);
            if !local.is_empty() && domain.contains('.') {
                let end = at + sign.len() + domain.len();
                found.push((at - local.len()..end, Kind::Personal));
            }
        }
    }
    found
}

/// Card numbers: 14 to 19 digits, perhaps in groups, that begin as a scheme's numbers do and pass the
/// check of ISO/IEC 7812-1 annex B. Ticket numbers have 13 digits, and stay.
fn cards(text: &str) -> Vec<(Range<usize>, Kind)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(start) = rest.find(|c: char| c.is_ascii_digit()).map(|to| at + to) else {
            break;
        };
        let (before, rest) = text.split_at(start);
        let run = head(rest, |c| c.is_ascii_digit() || c == ' ' || c == '-');
        let run = run.trim_end_matches([' ', '-']);
        at = start + run.len();
        let free = !before.ends_with(|c: char| c.is_alphanumeric() || "_.-".contains(c))
            && !text
                .get(at..)
                .unwrap_or_default()
                .starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let digits: Vec<u32> = run.chars().filter_map(|c| c.to_digit(10)).collect();
        if free && !run.contains("--") && !run.contains("  ") && is_card(&digits) {
            found.push((start..at, Kind::Personal));
        }
    }
    found
}

fn is_card(digits: &[u32]) -> bool {
    let start = |length: usize| {
        digits
            .iter()
            .take(length)
            .fold(0, |number, digit| number * 10 + digit)
    };
    let length = digits.len();
    let issued = match start(1) {
        2 => length == 16 && (2221..=2720).contains(&start(4)),
        3 => match start(2) {
            34 | 37 => length == 15,
            30 | 36 | 38 | 39 => (14..=19).contains(&length),
            35 => (16..=19).contains(&length),
            _ => false,
        },
        4 => length == 16 || length == 19,
        5 => length == 16 && (51..=55).contains(&start(2)),
        6 => (16..=19).contains(&length),
        _ => false,
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ if *digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    issued && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        findings(text)
            .into_iter()
            .map(|(range, _)| &text[range])
            .collect()
    }

    #[test]
    fn links_messages_and_headers_are_searched() {
        for (text, expected) in [
            ("/v3/x?token=a.b-C%3D&id=1#t", vec!["a.b-C%3D"]),
            (
                "no such email: ada.l+x@mail.example.com.",
                vec!["ada.l+x@mail.example.com"],
            ),
            ("?q=ada%40example.com&x=1", vec!["ada%40example.com"]),
            (
                "EAN apikey=k1,signature=\"s1\",timestamp=5",
                vec!["k1", "s1"],
            ),
            ("refused: Bearer AbC123.def-9", vec!["AbC123.def-9"]),
            (
                "card 4242 4242-4242 4242 declined",
                vec!["4242 4242-4242 4242"],
            ),
            ("amex 378282246310005", vec!["378282246310005"]),
            ("email=ada@example.com", vec!["ada@example.com"]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn ids_dates_tickets_and_prose_stay() {
        for text in [
            "0165551234567 4111111111111112",
            "2026-09-01T10:00:00.000Z 2026-09-01 2026-09-05",
            "off_4242424242424242 a4242424242424242",
            "0000AEatBxAp5iMWXnIwuf",
            "20260901|20260905|W|1|229351|DBT.ST",
            "the bearer of this voucher, basic economy",
            "550e8400-4242-4242-4242-424242424242",
            "a=b&sort=total_amount&limit=200 @home 5 @ 10.0",
            "ü=é",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
