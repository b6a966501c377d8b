//! Amadeus: two simulators, flights under `/amadeus` and transfers under `/amadeus_transfers`, on one
//! platform (token, errors, headers, records in the office's queues), as WIRE §2 and the supplier's
//! specification files have it.

mod flights;
mod platform;
mod transfers;

pub(crate) use flights::simulator as flights;
pub(crate) use transfers::simulator as transfers;
