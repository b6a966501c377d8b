//! Duffel's documented test routes: outcomes that a tester asks for by the first slice.

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
