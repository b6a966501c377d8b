//! Accounts, log-in, signing keys and roles.
