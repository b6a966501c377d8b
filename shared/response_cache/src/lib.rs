//! A shared HTTP cache (RFC 9111) with targeted cache control (RFC 9213), the stale extensions of
//! RFC 5861 and `Cache-Status` (RFC 9211), for a gateway to embed.
//!
//! The gateway makes a [`Key`] under the route's [`Rule`]. [`ResponseCache::lookup`] then answers from
//! memory without waiting; what it cannot answer goes to [`ResponseCache::serve`], which asks the origin
//! once for all who want the same, validates what is stale, and stores what may be stored.
//!
//! Answers are kept in the process, and, if there is a Redis, for other instances too: those for all
//! callers only, unless the rule says otherwise. Purges reach every instance; one that may have missed
//! any forgets everything. Redis may be away at any time: that costs calls to the origin, never a right
//! answer.
//!
//! Nothing here says when the origin is given up: the fetch that the caller hands in has its own limit,
//! and others may wait for it.

mod body;
mod buffer;
mod cache;
mod codec;
mod conditions;
mod confirm;
mod dictionary;
mod directives;
mod flight;
mod freshness;
mod hit;
mod key;
mod link;
mod metrics;
mod moment;
mod policy;
mod purge;
mod remote;
mod rule;
mod serve;
mod shared;
mod status_field;
mod store;
mod stored;
mod trip;
mod vary;

pub use body::{Body, BoxError};
pub use cache::{AddressError, Lookup, NotEverywhere, Options, ResponseCache};
pub use flight::FetchError;
pub use hit::Hit;
pub use key::Key;
pub use metrics::Metrics;
pub use moment::Moment;
pub use purge::{Purge, Scope};
pub use rule::{Audience, Rule};
pub use serve::{Fetch, Fetching};
pub use stored::Stored;
