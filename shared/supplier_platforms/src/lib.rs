//! Platforms that sell several verticals: what is the same for all of theirs (tokens, headers, error
//! bodies, the look-up of a record). An adapter of a vertical adds its own requests and mapping. Nothing
//! here knows a vertical.

mod age;
pub mod amadeus;
pub mod duffel;
