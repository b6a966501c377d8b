//! End-to-end, contract and architecture tests.
