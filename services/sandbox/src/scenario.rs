//! The outcomes that a tester can ask every supplier for, by the first traveller's family name
//! (API.md §6).

/// What an order does because of the family name of its first traveller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    SoldOut,
    PriceChange,
    Timeout,
    Error500,
    Refused,
    Slow,
}

/// The scenario of a family name; upper and lower case are the same.
pub(crate) fn of_name(family_name: &str) -> Option<Name> {
    match family_name.trim().to_ascii_uppercase().as_str() {
        "SOLDOUT" => Some(Name::SoldOut),
        "PRICECHANGE" => Some(Name::PriceChange),
        "TIMEOUT" => Some(Name::Timeout),
        "ERROR500" => Some(Name::Error500),
        "REFUSED" => Some(Name::Refused),
        "SLOW" => Some(Name::Slow),
        _ => None,
    }
}
