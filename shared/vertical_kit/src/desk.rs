//! One vertical's desk: what its handlers and its settler work with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use personal_data::{MasterKey, Vault};
use service_kit::{ApiError, Context, Cx, StartError, error::codes};
use settings::Settings;
use storage::{Db, Migration};
use supplier_client::{CallCx, SupplierError, SupplierErrorKind};
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use travel_types::jiff::civil::Date;
use travel_types::{Clock, FieldErrors, Traveller};

use crate::ledger::Ledger;
use crate::rates::{RateSource, RateTable};
use crate::{Assortment, Offer, Supplier};

/// The kit's tables.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "offers_orders",
        sql: include_str!("../migrations/0001_offers_orders.sql"),
    },
    Migration {
        version: 2,
        name: "personal",
        sql: include_str!("../migrations/0002_personal.sql"),
    },
];

/// Rules of a vertical about what may be ordered.
pub trait Rules: Send + Sync {
    /// Adds what is wrong with these travellers for this offer, e.g. a child where an adult was
    /// searched for. Paths begin with `travellers`.
    fn check_travellers(
        &self,
        offer: &Offer,
        travellers: &[Traveller],
        today: Date,
        errors: &mut FieldErrors,
    );
}

/// What a vertical brings to its desk.
pub struct DeskParts {
    /// Its name in paths and answers, e.g. `flights`.
    pub vertical: &'static str,
    /// Its suppliers that are switched on.
    pub suppliers: Vec<Arc<dyn Supplier>>,
    /// Its rules.
    pub rules: Arc<dyn Rules>,
    /// How offers of several suppliers lie side by side.
    pub assortment: Arc<dyn Assortment>,
    /// Where exchange rates come from; none: prices are shown in the suppliers' currencies alone.
    pub rates: Option<Arc<dyn RateSource>>,
}

/// The kit's numbers, from the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pub(crate) search_deadline: Duration,
    pub(crate) keep: usize,
    pub(crate) offer_life: Duration,
    pub(crate) order_deadline: Duration,
    pub(crate) decision: Duration,
    pub(crate) poll: Duration,
    pub(crate) first_question: Duration,
    pub(crate) longest_wait: Duration,
    pub(crate) abandoned: Duration,
    pub(crate) keep_keys: Duration,
    pub(crate) quote_life: Duration,
}

impl Numbers {
    fn read(settings: &Settings) -> Result<Self, StartError> {
        let millis = |key: &str| settings.get(key).map(Duration::from_millis);
        let seconds = |key: &str| settings.get(key).map(Duration::from_secs);
        Ok(Self {
            search_deadline: millis("search.deadline_ms")?,
            keep: settings.get("search.keep")?,
            offer_life: seconds("offers.life_s")?,
            order_deadline: millis("order.deadline_ms")?,
            decision: seconds("order.decision_h")?.saturating_mul(3600),
            poll: millis("settle.poll_ms")?,
            first_question: millis("settle.first_ms")?,
            longest_wait: millis("settle.longest_ms")?,
            abandoned: millis("settle.abandoned_ms")?,
            keep_keys: seconds("idempotency.keep_h")?.saturating_mul(3600),
            quote_life: seconds("quotes.life_s")?,
        })
    }
}

/// A vertical at work. Cheap to clone.
#[derive(Clone)]
pub struct Desk(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) vertical: &'static str,
    pub(crate) suppliers: BTreeMap<String, Arc<dyn Supplier>>,
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) assortment: Arc<dyn Assortment>,
    rates: Option<Arc<dyn RateSource>>,
    pub(crate) db: Db,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
    pub(crate) numbers: Numbers,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

impl Desk {
    /// Opens the store, and starts the worker that settles unknown outcomes.
    ///
    /// # Errors
    /// [`StartError`] when the store or the configuration cannot be used.
    pub async fn open(context: &Context, parts: DeskParts) -> Result<Self, StartError> {
        let mut sets = vec![
            ("vertical_kit", MIGRATIONS),
            (storage::idempotency::SET, storage::idempotency::MIGRATIONS),
            (personal_data::SET, personal_data::MIGRATIONS),
        ];
        sets.extend(parts.assortment.migrations());
        let master = MasterKey::of(context)?;
        let db = context.open_store(&sets).await?;
        let vault = Vault::new(db.clone(), master);
        let desk = Self(Arc::new(Inner {
            vertical: parts.vertical,
            suppliers: parts
                .suppliers
                .into_iter()
                .map(|supplier| (supplier.name().to_owned(), supplier))
                .collect(),
            rules: parts.rules,
            assortment: parts.assortment,
            rates: parts.rates,
            ledger: Ledger::new(db.clone(), vault, parts.vertical),
            db,
            clock: context.clock.clone(),
            numbers: Numbers::read(&context.settings)?,
            tasks: context.tasks.clone(),
            shutdown: context.shutdown.clone(),
        }));
        context.tasks.spawn(crate::settle::run(desk.clone()));
        Ok(desk)
    }

    /// The vertical's name, e.g. `flights`.
    pub fn vertical(&self) -> &'static str {
        self.0.vertical
    }

    /// The database, for a health check.
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The supplier of an offer or order that is stored.
    pub(crate) fn supplier(&self, name: &str) -> Result<Arc<dyn Supplier>, ApiError> {
        self.0.suppliers.get(name).cloned().ok_or_else(|| {
            ApiError::new(&codes::SUPPLIER_UNAVAILABLE)
                .message("The supplier of this object is switched off. Try again later.")
                .because(format!("supplier {name} is not configured"))
        })
    }

    /// The exchange rates to use now; none when they are switched off or cannot be had in time.
    pub(crate) async fn rates(&self, call: &CallCx) -> Option<Arc<RateTable>> {
        let source = self.0.rates.as_ref()?;
        source.rates(call).await.ok()
    }

    /// The instant `after` from now.
    pub(crate) fn in_future(&self, after: Duration) -> travel_types::jiff::Timestamp {
        self.0.clock.after(after)
    }
}

/// Time kept back from the caller's deadline for our own writing and the way home.
const MARGIN: Duration = Duration::from_millis(150);

/// What a call may take beyond its deadline to say by itself that it is over, and what it has sent.
const GRACE: Duration = Duration::from_millis(20);

/// Ends a call at its deadline, also where an adapter forgets to.
pub(crate) async fn in_time<T>(
    call: &CallCx,
    work: impl Future<Output = Result<T, SupplierError>>,
) -> Result<T, SupplierError> {
    timeout_at(call.deadline + GRACE, work)
        .await
        .unwrap_or_else(|_| {
            let late = "no answer by the deadline";
            Err(SupplierError::new(SupplierErrorKind::Timeout, late))
        })
}

/// A call that ends in time for the caller, and within `limit`.
pub(crate) fn call_within(cx: &Cx, limit: Duration) -> CallCx {
    let left = cx.deadline.left();
    let left = left.saturating_sub(MARGIN.min(left / 10));
    CallCx::new(
        tokio::time::Instant::now() + left.min(limit),
        cx.correlation.clone(),
    )
}
