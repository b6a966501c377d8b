//! Starts the real thing for tests: chosen services in this process, the one-process program, or every
//! service as a program of its own with PostgreSQL and Redis. Whatever is started has ports, folders and
//! databases of its own, and ends with the value that holds it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "only tests use this crate: what it unwraps it asserts, and it must see the system with a client that has no policies of its own"
)]

pub mod adapters;
mod client;
mod folder;
mod process;
mod stack;

pub use client::{Answer, Client};
pub use folder::Folder;
pub use process::{Process, wait_until};
pub use stack::{Settings, Stack, VERTICALS};
