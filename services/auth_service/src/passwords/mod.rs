//! Passwords: which ones an account may have, and their hashes.

mod hashing;
pub(crate) mod rules;
mod threads;

pub(crate) use hashing::{Passwords, Share, Turn};
