//! What Rapid tells of a property, made into what is shown: name, place, stars, pictures, times.

use std::collections::BTreeMap;

use jiff::civil::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::wire::{self, Content, Coordinates, Image, Links, Named, PostalAddress, Raw};
use crate::model::{Address, Area, Board, Property};

/// The most pictures and amenities that are shown.
const PICTURES: usize = 12;
const AMENITIES: usize = 40;

/// A property as it is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Hotel {
    pub(super) name: String,
    pub(super) stars: Option<f64>,
    pub(super) position: Option<(f64, f64)>,
    pub(super) address: Option<Address>,
    pub(super) phone: Option<String>,
    pub(super) pictures: Vec<String>,
    pub(super) amenities: Vec<String>,
    pub(super) check_in_from: Option<Time>,
    pub(super) check_out_until: Option<Time>,
    /// Every rate includes all meals and drinks.
    pub(super) all_inclusive: bool,
}

impl Hotel {
    /// Reads one property; none if it is no object at all.
    pub(super) fn read(raw: &RawValue) -> Option<Self> {
        let content: Content = wire::part(raw)?;
        let location = content.location.as_ref();
        let hidden = location.and_then(|location| location.obfuscation_required);
        let position = location.and_then(|location| {
            let exact = location.coordinates.as_ref();
            match hidden {
                // Vacation rentals: only the rough position may be shown.
                Some(true) => position(location.obfuscated_coordinates.as_ref()),
                _ => position(exact),
            }
        });
        Some(Self {
            name: content.name.unwrap_or_default(),
            stars: content
                .ratings
                .and_then(|ratings| ratings.property?.rating?.number())
                .filter(|stars| (0.5..=5.0).contains(stars) && (stars * 2.0).fract() == 0.0),
            position,
            address: content.address.map(address),
            phone: content.phone.map(|phone| phone.0),
            pictures: pictures(content.images.as_ref()),
            amenities: names(content.amenities.as_ref(), AMENITIES),
            check_in_from: content
                .checkin
                .and_then(|checkin| time(&checkin.begin_time?)),
            check_out_until: content.checkout.and_then(|checkout| time(&checkout.time?)),
            all_inclusive: content
                .all_inclusive
                .and_then(|all| all.all_rate_plans)
                .unwrap_or(false),
        })
    }

    /// The property as it is shown, seen from the point that was searched around.
    pub(super) fn shown(&self, code: &str, from: &Area) -> Property {
        Property {
            id: String::new(),
            supplier_code: code.to_owned(),
            name: self.name.clone(),
            stars: self.stars,
            latitude: self.position.map(|(latitude, _)| latitude),
            longitude: self.position.map(|(_, longitude)| longitude),
            distance_km: self.distance_from(from),
            address: self.address.clone(),
            time_zone: None,
            phone: self.phone.clone(),
            pictures: self.pictures.clone(),
            amenities: self.amenities.clone(),
        }
    }

    /// Kilometres from the middle of an area, if the position is known.
    pub(super) fn distance_from(&self, from: &Area) -> Option<f64> {
        self.position.map(|position| from.distance_km(position))
    }
}

fn position(coordinates: Option<&Coordinates>) -> Option<(f64, f64)> {
    let coordinates = coordinates?;
    let latitude = coordinates.latitude.as_ref()?.number()?;
    let longitude = coordinates.longitude.as_ref()?.number()?;
    (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then_some((latitude, longitude))
}

fn address(address: PostalAddress) -> Address {
    let lines = [address.line_1, address.line_2, address.line_3];
    let hidden = address.obfuscation_required == Some(true);
    Address {
        lines: lines
            .into_iter()
            .flatten()
            .filter(|line| !hidden && !line.is_empty())
            .collect(),
        city: address.city,
        postal_code: address.postal_code.map(|code| code.0),
        country: address.country_code,
    }
}

/// The pictures, the one that stands for the property first, each in its greatest size.
fn pictures(raw: Option<&Raw>) -> Vec<String> {
    let images = wire::parts(raw).unwrap_or_default();
    let mut images: Vec<Image> = images.iter().filter_map(|raw| wire::part(raw)).collect();
    images.sort_by_key(|image| image.hero_image != Some(true));
    images
        .iter()
        .filter_map(|image| greatest(image.links.as_ref()?))
        .take(PICTURES)
        .collect()
}

/// Sizes are named `70px`, `350px`, `1000px`.
fn greatest(links: &Links) -> Option<String> {
    let width = |name: &str| -> u32 {
        let digits = name.trim_end_matches(|c: char| !c.is_ascii_digit());
        digits.parse().unwrap_or(0)
    };
    let (name, _) = links.iter().max_by_key(|(name, _)| width(name))?;
    wire::link(Some(links), name)?.href
}

/// Names of things that Rapid keys by id.
pub(super) fn names(raw: Option<&Raw>, most: usize) -> Vec<String> {
    let Some(raw) = raw else { return Vec::new() };
    let keyed: BTreeMap<String, Raw> = wire::part(raw).unwrap_or_default();
    let name = |raw: &Raw| wire::part::<Named>(raw)?.name;
    keyed.values().filter_map(name).take(most).collect()
}

/// `3:00 PM`, `15:00`, `noon`, `midnight`.
fn time(text: &str) -> Option<Time> {
    let text = text.trim().to_ascii_lowercase();
    match text.as_str() {
        "noon" => return Time::new(12, 0, 0, 0).ok(),
        "midnight" => return Time::new(0, 0, 0, 0).ok(),
        _ => {}
    }
    let (digits, half) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (_, Some(digits)) => (digits, Some(12)),
        _ => (text.as_str(), None),
    };
    let (hour, minute) = digits
        .trim()
        .split_once(':')
        .unwrap_or((digits.trim(), "0"));
    let hour: i8 = hour.parse().ok()?;
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    Time::new(hour, minute.parse().ok()?, 0, 0).ok()
}

/// The meals that a rate includes, by the names of its amenities (`Free breakfast`, `Half board`, …).
pub(super) fn board(amenities: &[String], all_inclusive: bool) -> Board {
    let meals = |name: &String| {
        let name = name.to_lowercase().replace('-', " ");
        // Named, but to be paid for.
        let extra = [
            "surcharge",
            "discount",
            "% off",
            "available",
            "not included",
            "credit",
        ];
        if extra.iter().any(|word| name.contains(word)) {
            None
        } else if name.contains("all inclusive") {
            Some(Board::AllInclusive)
        } else if name.contains("full board") || name.contains("all meals") {
            Some(Board::FullBoard)
        } else if name.contains("half board") {
            Some(Board::HalfBoard)
        } else if name.contains("breakfast") {
            Some(Board::Breakfast)
        } else {
            None
        }
    };
    let told = amenities.iter().filter_map(meals).max();
    if all_inclusive {
        return Board::AllInclusive;
    }
    told.unwrap_or(Board::RoomOnly)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_day_are_read_as_hotels_write_them() {
        for (text, hour, minute) in [
            ("3:00 PM", 15, 0),
            ("11:30 AM", 11, 30),
            ("12:00 AM", 0, 0),
            ("12:15 pm", 12, 15),
            ("noon", 12, 0),
            ("midnight", 0, 0),
            ("15:00", 15, 0),
            ("4 PM", 16, 0),
        ] {
            let expected = Time::new(hour, minute, 0, 0).unwrap();
            assert_eq!(time(text), Some(expected), "{text}");
        }
        for text in ["", "13:00 PM", "anytime", "25:00", "3:00 XM", "-1:00"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn the_greatest_of_the_included_meals_is_the_board() {
        let board = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            super::board(&names, false)
        };
        assert_eq!(board(&["Free Wireless Internet"]), Board::RoomOnly);
        assert_eq!(board(&["Free breakfast", "Free WiFi"]), Board::Breakfast);
        assert_eq!(board(&["Full Breakfast", "Half Board"]), Board::HalfBoard);
        assert_eq!(board(&["Full board"]), Board::FullBoard);
        assert_eq!(board(&["All-Inclusive"]), Board::AllInclusive);
        assert_eq!(board(&["Breakfast available (surcharge)"]), Board::RoomOnly);
        assert_eq!(super::board(&[], true), Board::AllInclusive);
    }
}
