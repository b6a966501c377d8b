//! The bounds of a listener.

use std::time::Duration;

/// What a client may take. The defaults are TARGETS S-A9's: slow clients are cut off long before they
/// cost others anything.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Until the first byte of a connection.
    pub first_byte: Duration,
    /// Until a request's header is complete, from its first byte on.
    pub header: Duration,
    /// A connection without a request is closed after this time.
    pub idle: Duration,
    /// A body, and an answer that is being read, may be slower than [`Limits::least_rate`] for this long.
    pub slow: Duration,
    /// Bytes a second that a client must send or read on average once `slow` is over.
    pub least_rate: u64,
    /// Most connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// Most connections of one address at once (of IPv6: of one /64). Loopback is not counted.
    pub connections_per_address: usize,
    /// Until running requests are cut off on shutdown.
    pub drain: Duration,
    /// Threads of its own that the listener serves connections on; 0: the program's threads.
    pub workers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(5),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            slow: Duration::from_secs(5),
            least_rate: 1024,
            connections: 10_000,
            connections_per_address: 100,
            drain: Duration::from_secs(6),
            workers: 0,
        }
    }
}
