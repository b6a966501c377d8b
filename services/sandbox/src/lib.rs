//! Simulators of the suppliers: real HTTP, true wire formats, a journal of effects, fault knobs.
//!
//! One folder per supplier holds what is true of that supplier alone; everything else — airports,
//! airlines and timetables, inventory, journal, faults, the control endpoints — is shared by all of
//! them. The crate shares no code with the adapters that it is used to check.

mod airlines;
mod airports;
mod chance;
mod clock;
mod control;
mod duffel;
mod faults;
mod flights;
mod inventory;
mod journal;
mod service;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;

pub use clock::Clock;
use duffel::Duffel;
use faults::Faults;
use inventory::Inventory;
use journal::Journal;
pub use service::service;

/// The suppliers that are simulated, as they are named in paths and journal lines.
pub const SUPPLIERS: [&str; 1] = [duffel::NAME];

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

/// Everything that the suppliers and the control endpoints share.
struct Sandbox {
    clock: Clock,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    duffel: Arc<Duffel>,
}

impl Sandbox {
    fn inventory(&self, supplier: &str) -> Option<&Inventory> {
        (supplier == duffel::NAME).then_some(&self.duffel.inventory)
    }
}

/// All simulators and their controls: `/duffel/…`, `/_control/…`, `/openapi.json`, `/health/live` and
/// an index at `/`. Orders and inventory are rebuilt from the journal in `options.data_dir` first.
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
    let duffel = Arc::new(Duffel::new(
        &options,
        Arc::clone(&journal),
        Arc::clone(&faults),
    ));
    for line in journal.lines().await {
        if line.effect.supplier == duffel::NAME {
            let replayed = duffel.replay(&line);
            replayed.map_err(|source| StartError::Replay {
                seq: line.effect.seq,
                source,
            })?;
        }
    }
    let sandbox = Arc::new(Sandbox {
        clock: options.clock,
        journal,
        faults,
        duffel: Arc::clone(&duffel),
    });
    let (control, document) = control::router(sandbox);
    let document = Arc::new(document);
    Ok(Router::new()
        .nest("/duffel", duffel::router(duffel))
        .merge(control)
        .route("/openapi.json", get(async move || axum::Json(document)))
        .route("/", get(async || Html(include_str!("index.html")))))
}
