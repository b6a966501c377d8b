//! Simulators of the suppliers: real HTTP, true wire formats, a journal of effects, fault knobs.
//!
//! One folder per supplier holds what is true of that supplier alone; everything else — airports,
//! airlines and timetables, inventory, journal, faults, the control endpoints — is shared by all of
//! them. The crate shares no code with the adapters that it is used to check.

mod airlines;
mod airports;
mod amadeus;
mod answer;
mod cabin;
mod cars;
mod chance;
mod clock;
mod control;
mod duffel;
mod duffel_cars;
mod faults;
mod flights;
mod front;
mod hotelbeds;
mod hotels;
mod inventory;
mod journal;
mod mailbox;
mod pictures;
mod query;
mod rapid;
mod rates;
mod scenario;
mod service;
mod supplier;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;

pub use clock::Clock;
use faults::Faults;
use journal::Journal;
use mailbox::Mailbox;
pub use service::service;
use supplier::{Office, Simulator};

/// How a simulator is made.
type Make = fn(&Options, &Arc<Journal>, &Arc<Faults>) -> Arc<dyn Simulator>;

/// The suppliers that are simulated: one line each.
const SIMULATORS: [Make; 6] = [
    duffel::simulator,
    amadeus::flights,
    rapid::simulator,
    duffel_cars::simulator,
    amadeus::transfers,
    hotelbeds::simulator,
];

/// The keys of a sandbox with their defaults and meanings, as TOML.
pub const CONFIG_DEFAULT: &str = include_str!("../config.default.toml");

/// What a sandbox can be told when it starts; `Options::default()` is what `config.default.toml` says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where `journal.jsonl` is kept; `None`: in memory, nothing is left on disk.
    pub data_dir: Option<PathBuf>,
    /// How long an offer can be ordered.
    pub offer_life: Duration,
    /// Chooses the world: timetables, prices and seats.
    pub seed: u64,
    /// How late the scenario SLOW answers an order.
    pub slow_order: Duration,
    /// Requests a minute that a supplier's headers promise.
    pub rate_limit: u32,
    /// Whether requests beyond the promise are answered 429.
    pub enforce_rate_limit: bool,
    /// Whether an order closes its whole search to further orders, as the real Duffel does. Off, the
    /// sandbox is the worst supplier there is: it books the same offer as often as it is told to, so
    /// that a system that orders twice is found out.
    pub one_order_per_search: bool,
    /// How long a token of Amadeus is valid.
    pub token_life: Duration,
    /// ISO 4217 code of all prices; a currency of two decimals.
    pub currency: String,
    /// Where the time of offers, orders and journal lines comes from.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data_dir: None,
            offer_life: Duration::from_secs(20 * 60),
            seed: 1,
            slow_order: Duration::from_secs(3),
            rate_limit: 4_000,
            enforce_rate_limit: false,
            one_order_per_search: false,
            token_life: Duration::from_secs(1_799),
            currency: "GBP".to_owned(),
            clock: Clock::default(),
        }
    }
}

/// Why a sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal cannot be opened, read or written.
    #[error("the journal in {folder:?} cannot be used")]
    Journal {
        /// The data folder, if one was given.
        folder: Option<PathBuf>,
        /// What the file system or the JSON reader said.
        source: std::io::Error,
    },
    /// A line of the journal does not describe an order or cancellation of its supplier.
    #[error("line {seq} of the journal cannot be replayed")]
    Replay {
        /// The line's number.
        seq: u64,
        /// What is wrong with its record.
        source: serde_json::Error,
    },
}

/// Everything that the control endpoints work on.
struct Sandbox {
    clock: Clock,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    mailbox: Mailbox,
    simulators: Vec<Arc<dyn Simulator>>,
}

impl Sandbox {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.simulators
            .iter()
            .map(|simulator| simulator.office().name)
    }

    fn simulator(&self, name: &str) -> Option<&Arc<dyn Simulator>> {
        self.simulators
            .iter()
            .find(|simulator| simulator.office().name == name)
    }

    fn office(&self, name: &str) -> Option<&Office> {
        self.simulator(name).map(|simulator| simulator.office())
    }

    /// Rebuilds orders and inventory from the journal.
    async fn replay(&self) -> Result<(), StartError> {
        for line in self.journal.lines().await {
            let Some(simulator) = self.simulator(&line.effect.supplier) else {
                continue;
            };
            let replayed = match line.effect.kind {
                journal::Kind::Stock => simulator.office().restock(&line),
                _ => simulator.replay(&line),
            };
            replayed.map_err(|source| StartError::Replay {
                seq: line.effect.seq,
                source,
            })?;
        }
        Ok(())
    }
}

/// All simulators and their controls: `/<supplier>/…`, `/frankfurter/…`, `/mail/messages`, `/_control/…`, `/openapi.json`,
/// `/health/live`, `/health/ready` and an index at `/`. Orders and inventory are rebuilt from the journal in
/// `options.data_dir` first.
///
/// # Errors
/// The journal cannot be used or replayed; the sandbox must not start then.
pub async fn router(options: Options) -> Result<Router, StartError> {
    let journal = Journal::open(options.data_dir.as_deref())
        .await
        .map_err(|source| StartError::Journal {
            folder: options.data_dir.clone(),
            source,
        })?;
    let journal = Arc::new(journal);
    let faults = Arc::new(Faults::default());
    let simulators = SIMULATORS
        .iter()
        .map(|make| make(&options, &journal, &faults))
        .collect();
    let rates = rates::router(options.clock.clone(), options.seed);
    let seed = options.seed;
    let sandbox = Arc::new(Sandbox {
        clock: options.clock,
        journal,
        faults,
        mailbox: Mailbox::default(),
        simulators,
    });
    sandbox.replay().await?;
    let mut all: Router = Router::new();
    for simulator in &sandbox.simulators {
        let prefix = format!("/{}", simulator.office().name);
        all = all.nest(&prefix, front::behind(simulator));
    }
    let (control, document) = control::router(sandbox);
    let document = Arc::new(document);
    Ok(all
        .nest("/frankfurter", rates)
        .merge(control)
        .merge(pictures::router(seed))
        .route("/openapi.json", get(async move || axum::Json(document)))
        .route("/", get(async || Html(include_str!("index.html")))))
}
