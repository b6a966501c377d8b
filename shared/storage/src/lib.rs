//! One database over SQLite or PostgreSQL: the same SQL text, the same functions, the same tests.
//!
//! Portable SQL means: `$1` placeholders; `TEXT`, `BIGINT`, `DOUBLE PRECISION`; ids and JSON as text,
//! instants as epoch microseconds ([`to_micros`]), money as minor units, flags as 0/1;
//! `INSERT … ON CONFLICT (…) DO NOTHING` or `DO UPDATE`; `RETURNING`; `CAST(SUM(x) AS BIGINT)`, since
//! a sum of `BIGINT` is a `NUMERIC` on PostgreSQL. No `FOR UPDATE` (SQLite has none): take a row by a
//! conditional `UPDATE` and look at the rows affected.
//!
//! Two things the drivers cannot do alike. A **nullable double** is bound as text,
//! `CAST($1 AS DOUBLE PRECISION)` with `Option<String>`: a bare `Option<f64>` prepares the statement
//! with a four-byte parameter when the first value is NULL, and later values are refused. Text with
//! a **NUL byte** is refused by PostgreSQL.
//!
//! Inside a [`Tx`] never query [`Db::pool`]: the in-memory database has one connection, and the
//! transaction holds it.

mod db;
mod error;
pub mod idempotency;
mod instant;
mod migrate;
mod tx;

pub use db::{Db, Engine, StoreOptions};
pub use error::StoreError;
pub use instant::{from_micros, to_micros};
pub use migrate::Migration;
pub use sqlx::any::AnyRow;
pub use sqlx::{self, AnyConnection, AnyPool, Row, query};
pub use tx::Tx;
