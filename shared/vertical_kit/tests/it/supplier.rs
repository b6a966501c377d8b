//! A supplier that does as it is told and remembers what it really did.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use storage::{Db, StoreOptions};
use supplier_client::{CallCx, Sent, SupplierError, SupplierErrorKind as Kind};
use travel_types::Money;
use vertical_kit::{
    CancellationOutcome, CancellationQuote, Conditions, Found, OrderLookup, OrderRequest,
    PlacedOrder, PlacedStatus, Searcher, Supplier, SupplierOffer, Timing,
};

/// What one request to change something comes to.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// It is done, and the answer is lost.
    DoneButLost,
    /// It is not done, and nobody can tell.
    NotDoneAndLost,
    /// It is not done until [`Scripted::do_late`], and the answer is lost.
    Late,
    /// It is taken, to be decided on until [`Scripted::do_late`].
    Taken,
    /// It is refused.
    Refuse(Kind),
    /// It is never answered, nor done.
    Hang,
    /// It is done; meanwhile the desk's store loses this table.
    DoneAndTableGone { url: String, table: &'static str },
    /// It is done, with this refund.
    DoneRefunding(&'static str, &'static str),
}

/// What a search comes to.
#[derive(Clone, Debug, Default)]
pub(crate) enum Finds {
    #[default]
    Offers,
    Nothing,
    Fails(Kind),
    Hangs,
    Panics,
    WithRejected,
    OnlyRejected,
    LeftAlone,
}

#[derive(Clone, Debug)]
struct Made {
    reference: String,
    total: Money,
    cancelled: bool,
}

#[derive(Default)]
struct State {
    script: VecDeque<Do>,
    finds: Finds,
    price: i64,
    orders: Vec<Made>,
    late: Option<Made>,
    hidden: bool,
    unreachable: bool,
    calls: BTreeMap<&'static str, usize>,
    confirmed: BTreeMap<String, bool>,
}

pub(crate) struct Scripted {
    name: &'static str,
    state: Mutex<State>,
}

pub(crate) const LAG: Duration = Duration::from_secs(5);
pub(crate) const LONGEST: Duration = Duration::from_secs(120);

fn gbp(minor: i64) -> Money {
    Money::new(minor, "GBP".parse().unwrap())
}

fn lost() -> SupplierError {
    SupplierError::new(Kind::OutcomeUnknown, "scripted").with_sent(Sent::Answered)
}

impl Scripted {
    pub(crate) fn new(name: &'static str) -> Self {
        let state = State {
            price: 10_000,
            ..State::default()
        };
        Self {
            name,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What the next request to change something comes to.
    pub(crate) fn next(&self, does: Do) {
        self.state().script.push_back(does);
    }

    pub(crate) fn finds(&self, finds: Finds) {
        self.state().finds = finds;
    }

    pub(crate) fn price_is(&self, minor: i64) {
        self.state().price = minor;
    }

    /// Whether orders can be found that were made.
    pub(crate) fn hide_orders(&self, hidden: bool) {
        self.state().hidden = hidden;
    }

    /// Whether questions are answered at all.
    pub(crate) fn unreachable(&self, unreachable: bool) {
        self.state().unreachable = unreachable;
    }

    /// Makes the order that was still being worked on.
    pub(crate) fn do_late(&self) {
        let mut state = self.state();
        let late = state.late.take().unwrap();
        state.orders.push(late);
    }

    /// Cancels everything without being asked through the desk.
    pub(crate) fn cancel_by_hand(&self) {
        for made in &mut self.state().orders {
            made.cancelled = true;
        }
    }

    pub(crate) fn calls(&self, operation: &'static str) -> usize {
        self.state().calls.get(operation).copied().unwrap_or(0)
    }

    /// Orders that are really there and not cancelled.
    pub(crate) fn live(&self) -> usize {
        let state = self.state();
        state.orders.iter().filter(|made| !made.cancelled).count()
    }

    fn count(&self, operation: &'static str) {
        *self.state().calls.entry(operation).or_default() += 1;
    }

    fn offer(&self) -> SupplierOffer {
        SupplierOffer {
            total: gbp(self.state().price),
            base: None,
            taxes: None,
            expires_at: None,
            conditions: Conditions::default(),
            warnings: Vec::new(),
            details: json!({"tour": "walls"}),
            handle: json!({"offer": 1}),
        }
    }
}

fn placed(made: &Made) -> PlacedOrder {
    PlacedOrder {
        status: match made.cancelled {
            true => PlacedStatus::Cancelled,
            false => PlacedStatus::Confirmed,
        },
        supplier_reference: "TOUR1".to_owned(),
        total: made.total,
        details: None,
        handle: json!({"offer": 1, "order": made.reference}),
    }
}

#[async_trait]
impl Supplier for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn timing(&self) -> Timing {
        Timing {
            visibility_lag: LAG,
            longest_processing: LONGEST,
        }
    }

    async fn price(&self, _: &CallCx, _: &Value) -> Result<SupplierOffer, SupplierError> {
        self.count("price");
        Ok(self.offer())
    }

    async fn order(&self, _: &CallCx, order: &OrderRequest) -> Result<PlacedOrder, SupplierError> {
        self.count("order");
        let made = Made {
            reference: order.reference.to_string(),
            total: order.total,
            cancelled: false,
        };
        let does = self.state().script.pop_front();
        match does {
            Some(Do::NotDoneAndLost) => return Err(lost()),
            Some(Do::Refuse(kind)) => return Err(SupplierError::new(kind, "scripted")),
            Some(Do::Hang) => std::future::pending().await,
            Some(Do::Late) => {
                self.state().late = Some(made);
                return Err(lost());
            }
            Some(Do::Taken) => {
                let mut taken = placed(&made);
                taken.status = PlacedStatus::Pending;
                self.state().late = Some(made);
                return Ok(taken);
            }
            _ => self.state().orders.push(made.clone()),
        }
        match does {
            Some(Do::DoneButLost) => Err(lost()),
            Some(Do::DoneAndTableGone { url, table }) => {
                rename(&url, table, &format!("{table}_away")).await;
                Ok(placed(&made))
            }
            _ => Ok(placed(&made)),
        }
    }

    async fn find_order(
        &self,
        _: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError> {
        self.count("find_order");
        let state = self.state();
        if state.unreachable {
            return Err(SupplierError::new(Kind::Unavailable, "scripted"));
        }
        let reference = order.reference.to_string();
        let found = state.orders.iter().find(|made| made.reference == reference);
        Ok(found.filter(|_| !state.hidden).map(placed))
    }

    async fn quote_cancellation(
        &self,
        _: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError> {
        self.count("quote");
        let mut state = self.state();
        let reference = order.reference.to_string();
        let made = state.orders.iter().find(|made| made.reference == reference);
        if made.is_none_or(|made| made.cancelled) {
            return Err(SupplierError::new(Kind::Refused, "scripted"));
        }
        let id = format!("quote{}", state.confirmed.len());
        state.confirmed.insert(id.clone(), false);
        Ok(CancellationQuote {
            refund: gbp(9_000),
            refund_to: Some("balance".to_owned()),
            expires_at: None,
            handle: json!({"id": id}),
        })
    }

    async fn confirm_cancellation(
        &self,
        _: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        self.count("confirm");
        let does = self.state().script.pop_front();
        let mut refund = gbp(9_000);
        match does {
            Some(Do::NotDoneAndLost) => return Err(lost()),
            Some(Do::Refuse(kind)) => return Err(SupplierError::new(kind, "scripted")),
            Some(Do::Hang) => std::future::pending().await,
            Some(Do::DoneRefunding(amount, currency)) => {
                refund = Money::parse(amount, currency).unwrap();
            }
            _ => {}
        }
        {
            let mut state = self.state();
            let reference = order.reference.to_string();
            let made = state.orders.iter_mut();
            for made in made.filter(|made| made.reference == reference) {
                assert!(!made.cancelled, "cancelled twice");
                made.cancelled = true;
            }
            let id = quote["id"].as_str().unwrap().to_owned();
            state.confirmed.insert(id, true);
        }
        match does {
            Some(Do::DoneButLost) => Err(lost()),
            Some(Do::DoneAndTableGone { url, table }) => {
                rename(&url, table, &format!("{table}_away")).await;
                Ok(CancellationOutcome::Cancelled { refund })
            }
            _ => Ok(CancellationOutcome::Cancelled { refund }),
        }
    }

    async fn find_cancellation(
        &self,
        _: &CallCx,
        _: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        self.count("find_cancellation");
        let state = self.state();
        if state.unreachable {
            return Err(SupplierError::new(Kind::Unavailable, "scripted"));
        }
        let done = state.confirmed.get(quote["id"].as_str().unwrap());
        Ok(match done {
            Some(true) if !state.hidden => CancellationOutcome::Cancelled { refund: gbp(9_000) },
            _ => CancellationOutcome::NotCancelled,
        })
    }
}

#[async_trait]
impl Searcher<()> for Scripted {
    async fn search(&self, _: &CallCx, (): &()) -> Result<Found, SupplierError> {
        self.count("search");
        let finds = self.state().finds.clone();
        let mut found = Found::default();
        match finds {
            Finds::Nothing => {}
            Finds::Fails(kind) => return Err(SupplierError::new(kind, "scripted")),
            Finds::LeftAlone => {
                return Err(SupplierError::new(Kind::Unavailable, "scripted").with_sent(Sent::No));
            }
            Finds::OnlyRejected => found.rejected = vec!["is odd".to_owned()],
            Finds::Hangs => std::future::pending().await,
            Finds::Panics => panic!("scripted"),
            Finds::Offers => found.offers = vec![self.offer(); 3],
            Finds::WithRejected => {
                found.offers = vec![self.offer()];
                found.rejected = vec!["is odd".to_owned(), "is odd".to_owned()];
            }
        }
        Ok(found)
    }
}

/// Takes a table away from the desk, or gives it back.
pub(crate) async fn rename(url: &str, from: &str, to: &str) {
    let db = Db::open(&StoreOptions::new(url)).await.unwrap();
    let statement = format!("ALTER TABLE {from} RENAME TO {to}");
    storage::query(storage::sqlx::AssertSqlSafe(statement))
        .execute(db.pool())
        .await
        .unwrap();
    db.close().await;
}
