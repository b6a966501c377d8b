//! The cache's promises, kept in memory and on Redis by the same test function, and what happens when
//! Redis goes away. Run by `tests/run.sh`, which starts the server.

#[cfg(test)]
mod backends;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod promises;
