//! The gateway as it runs: a real listener, real tokens, and a service behind it that tells what reached
//! it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test unwraps, it asserts"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests stand outside: they call the gateway as any client would"
)]

mod access;
mod added;
mod api_keys;
mod forged;
mod headers;
mod issuer;
mod kept;
mod limited;
mod pages;
mod paths;
mod revoked;
mod stack;
mod upstream;
mod validation;
