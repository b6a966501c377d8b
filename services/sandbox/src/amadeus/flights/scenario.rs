//! What a tester can ask Amadeus's flights for beyond the scenarios of every supplier: outcomes by
//! route, and errors of an order by the first traveller's family name.

use crate::amadeus::platform::{Problem, Source};

/// One of the test routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    NoOffers,
    DearerAtPricing,
    NoFareAtPricing,
    SearchFails,
    CannotBeSold,
}

/// Origin, destination and outcome of every test route.
const ROUTES: [(&str, &str, Route); 5] = [
    ("BRS", "BFS", Route::NoOffers),
    ("BRS", "GLA", Route::DearerAtPricing),
    ("BRS", "EDI", Route::NoFareAtPricing),
    ("LTN", "EDI", Route::SearchFails),
    ("LTN", "GLA", Route::CannotBeSold),
];

/// The outcome of a route, if it is a test route.
pub(crate) fn of_route(origin: &str, destination: &str) -> Option<Route> {
    ROUTES
        .iter()
        .find(|(from, to, _)| *from == origin && *to == destination)
        .map(|(_, _, route)| *route)
}

/// What a family name does to an order.
#[derive(Debug)]
pub(crate) enum Name {
    /// The order is made, and answered with the error that says it may not have been.
    CheckFirst,
    /// The order is refused with this error.
    Error(Problem),
}

/// `CHECKFIRST`, or `CODE` with the code of an error.
pub(crate) fn of_name(family_name: &str) -> Option<Name> {
    let first = || Source::Pointer("/data/travelers/0".to_owned());
    let detail = "the family name asks for this error";
    let error = match family_name.trim().to_ascii_uppercase().as_str() {
        "CHECKFIRST" => return Some(Name::CheckFirst),
        "CODE477" => Problem::format(first(), detail),
        "CODE4926" => Problem::data(first(), detail),
        "CODE25860" => Problem::check_first(),
        "CODE32171" => Problem::missing(first()),
        "CODE34107" => Problem::no_fare(),
        "CODE38189" => Problem::internal(),
        "CODE38196" => Problem::no_resource(),
        _ => return None,
    };
    Some(Name::Error(error))
}
