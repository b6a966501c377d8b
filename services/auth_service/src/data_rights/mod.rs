//! What a person may ask for about the data that is kept about it: all of it, and its end.

mod catalogue;
mod erasure;
mod export;
mod routes;
mod tasks;
mod worker;

use std::sync::Arc;

use audit::{AuditLog, Record};
use service_kit::{Colleagues, Context, Cx, StartError};
use storage::{Db, Migration};
use supplier_client::SupplierMetrics;
use tokio::sync::Notify;
use travel_types::Clock;

use crate::accounts::Accounts;
use crate::mail::Outbox;
use crate::revocations::Revocations;
use crate::sessions::Sessions;
use crate::trail::record;
use catalogue::Keeper;
pub(crate) use catalogue::config;
pub(crate) use routes::routes;

/// The name of this part's set of migrations.
pub(crate) const SET: &str = "data_rights";
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "erasure_tasks",
    sql: include_str!("../../migrations/data_rights/0001_erasure_tasks.sql"),
}];

/// Export and erasure. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DataRights {
    db: Db,
    accounts: Accounts,
    sessions: Sessions,
    revocations: Revocations,
    outbox: Outbox,
    audit: AuditLog,
    colleagues: Arc<Colleagues>,
    keepers: Arc<[Keeper]>,
    clock: Clock,
    /// Wakes the worker.
    wake: Arc<Notify>,
}

/// The parts of the service whose data it is.
pub(crate) struct Parts {
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) sessions: Sessions,
    pub(crate) revocations: Revocations,
    pub(crate) outbox: Outbox,
    pub(crate) audit: AuditLog,
}

impl DataRights {
    /// # Errors
    /// [`StartError`] when the other services' addresses or the signing key for calls to them cannot
    /// be used.
    pub(crate) fn new(
        context: &Context,
        metrics: &SupplierMetrics,
        parts: Parts,
    ) -> Result<Self, StartError> {
        let keepers = catalogue::keepers()?;
        let names = keepers.iter().map(|keeper| keeper.service.clone());
        let colleagues = Colleagues::new(context, metrics, names)?;
        Ok(Self {
            db: parts.db,
            accounts: parts.accounts,
            sessions: parts.sessions,
            revocations: parts.revocations,
            outbox: parts.outbox,
            audit: parts.audit,
            colleagues: Arc::new(colleagues),
            keepers: keepers.into(),
            clock: context.clock.clone(),
            wake: Arc::default(),
        })
    }
}

/// The record of what somebody does to itself.
fn by_oneself(cx: &Cx, action: &'static str, id: &str, succeeded: bool) -> Record {
    Record {
        actor: Some(id.to_owned()),
        target: Some(id.to_owned()),
        ..record(cx, action, succeeded)
    }
}
