//! The limits' promises: in one process, over several instances on one Redis, and when Redis goes away.
//! Run by `tests/run.sh`, which starts the server.

#[cfg(test)]
mod local;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod server;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod strict;
