//! ACRISS car codes: four letters for category, type, transmission with drive, and fuel with air
//! conditioning. Source: the Association of Car Rental Industry Systems Standards' public matrix
//! ("ACRISS Car Classification Code"); the words are those that Duffel writes for the letters
//! (duffel-api-javascript `src/Cars/CarsTypes.ts`), and of the same form where Duffel has none.

use travel_types::{Warning, WarningCode};

use crate::model::{Transmission, Vehicle};

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acriss {
    /// Size, e.g. `compact`.
    pub(crate) category: &'static str,
    /// Body, e.g. `four_door`.
    pub(crate) body: &'static str,
    /// How gears are changed.
    pub(crate) transmission: Transmission,
    /// None where the letter leaves the drive open.
    pub(crate) all_wheel_drive: Option<bool>,
    /// None where the letter leaves the fuel open.
    pub(crate) fuel: Option<&'static str>,
    /// None for the two letters (`I`, `C`) that lost their "without air conditioning" when the matrix
    /// gave them to plug-in hybrids and to electric cars of long range.
    pub(crate) air_conditioning: Option<bool>,
}

/// Reads a code; none if it has not four letters of the matrix.
pub(crate) fn decode(code: &str) -> Option<Acriss> {
    let [size, kind, gears, fuel] = <[u8; 4]>::try_from(code.as_bytes()).ok()?;
    let (transmission, all_wheel_drive) = drive(gears)?;
    let (fuel, air_conditioning) = energy(fuel)?;
    Some(Acriss {
        category: category(size)?,
        body: body(kind)?,
        transmission,
        all_wheel_drive,
        fuel,
        air_conditioning,
    })
}

fn category(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'M' => "mini",
        b'N' => "mini_elite",
        b'E' => "economy",
        b'H' => "economy_elite",
        b'C' => "compact",
        b'D' => "compact_elite",
        b'I' => "intermediate",
        b'J' => "intermediate_elite",
        b'S' => "standard",
        b'R' => "standard_elite",
        b'F' => "fullsize",
        b'G' => "fullsize_elite",
        b'P' => "premium",
        b'U' => "premium_elite",
        b'L' => "luxury",
        b'W' => "luxury_elite",
        b'O' => "oversize",
        b'X' => "special",
        _ => return None,
    })
}

fn body(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'B' => "two_door",
        b'C' => "two_or_four_door",
        b'D' => "four_door",
        b'W' => "wagon_estate",
        b'V' => "passenger_van",
        b'L' => "limousine",
        b'S' => "sport",
        b'T' => "convertible",
        b'F' => "suv",
        b'J' => "open_air_all_terrain",
        b'X' => "special",
        b'P' => "pickup_regular_cab",
        b'Q' => "pickup_extended_cab",
        b'Z' => "special_offer_car",
        b'E' => "coupe",
        b'M' => "monospace",
        b'R' => "recreational_vehicle",
        b'H' => "motor_home",
        b'Y' => "two_wheel_vehicle",
        b'N' => "roadster",
        b'G' => "crossover",
        b'K' => "commercial_van",
        _ => return None,
    })
}

fn drive(letter: u8) -> Option<(Transmission, Option<bool>)> {
    Some(match letter {
        b'M' => (Transmission::Manual, None),
        b'N' | b'C' => (Transmission::Manual, Some(true)),
        b'A' => (Transmission::Automatic, None),
        b'B' | b'D' => (Transmission::Automatic, Some(true)),
        _ => return None,
    })
}

fn energy(letter: u8) -> Option<(Option<&'static str>, Option<bool>)> {
    let with = |fuel| (Some(fuel), Some(true));
    let without = |fuel| (Some(fuel), Some(false));
    Some(match letter {
        b'R' => (None, Some(true)),
        b'N' => (None, Some(false)),
        b'D' => with("diesel"),
        b'Q' => without("diesel"),
        b'H' => with("hybrid"),
        b'I' => (Some("hybrid"), None),
        b'E' => with("electric"),
        b'C' => (Some("electric"), None),
        b'L' => with("lpg"),
        b'S' => without("lpg"),
        b'A' => with("hydrogen"),
        b'B' => without("hydrogen"),
        b'M' => with("multi_fuel"),
        b'F' => without("multi_fuel"),
        b'V' => with("petrol"),
        b'Z' => without("petrol"),
        b'U' => with("ethanol"),
        b'X' => without("ethanol"),
        _ => return None,
    })
}

/// Fills what a vehicle leaves open from its code, and flags where the supplier's own words say something
/// else than the code: the words are kept.
pub(crate) fn complete(vehicle: &mut Vehicle, warnings: &mut Vec<Warning>) {
    let Some(code) = vehicle.acriss.as_deref() else {
        return;
    };
    let mut differ = Vec::new();
    let Some(decoded) = decode(code) else {
        let message = format!("'{}' is no ACRISS code", code.escape_debug());
        let path = "details.vehicle.acriss";
        warnings.push(Warning::new(WarningCode::DataQuality, path, message));
        return;
    };
    let text = |word: &'static str| Some(word.to_owned());
    let code = code.to_owned();
    fill(
        &mut vehicle.category,
        text(decoded.category),
        "category",
        &mut differ,
    );
    fill(&mut vehicle.body, text(decoded.body), "body", &mut differ);
    fill(
        &mut vehicle.transmission,
        Some(decoded.transmission),
        "transmission",
        &mut differ,
    );
    fill(
        &mut vehicle.all_wheel_drive,
        decoded.all_wheel_drive,
        "all_wheel_drive",
        &mut differ,
    );
    fill(
        &mut vehicle.fuel,
        decoded.fuel.and_then(text),
        "fuel",
        &mut differ,
    );
    fill(
        &mut vehicle.air_conditioning,
        decoded.air_conditioning,
        "air_conditioning",
        &mut differ,
    );
    warnings.extend(differ.into_iter().map(|field| {
        let path = format!("details.vehicle.{field}");
        let message = format!("is not what the code {code} says");
        Warning::new(WarningCode::DataQuality, path, message)
    }));
}

fn fill<T: PartialEq>(
    stated: &mut Option<T>,
    decoded: Option<T>,
    field: &'static str,
    differ: &mut Vec<&'static str>,
) {
    match (stated.as_ref(), &decoded) {
        (Some(stated), Some(decoded)) if stated != decoded => differ.push(field),
        (Some(_), _) => {}
        (None, _) => *stated = decoded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vehicle(code: &str) -> Vehicle {
        Vehicle {
            name: "A car".to_owned(),
            acriss: Some(code.to_owned()),
            category: None,
            body: None,
            transmission: None,
            all_wheel_drive: None,
            fuel: None,
            air_conditioning: None,
            seats: None,
            large_bags: None,
            small_bags: None,
            pictures: Vec::new(),
        }
    }

    /// Duffel decodes this one itself: `src/Cars/mocks.ts`.
    #[test]
    fn ssav_is_a_standard_sport_automatic_with_petrol_and_air_conditioning() {
        let decoded = decode("SSAV").unwrap();
        assert_eq!((decoded.category, decoded.body), ("standard", "sport"));
        assert_eq!(decoded.transmission, Transmission::Automatic);
        assert_eq!(decoded.fuel, Some("petrol"));
        assert_eq!(
            (decoded.air_conditioning, decoded.all_wheel_drive),
            (Some(true), None)
        );
    }

    #[test]
    fn every_word_that_duffel_has_stands_for_one_letter() {
        let letters = || (b'A'..=b'Z').map(char::from);
        let words = |place: usize| -> Vec<String> {
            let read = letters().filter_map(|letter| {
                let mut code: Vec<char> = "CDMR".chars().collect();
                code[place] = letter;
                let decoded = decode(&code.into_iter().collect::<String>())?;
                Some(match place {
                    0 => decoded.category.to_owned(),
                    1 => decoded.body.to_owned(),
                    _ => decoded.fuel.unwrap_or("unspecified_fuel").to_owned(),
                })
            });
            read.collect()
        };
        let categories = words(0);
        for size in [
            "mini",
            "economy",
            "compact",
            "intermediate",
            "standard",
            "fullsize",
            "premium",
            "luxury",
        ] {
            for word in [size.to_owned(), format!("{size}_elite")] {
                assert_eq!(categories.iter().filter(|one| **one == word).count(), 1);
            }
        }
        assert_eq!(categories.len(), 18);
        let bodies = words(1);
        for word in [
            "two_door",
            "two_or_four_door",
            "four_door",
            "wagon_estate",
            "passenger_van",
            "limousine",
            "sport",
            "convertible",
            "suv",
            "open_air_all_terrain",
            "special",
            "pickup_regular_cab",
            "pickup_extended_cab",
            "special_offer_car",
            "coupe",
            "monospace",
            "recreational_vehicle",
            "two_wheel_vehicle",
        ] {
            assert_eq!(
                bodies.iter().filter(|one| *one == word).count(),
                1,
                "{word}"
            );
        }
        let fuels = words(3);
        for word in [
            "unspecified_fuel",
            "diesel",
            "hybrid",
            "electric",
            "lpg",
            "hydrogen",
            "multi_fuel",
            "petrol",
        ] {
            assert_eq!(fuels.iter().filter(|one| *one == word).count(), 2, "{word}");
        }
    }

    #[test]
    fn what_the_supplier_says_is_kept_and_what_it_leaves_open_is_decoded() {
        let mut warnings = Vec::new();
        let mut told = vehicle("CDNH");
        told.category = Some("economy".to_owned());
        told.fuel = Some("hybrid".to_owned());
        complete(&mut told, &mut warnings);
        assert_eq!(told.category.as_deref(), Some("economy"));
        assert_eq!(told.body.as_deref(), Some("four_door"));
        assert_eq!(told.transmission, Some(Transmission::Manual));
        assert_eq!(
            (told.all_wheel_drive, told.air_conditioning),
            (Some(true), Some(true))
        );
        let paths: Vec<_> = warnings.iter().map(|one| one.path.as_deref()).collect();
        assert_eq!(paths, [Some("details.vehicle.category")]);
    }

    #[test]
    fn what_is_no_code_is_flagged_and_says_nothing() {
        for wrong in ["", "CDM", "CDMRX", "cdmr", "1DMR", "CDMé", "ÄÖ"] {
            let mut warnings = Vec::new();
            let mut car = vehicle(wrong);
            complete(&mut car, &mut warnings);
            assert_eq!(car, vehicle(wrong));
            assert_eq!(warnings.len(), 1, "{wrong}");
        }
    }
}
