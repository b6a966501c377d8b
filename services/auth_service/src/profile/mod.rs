//! One's own account.

mod routes;

use audit::AuditLog;
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use settings::SecretString;
use storage::Db;
use travel_types::FieldErrors;

use crate::accounts::{Accounts, Personal, User};
use crate::attempts::Attempts;
use crate::mail::{Letter, Mail, Outbox};
use crate::passwords::{Passwords, rules};
use crate::registration::name;
use crate::revocations::{Kind, Revocations};
use crate::sessions::Sessions;
use crate::trail::{detail, record};
use crate::{internal, overloaded};
pub(crate) use routes::routes;

/// A mail about a change is worth something for a day.
const MAIL_LIFE: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// Changes that people make to their own accounts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Profiles {
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) attempts: Attempts,
    pub(crate) passwords: Passwords,
    pub(crate) sessions: Sessions,
    pub(crate) revocations: Revocations,
    pub(crate) outbox: Outbox,
    pub(crate) audit: AuditLog,
}

impl Profiles {
    /// The account of this id.
    pub(crate) async fn read(&self, id: &str) -> Result<User, ApiError> {
        let user = self.accounts.user(id).await?;
        user.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))
    }

    /// Changes the name.
    pub(crate) async fn rename(
        &self,
        cx: &Cx,
        id: &str,
        full_name: &str,
    ) -> Result<User, ApiError> {
        let mut fields = FieldErrors::new();
        let full_name = name(&mut fields, "full_name", full_name);
        fields.or(())?;
        let user = self.read(id).await?;
        let personal = Personal {
            email: user.email.clone(),
            full_name: full_name.clone(),
        };
        let mut tx = self.db.begin().await?;
        if !self.accounts.set_personal(&mut tx, id, &personal).await? {
            return Err(ApiError::new(&codes::UNAUTHENTICATED));
        }
        let mut record = record(cx, "profile_change", true);
        record.actor = Some(id.to_owned());
        record.target = Some(id.to_owned());
        record.details = detail("changed", vec!["full_name"]);
        self.audit.append(&mut tx, &record).await?;
        tx.commit().await?;
        Ok(User { full_name, ..user })
    }

    /// Sets a new password for whoever knows the present one, and ends every log-in of the account. A
    /// wrong password counts as a failed log-in.
    pub(crate) async fn change_password(
        &self,
        cx: &Cx,
        id: &str,
        (current, new): (&SecretString, &SecretString),
        headers: &http::HeaderMap,
    ) -> Result<(), ApiError> {
        let user = self.read(id).await?;
        let current = rules::normalised(current);
        let new = rules::normalised(new);
        let mut fields = FieldErrors::new();
        rules::check(&mut fields, "new_password", &new, Some(&user.email));
        fields.or(())?;
        let attempt = self.attempts.attempt(&user.email, headers).await?;
        self.attempts.admit(&attempt).await?;
        let turn = self.passwords.turn(cx.deadline.left()).await;
        let turn = turn.ok_or_else(overloaded)?;
        self.attempts.admit(&attempt).await?;
        let stored = self.accounts.with_id(id).await?;
        let stored = stored.map(|account| account.password_hash);
        let (matches, turn) = turn.verify(current, stored).await.map_err(internal)?;
        let mut record = record(cx, "password_change", matches);
        record.actor = Some(id.to_owned());
        record.target = Some(id.to_owned());
        if !matches {
            self.attempts.failed(&attempt).await;
            drop(turn);
            record.details = detail("reason", "credentials");
            self.audit.append_alone(&record).await?;
            let mut fields = FieldErrors::new();
            let words = "is not the present password of this account";
            fields.add("current_password", "INVALID", words);
            return Err(fields.into());
        }
        let (password_hash, turn) = turn.hash(new).await.map_err(internal)?;
        turn.was_right();

        let mut tx = self.db.begin().await?;
        let set = self.accounts.set_password(&mut tx, id, &password_hash);
        if !set.await? {
            return Err(ApiError::new(&codes::UNAUTHENTICATED));
        }
        crate::password_reset::forget_of(&mut tx, id).await?;
        let ended = self.sessions.end_all(&mut tx, id).await?;
        let mail = Mail {
            account: Some(id.to_owned()),
            to: &user.email,
            letter: Letter::PasswordChanged,
            wanted: true,
            life: MAIL_LIFE,
        };
        self.outbox.put(&mut tx, &mail).await?;
        let seq = self.audit.append(&mut tx, &record).await?;
        self.revocations
            .announce(&mut tx, seq, Kind::Session, &ended)
            .await?;
        tx.commit().await?;
        self.attempts.succeeded(&attempt).await;
        Ok(())
    }
}
