//! What may be cached on a route, and how; decided by the operator, not by the origin.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::HeaderName;

/// Who may get the same answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Every caller has answers of its own. A request with `Authorization` is stored only where
    /// RFC 9111 §3.5 allows it, unless the rule overrides the origin.
    #[default]
    Caller,
    /// All callers share, and what was asked with `Authorization` is stored only where RFC 9111 §3.5
    /// allows it: HTTP as it is written.
    Public,
    /// All callers share, whatever their credentials: the answer is known not to depend on them.
    Everyone,
}

/// The rule of a route. The default caches nothing.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Whether answers are kept at all.
    pub enabled: bool,
    /// Who shares answers.
    pub audience: Audience,
    /// The lifetime when the origin states none. Without it, and without `heuristic`, such an answer is
    /// used only after the origin has validated it.
    pub freshness: Option<Duration>,
    /// Whether an answer without a lifetime lives for a tenth of the time since its `Last-Modified`, a
    /// day at most (RFC 9111 §4.2.2).
    pub heuristic: bool,
    /// How long after its lifetime an answer is still served while it is fetched anew (RFC 5861 §3);
    /// the origin's own directive goes first.
    pub stale_while_revalidate: Duration,
    /// How long after its lifetime an answer is still served when the origin fails (RFC 5861 §4); the
    /// origin's own directive goes first.
    pub stale_if_error: Duration,
    /// Whether `freshness` and the two stale times hold in place of what the origin says, `no-store`
    /// and `no-cache` included. `private` and `Vary` stay as they are: they say for whom an answer is.
    pub overrides_origin: bool,
    /// Statuses from 400 on that may be kept.
    pub negative: Vec<RangeInclusive<u16>>,
    /// Tags of every answer of the route.
    pub tags: Vec<&'static str>,
    /// Whether further tags are taken from the field `Cache-Tag`, which the caller never sees.
    pub tags_from_response: bool,
    /// Names of query parameters that do not change the answer.
    pub ignored_query: Vec<&'static str>,
    /// The fields that an answer may vary by; one that varies by another is not kept. `None`: any.
    pub vary: Option<Vec<HeaderName>>,
    /// Whether an answer with `Set-Cookie` may be kept although others get it too.
    pub shares_cookies: bool,
    /// Whether answers for one caller may be put on Redis, where they lie unencrypted.
    pub personal_on_redis: bool,
}

impl Rule {
    /// Whether the status is one that the operator lets be kept.
    pub(crate) fn allows_status(&self, status: u16) -> bool {
        status < 400 || self.negative.iter().any(|range| range.contains(&status))
    }
}
