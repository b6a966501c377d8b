//! Erasure: everything of this service in one transaction, the other services afterwards.

use service_kit::error::codes;
use service_kit::{ApiError, Caller, Cx};
use storage::{StoreError, Tx};

use super::{DataRights, by_oneself, tasks};
use crate::revocations::Kind;
use crate::{api_keys, attempts, oauth, password_reset, registration, users};

/// What must be revoked once somebody is forgotten.
struct Ended {
    sessions: Vec<String>,
    api_keys: Vec<String>,
}

impl DataRights {
    /// Erases the caller: the account, and with its key everything that was sealed under it. The other
    /// services are told by the worker, until each has confirmed.
    pub(super) async fn erase(&self, cx: &Cx, caller: &Caller) -> Result<(), ApiError> {
        let id = caller.subject();
        let mut tx = self.db.begin().await?;
        if users::is_last_administrator(&mut tx, id).await? {
            drop(tx);
            return self.refused(cx, id).await;
        }
        let Some(email_index) = self.accounts.erase(&mut tx, id).await? else {
            // Erased or deleted a moment ago, by another request.
            return Err(ApiError::new(&codes::UNAUTHENTICATED));
        };
        let ended = self.forget(&mut tx, id, email_index.as_deref()).await?;
        let services = self.keepers.iter().map(|keeper| keeper.service.as_str());
        tasks::write(&mut tx, id, services, self.clock.now()).await?;
        let record = by_oneself(cx, "erase", id, true);
        let seq = self.audit.append(&mut tx, &record).await?;
        let revocations = &self.revocations;
        revocations
            .announce(&mut tx, seq, Kind::Session, &ended.sessions)
            .await?;
        revocations
            .announce(&mut tx, seq, Kind::ApiKey, &ended.api_keys)
            .await?;
        tx.commit().await?;
        self.db.shred().await;
        self.wake.notify_one();
        Ok(())
    }

    /// The last administrator cannot go: nobody could let the next one in.
    async fn refused(&self, cx: &Cx, id: &str) -> Result<(), ApiError> {
        let record = by_oneself(cx, "erase", id, false);
        self.audit.append_alone(&record).await?;
        Err(ApiError::new(&codes::CONFLICT).message(
            "You are the last administrator. Make somebody else one, then erase yourself.",
        ))
    }

    /// Removes what each part of the service keeps about an account, one line for each part.
    async fn forget(
        &self,
        tx: &mut Tx,
        id: &str,
        email_index: Option<&str>,
    ) -> Result<Ended, StoreError> {
        let vault = self.accounts.vault();
        let sessions = self.sessions.end_all(tx, id).await?;
        let api_keys = api_keys::delete_all_of(tx, id).await?;
        oauth::codes::delete_all_of(tx, id).await?;
        password_reset::forget_of(tx, id).await?;
        attempts::forget_account(tx, id).await?;
        self.outbox.forget(tx, id).await?;
        if let Some(index) = email_index {
            registration::forget(tx, vault, index).await?;
        }
        vault.destroy(tx, id).await?;
        Ok(Ended { sessions, api_keys })
    }
}
