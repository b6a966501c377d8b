//! API keys: whom `X-API-Key` speaks for. The identity service knows; its answer is remembered for a
//! short while by the key's SHA-256, and forgotten when the feed of revocations says so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth::{HOP_HEADER, HopSigner, Identity, Permission, Role};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde::Deserialize;
use service_kit::{Context, DEADLINE_HEADER, StartError};
use telemetry::Correlation;
use tokio::time::{Instant, timeout};
use travel_types::Clock;
use travel_types::jiff::Timestamp;

use crate::upstream::Upstreams;

/// The header that carries a key. It ends at the gateway.
pub(crate) const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
/// Where the identity service says whose a key is. Inside only.
const PATH: &str = "/internal/api-keys/verify";
/// For so long an answer is used again.
const REMEMBERED: Duration = Duration::from_secs(30);
/// The same for a key that there is not.
const UNKNOWN: Duration = Duration::from_secs(5);
/// The most keys of either kind that are remembered.
const MOST: u64 = 10_000;
/// An answer that takes longer, the wait for a turn included, is none.
const LIMIT: Duration = Duration::from_secs(2);
/// The same in milliseconds, as the service is told.
const LIMIT_MS: HeaderValue = HeaderValue::from_static("2000");
const LARGEST: usize = 16 * 1024;
/// A longer text is no key, and is not asked for.
const LONGEST: usize = 256;
/// Keys of one turn are asked for one after the other: each key once at a time, and a flood of invented
/// ones no faster than the identity service answers.
const TURNS: usize = 64;

/// Why a key is not accepted.
pub(crate) enum KeyError {
    /// There is no such key, or no longer.
    Unknown,
    /// The identity service does not say; in words for the log.
    Unavailable(String),
}

/// A key that was verified.
pub(crate) struct Known {
    pub(crate) identity: Identity,
    /// Whether it is of the class with the higher rate.
    pub(crate) high_rate: bool,
    expires_at: Option<Timestamp>,
    asked: Instant,
}

/// Verifies keys and counts their requests.
pub(crate) struct ApiKeys {
    upstreams: Arc<Upstreams>,
    /// The identity service's position among the upstreams, and its name.
    service: usize,
    audience: String,
    signer: HopSigner,
    clock: Clock,
    /// By the key's SHA-256, so that a memory dump holds no key.
    known: moka::sync::Cache<[u8; 32], Arc<Known>>,
    unknown: moka::sync::Cache<[u8; 32], Instant>,
    /// Ids of keys whose answers from before are worth nothing.
    forgotten: Mutex<HashMap<String, Instant>>,
    turns: [tokio::sync::Mutex<()>; TURNS],
}

/// How the identity service answers.
#[derive(Deserialize)]
struct Answer {
    key_id: String,
    subject: String,
    role: Role,
    permissions: Vec<String>,
    rate_class: String,
    expires_at: Option<Timestamp>,
}

impl ApiKeys {
    pub(crate) fn new(
        context: &Context,
        upstreams: &Arc<Upstreams>,
        service: usize,
        signer: HopSigner,
    ) -> Result<Arc<Self>, StartError> {
        let upstream = upstreams.services().get(service);
        Ok(Arc::new(Self {
            upstreams: Arc::clone(upstreams),
            service,
            audience: upstream.map_or_else(String::new, |upstream| upstream.name.clone()),
            signer,
            clock: context.clock.clone(),
            known: moka::sync::Cache::new(MOST),
            unknown: moka::sync::Cache::new(MOST),
            forgotten: Mutex::default(),
            turns: [const { tokio::sync::Mutex::const_new(()) }; TURNS],
        }))
    }

    /// Whom a key speaks for.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) async fn verify(
        &self,
        key: &str,
        correlation: &Correlation,
    ) -> Result<Arc<Known>, KeyError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if key.len() > LONGEST || !key.starts_with("ilk_") || !key.bytes().all(plain) {
            return Err(KeyError::Unknown);
        }
        let fingerprint = fingerprint(key);
        if let Some(known) = self.remembered(&fingerprint) {
            return known;
        }
        let asked = async {
            let first = usize::from(fingerprint.first().copied().unwrap_or_default());
            let turn = self.turns.get(first % TURNS);
            let _turn = match turn {
                Some(turn) => Some(turn.lock().await),
                None => None,
            };
            // Somebody else may have asked while this one waited.
            match self.remembered(&fingerprint) {
                Some(known) => known,
                None => self.ask(key, fingerprint, correlation).await,
            }
        };
        timeout(LIMIT, asked)
            .await
            .unwrap_or_else(|_| Err(KeyError::Unavailable(format!("{PATH}: no answer in time"))))
    }

    /// What is known of a key without asking.
    fn remembered(&self, fingerprint: &[u8; 32]) -> Option<Result<Arc<Known>, KeyError>> {
        if let Some(known) = self.known.get(fingerprint) {
            if self.holds(&known) {
                return Some(Ok(known));
            }
            self.known.invalidate(fingerprint);
        }
        let since = self.unknown.get(fingerprint)?;
        (since.elapsed() < UNKNOWN).then_some(Err(KeyError::Unknown))
    }

    fn holds(&self, known: &Known) -> bool {
        let alive = known.expires_at.is_none_or(|end| self.clock.now() < end);
        let forgotten = {
            let forgotten = self
                .forgotten
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let id = known.identity.api_key().unwrap_or_default();
            // An answer that was under way when the word came may be from before.
            forgotten.get(id).is_some_and(|at| *at >= known.asked)
        };
        alive && !forgotten && known.asked.elapsed() < REMEMBERED
    }

    /// What is remembered of the key of this id is worth nothing from now on.
    pub(crate) fn forget(&self, id: &str) {
        let mut forgotten = self
            .forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Nothing is remembered or under way for longer.
        forgotten.retain(|_, at| at.elapsed() < REMEMBERED + LIMIT);
        forgotten.insert(id.to_owned(), Instant::now());
    }

    async fn ask(
        &self,
        key: &str,
        fingerprint: [u8; 32],
        correlation: &Correlation,
    ) -> Result<Arc<Known>, KeyError> {
        let asked = Instant::now();
        let request = self
            .request(key, correlation)
            .map_err(KeyError::Unavailable)?;
        let answered = self.upstreams.ask(self.service, request, LARGEST).await;
        let (status, body) = answered.map_err(KeyError::Unavailable)?;
        let answer: Answer = match status {
            StatusCode::OK => serde_json::from_slice(&body)
                .map_err(|error| KeyError::Unavailable(format!("{PATH}: {error}")))?,
            StatusCode::NOT_FOUND => {
                self.unknown.insert(fingerprint, Instant::now());
                return Err(KeyError::Unknown);
            }
            other => {
                let problem = format!("{PATH} answers {}", other.as_u16());
                return Err(KeyError::Unavailable(problem));
            }
        };
        // A name that this release does not know allows nothing in it.
        let permissions = answer.permissions.iter();
        let permissions = permissions.filter_map(|name| name.parse::<Permission>().ok());
        let known = Arc::new(Known {
            identity: Identity::new(answer.subject, answer.role, permissions.collect())
                .through_api_key(answer.key_id),
            high_rate: answer.rate_class == "high",
            expires_at: answer.expires_at,
            asked,
        });
        if known.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return Err(KeyError::Unknown);
        }
        self.known.insert(fingerprint, Arc::clone(&known));
        Ok(known)
    }

    fn request(&self, key: &str, correlation: &Correlation) -> Result<Request<Bytes>, String> {
        let identity = self
            .signer
            .sign(&Identity::anonymous(), &self.audience)
            .map_err(|error| error.to_string())?;
        let mut identity = HeaderValue::from_str(&identity).map_err(|error| error.to_string())?;
        identity.set_sensitive(true);
        let body = serde_json::json!({"key": key}).to_string();
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(PATH);
        let headers = request.headers_mut();
        headers.insert(HOP_HEADER, identity);
        headers.insert(DEADLINE_HEADER, LIMIT_MS);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        correlation.apply(headers);
        Ok(request)
    }
}

fn fingerprint(key: &str) -> [u8; 32] {
    let mut fingerprint = [0; 32];
    let hash = digest(&SHA256, key.as_bytes());
    for (to, from) in fingerprint.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    fingerprint
}
