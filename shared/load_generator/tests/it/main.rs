//! Runs against servers in the same process. Where time matters, connections are in memory and the
//! clock is paused, so that a second of stall takes none and figures are exact.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test unwraps it asserts"
)]

mod errors;
mod latency;
mod output;
mod protocols;
mod server;
