//! Logging in, staying logged in, logging out, and what they answer with.

mod routes;

use audit::{AuditLog, Record};
use auth::Identity;
use serde::{Deserialize, Serialize};
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use settings::{ExposeSecret as _, SecretString};
use storage::{Db, StoreError, Tx};
use travel_types::FieldErrors;
use utoipa::ToSchema;

use crate::accounts::{self, Accounts, User};
use crate::attempts::{Attempt, Attempts};
use crate::passwords::{Passwords, Turn, rules};
use crate::registration::Registrations;
use crate::revocations::{Kind, Revocations};
use crate::sessions::{Grant, Opened, Sessions};
use crate::trail::{detail, record};
use crate::{internal, overloaded};
pub(crate) use routes::routes;

/// The longest address (RFC 5321 §4.5.3.1.3) in characters: longer ones are no account's.
const MAX_EMAIL: usize = 254;

/// Who one is, and the proof.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// The account's address; case and surrounding spaces do not matter.
    #[schema(
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
        min_length = 1,
        max_length = 254,
        example = "agent@interline.test"
    )]
    email: String,
    /// The password.
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 1024, example = "interline-sandbox")]
    password: SecretString,
}

/// The refresh token of the last answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    /// The refresh token; worth nothing once this was answered.
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// Tokens and whose they are.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenPair {
    /// Sent with each request as `Authorization: Bearer …`.
    access_token: String,
    /// For `POST /api/v1/auth/refresh`, once.
    refresh_token: String,
    /// Always `Bearer` (RFC 6750).
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Life of the access token in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// The account.
    user: User,
}

/// The parts that the log-in needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogIns {
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) registrations: Registrations,
    pub(crate) passwords: Passwords,
    pub(crate) attempts: Attempts,
    pub(crate) sessions: Sessions,
    pub(crate) revocations: Revocations,
    pub(crate) audit: AuditLog,
}

/// Who a password proved somebody to be.
pub(crate) struct Proven {
    pub(crate) user: User,
    attempt: Attempt,
}

impl LogIns {
    /// Tokens for the right password.
    pub(crate) async fn log_in(
        &self,
        cx: &Cx,
        request: LoginRequest,
        headers: &http::HeaderMap,
    ) -> Result<TokenPair, ApiError> {
        let proven = self
            .prove(cx, &request.email, &request.password, headers)
            .await?;
        let grant = Grant {
            account: proven.user.id,
            client: None,
            permissions: None,
        };
        let mut tx = self.db.begin().await?;
        let opened = self.sessions.open(&mut tx, &grant).await?;
        let mut record = record(cx, "login", true);
        record.target = Some(opened.log_in_id.clone());
        self.proved(&mut tx, &proven, record).await?;
        tx.commit().await?;
        self.pair(proven.user, &grant, opened)
    }

    /// Whose address and password these are. Unknown account and wrong password cost and answer the
    /// same; a failure is counted and in the audit log.
    pub(crate) async fn prove(
        &self,
        cx: &Cx,
        email: &str,
        password: &SecretString,
        headers: &http::HeaderMap,
    ) -> Result<Proven, ApiError> {
        let (email, password) = checked(email, password)?;
        let attempt = self.attempts.attempt(&email, headers).await?;
        // Once before the queue, so that a flood is refused without standing in it; once with the
        // turn, so that those who queued together do not all get in.
        self.attempts.admit(&attempt).await?;
        let turn = self.passwords.turn(cx.deadline.left()).await;
        let turn: Turn = turn.ok_or_else(overloaded)?;
        self.attempts.admit(&attempt).await?;
        let account = self.accounts.with_email(&email).await?;
        let waiting = self.registrations.waiting_for(&email).await?;
        let stored = account
            .as_ref()
            .map(|account| account.password_hash.clone());
        let stored = stored.or_else(|| waiting.clone());
        let (matches, turn) = turn.verify(password, stored).await.map_err(internal)?;
        let target = account.as_ref().map(|account| account.id.to_string());
        let user = match account.filter(|_| matches) {
            Some(account) => self.accounts.open(&account).await?,
            None => None,
        };
        if let Some(user) = user {
            turn.was_right();
            self.attempts.succeeded(&attempt).await;
            return Ok(Proven { user, attempt });
        }
        let unconfirmed = matches && target.is_none() && waiting.is_some();
        if !unconfirmed {
            self.attempts.failed(&attempt).await;
        }
        drop(turn);
        let mut record = record(cx, "login", false);
        record.target = target;
        let reason = if unconfirmed {
            "not confirmed"
        } else {
            "credentials"
        };
        record.details = detail("reason", reason);
        self.audit.append_alone(&record).await?;
        Err(ApiError::new(match unconfirmed {
            true => &codes::EMAIL_NOT_CONFIRMED,
            false => &codes::INVALID_CREDENTIALS,
        }))
    }

    /// Ends what a proof began: the network is remembered, and the audit record appended, as the last
    /// thing in the transaction.
    pub(crate) async fn proved(
        &self,
        tx: &mut Tx,
        proven: &Proven,
        mut record: Record,
    ) -> Result<u64, StoreError> {
        self.attempts
            .remember(tx, &proven.attempt, &proven.user.id)
            .await?;
        record.actor = Some(proven.user.id.to_string());
        self.audit.append(tx, &record).await
    }

    /// Ends the log-in that an access token belongs to.
    pub(crate) async fn log_out(&self, cx: &Cx, caller: &Identity) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        let mut record = record(cx, "logout", true);
        record.actor = Some(caller.subject().to_owned());
        let session: Vec<String> = caller.session().map(str::to_owned).into_iter().collect();
        for session in &session {
            let ended = self
                .sessions
                .end_session(&mut tx, caller.subject(), session);
            record.target = ended.await?;
        }
        let seq = self.audit.append(&mut tx, &record).await?;
        self.revocations
            .announce(&mut tx, seq, Kind::Session, &session)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A new pair for a refresh token, with the role that the account has now.
    pub(crate) async fn refresh(
        &self,
        cx: &Cx,
        request: RefreshRequest,
    ) -> Result<TokenPair, ApiError> {
        let token = request.refresh_token.expose_secret();
        let request_id = Some(cx.correlation.request_id());
        let rotated = self.sessions.rotate(token, None, request_id).await?;
        self.pair(rotated.user, &rotated.grant, rotated.opened)
    }

    fn pair(&self, user: User, grant: &Grant, opened: Opened) -> Result<TokenPair, ApiError> {
        let signed = self
            .sessions
            .access_token(&user, grant, &opened.session_id)?;
        Ok(TokenPair {
            access_token: signed.token,
            refresh_token: opened.refresh_token,
            token_type: "Bearer",
            expires_in: self.sessions.signing_keys.life().as_secs(),
            user,
        })
    }
}

/// The address in its one spelling, and the password, if they could be an account's at all.
fn checked(email: &str, password: &SecretString) -> Result<(String, SecretString), ApiError> {
    let mut fields = FieldErrors::new();
    // Nothing that is much too long is normalised.
    let email = match email.len() <= MAX_EMAIL * 16 {
        true => accounts::normalise(email),
        false => String::new(),
    };
    fields.check(
        (1..=MAX_EMAIL).contains(&email.chars().count()) && !email.chars().any(char::is_control),
        "email",
        "INVALID",
        "must be an e-mail address of at most 254 characters",
    );
    let password = rules::normalised(password);
    fields.check(
        (1..=rules::MAX_LENGTH).contains(&password.expose_secret().chars().count()),
        "password",
        "INVALID",
        "must have 1 to 1024 characters",
    );
    Ok(fields.or((email, password))?)
}
