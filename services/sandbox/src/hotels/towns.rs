//! The places that have hotels: every metropolitan area, and every airport that belongs to none.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::airports::{Airport, City, atlas};

static TOWNS: LazyLock<BTreeMap<&'static str, Town>> = LazyLock::new(|| {
    let areas = atlas().cities().filter_map(Town::of_area);
    let alone = atlas()
        .airports()
        .filter(|airport| atlas().city_of(airport).is_none())
        .map(Town::of_airport);
    alone.chain(areas).map(|town| (town.iata, town)).collect()
});

/// A place with hotels.
#[derive(Debug)]
pub(crate) struct Town {
    /// The IATA code of the metropolitan area, or of the only airport.
    pub(crate) iata: &'static str,
    pub(crate) name: &'static str,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: &'static str,
    /// IANA time zone.
    pub(crate) zone: &'static str,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) airports: Vec<&'static Airport>,
}

impl Town {
    fn of_airport(airport: &'static Airport) -> Self {
        Self {
            iata: airport.iata,
            name: airport
                .city
                .strip_suffix(" Airport")
                .unwrap_or(airport.city),
            country: airport.country,
            zone: airport.zone,
            latitude: airport.latitude,
            longitude: airport.longitude,
            airports: vec![airport],
        }
    }

    fn of_area(area: &'static City) -> Option<Self> {
        Some(Self {
            iata: area.iata,
            name: area.name,
            country: area.country,
            zone: area.airports.first()?.zone,
            latitude: area.latitude,
            longitude: area.longitude,
            airports: area.airports.clone(),
        })
    }

    /// The town's number, from the letters of its code alone: AAA is 1, ZZZ is 17576.
    pub(crate) fn number(&self) -> u64 {
        let letters = self.iata.bytes();
        letters.fold(0, |sum, letter| {
            sum * 26 + u64::from(letter.saturating_sub(b'A'))
        }) + 1
    }
}

/// Every town, by its code.
pub(crate) fn towns() -> impl Iterator<Item = &'static Town> {
    TOWNS.values()
}

/// The town of an IATA code: of an area, an airport, or an airport of an area.
pub(crate) fn town(iata: &str) -> Option<&'static Town> {
    TOWNS.get(iata).or_else(|| {
        let airport = atlas().airport(iata)?;
        TOWNS.get(atlas().city_of(airport)?.iata)
    })
}

/// The town of [`Town::number`].
pub(crate) fn numbered(number: u64) -> Option<&'static Town> {
    let code = number.checked_sub(1)?;
    let letter = |place: u64| u8::try_from(code / place % 26).ok().map(|at| b'A' + at);
    let code = [letter(26 * 26)?, letter(26)?, letter(1)?];
    let town = TOWNS.get(std::str::from_utf8(&code).ok()?)?;
    (town.number() == number).then_some(town)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_town_is_found_by_its_number_and_every_airport_has_a_town() {
        for one in towns() {
            assert_eq!(numbered(one.number()).unwrap().iata, one.iata);
        }
        for airport in atlas().airports() {
            assert!(town(airport.iata).is_some(), "{}", airport.iata);
        }
        assert_eq!(town("LHR").unwrap().iata, "LON");
        assert!(numbered(0).is_none() && numbered(17_577).is_none());
    }
}
