//! The audit log's promises, each kept on SQLite in memory, SQLite in a file and PostgreSQL.

#[cfg(test)]
mod appending;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod million;
#[cfg(test)]
mod searching;
#[cfg(test)]
mod stores;
#[cfg(test)]
mod tampering;
