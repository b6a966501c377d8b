//! The types of rooms that hotels have.

use crate::chance::next;

/// A type of room in one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomType {
    /// `SGL`, `DBL`, `TWN`, `FAM` or `SUI`; once per property.
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) most_adults: u32,
    pub(crate) most_children: u32,
    /// Adults and children together.
    pub(crate) most_people: u32,
    /// Such as `1 Queen Bed`.
    pub(crate) beds: &'static str,
    pub(crate) square_metres: u32,
    /// How many rooms of this type there are on every night.
    pub(crate) units: u32,
    /// Price against a double room, in percent.
    pub(super) percent: i64,
}

/// `(code, most adults, most children, most people, beds, square metres, percent)`
type Row = (&'static str, [u32; 3], &'static str, u32, i64);

const ROWS: [Row; 5] = [
    ("DBL", [2, 1, 3], "1 Queen Bed", 20, 100),
    ("TWN", [2, 1, 2], "2 Twin Beds", 20, 97),
    ("SGL", [1, 0, 1], "1 Twin Bed", 13, 78),
    ("FAM", [4, 3, 5], "1 Queen Bed and 2 Twin Beds", 34, 148),
    ("SUI", [3, 2, 4], "1 King Bed and 1 Sofa Bed", 46, 215),
];

/// The types of one property, the double room first; `state` is the property's own chance.
pub(super) fn of(half_stars: u8, state: &mut u64) -> Vec<RoomType> {
    let luxury = half_stars >= 8;
    ROWS.into_iter()
        .filter_map(
            |(code, [adults, children, people], beds, metres, percent)| {
                let drawn = next(state);
                let present = match code {
                    "DBL" => true,
                    "SUI" => luxury,
                    "SGL" => !luxury && drawn.is_multiple_of(2),
                    _ => !drawn.is_multiple_of(4),
                };
                let least = if code == "SUI" { 1 } else { 3 };
                let units = least + u32::try_from((drawn >> 8) % 8).unwrap_or(0);
                present.then_some(RoomType {
                    code,
                    name: name(code, luxury),
                    most_adults: adults,
                    most_children: children,
                    most_people: people,
                    beds,
                    square_metres: metres,
                    units,
                    percent,
                })
            },
        )
        .collect()
}

fn name(code: &str, luxury: bool) -> &'static str {
    match (code, luxury) {
        ("SGL", _) => "Single Room",
        ("TWN", false) => "Standard Twin Room",
        ("TWN", true) => "Superior Twin Room",
        ("FAM", _) => "Family Room",
        ("SUI", _) => "Junior Suite",
        (_, false) => "Standard Double Room",
        (_, true) => "Deluxe Queen Room",
    }
}
