//! The vault's promises, each kept on SQLite and on PostgreSQL by the same test function.

#[cfg(test)]
mod engines;
#[cfg(test)]
mod vault;
