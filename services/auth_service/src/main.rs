//! The auth service as a program of its own.

fn main() {}
