//! Where a transfer goes: the airport that was named as the place of drop-off, or else the centre of the
//! city that the airport of pick-up serves. Amadeus needs a position for the latter. The centres are
//! GeoNames', in `city_centres.tsv`; of a city that is not among them nothing is asked, since a made-up
//! position would bring prices for another ride.

use travel_types::Place;

use crate::mapping::Trip;

const CENTRES: &str = include_str!("city_centres.tsv");

/// Where a transfer goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Destination {
    /// To an airport.
    Airport(Place),
    /// To the centre of a city.
    Centre {
        /// The city's name.
        city: String,
        /// ISO 3166-1 alpha-2.
        country: String,
        /// Degrees north and east.
        point: (f64, f64),
    },
}

impl Destination {
    /// Where the transfer of this trip goes. None: it begins at no airport, or where it would go is not
    /// known.
    pub(super) fn of(trip: &Trip) -> Option<Self> {
        if trip.pickup.kind != "airport" {
            return None;
        }
        if trip.is_one_way() && trip.dropoff.kind == "airport" {
            return Some(Self::Airport(trip.dropoff.clone()));
        }
        Some(Self::Centre {
            city: trip.dropoff.city.clone(),
            country: trip.dropoff.country.clone(),
            point: centre(&trip.dropoff)?,
        })
    }

    /// Degrees north and east.
    pub(super) fn point(&self) -> (f64, f64) {
        match self {
            Self::Airport(place) => (place.latitude, place.longitude),
            Self::Centre { point, .. } => *point,
        }
    }
}

/// The centre of the city that a place is in or serves.
fn centre(place: &Place) -> Option<(f64, f64)> {
    let airports = travel_types::city(&place.iata_code).map(|city| city.airports);
    let airports = airports.into_iter().flatten();
    let served = airports.filter(|airport| airport.city == place.city);
    let mut codes = std::iter::once(place.iata_code.as_str())
        .filter(|_| place.kind == "airport")
        .chain(served.map(|airport| airport.iata_code));
    codes.find_map(|code| {
        let line = CENTRES.lines().find(|line| line.starts_with(code))?;
        let mut cells = line.split('\t').skip(1);
        Some((cells.next()?.parse().ok()?, cells.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trip(pickup: &str, dropoff: &str) -> Trip {
        let mut search = crate::testing::search();
        search.pickup = travel_types::place(pickup).unwrap();
        search.dropoff = travel_types::place(dropoff).unwrap();
        Trip::from(&search)
    }

    #[test]
    fn an_airport_that_was_named_is_where_it_goes() {
        let to = Destination::of(&trip("LHR", "LGW")).unwrap();
        assert!(matches!(&to, Destination::Airport(place) if place.iata_code == "LGW"));
    }

    #[test]
    fn else_it_goes_to_the_centre_of_the_city() {
        for dropoff in ["LHR", "LON"] {
            let to = Destination::of(&trip("LHR", dropoff)).unwrap();
            assert!(matches!(&to, Destination::Centre { city, .. } if city == "London"));
            let charing_cross = (51.508, -0.125);
            assert!(travel_types::distance_km(to.point(), charing_cross) < 1.0);
        }
    }

    #[test]
    fn nothing_is_asked_where_it_would_have_to_be_made_up() {
        // A city of several airports, and an airport whose city GeoNames does not have by that name.
        assert_eq!(Destination::of(&trip("LON", "LHR")), None);
        assert_eq!(Destination::of(&trip("AAA", "AAA")), None);
    }

    #[test]
    fn every_centre_is_near_its_airport() {
        let lines = CENTRES.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let airport = travel_types::place(&line[..3]).unwrap();
            let centre = centre(&airport).unwrap();
            let away = travel_types::distance_km(centre, (airport.latitude, airport.longitude));
            assert!(away <= 101.0, "{line}: {away}");
            count += 1;
        }
        assert!(count > 3900, "{count}");
    }
}
