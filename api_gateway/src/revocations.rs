//! Follows the identity service's feed of what was revoked: access tokens, log-ins, API keys, signing
//! keys. What is revoked there is refused here within a poll and a half.

use std::sync::Arc;
use std::time::Duration;

use auth::AccessVerifier;
use serde::Deserialize;
use service_kit::{Context, StartError};
use telemetry::{IntCounterVec, IntGaugeVec};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use travel_types::jiff::Timestamp;

use crate::api_keys::ApiKeys;
use crate::upstream::Upstreams;

/// Where the identity service publishes them. Inside only: no row of the catalogue leads there.
const PATH: &str = "/.well-known/interline-revocations";
/// A poll that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(1);
/// A longer page is not the feed's.
const LARGEST: usize = 4 * 1024 * 1024;
/// For so long a request waits for the first poll, right after the start.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the feed was read to its end once.
#[derive(Clone)]
pub(crate) struct Followed(watch::Receiver<bool>);

impl Followed {
    /// There is no feed: tokens are of an issuer who has none.
    pub(crate) fn none() -> Self {
        Self(watch::channel(true).1)
    }

    /// Whether what is revoked is known here. Waits a little for the first poll.
    pub(crate) async fn once(&self) -> bool {
        let mut first = self.0.clone();
        *self.0.borrow()
            || timeout(PATIENCE, first.wait_for(|read| *read))
                .await
                .is_ok_and(|read| read.is_ok())
    }

    /// For the readiness check.
    pub(crate) fn now(&self) -> Result<(), String> {
        match *self.0.borrow() {
            true => Ok(()),
            false => Err("the feed of revocations was not read yet".to_owned()),
        }
    }
}

/// Polls the feed.
pub(crate) struct Follower {
    upstreams: Arc<Upstreams>,
    /// The identity service's position among the upstreams.
    service: usize,
    verifier: AccessVerifier,
    api_keys: Arc<ApiKeys>,
    every: Duration,
    first: watch::Sender<bool>,
    polls: IntCounterVec,
    gauges: IntGaugeVec,
}

#[derive(Deserialize)]
struct Page {
    head: u64,
    events: Vec<Event>,
    #[serde(default)]
    more: bool,
}

#[derive(Deserialize)]
struct Event {
    kind: String,
    value: String,
    expires_at: Timestamp,
}

impl Follower {
    /// Follows the feed until the service ends.
    ///
    /// # Errors
    /// [`StartError`] for a metric that is there already or an interval of zero.
    pub(crate) fn start(
        context: &Context,
        upstreams: &Arc<Upstreams>,
        service: usize,
        verifier: &AccessVerifier,
        api_keys: &Arc<ApiKeys>,
    ) -> Result<Followed, StartError> {
        let every: u64 = context.settings.get("auth.revocation_poll_ms")?;
        if every == 0 {
            return Err(StartError::Other(
                "configuration key 'auth.revocation_poll_ms' is 0; it must be at least 1"
                    .to_owned(),
            ));
        }
        let (first, followed) = watch::channel(false);
        let follower = Self {
            upstreams: Arc::clone(upstreams),
            service,
            verifier: verifier.clone(),
            api_keys: Arc::clone(api_keys),
            every: Duration::from_millis(every),
            first,
            polls: context.metrics.counter(
                "interline_gateway_revocation_polls_total",
                "Polls of the feed of revocations, by outcome.",
                &["outcome"],
            )?,
            gauges: context.metrics.gauge(
                "interline_gateway_revocations",
                "Revoked log-ins and tokens that are remembered (what=known), and whether the feed answers (what=feed_up).",
                &["what"],
            )?,
        };
        let shutdown = context.shutdown.clone();
        context.tasks.spawn(async move {
            shutdown.run_until_cancelled(follower.follow()).await;
        });
        Ok(Followed(followed))
    }

    async fn follow(self) {
        let mut head = 0;
        let mut up = true;
        loop {
            let outcome = self.poll(&mut head).await;
            // Told once, not with each poll: the metric counts them.
            match &outcome {
                Ok(()) if !up => info!("the feed of revocations answers again"),
                Err(problem) if up => {
                    warn!(
                        problem,
                        "the feed of revocations cannot be had; what is known stays"
                    );
                }
                _ => {}
            }
            up = outcome.is_ok();
            if up {
                self.first.send_replace(true);
            }
            let word = if up { "read" } else { "failed" };
            self.polls.with_label_values(&[word]).inc();
            let known = self.verifier.revocations().len();
            let known = i64::try_from(known).unwrap_or(i64::MAX);
            self.gauges.with_label_values(&["known"]).set(known);
            self.gauges.with_label_values(&["feed_up"]).set(up.into());
            sleep(self.every).await;
        }
    }

    /// Reads what came after `head`, page by page.
    async fn poll(&self, head: &mut u64) -> Result<(), String> {
        loop {
            let path = format!("{PATH}?after={head}");
            let read = self.upstreams.read(self.service, &path, LIMIT, LARGEST);
            let page: Page =
                serde_json::from_slice(&read.await?).map_err(|error| format!("{PATH}: {error}"))?;
            if page.head < *head {
                // Another store than before, or an older state of it: what it says counts from its start.
                info!("the feed of revocations starts anew");
                *head = 0;
                continue;
            }
            self.apply(&page.events);
            let further = page.head > *head;
            *head = page.head;
            if !page.more || !further {
                return Ok(());
            }
        }
    }

    fn apply(&self, events: &[Event]) {
        let revocations = self.verifier.revocations();
        let mut other_keys = false;
        for event in events {
            match event.kind.as_str() {
                "session" => revocations.revoke_session(&event.value, event.expires_at),
                "token" => revocations.revoke_token(&event.value, event.expires_at),
                "api_key" => self.api_keys.forget(&event.value),
                "signing_keys" => other_keys = true,
                // Of a later release.
                _ => {}
            }
        }
        if other_keys {
            // Beside the polls, which go on while the keys are fetched.
            let verifier = self.verifier.clone();
            tokio::spawn(async move { verifier.refetch_keys().await });
        }
    }
}
