//! A shared HTTP cache (RFC 9111) with targeted cache control (RFC 9213), the stale extensions of
//! RFC 5861 and `Cache-Status` (RFC 9211), for a gateway to embed.
//!
//! The gateway makes a [`Key`] under the route's [`Rule`]. [`ResponseCache::lookup`] then answers from
//! memory without waiting; what it cannot answer goes to [`ResponseCache::serve`], which asks the origin
//! once for all who want the same, validates what is stale, and stores what may be stored.
//!
//! Nothing here says when the origin is given up: the fetch that the caller hands in has its own limit,
//! and others may wait for it.

mod body;
mod buffer;
mod cache;
mod conditions;
mod dictionary;
mod directives;
mod flight;
mod freshness;
mod hit;
mod key;
mod metrics;
mod moment;
mod policy;
mod purge;
mod rule;
mod serve;
mod status_field;
mod store;
mod stored;
mod trip;
mod vary;

pub use body::{Body, BoxError};
pub use cache::{Lookup, Options, ResponseCache};
pub use flight::FetchError;
pub use hit::Hit;
pub use key::Key;
pub use metrics::Metrics;
pub use moment::Moment;
pub use purge::{Purge, Scope};
pub use rule::{Audience, Rule};
pub use serve::{Fetch, Fetching};
pub use stored::Stored;
