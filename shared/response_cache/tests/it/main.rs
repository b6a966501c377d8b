//! What the cache promises, told over an origin that answers as each story needs it.

#[cfg(test)]
mod flights;
#[cfg(test)]
mod lookup;
#[cfg(test)]
mod origin;
#[cfg(test)]
mod purging;
#[cfg(test)]
mod redis_outage;
#[cfg(test)]
mod redis_shared;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod staleness;
#[cfg(test)]
mod validation;
