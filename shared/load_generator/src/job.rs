//! A run, as it was ordered.

use std::sync::Arc;
use std::time::Duration;

use travel_types::Clock;

use crate::dial::Dial;
use crate::scenario::Scenario;

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Each connection sends again when it has its answer: shows the highest rate, and says little
    /// about latency, because a slow answer holds back the requests that would have felt it.
    Closed,
    /// So many a second, at equal distances, however slow the answers are. Latency counts from the
    /// moment at which a request was due.
    Constant(f64),
    /// So many a second on average, at the random distances of independent callers (a Poisson process).
    Poisson(f64),
}

/// How requests are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, one request at a time on each connection.
    Http1,
    /// HTTP/2 without TLS, by prior knowledge, with this many streams on each connection.
    Http2 {
        /// Streams on each connection.
        streams: usize,
    },
}

/// Everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is sent.
    pub scenario: Arc<Scenario>,
    /// When it is sent. With flows of several steps, the rate is that of flows.
    pub load: Load,
    /// How it is carried.
    pub protocol: Protocol,
    /// Connections that carry requests.
    pub connections: usize,
    /// Connections that are opened to the first origin, held, and carry nothing.
    pub idle_connections: usize,
    /// Threads; 1 is the caller's own.
    pub threads: usize,
    /// Requests that are due in this time are sent and not counted.
    pub warm_up: Duration,
    /// The time that counts.
    pub duration: Duration,
    /// For a whole answer, with the connection where one is made.
    pub timeout: Duration,
    /// Bearer tokens, used in turn.
    pub tokens: Arc<[String]>,
    /// Processes whose use is measured, with all that descend from them.
    pub pids: Vec<u32>,
}

/// What a run takes from the machine.
pub struct Host {
    /// How connections are made.
    pub dial: Arc<dyn Dial>,
    /// Says when the run began.
    pub clock: Clock,
    /// Whether to wait with the system's own timers, which are finer than tokio's and which a paused
    /// clock does not move.
    pub fine_timer: bool,
}
