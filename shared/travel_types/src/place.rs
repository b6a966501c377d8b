//! Airports and cities with IATA codes, coordinates and time zones, from the table in `data/`.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use utoipa::ToSchema;

/// An airport of the IATA list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Airport {
    /// Three letters.
    pub iata_code: &'static str,
    /// The airport's own name.
    pub name: &'static str,
    /// The city it serves.
    pub city: &'static str,
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// IANA name.
    pub time_zone: &'static str,
}

/// A metropolitan area that several airports serve, e.g. `LON`.
#[derive(Clone, Debug, PartialEq)]
pub struct City {
    /// Three letters.
    pub iata_code: &'static str,
    /// The city's name.
    pub name: &'static str,
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// Its airports.
    pub airports: Vec<&'static Airport>,
    /// Degrees north of its centre.
    pub latitude: f64,
    /// Degrees east of its centre.
    pub longitude: f64,
}

/// A place as the public contract shows it: an airport, or a city of several airports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// `airport` or `city`.
    #[serde(rename = "type")]
    #[schema(example = "airport")]
    pub kind: String,
    /// Three letters.
    #[schema(example = "LHR")]
    pub iata_code: String,
    /// The airport's name; for a city, the city's.
    #[schema(example = "London Heathrow Airport")]
    pub name: String,
    /// The city.
    #[schema(example = "London")]
    pub city: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "GB")]
    pub country: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// IANA name.
    #[schema(example = "Europe/London")]
    pub time_zone: String,
}

impl From<&Airport> for Place {
    fn from(airport: &Airport) -> Self {
        Self {
            kind: "airport".to_owned(),
            iata_code: airport.iata_code.to_owned(),
            name: airport.name.to_owned(),
            city: airport.city.to_owned(),
            country: airport.country.to_owned(),
            latitude: airport.latitude,
            longitude: airport.longitude,
            time_zone: airport.time_zone.to_owned(),
        }
    }
}

impl City {
    /// The city as a place, at its centre, in its first airport's time zone; none for a city without
    /// airports.
    fn place(&self) -> Option<Place> {
        let mut place = Place::from(*self.airports.first()?);
        "city".clone_into(&mut place.kind);
        self.iata_code.clone_into(&mut place.iata_code);
        self.name.clone_into(&mut place.name);
        self.name.clone_into(&mut place.city);
        (place.latitude, place.longitude) = (self.latitude, self.longitude);
        Some(place)
    }
}

struct Table {
    airports: Vec<Airport>,
    by_code: HashMap<&'static str, usize>,
    cities: Vec<CityRow>,
    /// Folded name and city of each airport, in the order of `airports`.
    searchable: Vec<(String, String)>,
}

struct CityRow {
    iata_code: &'static str,
    name: &'static str,
    country: &'static str,
    airports: Vec<&'static str>,
    position: (f64, f64),
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let airports: Vec<Airport> = rows(include_str!("../data/airports.tsv"))
            .filter_map(|row| {
                let mut cells = row.split('\t');
                Some(Airport {
                    iata_code: cells.next()?,
                    name: cells.next()?,
                    city: cells.next()?,
                    country: cells.next()?,
                    latitude: cells.next()?.parse().ok()?,
                    longitude: cells.next()?.parse().ok()?,
                    time_zone: cells.next()?,
                })
            })
            .collect();
        let cities = rows(include_str!("../data/cities.tsv"))
            .filter_map(|row| {
                let mut cells = row.split('\t');
                Some(CityRow {
                    iata_code: cells.next()?,
                    name: cells.next()?,
                    country: cells.next()?,
                    airports: cells.next()?.split(',').collect(),
                    position: (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?),
                })
            })
            .collect();
        Table {
            by_code: airports
                .iter()
                .enumerate()
                .map(|(index, airport)| (airport.iata_code, index))
                .collect(),
            searchable: airports
                .iter()
                .map(|airport| (folded(airport.name), folded(airport.city)))
                .collect(),
            airports,
            cities,
        }
    })
}

fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The airport with this IATA code (upper case), if there is one.
pub fn airport(iata_code: &str) -> Option<&'static Airport> {
    let table = table();
    table
        .by_code
        .get(iata_code)
        .and_then(|index| table.airports.get(*index))
}

/// The metropolitan area with this IATA code (upper case), if there is one.
pub fn city(iata_code: &str) -> Option<City> {
    table()
        .cities
        .iter()
        .find(|city| city.iata_code == iata_code)
        .map(|city| City {
            iata_code: city.iata_code,
            name: city.name,
            country: city.country,
            airports: city
                .airports
                .iter()
                .filter_map(|code| airport(code))
                .collect(),
            latitude: city.position.0,
            longitude: city.position.1,
        })
}

/// The airport or, failing that, the city with this IATA code (upper case).
pub fn place(iata_code: &str) -> Option<Place> {
    let found = airport(iata_code).map(Place::from);
    found.or_else(|| city(iata_code)?.place())
}

/// The code of the city that an airport or city with this code belongs to: `LON` for `LHR`. A code of an
/// airport that is its city's only one is the city's too.
pub fn city_of(iata_code: &str) -> String {
    let cities = &table().cities;
    if cities.iter().any(|city| city.iata_code == iata_code) {
        return iata_code.to_owned();
    }
    let mut of = cities
        .iter()
        .filter(|city| city.airports.contains(&iata_code));
    of.next()
        .map_or(iata_code, |city| city.iata_code)
        .to_owned()
}

/// The text as it is compared: without case, accents (Unicode's canonical decomposition, UAX #15, without
/// its marks) and the strokes and ligatures that have no decomposition.
fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let lower = text.to_lowercase();
    for letter in lower.nfd().filter(|letter| !is_combining_mark(*letter)) {
        match letter {
            'æ' => out.push_str("ae"),
            'đ' | 'ð' => out.push('d'),
            'ħ' => out.push('h'),
            'ı' => out.push('i'),
            'ł' => out.push('l'),
            'ø' => out.push('o'),
            'œ' => out.push_str("oe"),
            'ß' => out.push_str("ss"),
            'þ' => out.push_str("th"),
            letter => out.push(letter),
        }
    }
    out
}

/// Airports and cities for what somebody typed, with or without its accents: an exact code first, then
/// names that begin with the text, then names that contain it. At most `limit` entries; none for an
/// empty text.
pub fn suggest(query: &str, limit: usize) -> Vec<Place> {
    let query = folded(query.trim());
    if query.is_empty() {
        return Vec::new();
    }
    let table = table();
    let rank = |code: &str, name: &str, city: &str| -> Option<u8> {
        if code.eq_ignore_ascii_case(&query) {
            Some(0)
        } else if city.starts_with(&query) {
            Some(2)
        } else if name.starts_with(&query) {
            Some(3)
        } else if city.contains(&query) || name.contains(&query) {
            Some(4)
        } else {
            None
        }
    };
    let cities = table.cities.iter().filter_map(|one| {
        let (code, name) = (one.iata_code, one.name);
        let name = folded(name);
        // A city stands before its own airports.
        let rank = rank(code, &name, &name)?.saturating_sub(1);
        Some((rank, city(code)?.place()?))
    });
    let airports =
        table
            .airports
            .iter()
            .zip(&table.searchable)
            .filter_map(|(airport, (name, city))| {
                let rank = rank(airport.iata_code, name, city)?;
                // Fields named as aerodromes without "Airport" are mostly private strips.
                let minor = u8::from(!name.contains("airport")) * 4;
                Some((
                    rank + if rank == 0 { 0 } else { minor },
                    Place::from(airport),
                ))
            });
    let mut found: Vec<(u8, Place)> = cities.chain(airports).collect();
    found.sort_by(|(a, x), (b, y)| {
        a.cmp(b)
            .then_with(|| x.kind.cmp(&y.kind).reverse())
            .then_with(|| x.name.len().cmp(&y.name.len()))
            .then_with(|| x.iata_code.cmp(&y.iata_code))
    });
    found
        .into_iter()
        .take(limit)
        .map(|(_, place)| place)
        .collect()
}

/// Great-circle distance in kilometres between two points in degrees (haversine, mean Earth radius
/// 6,371.0088 km).
pub fn distance_km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (lat1, lat2) = (from.0.to_radians(), to.0.to_radians());
    let half_lat = (lat2 - lat1) / 2.0;
    let half_lon = (to.1 - from.1).to_radians() / 2.0;
    let chord = half_lat.sin().powi(2) + lat1.cos() * lat2.cos() * half_lon.sin().powi(2);
    2.0 * 6371.0088 * chord.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_city_lies_at_its_centre_and_not_at_one_of_its_airports() {
        let position =
            |code| place(code).map(|place| (place.latitude.round(), place.longitude.round()));
        assert_eq!(position("LON"), Some((52.0, 0.0)));
        let paris = city("PAR").unwrap();
        assert!((paris.latitude - 48.8534).abs() < 0.01 && (paris.longitude - 2.3488).abs() < 0.01);
        let cities = include_str!("../data/cities.tsv");
        for code in rows(cities).filter_map(|row| row.split('\t').next()) {
            assert!(city(code).is_some(), "{code}");
        }
    }

    #[test]
    fn every_row_of_the_table_is_read_and_its_zone_exists() {
        let lines = rows(include_str!("../data/airports.tsv")).count();
        assert_eq!(table().airports.len(), lines);
        for airport in &table().airports {
            assert!(
                jiff::tz::TimeZone::get(airport.time_zone).is_ok(),
                "{airport:?}"
            );
        }
    }

    #[test]
    fn what_people_type_finds_the_place_they_mean() {
        let codes = |query: &str| -> Vec<String> {
            suggest(query, 6).into_iter().map(|p| p.iata_code).collect()
        };
        assert_eq!(codes("lon").first().map(String::as_str), Some("LON"));
        assert_eq!(codes("JFK").first().map(String::as_str), Some("JFK"));
        assert!(codes("heathrow").contains(&"LHR".to_owned()));
        assert!(
            codes("london").contains(&"LHR".to_owned()),
            "{:?}",
            codes("london")
        );
        assert!(codes("").is_empty() && codes("qqqqqq").is_empty());
    }

    #[test]
    fn accents_make_no_difference_on_either_side() {
        for (query, code) in [
            ("zürich", "ZRH"),
            ("Zürich", "ZRH"),
            ("Zu\u{308}rich", "ZRH"),
            ("zurich", "ZRH"),
            ("são paulo", "SAO"),
            ("sao paulo", "SAO"),
            ("aripuana", "AIR"),
            ("ARIPUANÃ", "AIR"),
            ("tromsø", "TOS"),
            ("tromso", "TOS"),
        ] {
            let found = suggest(query, 6);
            assert!(found.iter().any(|place| place.iata_code == code), "{query}");
        }
        assert!(suggest("\u{301}", 6).is_empty());
    }

    #[test]
    fn london_to_new_york_is_5540_kilometres() {
        let (lhr, jfk) = (airport("LHR").unwrap(), airport("JFK").unwrap());
        let km = distance_km((lhr.latitude, lhr.longitude), (jfk.latitude, jfk.longitude));
        assert!((5530.0..5560.0).contains(&km), "{km}");
        assert_eq!(city("LON").unwrap().airports.len(), 5);
    }
}
