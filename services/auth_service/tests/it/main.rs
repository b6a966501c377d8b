//! The auth service as its callers see it: started by the kit on a free port, called over HTTP with
//! the identity that a gateway signs, on SQLite and on PostgreSQL.
#![allow(
    clippy::disallowed_methods,
    reason = "a test is a plain client: no breaker or retry may stand between it and the service"
)]

#[cfg(test)]
mod administrators;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod application;
#[cfg(test)]
mod audit_trail;
#[cfg(test)]
mod data_rights;
#[cfg(test)]
mod guessing;
#[cfg(test)]
mod login;
#[cfg(test)]
mod mailbox;
#[cfg(test)]
mod oauth_clients;
#[cfg(test)]
mod oauth_codes;
#[cfg(test)]
mod oauth_tokens;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod profile;
#[cfg(test)]
mod refreshing;
#[cfg(test)]
mod registering;
#[cfg(test)]
mod resetting;
#[cfg(test)]
mod service;
#[cfg(test)]
mod signing_keys;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod timing;
