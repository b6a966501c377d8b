//! An instance of a service: where it is, and how many requests it has in hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::uri::Authority;

/// Host and port of an instance; what a request's URI takes as its authority.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointId(Authority);

impl EndpointId {
    /// Of a host name or address (IPv6 without brackets) and a port. `None` if that makes no authority
    /// (RFC 3986 §3.2).
    pub fn new(host: &str, port: u16) -> Option<Self> {
        let text = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let plain = !host.is_empty() && !host.contains('@');
        let id = Self(text.parse().ok()?);
        (plain && id.0.port_u16() == Some(port)).then_some(id)
    }

    /// Host and port, as a URI has them.
    pub fn authority(&self) -> &Authority {
        &self.0
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instance as discovery tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub id: EndpointId,
    /// Its share of the requests, against the other weights. At least 1.
    pub weight: u32,
    /// Instances with a higher number are for when those with a lower one fail (RFC 2782).
    pub priority: u16,
}

impl Target {
    /// One that is like all others.
    pub fn plain(id: EndpointId) -> Self {
        Self {
            id,
            weight: 1,
            priority: 0,
        }
    }
}

/// All instances of a service, each once, ordered by their names.
pub type Targets = Arc<[Target]>;

/// Each instance once, in the order of names, so that equal sets are equal values.
pub(crate) fn ordered(mut targets: Vec<Target>) -> Targets {
    targets.sort_by(|a, b| a.id.0.as_str().cmp(b.id.0.as_str()));
    targets.dedup_by(|a, b| a.id == b.id);
    targets.into()
}

/// What the balancer keeps of an instance for as long as anybody has a request there.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: EndpointId,
    in_flight: AtomicU32,
    /// Failures in a row.
    failures: AtomicU32,
}

impl Endpoint {
    pub(crate) fn new(id: EndpointId) -> Arc<Self> {
        Arc::new(Self {
            id,
            in_flight: AtomicU32::new(0),
            failures: AtomicU32::new(0),
        })
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn release(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Failures in a row, with this one.
    pub(crate) fn failed(&self) -> u32 {
        self.failures
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1)
    }

    pub(crate) fn succeeded(&self) {
        // A store would take the cache line from the other cores each time.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_a_host_and_a_port_and_nothing_else() {
        for (host, port, text) in [
            ("10.0.0.1", 80, "10.0.0.1:80"),
            ("::1", 8_001, "[::1]:8001"),
            ("flights.svc", 8_011, "flights.svc:8011"),
        ] {
            assert_eq!(EndpointId::new(host, port).unwrap().to_string(), text);
        }
        for host in ["", "a@b", "a/b", "a b", "a?b"] {
            assert_eq!(EndpointId::new(host, 80), None, "{host}");
        }
    }

    #[test]
    fn the_order_in_which_discovery_names_instances_makes_no_other_set() {
        let target = |host| Target::plain(EndpointId::new(host, 80).unwrap());
        let one = ordered(vec![target("b"), target("a"), target("b")]);
        assert_eq!(one, ordered(vec![target("a"), target("b")]));
        assert_eq!(one.len(), 2);
    }
}
