//! Failed log-ins, counted per account and per client address in the shared cache; in this process
//! while the cache is down, so that its loss does not open the door to guessing.
//!
//! An account has two kinds of counters: one for everybody, and one for each network from which its
//! owner has logged in before. So strangers who guess lock themselves out and not the owner.

mod known;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use auth::CLIENT_IP_HEADER;
use caching::{Cache, Count};
use http::HeaderMap;
use personal_data::Vault;
use service_kit::ApiError;
use service_kit::error::codes;
use storage::{Db, StoreError, Tx};
use travel_types::{Clock, UserId};

/// The longest wait after repeated failures.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);
/// How long it is remembered how often a limit was reached.
const MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many failures are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptLimits {
    pub(crate) per_account: u64,
    pub(crate) per_address: u64,
    pub(crate) window: Duration,
}

/// How many requests of one kind an address may make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressLimit {
    /// What is limited; part of the counter's key.
    pub(crate) what: &'static str,
    pub(crate) requests: u64,
    pub(crate) window: Duration,
}

/// The counters.
#[derive(Clone)]
pub(crate) struct Attempts {
    pub(crate) shared: Cache,
    pub(crate) own: Cache,
    pub(crate) limits: AttemptLimits,
    pub(crate) db: Db,
    pub(crate) vault: Vault,
    pub(crate) clock: Clock,
}

/// Who tries to log in. Everything in it is a keyed fingerprint: neither the cache nor the store needs
/// the addresses of people.
pub(crate) struct Attempt {
    /// The account, whatever the spelling.
    account: String,
    /// The client's network.
    network: String,
    /// The counters of failures that this attempt falls under.
    scope: String,
}

/// The account that an address stands for, as far as counting goes: without the tag that many providers
/// ignore. `email` is normalised.
fn counted(email: &str) -> String {
    match email.rsplit_once('@') {
        None => email.to_owned(),
        Some((local, domain)) => {
            let untagged = local.split('+').next().filter(|rest| !rest.is_empty());
            format!("{}@{domain}", untagged.unwrap_or(local))
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

/// Forgets from where an account's owner has logged in. Counters end by themselves.
pub(crate) async fn forget_account(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    known::forget(tx, id).await
}

impl Attempts {
    /// An attempt on the account with this address, normalised, from where the request comes.
    pub(crate) async fn attempt(
        &self,
        email: &str,
        headers: &HeaderMap,
    ) -> Result<Attempt, StoreError> {
        let account = self.vault.index("log-in account", &counted(email));
        let network = self.vault.index("log-in network", &network(headers));
        let since = self.clock.now();
        let known = known::is_known(&self.db, &account, &network, since).await?;
        let scope = match known {
            true => format!("{account}:{network}"),
            false => account.clone(),
        };
        Ok(Attempt {
            account,
            network,
            scope,
        })
    }

    /// An attempt to be an OAuth client, from where the request comes. Its failures count for this
    /// network alone, so that nobody can lock a client out.
    pub(crate) fn of_client(&self, client: &str, headers: &HeaderMap) -> Attempt {
        let account = self.vault.index("log-in client", client);
        let network = self.vault.index("log-in network", &network(headers));
        Attempt {
            scope: format!("{account}:{network}"),
            account,
            network,
        }
    }

    /// Lets an attempt pass, or says how long to wait.
    ///
    /// # Errors
    /// 429, the same for accounts that do not exist.
    pub(crate) async fn admit(&self, attempt: &Attempt) -> Result<(), ApiError> {
        let limits = self.limits;
        let lock = self.count(&lock_of(&attempt.scope), 0, limits.window).await;
        let failures = self
            .count(&failures_of(&attempt.scope), 0, limits.window)
            .await;
        let address = self
            .count(&address_of(&attempt.network), 0, limits.window)
            .await;
        let over = |count: Count, limit: u64| (count.count >= limit).then_some(count.remaining);
        let wait = over(lock, 1)
            .max(over(failures, limits.per_account))
            .max(over(address, limits.per_address));
        match wait {
            None => Ok(()),
            Some(wait) => Err(too_many(wait)),
        }
    }

    /// Counts a failure. Each time the account's limit is reached, the wait is twice the one before.
    pub(crate) async fn failed(&self, attempt: &Attempt) {
        let limits = self.limits;
        self.count(&address_of(&attempt.network), 1, limits.window)
            .await;
        let failures = self
            .count(&failures_of(&attempt.scope), 1, limits.window)
            .await;
        if failures.count == limits.per_account {
            let times = self.count(&level_of(&attempt.scope), 1, MEMORY).await.count;
            let doublings = u32::try_from(times.saturating_sub(1)).unwrap_or(u32::MAX);
            let factor = 2_u32.saturating_pow(doublings.min(16));
            let wait = limits.window.saturating_mul(factor);
            self.count(
                &lock_of(&attempt.scope),
                1,
                wait.min(LONGEST_WAIT.max(limits.window)),
            )
            .await;
        }
    }

    /// Forgets the account's failures, for everybody and for this network; those of the address stay.
    pub(crate) async fn succeeded(&self, attempt: &Attempt) {
        self.forget_all(&attempt.account, &attempt.network).await;
    }

    /// As [`Attempts::succeeded`], for a proof other than a log-in. `email` is normalised.
    pub(crate) async fn forgive(&self, email: &str, headers: &HeaderMap) {
        let account = self.vault.index("log-in account", &counted(email));
        let network = self.vault.index("log-in network", &network(headers));
        self.forget_all(&account, &network).await;
    }

    async fn forget_all(&self, account: &str, network: &str) {
        for scope in [account.to_owned(), format!("{account}:{network}")] {
            for key in [failures_of(&scope), level_of(&scope), lock_of(&scope)] {
                self.forget(&key).await;
            }
        }
    }

    /// Remembers that the account's owner logs in from this network.
    pub(crate) async fn remember(
        &self,
        tx: &mut Tx,
        attempt: &Attempt,
        account: &UserId,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        known::remember(tx, &attempt.account, &attempt.network, account, now).await
    }

    /// Counts a request of an address, or refuses it.
    ///
    /// # Errors
    /// 429 beyond the limit.
    pub(crate) async fn admit_address(
        &self,
        limit: &AddressLimit,
        headers: &HeaderMap,
    ) -> Result<(), ApiError> {
        let network = self.vault.index("log-in network", &network(headers));
        let key = format!("{}:address:{network}", limit.what);
        let count = self.count(&key, 1, limit.window).await;
        match count.count > limit.requests {
            true => Err(too_many(count.remaining)),
            false => Ok(()),
        }
    }

    /// Whether this is within what is sent to one address in a window; counts it.
    pub(crate) async fn within(&self, limit: &AddressLimit, email: &str) -> bool {
        let account = self.vault.index("log-in account", &counted(email));
        let key = format!("{}:account:{account}", limit.what);
        self.count(&key, 1, limit.window).await.count <= limit.requests
    }

    async fn forget(&self, key: &str) {
        for cache in [&self.shared, &self.own] {
            if let Err(error) = cache.reset(key).await {
                tracing::warn!(%error, "failed log-ins could not be forgotten");
            }
        }
    }

    async fn count(&self, key: &str, by: u64, window: Duration) -> Count {
        let none = Count {
            count: 0,
            remaining: Duration::ZERO,
        };
        match self.shared.increment(key, by, window).await {
            Ok(count) => count,
            Err(error) => {
                tracing::warn!(%error, "failed log-ins are counted in this process alone");
                self.own.increment(key, by, window).await.unwrap_or(none)
            }
        }
    }
}

fn failures_of(scope: &str) -> String {
    format!("login:failures:{scope}")
}

fn level_of(scope: &str) -> String {
    format!("login:level:{scope}")
}

fn lock_of(scope: &str) -> String {
    format!("login:lock:{scope}")
}

fn address_of(network: &str) -> String {
    format!("login:address:{network}")
}

fn too_many(wait: Duration) -> ApiError {
    ApiError::new(&codes::RATE_LIMITED).retry_after(wait)
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

    #[test]
    fn a_tag_gives_no_counter_of_its_own() {
        assert_eq!(counted("a+1@b.example"), "a@b.example");
        assert_eq!(counted("a+1+2@b.example"), "a@b.example");
        assert_eq!(counted("+1@b.example"), "+1@b.example");
        assert_ne!(counted("a.b@b.example"), counted("ab@b.example"));
    }
}
