//! The store's promises, each kept on SQLite in memory, SQLite in a file and PostgreSQL by the same
//! test function. Run by `tests/run.sh`, which starts the server.

#[cfg(test)]
mod database;
#[cfg(test)]
mod engines;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod migrations;
