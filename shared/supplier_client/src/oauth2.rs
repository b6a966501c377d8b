//! OAuth 2.0 tokens for a client (RFC 6749 §4.4 client credentials, §6 refresh). A token is fetched once
//! for all who wait, by a task of its own, so that neither the deadline nor the end of the first caller
//! takes it from the others; it is used until shortly before it expires. The token endpoint is called
//! through a [`Transport`] too, and so under every policy.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use travel_types::Clock;

use crate::error::{Blame, Retry, Sent, SupplierError, SupplierErrorKind};
use crate::wire::{Safety, WireRequest, WireResponse};
use crate::{CallCx, Transport};

/// Where the client's id and secret stand in a token request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialsIn {
    /// `Authorization: Basic …` (RFC 6749 §2.3.1), which every server must support.
    #[default]
    Basic,
    /// `client_id` and `client_secret` in the form.
    Body,
}

/// How tokens are had.
#[derive(Clone, Debug)]
pub struct OAuth2Config {
    /// Path of the token endpoint, below the base URL of its transport.
    pub token_path: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// Where both stand.
    pub credentials_in: CredentialsIn,
    /// The scope to ask for.
    pub scope: Option<String>,
    /// A refresh token to begin with, for suppliers that hand one out with the account. It is tried before
    /// the client's credentials, and replaced by whatever the supplier sends.
    pub refresh_token: Option<SecretString>,
    /// How long before its expiry a token is no longer used; at most half of its life.
    pub expiry_skew: Duration,
    /// Longest time of one fetch, retries included.
    pub fetch_timeout: Duration,
    /// How long a failed fetch, or a fresh token that is refused, is taken as the answer for everybody.
    pub failure_pause: Duration,
}

impl OAuth2Config {
    /// Client credentials in `Authorization: Basic`, no scope, 30 s of skew, 10 s for a fetch, 1 s of
    /// pause after a failure.
    pub fn new(
        token_path: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: SecretString,
    ) -> Self {
        Self {
            token_path: token_path.into(),
            client_id: client_id.into(),
            client_secret,
            credentials_in: CredentialsIn::Basic,
            scope: None,
            refresh_token: None,
            expiry_skew: Duration::from_secs(30),
            fetch_timeout: Duration::from_secs(10),
            failure_pause: Duration::from_secs(1),
        }
    }
}

/// Life of a token whose answer does not tell it (RFC 6749 §5.1 only recommends that it does). Seconds.
const UNSTATED_LIFE: u64 = 300;

/// Fetches, keeps and renews one token.
pub struct OAuth2Client {
    transport: Arc<dyn Transport>,
    config: OAuth2Config,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Arc<AccessToken>>,
    refresh_token: Option<SecretString>,
    /// Tokens so far.
    fetched: u64,
    flight: Option<watch::Receiver<Option<Fetched>>>,
    failure: Option<(Instant, SupplierError)>,
    /// Until when refused tokens are not replaced.
    refused_until: Option<Instant>,
}

type Fetched = Result<Arc<AccessToken>, SupplierError>;

/// A token, and which one it is.
pub(crate) struct AccessToken {
    pub(crate) secret: SecretString,
    number: u64,
    unused_from: Timestamp,
}

/// A successful answer (RFC 6749 §5.1). Some suppliers write `expires_in` as text.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: Option<Seconds>,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

/// An error answer (RFC 6749 §5.2).
#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

impl OAuth2Client {
    /// A client without a token yet. `transport` reaches the token endpoint and needs no credentials of
    /// its own.
    pub fn new(transport: Arc<dyn Transport>, config: OAuth2Config, clock: Clock) -> Arc<Self> {
        let state = State {
            refresh_token: config.refresh_token.clone(),
            ..State::default()
        };
        Arc::new(Self {
            transport,
            config,
            clock,
            state: Mutex::new(state),
        })
    }

    /// A usable token: the kept one, or the one being fetched.
    pub(crate) async fn token(self: &Arc<Self>, cx: &CallCx) -> Fetched {
        let mut flight = match self.kept_or_flight(cx) {
            Ok(fetched) => return fetched,
            Err(flight) => flight,
        };
        let error = |kind, detail| SupplierError::new(kind, detail).with_sent(Sent::No);
        match timeout_at(cx.deadline, flight.wait_for(Option::is_some)).await {
            Err(_) => Err(error(SupplierErrorKind::Timeout, "no token in time")),
            Ok(Ok(fetched)) => match fetched.as_ref() {
                Some(fetched) => fetched.clone(),
                None => Err(error(SupplierErrorKind::Unavailable, "no token")),
            },
            Ok(Err(_)) => Err(error(
                SupplierErrorKind::Unavailable,
                "the token fetch was broken off",
            )),
        }
    }

    /// The supplier refused this token. Says whether it is worth trying once more: with another token
    /// that is here already, or with a new one.
    pub(crate) fn refused(&self, token: &AccessToken) -> bool {
        let mut state = self.lock();
        if state
            .refused_until
            .is_some_and(|until| Instant::now() < until)
        {
            return false;
        }
        if state
            .token
            .as_ref()
            .is_some_and(|kept| kept.number == token.number)
        {
            state.token = None;
        }
        true
    }

    /// The supplier refused the token that replaced a refused one: it is not the token. For a moment
    /// nobody fetches another for that.
    pub(crate) fn refused_again(&self) {
        self.lock().refused_until = Some(Instant::now() + self.config.failure_pause);
    }

    fn kept_or_flight(
        self: &Arc<Self>,
        cx: &CallCx,
    ) -> Result<Fetched, watch::Receiver<Option<Fetched>>> {
        let mut state = self.lock();
        if let Some(token) = &state.token
            && self.clock.now() < token.unused_from
        {
            return Ok(Ok(token.clone()));
        }
        if let Some((at, error)) = &state.failure
            && at.elapsed() < self.config.failure_pause
        {
            return Ok(Err(error.clone()));
        }
        // A flight whose task has died (its runtime ended) will never land.
        if let Some(flight) = &state.flight
            && flight.has_changed().is_ok()
        {
            return Err(flight.clone());
        }
        let (land, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        let deadline = Instant::now() + self.config.fetch_timeout;
        let cx = CallCx::new(deadline, cx.correlation.clone());
        let client = self.clone();
        tokio::spawn(async move {
            let fetched = client.fetch(&cx).await;
            client.lock().flight = None;
            land.send_replace(Some(fetched));
        });
        Err(flight)
    }

    async fn fetch(&self, cx: &CallCx) -> Fetched {
        let refresh_token = self.lock().refresh_token.clone();
        let answered = match refresh_token {
            Some(refresh_token) => match self.refresh(cx, &refresh_token).await {
                Err(error) if error.kind == SupplierErrorKind::NotAuthorised => {
                    self.lock().refresh_token = None;
                    self.client_credentials(cx).await
                }
                answered => answered,
            },
            None => self.client_credentials(cx).await,
        };
        let mut state = self.lock();
        match answered {
            Ok(answer) => {
                state.fetched += 1;
                state.failure = None;
                if let Some(refresh_token) = answer.refresh_token {
                    state.refresh_token = Some(refresh_token.into());
                }
                let life = Duration::from_secs(life_seconds(answer.expires_in));
                let token = Arc::new(AccessToken {
                    secret: answer.access_token.into(),
                    number: state.fetched,
                    unused_from: self
                        .clock
                        .after(life.saturating_sub(self.config.expiry_skew.min(life / 2))),
                });
                state.token = Some(token.clone());
                Ok(token)
            }
            Err(error) => {
                tracing::warn!(kind = error.kind.as_str(), detail = %error.detail, "token fetch failed");
                // The request that needed the token was not sent, whatever became of this one.
                let error = SupplierError {
                    sent: Sent::No,
                    ..error
                };
                state.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn client_credentials(&self, cx: &CallCx) -> Result<TokenAnswer, SupplierError> {
        let mut fields = vec![("grant_type", "client_credentials")];
        if let Some(scope) = &self.config.scope {
            fields.push(("scope", scope));
        }
        // A second grant does no harm: it is one more token that expires.
        self.ask(cx, fields, Safety::Safe).await
    }

    async fn refresh(
        &self,
        cx: &CallCx,
        refresh_token: &SecretString,
    ) -> Result<TokenAnswer, SupplierError> {
        let fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose_secret()),
        ];
        // A server that rotates refresh tokens takes a repeated one for stolen (RFC 9700 §4.14.2).
        let answered = self.ask(cx, fields, Safety::Unsafe).await;
        if let Err(error) = &answered
            && error.kind == SupplierErrorKind::OutcomeUnknown
        {
            // It may be used up: the client's credentials do without it.
            self.lock().refresh_token = None;
            return self.client_credentials(cx).await;
        }
        answered
    }

    async fn ask(
        &self,
        cx: &CallCx,
        mut fields: Vec<(&str, &str)>,
        safety: Safety,
    ) -> Result<TokenAnswer, SupplierError> {
        let (id, secret) = (&self.config.client_id, &self.config.client_secret);
        let request = WireRequest::post("token", self.config.token_path.clone(), safety);
        let request = match self.config.credentials_in {
            CredentialsIn::Body => {
                fields.push(("client_id", id));
                fields.push(("client_secret", secret.expose_secret()));
                request.form(&fields)
            }
            CredentialsIn::Basic => {
                let pair = format!(
                    "{}:{}",
                    form_encode(id),
                    form_encode(secret.expose_secret())
                );
                let value = format!("Basic {}", STANDARD.encode(pair));
                request.form(&fields).secret_header("authorization", &value)
            }
        };
        let answer = self.transport.call(cx, request).await?;
        if answer.status.is_success() {
            return answer.json();
        }
        Err(refusal(&answer))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(answer: &WireResponse) -> SupplierError {
    let detail = format!("token endpoint: HTTP {}", answer.status.as_u16());
    let error = SupplierError::new(SupplierErrorKind::NotAuthorised, detail)
        .with_blame(Blame::Us)
        .with_retry(Retry::Never);
    // An error code is a short word (RFC 6749 §5.2); anything else is not passed on.
    match answer.json::<TokenRefusal>() {
        Ok(refusal)
            if refusal.error.len() <= 64
                && refusal
                    .error
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_') =>
        {
            error.with_code(refusal.error)
        }
        _ => error,
    }
}

fn life_seconds(stated: Option<Seconds>) -> u64 {
    match stated {
        Some(Seconds::Number(seconds)) => seconds,
        Some(Seconds::Text(text)) => text.trim().parse().unwrap_or(UNSTATED_LIFE),
        None => UNSTATED_LIFE,
    }
}

fn form_encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
