//! Registering, and confirming the address.
//!
//! Whether an address has an account is told to nobody but its owner, by mail: the answer is the same,
//! and so is the work. A registration always leaves a row that waits for its confirmation and a mail;
//! where the address has an account, the mail says so and the row's token is in no mail.

mod request;
mod routes;
mod store;

use std::time::Duration;

use audit::AuditLog;
use auth::Role;
use personal_data::Vault;
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use settings::SecretString;
use storage::{Db, StoreError, Tx};
use travel_types::{Clock, UserId};

use crate::accounts::{Accounts, NewAccount};
use crate::attempts::{AddressLimit, Attempts};
use crate::mail::{Letter, Mail, Outbox};
use crate::passwords::Passwords;
use crate::sessions::{SessionError, hash_of, random_secret};
use crate::trail::{detail, record};
use crate::{internal, overloaded};
use request::{ConfirmRequest, Confirmed, Pending, RegisterRequest};
pub(crate) use request::{address, name};
pub(crate) use routes::routes;
use store::Waiting;

/// Forgets the registrations that wait for an address, by the index of it.
pub(crate) async fn forget(
    tx: &mut Tx,
    vault: &Vault,
    email_index: &str,
) -> Result<(), StoreError> {
    store::forget(tx, vault, email_index).await
}

/// How an address is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// Taken as confirmed: for development.
    AtOnce,
    /// By a link in a mail.
    Mail,
}

/// Registers accounts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Registrations {
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) attempts: Attempts,
    pub(crate) passwords: Passwords,
    pub(crate) outbox: Outbox,
    pub(crate) audit: AuditLog,
    pub(crate) confirmation: Confirmation,
    /// How long a link can be used.
    pub(crate) life: Duration,
    /// Registrations of one client address.
    pub(crate) limit: AddressLimit,
    /// Mails to one address.
    pub(crate) mails: AddressLimit,
    pub(crate) clock: Clock,
}

impl Registrations {
    /// Takes a registration, whether or not the address has an account.
    pub(crate) async fn register(
        &self,
        cx: &Cx,
        request: RegisterRequest,
        headers: &http::HeaderMap,
    ) -> Result<Pending, ApiError> {
        let candidate = request.checked()?;
        self.attempts.admit_address(&self.limit, headers).await?;
        let turn = self.passwords.turn(cx.deadline.left()).await;
        let turn = turn.ok_or_else(overloaded)?;
        let (password_hash, turn) = turn
            .hash(candidate.password.clone())
            .await
            .map_err(internal)?;
        drop(turn);
        let email = candidate.personal.email.clone();
        let known = self.accounts.holder(&email).await?;
        let wanted = self.attempts.within(&self.mails, &email).await
            && known.as_ref().is_none_or(|holder| holder.is_active);
        let waiting = Waiting {
            id: UserId::new(&self.clock),
            personal: candidate.personal,
            password_hash,
        };
        let token = random_secret().map_err(SessionError::from)?;

        let mut tx = self.db.begin().await?;
        store::forget_expired(&mut tx, self.accounts.vault(), self.clock.now()).await?;
        store::insert(&mut tx, &self.accounts, &waiting, &self.row(&token)).await?;
        let letter = match (&known, self.confirmation) {
            (Some(_), _) => Letter::AlreadyRegistered,
            (None, Confirmation::AtOnce) => Letter::Welcome,
            (None, Confirmation::Mail) => Letter::Confirm { token: &token },
        };
        let about = known.map_or_else(|| waiting.id.to_string(), |holder| holder.id);
        let mail = Mail {
            account: Some(about),
            to: &email,
            letter,
            wanted,
            life: self.life,
        };
        self.outbox.put(&mut tx, &mail).await?;
        if self.confirmation == Confirmation::AtOnce {
            store::take(&mut tx, &hash_of(&token), self.clock.now()).await?;
            self.make(&mut tx, &waiting).await?;
        }
        let mut record = record(cx, "register", true);
        record.target = Some(waiting.id.to_string());
        self.audit.append(&mut tx, &record).await?;
        tx.commit().await?;
        Ok(Pending::of(email))
    }

    fn row(&self, token: &str) -> store::Row {
        store::Row {
            token_hash: hash_of(token),
            created_at: self.clock.now(),
            expires_at: self.clock.after(self.life),
        }
    }

    /// Makes the account of a registration with the token of its mail.
    pub(crate) async fn confirm(
        &self,
        cx: &Cx,
        token: &SecretString,
        headers: &http::HeaderMap,
    ) -> Result<Confirmed, ApiError> {
        use settings::ExposeSecret as _;
        self.attempts.admit_address(&self.limit, headers).await?;
        let hash = hash_of(token.expose_secret());
        let mut tx = self.db.begin().await?;
        let row = store::take(&mut tx, &hash, self.clock.now()).await?;
        let waiting = match row {
            Some(row) => store::open(&mut tx, &self.accounts, &row).await?,
            None => None,
        };
        let made = match &waiting {
            Some(waiting) => self.make(&mut tx, waiting).await?,
            None => false,
        };
        let Some(waiting) = waiting.filter(|_| made) else {
            tx.rollback().await?;
            let mut record = record(cx, "email_confirm", false);
            record.details = detail("reason", "link");
            self.audit.append_alone(&record).await?;
            return Err(ApiError::new(&codes::LINK_EXPIRED));
        };
        let mut record = record(cx, "email_confirm", true);
        record.actor = Some(waiting.id.to_string());
        record.target = record.actor.clone();
        self.audit.append(&mut tx, &record).await?;
        tx.commit().await?;
        Ok(Confirmed::of(waiting.personal.email))
    }

    /// The newest registration that waits for this address to be confirmed: the hash of its password.
    pub(crate) async fn waiting_for(&self, email: &str) -> Result<Option<String>, StoreError> {
        let index = self.accounts.index(email);
        store::newest(&self.db, &index, self.clock.now()).await
    }

    async fn make(&self, tx: &mut Tx, waiting: &Waiting) -> Result<bool, StoreError> {
        let account = NewAccount {
            id: waiting.id,
            personal: &waiting.personal,
            role: Role::Traveller,
            password_hash: &waiting.password_hash,
            sandbox: false,
            created_at: self.clock.now(),
        };
        self.accounts.add(tx, &account).await
    }
}
