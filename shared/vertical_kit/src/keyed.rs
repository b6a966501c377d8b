//! What every operation with an `Idempotency-Key` has in common: the claim, the answer that is kept, and
//! work that goes on when its caller has gone.

use std::time::Duration;

use axum::response::Response;
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use storage::idempotency::{self, Claim, IdempotencyKey, StoredAnswer};
use storage::{StoreError, Tx};
use tracing::{Instrument, Span};

use crate::answers::{give, keep};
use crate::desk::Desk;

/// What the longest request needs beside the wait for its supplier, before another one may take its key.
const LEASE_MARGIN: Duration = Duration::from_secs(15);

/// Who asks, with which key, for which body.
pub(crate) struct Keyed {
    pub(crate) key: IdempotencyKey,
    pub(crate) fingerprint: String,
    pub(crate) problem_json: bool,
    pub(crate) path: String,
}

impl Desk {
    /// Claims the key within the transaction that writes down what it protects.
    pub(crate) async fn claim(
        &self,
        tx: &mut Tx,
        keyed: &Keyed,
        subject: &str,
    ) -> Result<Claim, StoreError> {
        idempotency::claim(
            tx,
            &keyed.key,
            &keyed.fingerprint,
            Some(subject),
            self.0.clock.now(),
            self.0.numbers.order_deadline + LEASE_MARGIN,
            self.0.numbers.keep_keys,
        )
        .await
    }

    /// Keeps the answer for the key; gives the one that stands.
    pub(crate) async fn keep_answer(
        &self,
        cx: &Cx,
        keyed: &Keyed,
        answer: Result<Response, ApiError>,
    ) -> Result<StoredAnswer, StoreError> {
        let mut tx = self.0.db.begin().await?;
        let kept = self.keep_in(&mut tx, cx, keyed, answer).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Keeps the answer for the key within a transaction; gives the one that stands.
    pub(crate) async fn keep_in(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        keyed: &Keyed,
        answer: Result<Response, ApiError>,
    ) -> Result<StoredAnswer, StoreError> {
        let answer = keep(cx, keyed.problem_json, &keyed.path, answer).await;
        self.keep_sealed(tx, &keyed.key, answer).await
    }

    /// The answer to a key that was seen before and is nobody's to take.
    pub(crate) async fn repeated(&self, keyed: &Keyed, claim: Claim) -> Result<Response, ApiError> {
        match claim {
            Claim::Replay(answer) => {
                let answer = self.opened(&keyed.key.caller, answer).await?;
                Ok(give(answer, true))
            }
            Claim::OtherBody => Err(ApiError::new(&codes::IDEMPOTENCY_KEY_REUSED)),
            Claim::New | Claim::InProgress | Claim::Abandoned { .. } => {
                Err(ApiError::new(&codes::IDEMPOTENCY_KEY_IN_USE)
                    .retry_after(Duration::from_secs(1)))
            }
        }
    }

    /// Carries the work out in a task of its own: a caller who hangs up stops nothing that may cost
    /// money, and leaves nothing half begun.
    pub(crate) async fn to_the_end(
        &self,
        work: impl Future<Output = Result<Response, ApiError>> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let task = self.0.tasks.spawn(work.instrument(Span::current()));
        task.await.map_err(|error| {
            ApiError::new(&codes::INTERNAL_ERROR)
                .may_have_booked()
                .because(error)
        })?
    }
}
