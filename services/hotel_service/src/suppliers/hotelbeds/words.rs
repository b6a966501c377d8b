//! Hotelbeds' codes and words in our terms: boards, categories, what a comment says of taxes. Source: the
//! lists `boards` and `categories` of the content API (extracts recorded in February 2024), and the
//! comments in the recorded bodies.

use crate::{Board, PropertyCharge};

/// Boards by code. Half and full board with drinks are what they are without.
const BOARDS: [(&str, Board); 15] = [
    ("RO", Board::RoomOnly),
    ("SC", Board::RoomOnly),
    ("AB", Board::Breakfast),
    ("BB", Board::Breakfast),
    ("CB", Board::Breakfast),
    ("DB", Board::Breakfast),
    ("GB", Board::Breakfast),
    ("IB", Board::Breakfast),
    ("LB", Board::Breakfast),
    ("HB", Board::HalfBoard),
    ("FB", Board::FullBoard),
    ("PC", Board::FullBoard),
    ("AI", Board::AllInclusive),
    ("TI", Board::AllInclusive),
    ("TL", Board::AllInclusive),
];

/// Boards by what their name says; the first that fits holds.
const BOARD_NAMES: [(&str, Board); 7] = [
    ("all inclusive", Board::AllInclusive),
    ("full board", Board::FullBoard),
    ("half board", Board::HalfBoard),
    ("breakfast", Board::Breakfast),
    ("room only", Board::RoomOnly),
    ("self catering", Board::RoomOnly),
    ("self-catering", Board::RoomOnly),
];

/// The board by its name, which says what the guest gets; else by its code. None: neither is known.
pub(super) fn board(code: Option<&str>, name: Option<&str>) -> Option<Board> {
    let name = name.unwrap_or_default().to_lowercase();
    let named = BOARD_NAMES.iter().find(|(words, _)| name.contains(words));
    let coded = || BOARDS.iter().find(|(known, _)| Some(*known) == code);
    named.or_else(coded).map(|(_, board)| *board)
}

/// Stars by the category's name (`4 STARS`, `3 STARS AND A HALF`), else by its code (`4EST`, `5LUX`,
/// `H2_5`, `3LL` with keys for stars). None where there are none: hostels, villas, categories to come.
pub(super) fn stars(code: Option<&str>, name: Option<&str>) -> Option<f64> {
    let name = name.unwrap_or_default().to_uppercase();
    by_name(&name)
        .or_else(|| by_code(code.unwrap_or_default()))
        .filter(|stars| (0.5..=5.0).contains(stars))
}

fn by_name(name: &str) -> Option<f64> {
    let (before, after) = name.split_once("STAR")?;
    let number = before.split_whitespace().next_back()?;
    let stars: f64 = number.replace(',', ".").parse().ok()?;
    let half = after.contains("HALF") && stars.fract() == 0.0;
    Some(if half { stars + 0.5 } else { stars })
}

fn by_code(code: &str) -> Option<f64> {
    if let Some(rest) = code.strip_prefix('H') {
        return rest
            .replace('_', ".")
            .parse()
            .ok()
            .filter(|_| rest.contains('_'));
    }
    let digits = ["EST", "LUX", "LL"]
        .iter()
        .find_map(|kind| code.strip_suffix(kind))?;
    digits.parse().ok()
}

/// The class of a rate in words.
pub(super) fn rate_name(class: Option<&str>) -> Option<String> {
    let class = class?;
    Some(match class {
        "NOR" => "Normal rate".to_owned(),
        NON_REFUNDABLE => "Non-refundable rate".to_owned(),
        other => other.to_owned(),
    })
}

/// The class of rates that give nothing back.
pub(super) const NON_REFUNDABLE: &str = "NRF";

/// How comments name what is paid at the property.
const PAYABLE: [&str; 4] = [
    "payable on arrival",
    "payable at the hotel",
    "payable at the property",
    "payable locally",
];

/// A charge that stands in a comment only. Its amount is text for people: it is quoted, not read.
pub(super) fn charge_in(comment: &str) -> Option<PropertyCharge> {
    // Lower case of ASCII alone, so that positions stay.
    let low = comment.to_ascii_lowercase();
    let (at, words) = PAYABLE
        .iter()
        .filter_map(|words| Some((low.find(words)?, words)))
        .min()?;
    let before = low.get(..at)?;
    let start = before
        .rfind("estimated total amount")
        .or_else(|| before.rfind(". ").map(|point| point + 2))
        .unwrap_or(0);
    let quoted = comment.get(start..at + words.len())?;
    Some(PropertyCharge {
        name: "taxes_and_fees".to_owned(),
        amount: None,
        note: Some(tidy(quoted)),
    })
}

/// Text without the runs of spaces that comments come with.
pub(super) fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_known_by_name_or_code() {
        for (code, name, board_) in [
            ("RO", "ROOM ONLY", Some(Board::RoomOnly)),
            ("BB", "BED AND BREAKFAST", Some(Board::Breakfast)),
            ("AB", "AMERICAN BREAKFAST", Some(Board::Breakfast)),
            (
                "XX",
                "HALF BOARD WITH BEVERAGES INCLUDED",
                Some(Board::HalfBoard),
            ),
            ("FB", "", Some(Board::FullBoard)),
            ("TI", "ALL INCLUSIVE SPECIAL", Some(Board::AllInclusive)),
            ("XX", "LUNCH INCLUDED", None),
        ] {
            assert_eq!(board(Some(code), Some(name)), board_, "{code} {name}");
        }
        assert_eq!(board(None, None), None);
        assert_eq!(board(Some("AI"), None), Some(Board::AllInclusive));
    }

    #[test]
    fn stars_are_read_from_names_and_codes_and_never_guessed() {
        for (code, name, stars_) in [
            ("4EST", "4 STARS", Some(4.0)),
            ("5LUX", "5 STARS LUXURY", Some(5.0)),
            ("H2_5", "", Some(2.5)),
            ("H3_5", "3 STARS AND A HALF", Some(3.5)),
            ("1EST", "1 STAR", Some(1.0)),
            ("1LL", "1 KEY", Some(1.0)),
            ("HS2", "HOSTEL 2 STARS", Some(2.0)),
            ("9EST", "", None),
            ("AP", "APARTMENT", None),
            ("HR", "HOTEL RURAL", None),
            ("H5", "", None),
            ("", "NaN STARS", None),
        ] {
            assert_eq!(stars(Some(code), Some(name)), stars_, "{code} {name}");
        }
    }

    #[test]
    fn a_charge_in_a_comment_is_quoted_and_has_no_amount() {
        let comment = "1x DOUBLE Estimated total amount of taxes & fees for this booking: 8.00 Euro   \
                       payable on arrival. Car park YES";
        let charge = charge_in(comment).unwrap();
        assert_eq!(charge.amount, None);
        assert_eq!(
            charge.note.as_deref(),
            Some(
                "Estimated total amount of taxes & fees for this booking: 8.00 Euro payable on arrival"
            )
        );
        let other = charge_in("Wi-fi – free. City tax 2€ is payable locally, in cash.").unwrap();
        assert_eq!(
            other.note.as_deref(),
            Some("City tax 2€ is payable locally")
        );
        assert_eq!(charge_in("Car park NO 48.00 GBP Per unit/night."), None);
    }
}
