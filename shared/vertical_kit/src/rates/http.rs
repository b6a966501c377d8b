//! Rates over HTTP from a Frankfurter server (version 1 of its API; MIT licence, can be hosted by
//! anyone), which serves the euro reference rates of the European Central Bank: one table per working
//! day. The table is kept in memory; one load at a time renews it, in a task of its own, so that a slow
//! server holds up nobody for longer than `rates.timeout_ms`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;
use service_kit::{Context, Profile, StartError};
use supplier_client::{
    ApiClient, ApiClientConfig, Auth, CallCx, Policy, SupplierError, SupplierErrorKind,
    SupplierMetrics, Transport, WireRequest, WireResponse, by_status,
};
use telemetry::Correlation;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use travel_types::Currency;

use super::{RateSource, RateTable};

const NAME: &str = "frankfurter";
/// Frankfurter's version 1 has no other source.
const SOURCE: &str = "European Central Bank";
/// The base of the bank's own rates: any other is computed from them and rounded before it is sent.
const BASE: &str = "EUR";
/// How long a load may take, retries included.
const LOAD_TIME: Duration = Duration::from_secs(10);
/// After a load has failed, nobody asks again for this long.
const PAUSE: Duration = Duration::from_secs(10);
/// Longest answer, in bytes: thirty rates take less than one thousand.
const LONGEST_ANSWER: usize = 256 * 1024;

/// How a source behaves: the keys under `rates`.
#[derive(Clone, Debug)]
pub struct RatesConfig {
    /// After this long the rates are asked for again.
    pub life: Duration,
    /// For this long they are used while the source gives no newer ones. Counted, like `life`, from when
    /// they were loaded, not from their own date.
    pub stale: Duration,
    /// Longest wait of one caller.
    pub timeout: Duration,
}

/// The rates of a Frankfurter server.
#[derive(Clone)]
pub struct HttpRates(Arc<Shared>);

struct Shared {
    wire: Arc<dyn Transport>,
    config: RatesConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<(Instant, Arc<RateTable>)>,
    failure: Option<(Instant, SupplierError)>,
    load: Option<Load>,
}

/// A load under way: the channel closes when it is over, however it ends.
#[derive(Clone)]
struct Load {
    began: Instant,
    over: watch::Receiver<()>,
}

/// The source as configured, none when it is switched off. Its first load begins at once, in the
/// background; should it fail, the service starts nevertheless.
///
/// # Errors
/// [`StartError`] for a value that makes no sense, and in production for the sandbox's address.
pub fn configured(
    context: &Context,
    metrics: &SupplierMetrics,
) -> Result<Option<Arc<dyn RateSource>>, StartError> {
    let settings = &context.settings;
    if !settings.get::<bool>("rates.enabled")? {
        return Ok(None);
    }
    if context.profile == Profile::Production && settings.is_default("rates.base_url") {
        return Err(StartError::Other(
            "rates.base_url still has the sandbox's value: production needs the address of a \
             Frankfurter server, or rates.enabled = false"
                .to_owned(),
        ));
    }
    let seconds = |key: &str| settings.get(key).map(Duration::from_secs);
    let config = RatesConfig {
        life: seconds("rates.life_s")?,
        stale: seconds("rates.stale_s")?,
        timeout: Duration::from_millis(settings.get("rates.timeout_ms")?),
    };
    let wrong = |problem: &dyn std::fmt::Display| StartError::Other(format!("rates: {problem}"));
    if config.stale < config.life {
        return Err(wrong(&"stale_s must not be less than life_s"));
    }
    if config.timeout.is_zero() || config.timeout > LOAD_TIME {
        return Err(wrong(&"timeout_ms must be 1 to 10000"));
    }
    let base_url: String = settings.get("rates.base_url")?;
    let client_config = ApiClientConfig::new(NAME, &base_url)
        .map_err(|error| wrong(&error))?
        .header("accept", "application/json")
        .policy(Policy {
            attempt_timeout_ms: 4_000,
            max_response_bytes: LONGEST_ANSWER,
            ..Policy::default()
        });
    let clock = context.clock.clone();
    let client = ApiClient::new(client_config, by_status, Auth::None, metrics, clock)
        .map_err(|error| wrong(&error))?;
    let source = HttpRates::new(Arc::new(client), config);
    let first = source.clone();
    context.tasks.spawn(async move {
        let cx = CallCx::new(Instant::now() + LOAD_TIME, Correlation::new());
        // A failure is logged where it happens.
        drop(first.rates(&cx).await);
    });
    Ok(Some(Arc::new(source)))
}

impl HttpRates {
    /// A source without rates yet. `wire` reaches the Frankfurter server.
    pub fn new(wire: Arc<dyn Transport>, config: RatesConfig) -> Self {
        Self(Arc::new(Shared {
            wire,
            config,
            state: Mutex::default(),
        }))
    }

    /// The load to wait for, and until when, unless what is at hand must do.
    fn load(&self, cx: &CallCx) -> Option<(watch::Receiver<()>, Instant)> {
        let now = Instant::now();
        let config = &self.0.config;
        let mut state = self.0.lock();
        let age = state.kept.as_ref().map(|(at, _)| now - *at);
        let paused = state
            .failure
            .as_ref()
            .is_some_and(|(at, _)| now - *at < PAUSE);
        if age.is_some_and(|age| age < config.life) || paused {
            return None;
        }
        // The channel of a load that is over, or whose runtime has ended, is closed.
        let under_way = state
            .load
            .clone()
            .filter(|load| load.over.has_changed().is_ok());
        let load = under_way.unwrap_or_else(|| {
            let load = self.begin(now, cx.correlation.clone());
            state.failure = None;
            state.load = Some(load.clone());
            load
        });
        // Whoever has rates to go on with does not wait for a load that is slow already.
        let usable = age.is_some_and(|age| age < config.stale);
        let from = if usable { load.began } else { now };
        Some((load.over, cx.deadline.min(from + config.timeout)))
    }

    fn begin(&self, now: Instant, correlation: Correlation) -> Load {
        let (ending, over) = watch::channel(());
        let shared = Arc::clone(&self.0);
        let cx = CallCx::new(now + LOAD_TIME, correlation);
        tokio::spawn(async move {
            shared.renew(&cx).await;
            drop(ending);
        });
        Load { began: now, over }
    }
}

#[async_trait]
impl RateSource for HttpRates {
    async fn rates(&self, cx: &CallCx) -> Result<Arc<RateTable>, SupplierError> {
        if let Some((mut over, until)) = self.load(cx) {
            // Over or not: what counts is what is at hand then.
            let _ = timeout_at(until, over.changed()).await;
        }
        let state = self.0.lock();
        match &state.kept {
            Some((at, table)) if at.elapsed() < self.0.config.stale => Ok(Arc::clone(table)),
            _ => Err(state.failure.as_ref().map_or_else(
                || SupplierError::new(SupplierErrorKind::Timeout, "no exchange rates in time"),
                |(_, failure)| failure.clone(),
            )),
        }
    }
}

impl Shared {
    async fn renew(&self, cx: &CallCx) {
        let request = WireRequest::get("rates", "/v1/latest").query("base", BASE);
        let answered = timeout_at(cx.deadline, self.wire.call(cx, request)).await;
        let table = match answered {
            Ok(answered) => answered.and_then(|response| read(&response)),
            Err(_) => {
                let late = "no answer by the end of the load";
                Err(SupplierError::new(SupplierErrorKind::Timeout, late))
            }
        };
        let mut state = self.lock();
        match table {
            Ok(table) => {
                tracing::debug!(date = %table.date, "exchange rates loaded");
                state.kept = Some((Instant::now(), Arc::new(table)));
            }
            Err(failure) => {
                tracing::warn!(%failure, "exchange rates could not be loaded");
                state.failure = Some((Instant::now(), failure));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /v1/latest` of Frankfurter's OpenAPI document.
#[derive(Deserialize)]
struct Latest {
    amount: Option<Box<RawValue>>,
    base: String,
    date: Date,
    rates: HashMap<String, Box<RawValue>>,
}

/// The literal of a number; some write numbers as text.
fn literal(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

/// Reads a table. One rate that is none makes the whole answer unbelievable; a currency that ISO 4217
/// does not have, or no longer has, is merely of no use.
fn read(response: &WireResponse) -> Result<RateTable, SupplierError> {
    if !response.status.is_success() {
        let detail = format!("HTTP {}", response.status.as_u16());
        return Err(SupplierError::new(SupplierErrorKind::Unavailable, detail));
    }
    let latest: Latest = response.json()?;
    let base: Currency = latest
        .base
        .parse()
        .map_err(|_| response.unreadable("base is not a currency"))?;
    let mut literals: Vec<(Currency, String)> = latest
        .rates
        .iter()
        .filter_map(|(code, raw)| Some((code.parse().ok()?, literal(raw))))
        .collect();
    if literals.iter().all(|(currency, _)| *currency == base) {
        return Err(response.unreadable("there are no rates"));
    }
    // What the rates are for: a rate of 1 for the base, as it were.
    literals.extend(latest.amount.map(|amount| (base, literal(&amount))));
    let pairs = literals
        .iter()
        .map(|(currency, literal)| (*currency, literal.as_str()));
    RateTable::new(latest.date, SOURCE, base, pairs)
        .map_err(|bad| response.unreadable(&bad.to_string()))
}
