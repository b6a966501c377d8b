//! Failed log-ins, counted per account and per client address in the shared cache; in this process
//! while the cache is down, so that its loss does not open the door to guessing.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use auth::CLIENT_IP_HEADER;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caching::{Cache, Count};
use http::HeaderMap;

/// How many failures are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptLimits {
    pub(crate) per_account: u64,
    pub(crate) per_address: u64,
    pub(crate) window: Duration,
}

/// The counters.
#[derive(Clone)]
pub(crate) struct Attempts {
    shared: Cache,
    own: Cache,
    limits: AttemptLimits,
}

/// Who tries to log in.
pub(crate) struct Attempt {
    account: String,
    address: String,
}

impl Attempt {
    /// `email` as it is normalised for the store, so that no spelling has a counter of its own.
    pub(crate) fn new(email: &str, headers: &HeaderMap) -> Self {
        // Hashed: the cache needs no addresses of people.
        let account = URL_SAFE_NO_PAD.encode(digest(&SHA256, email.as_bytes()));
        Self {
            account: format!("login:account:{account}"),
            address: format!("login:address:{}", network(headers)),
        }
    }
}

/// The network that stands for a client: an IPv4 address, or the /64 of an IPv6 address, of which one
/// client may use all. Requests without an address share one.
fn network(headers: &HeaderMap) -> String {
    let address = headers
        .get(CLIENT_IP_HEADER)
        .and_then(|value| value.to_str().ok());
    match address.and_then(|text| text.parse::<IpAddr>().ok()) {
        None => "unknown".to_owned(),
        Some(address) => match address.to_canonical() {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).to_string(),
        },
    }
}

impl Attempts {
    pub(crate) fn new(shared: Cache, own: Cache, limits: AttemptLimits) -> Self {
        Self {
            shared,
            own,
            limits,
        }
    }

    /// How long to wait before another attempt; none when it may be made now.
    pub(crate) async fn wait(&self, attempt: &Attempt) -> Option<Duration> {
        let account = self.count(&attempt.account, 0).await;
        let address = self.count(&attempt.address, 0).await;
        let over = |count: Count, limit: u64| (count.count >= limit).then_some(count.remaining);
        let account = over(account, self.limits.per_account);
        account.max(over(address, self.limits.per_address))
    }

    /// Counts a failure.
    pub(crate) async fn failed(&self, attempt: &Attempt) {
        self.count(&attempt.account, 1).await;
        self.count(&attempt.address, 1).await;
    }

    /// Forgets the account's failures; those of the address stay.
    pub(crate) async fn succeeded(&self, attempt: &Attempt) {
        for cache in [&self.shared, &self.own] {
            if let Err(error) = cache.reset(&attempt.account).await {
                tracing::warn!(%error, "failed log-ins could not be forgotten");
            }
        }
    }

    async fn count(&self, key: &str, by: u64) -> Count {
        let none = Count {
            count: 0,
            remaining: Duration::ZERO,
        };
        match self.shared.increment(key, by, self.limits.window).await {
            Ok(count) => count,
            Err(error) => {
                tracing::warn!(%error, "failed log-ins are counted in this process alone");
                self.own
                    .increment(key, by, self.limits.window)
                    .await
                    .unwrap_or(none)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_one_client_network_count_as_one() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CLIENT_IP_HEADER, text.parse().unwrap());
            network(&headers)
        };
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("not an address"), "unknown");
    }
}
