//! Tells the other services of an erasure until each has confirmed it, across failures and restarts.

use std::time::Duration;

use audit::Record;
use auth::{Identity, Role};
use futures_util::future::join_all;
use http::StatusCode;
use service_kit::Context;
use storage::StoreError;
use supplier_client::{CallCx, Safety, WireRequest};
use telemetry::Correlation;
use tokio::time::{Instant, sleep};

use super::DataRights;
use super::tasks::{self, Task};

/// How long one service may take, and how long a worker's lease on a task lasts.
const PATIENCE: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(30);
/// Tasks that one round takes.
const BATCH: u32 = 24;
/// How often to look for what is due, when nobody says that there is something.
const POLL: Duration = Duration::from_secs(1);

impl DataRights {
    /// Works until the service ends.
    pub(crate) fn start_worker(&self, context: &Context) {
        let (rights, shutdown) = (self.clone(), context.shutdown.clone());
        context.tasks.spawn(async move {
            while !shutdown.is_cancelled() {
                let taken = match rights.round().await {
                    Ok(taken) => taken,
                    Err(error) => {
                        tracing::warn!(%error, "cannot look for erasures that are to be passed on");
                        0
                    }
                };
                if taken == 0 {
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        () = rights.wake.notified() => {}
                        () = sleep(POLL) => {}
                    }
                }
            }
        });
    }

    async fn round(&self) -> Result<usize, StoreError> {
        let lease = self.clock.after(LEASE);
        let tasks = tasks::take(&self.db, self.clock.now(), lease, BATCH).await?;
        let told = tasks.iter().map(|task| self.tell(task));
        for ended in join_all(told).await {
            ended?;
        }
        Ok(tasks.len())
    }

    async fn tell(&self, task: &Task) -> Result<(), StoreError> {
        // The person itself asks, with no right but that of being itself.
        let person = Identity::new(task.account.clone(), Role::Traveller, Vec::new());
        let correlation = Correlation::new();
        let request_id = correlation.request_id().to_owned();
        let call = CallCx::new(Instant::now() + PATIENCE, correlation);
        let safety = Safety::Idempotent(task.account.clone());
        let request = WireRequest::post("erase", "/internal/erasures", safety);
        let answer = self
            .colleagues
            .call(&task.service, &person, &call, request)
            .await;
        let problem = match answer {
            Ok(answer) if answer.status == StatusCode::NO_CONTENT => {
                return self.confirmed(task, request_id).await;
            }
            Ok(answer) => format!("it answered {}", answer.status),
            Err(error) => error.kind.as_str().to_owned(),
        };
        let (account, service) = (&task.account, &task.service);
        tracing::warn!(account, service, problem, "an erasure is not confirmed yet");
        tasks::later(&self.db, task, self.clock.after(task.wait())).await
    }

    async fn confirmed(&self, task: &Task, request_id: String) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        if tasks::confirm(&mut tx, task, self.clock.now()).await? {
            let record = Record {
                actor: Some(task.account.clone()),
                action: "erase_complete",
                succeeded: true,
                target: Some(task.account.clone()),
                request_id: Some(request_id),
                ..Record::default()
            };
            self.audit.append(&mut tx, &record).await?;
        }
        tx.commit().await
    }
}
