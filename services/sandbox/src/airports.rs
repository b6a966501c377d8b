//! The airports and cities of the world, read once from the public list in `travel_types/data`
//! (data is shared, code is not): coordinates for distances and prices, time zones for schedules.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::tz::TimeZone;

static ATLAS: LazyLock<Atlas> = LazyLock::new(|| {
    Atlas::read(
        include_str!("../../../shared/travel_types/data/airports.tsv"),
        include_str!("../../../shared/travel_types/data/cities.tsv"),
    )
});

/// One airport with an IATA code.
#[derive(Debug)]
pub(crate) struct Airport {
    pub(crate) iata: &'static str,
    pub(crate) name: &'static str,
    pub(crate) city: &'static str,
    pub(crate) country: &'static str,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) zone: &'static str,
}

impl Airport {
    /// The airport's time zone; UTC if the zone is unknown to the bundled database.
    pub(crate) fn time_zone(&self) -> TimeZone {
        TimeZone::get(self.zone).unwrap_or(TimeZone::UTC)
    }

    /// Great-circle distance in kilometres.
    pub(crate) fn kilometres_to(&self, other: &Airport) -> f64 {
        self.kilometres_to_point(other.latitude, other.longitude)
    }

    /// Great-circle distance in kilometres to a point in degrees.
    pub(crate) fn kilometres_to_point(&self, latitude: f64, longitude: f64) -> f64 {
        kilometres((self.latitude, self.longitude), (latitude, longitude))
    }
}

/// Great-circle distance in kilometres between two latitudes and longitudes in degrees, on a sphere of
/// 6371.0088 km (IUGG mean radius).
pub(crate) fn kilometres(from: (f64, f64), to: (f64, f64)) -> f64 {
    let turn = (to.1 - from.1).to_radians();
    let (from, to) = (from.0.to_radians(), to.0.to_radians());
    let half =
        ((to - from) / 2.0).sin().powi(2) + from.cos() * to.cos() * (turn / 2.0).sin().powi(2);
    2.0 * 6371.0088 * half.sqrt().min(1.0).asin()
}

/// A metropolitan area with several airports, such as LON.
#[derive(Debug)]
pub(crate) struct City {
    pub(crate) iata: &'static str,
    pub(crate) name: &'static str,
    pub(crate) country: &'static str,
    pub(crate) airports: Vec<&'static Airport>,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

/// All places, by code.
#[derive(Debug)]
pub(crate) struct Atlas {
    airports: BTreeMap<&'static str, &'static Airport>,
    cities: BTreeMap<&'static str, City>,
    city_of: BTreeMap<&'static str, &'static str>,
}

/// The one atlas of the process.
pub(crate) fn atlas() -> &'static Atlas {
    &ATLAS
}

impl Atlas {
    fn read(airports: &'static str, cities: &'static str) -> Self {
        let airports: BTreeMap<_, _> = rows(airports)
            .filter_map(|row| match row.as_slice() {
                [iata, name, city, country, latitude, longitude, zone] => {
                    let airport: &'static Airport = Box::leak(Box::new(Airport {
                        iata,
                        name,
                        city: if city.is_empty() { name } else { city },
                        country,
                        latitude: latitude.parse().ok()?,
                        longitude: longitude.parse().ok()?,
                        zone,
                    }));
                    Some((*iata, airport))
                }
                _ => None,
            })
            .collect();
        let cities: BTreeMap<_, _> = rows(cities)
            .filter_map(|row| match row.as_slice() {
                [iata, name, country, members, latitude, longitude] => {
                    let members = members.split(',');
                    // A city that shares its code with an airport always contains that airport.
                    let own = (!members.clone().any(|code| code == *iata)).then_some(*iata);
                    let airports = members
                        .chain(own)
                        .filter_map(|code| airports.get(code).copied());
                    let city = City {
                        iata,
                        name,
                        country,
                        airports: airports.collect(),
                        latitude: latitude.parse().ok()?,
                        longitude: longitude.parse().ok()?,
                    };
                    Some((*iata, city))
                }
                _ => None,
            })
            .collect();
        let city_of = cities
            .values()
            .flat_map(|city| city.airports.iter().map(|member| (member.iata, city.iata)))
            .collect();
        Self {
            airports,
            cities,
            city_of,
        }
    }

    pub(crate) fn airport(&self, iata: &str) -> Option<&'static Airport> {
        self.airports.get(iata).copied()
    }

    pub(crate) fn city(&self, iata: &str) -> Option<&City> {
        self.cities.get(iata)
    }

    /// The airports that a code stands for: itself, or those of its city.
    pub(crate) fn airports_of(&self, code: &str) -> Vec<&'static Airport> {
        match (self.airport(code), self.city(code)) {
            (Some(airport), _) => vec![airport],
            (None, Some(city)) => city.airports.clone(),
            (None, None) => Vec::new(),
        }
    }

    /// The metropolitan area that `airport` belongs to, if it shares one.
    pub(crate) fn city_of(&self, airport: &Airport) -> Option<&City> {
        self.city_of
            .get(airport.iata)
            .and_then(|code| self.cities.get(code))
    }

    pub(crate) fn airports(&self) -> impl Iterator<Item = &'static Airport> + '_ {
        self.airports.values().copied()
    }

    pub(crate) fn cities(&self) -> impl Iterator<Item = &City> {
        self.cities.values()
    }
}

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_airport_has_a_known_zone_and_every_city_has_airports() {
        assert!(atlas().airports().count() > 7000);
        for airport in atlas().airports() {
            assert!(TimeZone::get(airport.zone).is_ok(), "{}", airport.iata);
        }
        assert!(atlas().cities().all(|city| !city.airports.is_empty()));
    }

    #[test]
    fn heathrow_to_kennedy_is_5540_kilometres() {
        let (lhr, jfk) = (
            atlas().airport("LHR").unwrap(),
            atlas().airport("JFK").unwrap(),
        );
        let km = lhr.kilometres_to(jfk);
        assert!((5530.0..5560.0).contains(&km), "{km}");
    }
}
