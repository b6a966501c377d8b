//! The classes of cars that are rented out, by their ACRISS codes: four letters that say category,
//! type, transmission and fuel with air conditioning (Association of Car Rental Industry Systems
//! Standards, "Industry standard car classification code"). What a class is follows from its code.

/// A class of cars.
#[derive(Debug)]
pub(crate) struct Class {
    /// Four ACRISS letters.
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) passengers: u8,
    pub(crate) large_bags: u8,
    pub(crate) small_bags: u8,
    /// Hundredths a day, before season, length and company.
    pub(crate) daily: i64,
    /// The colour of its picture.
    pub(crate) colour: &'static str,
}

/// What an ACRISS code says, in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) category: &'static str,
    pub(crate) body: &'static str,
    pub(crate) automatic: bool,
    pub(crate) fuel: &'static str,
    pub(crate) air_conditioning: bool,
}

const fn class(
    code: &'static str,
    name: &'static str,
    [passengers, large_bags, small_bags]: [u8; 3],
    daily: i64,
    colour: &'static str,
) -> Class {
    Class {
        code,
        name,
        passengers,
        large_bags,
        small_bags,
        daily,
        colour,
    }
}

/// Every class, cheapest first.
pub(crate) static CLASSES: [Class; 17] = [
    class("MBMN", "Fiat Panda or similar", [4, 1, 0], 1_890, "#f2c14e"),
    class("ECMR", "Opel Corsa or similar", [5, 1, 1], 2_140, "#d1495b"),
    class(
        "EDMV",
        "Renault Clio or similar",
        [5, 1, 1],
        2_290,
        "#e07a5f",
    ),
    class(
        "ECAR",
        "Toyota Yaris or similar",
        [5, 1, 1],
        2_560,
        "#81b29a",
    ),
    class(
        "CDMR",
        "Volkswagen Golf or similar",
        [5, 1, 2],
        2_780,
        "#3d5a80",
    ),
    class("CDAV", "Ford Focus or similar", [5, 1, 2], 3_120, "#98c1d9"),
    class(
        "CDAE",
        "Volkswagen ID.3 or similar",
        [5, 1, 2],
        3_640,
        "#6d9dc5",
    ),
    class(
        "IDAH",
        "Toyota Corolla or similar",
        [5, 2, 1],
        3_510,
        "#577590",
    ),
    class(
        "IWMD",
        "Skoda Octavia Estate or similar",
        [5, 3, 2],
        3_790,
        "#4d908e",
    ),
    class(
        "SDAR",
        "Volkswagen Passat or similar",
        [5, 2, 2],
        4_150,
        "#43535e",
    ),
    class(
        "SFAR",
        "Nissan Qashqai or similar",
        [5, 2, 2],
        4_390,
        "#bc4749",
    ),
    class(
        "IFBD",
        "Jeep Renegade or similar",
        [5, 2, 1],
        4_680,
        "#6a994e",
    ),
    class(
        "FDAR",
        "Skoda Superb or similar",
        [5, 3, 2],
        5_020,
        "#2f3e46",
    ),
    class(
        "STAV",
        "Mini Cooper Convertible or similar",
        [4, 1, 1],
        5_870,
        "#e63946",
    ),
    class(
        "FVMD",
        "Ford Tourneo or similar",
        [9, 4, 4],
        6_950,
        "#adb5bd",
    ),
    class(
        "PDAH",
        "Mercedes-Benz E-Class or similar",
        [5, 3, 2],
        7_480,
        "#1d3557",
    ),
    class(
        "LLAR",
        "BMW 7 Series or similar",
        [5, 3, 2],
        12_900,
        "#22223b",
    ),
];

/// The one class of the test location, at the price of the recorded example.
pub(crate) static TEST_CLASS: Class = class(
    "SSAV",
    "Duffel Test Drive sport",
    [5, 3, 2],
    1_904,
    "#e4572e",
);

/// The class of a code, the test class too.
pub(crate) fn of_code(code: &str) -> Option<&'static Class> {
    let mut all = CLASSES.iter().chain([&TEST_CLASS]);
    all.find(|class| class.code == code)
}

/// Reads an ACRISS code; none for letters that the standard does not have.
pub(crate) fn decode(code: &str) -> Option<Decoded> {
    let [category, body, drive, fuel] = code.as_bytes() else {
        return None;
    };
    let category = match category {
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
        b'X' => "special",
        _ => return None,
    };
    let body = match body {
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
        b'Y' => "two_wheel_vehicle",
        _ => return None,
    };
    // M, N, C: by hand, with two, four or all wheels driven; A, B, D likewise.
    let automatic = match drive {
        b'M' | b'N' | b'C' => false,
        b'A' | b'B' | b'D' => true,
        _ => return None,
    };
    let (fuel, air_conditioning) = match fuel {
        b'R' => ("unspecified_fuel", true),
        b'N' => ("unspecified_fuel", false),
        b'D' => ("diesel", true),
        b'Q' => ("diesel", false),
        b'H' => ("hybrid", true),
        b'I' => ("hybrid", false),
        b'E' => ("electric", true),
        b'C' => ("electric", false),
        b'L' => ("lpg", true),
        b'S' => ("lpg", false),
        b'A' => ("hydrogen", true),
        b'B' => ("hydrogen", false),
        b'M' => ("multi_fuel", true),
        b'F' => ("multi_fuel", false),
        b'V' => ("petrol", true),
        b'Z' => ("petrol", false),
        _ => return None,
    };
    Some(Decoded {
        category,
        body,
        automatic,
        fuel,
        air_conditioning,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_true_code_of_its_own() {
        for (n, class) in CLASSES.iter().enumerate() {
            assert!(decode(class.code).is_some(), "{}", class.code);
            assert_eq!(
                CLASSES.iter().position(|other| other.code == class.code),
                Some(n)
            );
        }
    }

    #[test]
    fn the_recorded_code_means_a_standard_sports_car() {
        let decoded = decode(TEST_CLASS.code).unwrap();
        let expected = Decoded {
            category: "standard",
            body: "sport",
            automatic: true,
            fuel: "petrol",
            air_conditioning: true,
        };
        assert_eq!(decoded, expected);
    }
}
