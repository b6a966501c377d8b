//! The outcomes that a tester can ask for: Duffel's documented test routes (by the first slice) and
//! the scenarios of API.md §6 (by the first traveller's family name).

/// One of Duffel's test routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    NoOffers,
    HoldableOnly,
    ConnectingOnly,
    StopInSegment,
    NoBaggage,
    NoServices,
    SearchTimesOut,
    GoneOnRead,
    DearerAtEveryRead,
    AirlineError,
    InsufficientBalance,
    AirlineInitiatedChange,
    AirlineCredit,
}

/// Origin, destination and outcome of every test route that is simulated.
pub(crate) const ROUTES: [(&str, &str, Route); 13] = [
    ("PVD", "RAI", Route::NoOffers),
    ("JFK", "EWR", Route::HoldableOnly),
    ("LHR", "DXB", Route::ConnectingOnly),
    ("DXB", "AMS", Route::StopInSegment),
    ("BTS", "MRU", Route::NoBaggage),
    ("BTS", "ABV", Route::NoServices),
    ("STN", "LHR", Route::SearchTimesOut),
    ("LGW", "LHR", Route::GoneOnRead),
    ("LHR", "STN", Route::DearerAtEveryRead),
    ("LHR", "LGW", Route::AirlineError),
    ("LGW", "STN", Route::InsufficientBalance),
    ("LHR", "LTN", Route::AirlineInitiatedChange),
    ("LTN", "SYD", Route::AirlineCredit),
];

/// The outcome of a route, if it is a test route.
pub(crate) fn of_route(origin: &str, destination: &str) -> Option<Route> {
    ROUTES
        .iter()
        .find(|(from, to, _)| *from == origin && *to == destination)
        .map(|(_, _, route)| *route)
}

/// What an order does because of the family name of its first passenger.
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
