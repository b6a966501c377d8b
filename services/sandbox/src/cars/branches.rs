//! Where cars are picked up and brought back: desks in the terminal, lots with a shuttle, people who
//! come to meet, and offices in town, around every airport.

use crate::airports::{Airport, atlas, kilometres};
use crate::cars::{COMPANIES, Company, TEST_COMPANY};
use crate::chance::{between, draw};

/// The airport code of the test location, which is none.
pub(crate) const TEST_PLACE: &str = "DTD";
/// Henderson Island, as in the SDK's example.
const TEST_AT: (f64, f64) = (-24.38, -128.32);
/// Around how many airports a search looks, the nearest first.
const AIRPORTS: usize = 3;

/// How the cars of a branch are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    InTerminal,
    Shuttle,
    MeetAndGreet,
    /// In town.
    Office,
    /// The test location says nothing about it.
    Unknown,
}

/// A company's branch.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) company: &'static Company,
    /// The airport that it is at or near.
    pub(crate) airport: &'static str,
    pub(crate) access: Access,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) name: String,
    pub(crate) line_one: String,
    pub(crate) city: &'static str,
    pub(crate) postal_code: Option<String>,
    pub(crate) country: &'static str,
    pub(crate) phone: Option<String>,
    /// Hours between which it is open.
    pub(crate) hours: Option<(i8, i8)>,
    /// IANA time zone.
    pub(crate) zone: &'static str,
}

impl Branch {
    /// What makes it another place than others of the company.
    pub(crate) fn place(&self) -> (&'static str, bool) {
        (self.airport, self.access == Access::Office)
    }

    pub(crate) fn at_airport(&self) -> bool {
        !matches!(self.access, Access::Office | Access::Unknown)
    }

    pub(crate) fn is_open(&self, hour: i8) -> bool {
        self.hours
            .is_none_or(|(from, to)| (from..to).contains(&hour))
    }
}

/// The branches within `radius` kilometres of a point, at the nearest airports only.
pub(crate) fn near(seed: u64, point: (f64, f64), radius: f64) -> Vec<Branch> {
    if kilometres(point, TEST_AT) <= radius {
        return vec![test_branch("Duffel Test Drive Pickup", "1 Rental Road")];
    }
    // An office in town is up to 15 km from its airport; a degree of latitude is 111 km.
    let reach = radius + 15.0;
    let mut airports: Vec<(f64, &Airport)> = atlas()
        .airports()
        .filter(|airport| (airport.latitude - point.0).abs() * 111.0 <= reach)
        .map(|airport| {
            (
                kilometres(point, (airport.latitude, airport.longitude)),
                airport,
            )
        })
        .filter(|(distance, _)| *distance <= reach)
        .collect();
    airports.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    airports
        .into_iter()
        .take(AIRPORTS)
        .flat_map(|(_, airport)| branches(seed, airport))
        .filter(|branch| kilometres(point, (branch.latitude, branch.longitude)) <= radius)
        .collect()
}

/// The branches of an airport: most companies at the terminals, two in town.
pub(crate) fn branches(seed: u64, airport: &'static Airport) -> Vec<Branch> {
    let at_airport = COMPANIES.iter().enumerate().filter(|(n, company)| {
        // The first is everywhere, so that no airport is without a car.
        *n == 0 || between(seed, &format!("{}/{}", company.code, airport.iata), 0, 3) > 0
    });
    let in_town = COMPANIES.iter().enumerate().filter(|(n, _)| {
        let first = usize::try_from(draw(seed, airport.iata) % 6).unwrap_or(0);
        *n == first || *n == (first + 3) % 6
    });
    at_airport
        .map(|(n, company)| branch(seed, airport, company, at(n)))
        .chain(in_town.map(|(_, company)| branch(seed, airport, company, Access::Office)))
        .collect()
}

fn at(company: usize) -> Access {
    match company {
        0..=2 => Access::InTerminal,
        3 => Access::MeetAndGreet,
        _ => Access::Shuttle,
    }
}

fn branch(
    seed: u64,
    airport: &'static Airport,
    company: &'static Company,
    access: Access,
) -> Branch {
    let words = format!("branch/{}/{}/{access:?}", airport.iata, company.code);
    let number = between(seed, &words, 1, 180);
    // Thousandths of a degree, about a hundred metres each.
    let shift = |axis: &str, most: u64| {
        let thousandths = u32::try_from(between(seed, &format!("{words}/{axis}"), 0, 2 * most));
        let most = u32::try_from(most).unwrap_or(0);
        (f64::from(thousandths.unwrap_or(0)) - f64::from(most)) / 1000.0
    };
    let most = match access {
        Access::InTerminal | Access::MeetAndGreet | Access::Unknown => 2,
        Access::Shuttle => 12,
        Access::Office => 60,
    };
    let (name, line_one) = match access {
        Access::Office => (
            format!("{} {} City", company.name, airport.city),
            format!("{number} Station Street"),
        ),
        Access::Shuttle => (
            format!("{} {} Airport Shuttle Lot", company.name, airport.city),
            format!("{number} Perimeter Road"),
        ),
        _ => (
            format!("{} {}", company.name, airport.name),
            format!("{}, Arrivals", airport.name),
        ),
    };
    let small = |thing: &str| between(seed, &format!("{words}/{thing}"), 0, 4) == 0;
    Branch {
        company,
        airport: airport.iata,
        access,
        latitude: rounded(airport.latitude + shift("latitude", most)),
        longitude: rounded(airport.longitude + shift("longitude", most)),
        name,
        line_one,
        city: airport.city,
        postal_code: (!small("postal"))
            .then(|| format!("{:05}", between(seed, &words, 10_000, 99_000))),
        country: airport.country,
        phone: (!small("phone")).then(|| format!("+1555{:07}", draw(seed, &words) % 10_000_000)),
        hours: match access {
            Access::InTerminal => Some((5, 24)),
            Access::Shuttle | Access::MeetAndGreet => Some((6, 23)),
            Access::Office => Some((8, 18)),
            Access::Unknown => None,
        },
        zone: airport.zone,
    }
}

/// Six decimals, a tenth of a metre.
fn rounded(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

/// The test location, for picking up or bringing back.
pub(crate) fn test_branch(name: &str, line_one: &str) -> Branch {
    Branch {
        company: &TEST_COMPANY,
        airport: TEST_PLACE,
        access: Access::Unknown,
        latitude: TEST_AT.0,
        longitude: TEST_AT.1,
        name: name.to_owned(),
        line_one: line_one.to_owned(),
        city: "Henderson Island",
        postal_code: Some("PCRN 1ZZ".to_owned()),
        country: "GB",
        phone: None,
        hours: None,
        zone: "Pacific/Pitcairn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_airport_rents_out_cars_in_and_near_its_city() {
        for airport in atlas().airports() {
            let branches = branches(1, airport);
            assert!(
                branches
                    .iter()
                    .any(|branch| branch.access == Access::InTerminal)
            );
            assert_eq!(
                branches
                    .iter()
                    .filter(|branch| !branch.at_airport())
                    .count(),
                2
            );
        }
    }

    #[test]
    fn nothing_is_found_outside_the_radius() {
        let heathrow = (51.4706, -0.461941);
        let found = near(1, heathrow, 10.0);
        assert!(found.len() >= 4, "{}", found.len());
        for branch in &found {
            assert!(kilometres(heathrow, (branch.latitude, branch.longitude)) <= 10.0);
        }
        assert!(near(1, (0.0, -30.0), 50.0).is_empty());
    }
}
