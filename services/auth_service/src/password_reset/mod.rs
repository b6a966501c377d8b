//! A new password for whoever can read the account's mail.
//!
//! Asking for one is answered the same for every address and does the same work: a row for the link and
//! a mail, which is dropped where there is no account.

mod routes;
mod store;

use std::time::Duration;

use audit::AuditLog;
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use settings::{ExposeSecret as _, SecretString};
use storage::Db;
use travel_types::{Clock, FieldErrors};

use crate::accounts::Accounts;
use crate::attempts::{AddressLimit, Attempts};
use crate::mail::{Letter, Mail, Outbox};
use crate::passwords::{Passwords, rules};
use crate::registration::address;
use crate::revocations::{Kind, Revocations};
use crate::sessions::{SessionError, Sessions, hash_of, random_secret};
use crate::trail::{detail, record};
use crate::{internal, overloaded};
pub(crate) use routes::routes;
pub(crate) use store::forget_of;

/// Lets people set new passwords. Cheap to clone.
#[derive(Clone)]
pub(crate) struct PasswordResets {
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) attempts: Attempts,
    pub(crate) passwords: Passwords,
    pub(crate) sessions: Sessions,
    pub(crate) revocations: Revocations,
    pub(crate) outbox: Outbox,
    pub(crate) audit: AuditLog,
    /// How long a link can be used.
    pub(crate) life: Duration,
    /// Requests of one client address.
    pub(crate) limit: AddressLimit,
    /// Mails to one address.
    pub(crate) mails: AddressLimit,
    pub(crate) clock: Clock,
}

impl PasswordResets {
    /// Sends a link to the account with this address, if there is one.
    pub(crate) async fn request(
        &self,
        cx: &Cx,
        email: &str,
        headers: &http::HeaderMap,
    ) -> Result<(), ApiError> {
        let mut fields = FieldErrors::new();
        let email = address(&mut fields, "email", email);
        fields.or(())?;
        self.attempts.admit_address(&self.limit, headers).await?;
        let holder = self.accounts.holder(&email).await?;
        let account = holder.filter(|holder| holder.is_active).map(|h| h.id);
        let wanted = self.attempts.within(&self.mails, &email).await && account.is_some();
        let token = random_secret().map_err(SessionError::from)?;

        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        store::forget_expired(&mut tx, now).await?;
        let hash = hash_of(&token);
        let until = self.clock.after(self.life);
        store::insert(&mut tx, &hash, account.as_deref(), now, until).await?;
        let mail = Mail {
            account: account.clone(),
            to: &email,
            letter: Letter::Reset { token: &token },
            wanted,
            life: self.life,
        };
        self.outbox.put(&mut tx, &mail).await?;
        let mut record = record(cx, "password_reset_request", true);
        record.target = account;
        self.audit.append(&mut tx, &record).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Sets a new password with the token of the mail, and ends every log-in of the account.
    pub(crate) async fn confirm(
        &self,
        cx: &Cx,
        token: &SecretString,
        password: &SecretString,
        headers: &http::HeaderMap,
    ) -> Result<(), ApiError> {
        self.attempts.admit_address(&self.limit, headers).await?;
        let hash = hash_of(token.expose_secret());
        let account = store::account_of(&self.db, &hash, self.clock.now()).await?;
        let user = match account {
            Some(id) => self.accounts.user(&id).await?,
            None => None,
        };
        let Some(user) = user else {
            return self.expired(cx).await;
        };
        let password = rules::normalised(password);
        let mut fields = FieldErrors::new();
        rules::check(&mut fields, "password", &password, Some(&user.email));
        fields.or(())?;
        let turn = self.passwords.turn(cx.deadline.left()).await;
        let turn = turn.ok_or_else(overloaded)?;
        let (password_hash, turn) = turn.hash(password).await.map_err(internal)?;
        drop(turn);

        let id = user.id.to_string();
        let mut tx = self.db.begin().await?;
        let used = store::take(&mut tx, &hash, self.clock.now()).await?;
        if !used
            || !self
                .accounts
                .set_password(&mut tx, &id, &password_hash)
                .await?
        {
            tx.rollback().await?;
            return self.expired(cx).await;
        }
        store::forget_of(&mut tx, &id).await?;
        let ended = self.sessions.end_all(&mut tx, &id).await?;
        let mail = Mail {
            account: Some(id.clone()),
            to: &user.email,
            letter: Letter::PasswordChanged,
            wanted: true,
            life: self.life,
        };
        self.outbox.put(&mut tx, &mail).await?;
        let mut record = record(cx, "password_reset", true);
        record.actor = Some(id.clone());
        record.target = Some(id);
        let seq = self.audit.append(&mut tx, &record).await?;
        self.revocations
            .announce(&mut tx, seq, Kind::Session, &ended)
            .await?;
        tx.commit().await?;
        // Who can read the account's mail need not wait for the guesses of others.
        self.attempts.forgive(&user.email, headers).await;
        Ok(())
    }

    async fn expired(&self, cx: &Cx) -> Result<(), ApiError> {
        let mut record = record(cx, "password_reset", false);
        record.details = detail("reason", "link");
        self.audit.append_alone(&record).await?;
        Err(ApiError::new(&codes::LINK_EXPIRED))
    }
}
