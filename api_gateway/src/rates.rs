//! How many requests a caller has: one limit per class of work, and one per class of API key.

use std::net::IpAddr;
use std::time::Duration;

use auth::Identity;
use http::HeaderMap;
use rate_limits::{
    Algorithm, DecideError, Decision, Facts, KeyTemplate, Limiter, LimiterOptions, Mode, OnOutage,
    Policy, PolicyId, PolicySet, Stats,
};
use serde::Deserialize;
use service_kit::error::codes;
use service_kit::{ApiError, StartError};
use settings::Settings;
use tokio::time::Instant;

use crate::catalog::Class;

/// The limits of one class, as configured.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Terms {
    quota: u32,
    window_seconds: u64,
    burst: u32,
    strict: bool,
    on_outage: Outage,
    key: String,
    roles: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outage {
    Local,
    Open,
    Closed,
}

/// The keys of the classes' limits, with their defaults (API §8).
pub(crate) fn defaults() -> String {
    let mut text = String::from(
        "[limits]\n\
         # Where instances share their limits: `redis://host:6379`, or `memory:` for this process alone.\n\
         # Empty: where the cache is. May hold a password (secret).\n\
         url = \"\"\n\
         # Instances tell each other what was spent every so many milliseconds (at least 1).\n\
         sync_ms = 100\n\
         # Longest wait for Redis in milliseconds.\n\
         timeout_ms = 50\n\
         # The most callers that are remembered by each limit.\n\
         capacity = 100000\n",
    );
    for class in Class::ALL {
        let (quota, burst) = match class {
            Class::Search => (600, 100),
            _ => (300, 100),
        };
        text.push_str(&format!(
            "\n[limits.{class}]\n\
             # Requests that each caller has in `window_seconds`; 0 for no limit.\n\
             quota = {quota}\n\
             # The time that the quota is for, in seconds (at least 1).\n\
             window_seconds = 60\n\
             # The most at once, from a bucket into which the quota flows evenly. 0: a sliding window, in\n\
             # which the whole quota may come at once, but in no window more.\n\
             burst = {burst}\n\
             # Whether Redis decides about every request: exact over all instances, at the price of a round\n\
             # trip. Otherwise each instance decides at once and is set right in the background.\n\
             strict = false\n\
             # What holds while Redis is down: `local` (each instance limits by itself), `open`, `closed`.\n\
             on_outage = \"local\"\n\
             # Whom a request counts for: user, address, route, claim:role, combined by +, alternatives by |.\n\
             key = \"user|address\"\n\
             # Other quotas for roles, e.g. [\"agent=6000\"]; the burst grows with them.\n\
             roles = []\n",
            class = class.as_str(),
        ));
    }
    text
}

/// The limit of one class.
struct ClassLimit {
    policies: PolicySet,
    key: KeyTemplate,
}

/// All limits.
pub(crate) struct Rates {
    limiter: Limiter,
    /// By the class's position; none for a class without limit.
    classes: Vec<Option<ClassLimit>>,
    /// Of API keys of the standard class, and of those with the higher rate.
    keys: (PolicyId, PolicyId),
}

/// What a request counts for.
pub(crate) struct Counted<'r> {
    pub(crate) caller: &'r Identity,
    pub(crate) high_rate: bool,
    pub(crate) address: IpAddr,
    pub(crate) class: Class,
    pub(crate) route: &'r str,
    pub(crate) cost: u32,
    pub(crate) now: Instant,
}

/// A decision, to be told to the caller.
pub(crate) struct Standing {
    policy: PolicyId,
    decision: Decision,
}

impl Rates {
    /// The limits as configured.
    ///
    /// # Errors
    /// [`StartError`] names the key that is wrong.
    pub(crate) fn new(settings: &Settings, prefix: &str) -> Result<Self, StartError> {
        let millis = |key| settings.get(key).map(Duration::from_millis);
        let mut policies = Vec::new();
        let mut classes = Vec::new();
        for class in Class::ALL {
            let terms: Terms = settings.section(&format!("limits.{}", class.as_str()))?;
            if terms.quota > 0 {
                policies.extend(terms.policies(class)?);
            }
            classes.push(terms);
        }
        for (name, key) in [
            ("api-key", "key_rates.standard_per_minute"),
            ("api-key-high", "key_rates.high_per_minute"),
        ] {
            policies.push(Policy {
                name: name.to_owned(),
                algorithm: Algorithm::SlidingWindow,
                quota: settings.get(key)?,
                window: Duration::from_secs(60),
                // A key is sold with its rate: exact, whichever instance is asked.
                mode: Mode::Strict,
                on_outage: OnOutage::Local,
            });
        }
        let mut url: String = settings.get("limits.url")?;
        if url.is_empty() {
            url = settings.get("cache.url")?;
        }
        let options = LimiterOptions {
            timeout: millis("limits.timeout_ms")?,
            sync_interval: millis("limits.sync_ms")?,
            capacity: settings.get("limits.capacity")?,
            ..LimiterOptions::new(url, prefix)
        };
        let wrong = |error: String| StartError::Other(format!("limits: {error}"));
        let limiter =
            Limiter::open(&options, policies).map_err(|error| wrong(error.to_string()))?;
        let id = |name: &str| {
            let id = limiter.policy_id(name);
            id.ok_or_else(|| wrong(format!("there is no policy {name}")))
        };
        let keys = (id("api-key")?, id("api-key-high")?);
        let classes = Class::ALL.into_iter().zip(classes);
        let classes = classes
            .map(|(class, terms)| {
                if terms.quota == 0 {
                    return Ok(None);
                }
                let mut policies = PolicySet::new(id(class.as_str())?, "role");
                for (role, _) in terms.by_role(class)? {
                    policies = policies.with(role.clone(), id(&policy_of(class, &role))?);
                }
                let key = terms.key.parse();
                let key = key.map_err(|error: rate_limits::TemplateError| {
                    wrong(format!("limits.{}.key: {error}", class.as_str()))
                })?;
                Ok(Some(ClassLimit { policies, key }))
            })
            .collect::<Result<Vec<_>, StartError>>()?;
        Ok(Self {
            limiter,
            classes,
            keys,
        })
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 with `Retry-After` for one too many; 422 for one that costs more than there ever is.
    pub(crate) async fn count(&self, counted: &Counted<'_>) -> Result<Option<Standing>, ApiError> {
        if let Some(key) = counted.caller.api_key() {
            let (standard, high) = self.keys;
            let policy = if counted.high_rate { high } else { standard };
            let decided = self.limiter.decide(policy, key, counted.cost).await;
            return self.told(policy, decided).map(Some);
        }
        let limit = self.classes.get(counted.class.position());
        let Some(limit) = limit.and_then(Option::as_ref) else {
            return Ok(None);
        };
        let role = counted.caller.role().map_or("", |role| role.as_str());
        let claims = [("role", role)];
        let facts = Facts {
            user: (!counted.caller.is_anonymous()).then(|| counted.caller.subject()),
            api_key: None,
            address: Some(counted.address),
            route: Some(counted.route),
            claims: &claims,
        };
        let policy = limit.policies.policy_for(&facts);
        let mut key = String::with_capacity(64);
        if !limit.key.render(&facts, &mut key) {
            // Nothing that the key is made of is known: the limit is everybody's together.
            key.push_str("unknown");
        }
        let strict = self
            .limiter
            .policy(policy)
            .is_some_and(|p| p.mode == Mode::Strict);
        let decided = if strict {
            self.limiter.decide(policy, &key, counted.cost).await
        } else {
            self.limiter
                .decide_local(policy, &key, counted.cost, counted.now)
        };
        self.told(policy, decided).map(Some)
    }

    fn told(
        &self,
        policy: PolicyId,
        decided: Result<Decision, DecideError>,
    ) -> Result<Standing, ApiError> {
        let decision = decided.map_err(|error| match error {
            DecideError::CostAboveLimit { .. } => {
                ApiError::new(&codes::INVALID_PARAMETER).message(error.to_string())
            }
            DecideError::UnknownPolicy => ApiError::new(&codes::INTERNAL_ERROR).because(error),
        })?;
        let standing = Standing { policy, decision };
        if decision.allowed {
            return Ok(standing);
        }
        let mut fields = HeaderMap::new();
        self.put(&standing, &mut fields);
        let mut error = ApiError::new(&codes::RATE_LIMITED).retry_after(decision.retry_after);
        for (name, value) in fields
            .into_iter()
            .filter_map(|(name, value)| Some((name?, value)))
        {
            error = error.header(name, value);
        }
        Err(error)
    }

    /// Puts the fields on an answer that say how much is left.
    pub(crate) fn put(&self, standing: &Standing, fields: &mut HeaderMap) {
        self.limiter
            .write_headers(standing.policy, &standing.decision, fields);
    }

    /// The counts so far.
    pub(crate) fn stats(&self) -> Stats {
        self.limiter.stats()
    }
}

fn policy_of(class: Class, role: &str) -> String {
    format!("{}-{role}", class.as_str())
}

impl Terms {
    /// Role and quota.
    fn by_role(&self, class: Class) -> Result<Vec<(String, u32)>, StartError> {
        let read = |text: &String| {
            let (role, quota) = text.split_once('=')?;
            let quota = quota.trim().parse().ok().filter(|quota| *quota > 0)?;
            Some((
                role.trim().parse::<auth::Role>().ok()?.as_str().to_owned(),
                quota,
            ))
        };
        let roles = self.roles.iter().map(|text| {
            read(text).ok_or_else(|| {
                StartError::Other(format!(
                    "configuration key 'limits.{}.roles' has '{text}'; it must be role=quota, such as agent=6000",
                    class.as_str()
                ))
            })
        });
        roles.collect()
    }

    fn policies(&self, class: Class) -> Result<Vec<Policy>, StartError> {
        let policy = |name: String, quota: u32| {
            let grown = u64::from(self.burst) * u64::from(quota) / u64::from(self.quota.max(1));
            Policy {
                name,
                algorithm: match self.burst {
                    0 => Algorithm::SlidingWindow,
                    _ => Algorithm::TokenBucket {
                        burst: u32::try_from(grown).unwrap_or(u32::MAX).max(1),
                    },
                },
                quota,
                window: Duration::from_secs(self.window_seconds),
                mode: if self.strict {
                    Mode::Strict
                } else {
                    Mode::LocalFirst
                },
                on_outage: match self.on_outage {
                    Outage::Local => OnOutage::Local,
                    Outage::Open => OnOutage::Open,
                    Outage::Closed => OnOutage::Closed,
                },
            }
        };
        let mut policies = vec![policy(class.as_str().to_owned(), self.quota)];
        for (role, quota) in self.by_role(class)? {
            policies.push(policy(policy_of(class, &role), quota));
        }
        Ok(policies)
    }
}
