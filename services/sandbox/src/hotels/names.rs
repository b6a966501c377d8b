//! What hotels, chains and streets are called, and how another supplier spells the same hotel.

/// A chain: its code, its name, and its two brands.
pub(super) struct Chain {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    brands: [&'static str; 2],
}

const CHAINS: [Chain; 6] = [
    chain("NG", "Northgate Hotels", ["Northgate", "Northgate Express"]),
    chain(
        "AU",
        "Aurelia Collection",
        ["Aurelia", "Aurelia Residences"],
    ),
    chain("MQ", "Marquis & Wren", ["Marquis", "Wren by Marquis"]),
    chain("LU", "Lumière Hôtels", ["Lumière", "Petite Lumière"]),
    chain("TD", "Tidewater Resorts", ["Tidewater", "Tidewater Suites"]),
    chain("KN", "Kestrel Inns", ["Kestrel Inn", "Kestrel Lodge"]),
];

const QUARTERS: [&str; 11] = [
    "Centre",
    "Old Town",
    "Station",
    "Riverside",
    "Cathedral Quarter",
    "Airport",
    "Market Square",
    "Park",
    "University",
    "Harbour",
    "Conference Centre",
];

const WORDS: [&str; 25] = [
    "Belvédère",
    "Königshof",
    "Bellevue",
    "Señorial",
    "São Bento",
    "Excelsior",
    "Regent",
    "Métropole",
    "Golden Lion",
    "Linden",
    "Three Kings",
    "Miramar",
    "Astória",
    "Corona",
    "Ambassador",
    "Château Rosé",
    "Imperial",
    "Blue Heron",
    "Garden",
    "Orangerie",
    "Malmö Kajen",
    "Observatory",
    "Płock",
    "Juniper",
    "Weißes Ross",
];

const STREETS: [&str; 12] = [
    "Station Road",
    "Market Street",
    "High Street",
    "Park Avenue",
    "Harbour Street",
    "Cathedral Square",
    "Mill Lane",
    "Queen's Road",
    "Museum Street",
    "Bridge Street",
    "Garden Row",
    "Observatory Hill",
];

const fn chain(code: &'static str, name: &'static str, brands: [&'static str; 2]) -> Chain {
    Chain { code, name, brands }
}

/// A choice from a list that is not empty, by any number.
pub(super) fn pick<T>(list: &[T], number: u64) -> Option<&T> {
    let length = u64::try_from(list.len()).ok()?;
    list.get(usize::try_from(number.checked_rem(length)?).ok()?)
}

pub(super) fn chain_at(number: u64) -> Option<&'static Chain> {
    pick(&CHAINS, number)
}

/// The name of a chain's hotel; `second` is the chain's other brand. Different `within` below 66 of
/// one town give different names.
pub(super) fn branded(chain: &Chain, second: bool, town: &str, turn: u64, within: u64) -> String {
    let [first, other] = chain.brands;
    let brand = if second { other } else { first };
    let quarter = pick(&QUARTERS, turn.wrapping_add(within)).unwrap_or(&"Centre");
    format!("{brand} {town} {quarter}")
}

/// The name of a hotel of its own. Different `within` below 100 of one town give different names.
pub(super) fn independent(turn: u64, within: u64) -> String {
    let word = pick(&WORDS, turn.wrapping_add(within)).unwrap_or(&"Garden");
    // 4 forms and 25 words have no common divisor: a pair returns after 100.
    match within % 4 {
        0 => format!("Hotel {word}"),
        1 => format!("The {word} Hotel"),
        2 => format!("{word} Palace"),
        _ => format!("{word} Guest House"),
    }
}

pub(super) fn street(turn: u64) -> &'static str {
    pick(&STREETS, turn).copied().unwrap_or("High Street")
}

/// Another spelling of the same name, one of five by `way`.
pub(super) fn respelled(name: &str, way: u64) -> String {
    match way % 5 {
        0 => name.to_uppercase(),
        1 => name.replacen(' ', "  ", 1),
        2 => moved(name),
        3 => plain(name),
        _ => name.to_owned(),
    }
}

/// With the word "Hotel" at the other end.
fn moved(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("Hotel ") {
        return format!("{rest} Hotel");
    }
    let rest = name.strip_suffix(" Hotel").unwrap_or(name);
    format!("Hotel {rest}")
}

/// Without accents.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            'é' | 'è' => plain.push('e'),
            'ö' | 'ô' => plain.push('o'),
            'ñ' => plain.push('n'),
            'ã' | 'â' => plain.push('a'),
            'ó' => plain.push('o'),
            'ł' => plain.push('l'),
            'ß' => plain.push_str("ss"),
            other => plain.push(other),
        }
    }
    plain
}
