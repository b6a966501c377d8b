//! What a tester can ask Amadeus's flights for by the route of a search.

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
