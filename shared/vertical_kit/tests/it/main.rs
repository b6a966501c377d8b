//! A desk driven through its real routes over HTTP, with a supplier that does as it is told, on SQLite
//! and on PostgreSQL. Run by `tests/run.sh`, which starts the server.

#[cfg(test)]
mod cancellations;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod search;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod supplier;
