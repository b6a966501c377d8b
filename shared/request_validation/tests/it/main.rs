//! The compiled document as the gateway uses it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test unwraps it asserts, and measured times are worth reading"
)]

mod answers;
mod broken;
mod compiling;
mod cost;
mod json_test_suite;
mod sample;
mod words;
