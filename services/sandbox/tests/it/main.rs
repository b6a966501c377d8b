//! The sandbox as a client sees it: a real server on a free port and a plain HTTP client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "what a test unwraps it asserts, and it must see the sandbox with a client that has no policies of its own"
)]

mod amadeus;
mod amadeus_flights;
mod amadeus_transfers;
mod booking;
mod control;
mod duffel_cars;
mod faults;
mod hotelbeds;
mod rapid;
mod rapid_faults;
mod rapid_wire;
mod rates;
mod scenarios;
mod search;
mod support;
mod wire;
