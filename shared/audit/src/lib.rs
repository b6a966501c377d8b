//! The audit log: who did what, in an order that nobody can change afterwards without being found out.
//!
//! Each record carries an authentication code over itself and the code of the record before, made with
//! a key that the database does not hold. Whoever writes to the database alone can therefore neither
//! change, insert, remove nor reorder a record unnoticed. What a chain cannot show, that its *end* was
//! cut off, the signed heads show: lines `{seq, hash, at, kid, signature}` in a file of their own.

mod check;
mod heads;
mod key;
mod log;
mod record;
mod search;
mod verify;
mod witness;

use storage::Migration;

pub use check::{Check, End, Fault, Why};
pub use heads::{Head, Heads, HeadsError, default_heads_file};
pub use key::{AuditKey, AuditKeyError};
pub use log::{AuditLog, OpenError};
pub use record::{GENESIS, Record, Row, Stored};
pub use search::Filter;
pub use verify::Report;
pub use witness::Witness;

/// The name of [`MIGRATIONS`] for [`storage::Db::migrate`].
pub const SET: &str = "audit";

/// The tables `audit_log` and `audit_head`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "audit_log",
    sql: include_str!("../migrations/0001_audit_log.sql"),
}];
