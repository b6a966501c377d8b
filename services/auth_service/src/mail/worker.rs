//! The worker that empties the outbox.

use std::sync::Arc;
use std::time::Duration;

use personal_data::Vault;
use service_kit::{Context, StartError};
use storage::{AnyRow, Row, StoreError, query, to_micros};
use supplier_client::{
    ApiClient, ApiClientConfig, Auth, CallCx, Policy, Safety, SupplierError, SupplierMetrics,
    Transport, WireRequest, by_status,
};
use telemetry::Correlation;
use tokio::time::{Instant, sleep};

use super::{Message, Outbox, PURPOSE};

/// Mails that are taken at once.
const BATCH: i64 = 20;
/// How long one instance has a mail to itself.
const LEASE: Duration = Duration::from_secs(60);
/// How long posting one may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first and the longest wait after a failure.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Where mails go and how often the outbox is looked at.
pub(crate) struct WorkerOptions {
    /// The address that mails are posted to.
    pub(crate) url: String,
    /// How often the outbox is looked at.
    pub(crate) poll: Duration,
}

/// Posts what is in the outbox. Several may do so on one store.
pub(crate) struct Worker {
    outbox: Outbox,
    vault: Vault,
    wire: Arc<dyn Transport>,
    path: String,
    poll: Duration,
}

struct Taken {
    id: String,
    wrapped: String,
    wanted: bool,
    attempts: i64,
    expired: bool,
}

impl Worker {
    /// # Errors
    /// [`StartError`] when the address is none.
    pub(crate) fn new(
        context: &Context,
        outbox: Outbox,
        vault: Vault,
        options: WorkerOptions,
        calls: &SupplierMetrics,
    ) -> Result<Self, StartError> {
        let wrong =
            |problem: &dyn std::fmt::Display| StartError::Other(format!("mail.url: {problem}"));
        let (base, path) = split(&options.url)
            .ok_or_else(|| wrong(&"must be an http: or https: address with a path"))?;
        let config = ApiClientConfig::new("mail", base)
            .map_err(|error| wrong(&error))?
            .policy(Policy {
                attempt_timeout_ms: 5_000,
                max_response_bytes: 64 * 1024,
                ..Policy::default()
            });
        let client = ApiClient::new(config, by_status, Auth::None, calls, context.clock.clone())
            .map_err(|error| wrong(&error))?;
        Ok(Self {
            outbox,
            vault,
            wire: Arc::new(client),
            path: path.to_owned(),
            poll: options.poll,
        })
    }

    /// Works until the service ends.
    pub(crate) fn start(self, context: &Context) {
        let shutdown = context.shutdown.clone();
        context.tasks.spawn(async move {
            while !shutdown.is_cancelled() {
                match self.round().await {
                    Ok(0) => {}
                    // There may be more.
                    Ok(_) => continue,
                    Err(error) => tracing::warn!(%error, "the outbox of mails cannot be read"),
                }
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = sleep(self.poll) => {}
                }
            }
        });
    }

    /// Works on what is due; how many that were.
    async fn round(&self) -> Result<usize, StoreError> {
        let due = query(
            "SELECT id, wrapped, wanted, attempts, expires_at FROM mail \
             WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2",
        )
        .bind(to_micros(self.outbox.now()))
        .bind(BATCH)
        .fetch_all(self.outbox.db.pool())
        .await?;
        for row in &due {
            let mail = self.read(row)?;
            if self.take(&mail).await? {
                self.work_on(mail).await?;
            }
        }
        Ok(due.len())
    }

    fn read(&self, row: &AnyRow) -> Result<Taken, StoreError> {
        let expires_at: i64 = row.try_get("expires_at")?;
        Ok(Taken {
            id: row.try_get("id")?,
            wrapped: row.try_get("wrapped")?,
            wanted: row.try_get::<i64, _>("wanted")? == 1,
            attempts: row.try_get("attempts")?,
            expired: expires_at <= to_micros(self.outbox.now()),
        })
    }

    /// Takes a mail for the lease; not if another instance was faster.
    async fn take(&self, mail: &Taken) -> Result<bool, StoreError> {
        let taken = query(
            "UPDATE mail SET attempts = attempts + 1, due_at = $1 WHERE id = $2 AND attempts = $3",
        )
        .bind(to_micros(self.outbox.clock.after(LEASE)))
        .bind(&mail.id)
        .bind(mail.attempts)
        .execute(self.outbox.db.pool())
        .await?;
        Ok(taken.rows_affected() == 1)
    }

    async fn work_on(&self, mail: Taken) -> Result<(), StoreError> {
        if !mail.wanted {
            return self.done(&mail).await;
        }
        if mail.expired {
            tracing::warn!(mail = mail.id, "a mail could not be delivered in its time");
            return self.done(&mail).await;
        }
        let opened = self.vault.unwrap_(PURPOSE, &mail.wrapped);
        let message = opened.and_then(|json| serde_json::from_slice::<Message>(&json).ok());
        let Some(message) = message else {
            tracing::error!(
                mail = mail.id,
                "a mail cannot be opened: the master key is another one"
            );
            return self.later(&mail).await;
        };
        match self.post(&mail.id, &message).await {
            Ok(()) => self.done(&mail).await,
            Err(problem) => {
                // The kind alone: what the other side says may repeat the recipient.
                let problem = problem.kind.as_str();
                tracing::warn!(mail = mail.id, problem, "a mail was not delivered");
                self.later(&mail).await
            }
        }
    }

    async fn post(&self, id: &str, message: &Message) -> Result<(), SupplierError> {
        // Repeating is harmless: at worst a person gets the same mail twice.
        let request = WireRequest::post("mail", &self.path, Safety::Idempotent(id.to_owned()))
            .header("idempotency-key", id)
            .json(message)?;
        let cx = CallCx::new(Instant::now() + PATIENCE, Correlation::new());
        self.wire.call(&cx, request).await.map(drop)
    }

    async fn done(&self, mail: &Taken) -> Result<(), StoreError> {
        query("DELETE FROM mail WHERE id = $1")
            .bind(&mail.id)
            .execute(self.outbox.db.pool())
            .await?;
        Ok(())
    }

    async fn later(&self, mail: &Taken) -> Result<(), StoreError> {
        let doublings = u32::try_from(mail.attempts).unwrap_or(0).min(16);
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(doublings));
        query("UPDATE mail SET due_at = $1 WHERE id = $2")
            .bind(to_micros(self.outbox.clock.after(wait.min(LONGEST_WAIT))))
            .bind(&mail.id)
            .execute(self.outbox.db.pool())
            .await?;
        Ok(())
    }
}

/// Origin and path of an address.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.find("://")? + 3;
    let slash = url.get(rest..)?.find('/')? + rest;
    url.split_at_checked(slash)
}
