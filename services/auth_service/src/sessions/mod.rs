//! Log-ins and their tokens, for people and for the OAuth clients that act for them.
//!
//! Each log-in is a family of refresh tokens (RFC 9700 §4.14): every use rotates the token out; an old
//! token that comes again ends the log-in, unless it is the previous one within ten seconds, whose
//! answer was lost: then the answer is the same new token. Access tokens name the log-in's session id
//! (claim `sid`), by which they are revoked.

mod store;
mod tokens;

use std::time::Duration;

use audit::{AuditLog, Record};
use auth::{AccessClaims, Permission, SignedToken, SigningError};
use jiff::Timestamp;
use serde_json::{Map, Value};
use service_kit::ApiError;
use service_kit::error::codes;
use storage::{Db, StoreError, Tx, to_micros};
use travel_types::{Clock, UserId};

use crate::accounts::{Accounts, User};
use crate::revocations::{Kind, Revocations};
use crate::signing_keys::SigningKeys;
use store::LogIn;
pub(crate) use tokens::{NoRandomness, hash_of, random_id, random_secret};

/// How long the previous token still gets the present one.
const GRACE: Duration = Duration::from_secs(10);

/// Why a refresh token gives nothing, or a log-in cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The refresh token is unknown, expired or ended, or another client's.
    #[error("the refresh token is not valid")]
    Invalid,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine has no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The token could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl From<storage::sqlx::Error> for SessionError {
    fn from(error: storage::sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Invalid => ApiError::new(&codes::UNAUTHENTICATED)
                .message("The refresh token is not valid or no longer so. Log in again."),
            SessionError::Store(error) => error.into(),
            other => ApiError::new(&codes::INTERNAL_ERROR).because(other),
        }
    }
}

/// What a log-in allows, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Whose log-in it is.
    pub(crate) account: UserId,
    /// The OAuth client that acts for the account; none for the person itself.
    pub(crate) client: Option<String>,
    /// The most that its tokens allow; none: whatever the role allows.
    pub(crate) permissions: Option<Vec<Permission>>,
}

/// A log-in that has begun or goes on.
pub(crate) struct Opened {
    /// A secret: never log it.
    pub(crate) refresh_token: String,
    /// Claim `sid` of its access tokens.
    pub(crate) session_id: String,
    /// The log-in's id in the store.
    pub(crate) log_in_id: String,
}

/// The log-in that a refresh token belongs to.
pub(crate) struct Holder {
    /// The log-in's id in the store.
    pub(crate) id: String,
    pub(crate) grant: Grant,
    /// When the log-in ends.
    pub(crate) expires_at: Timestamp,
    /// Whether it is the present token, not the previous one.
    pub(crate) is_current: bool,
}

/// What follows on a refresh token.
pub(crate) struct Rotated {
    /// The account as it is now.
    pub(crate) user: User,
    pub(crate) grant: Grant,
    pub(crate) opened: Opened,
}

/// Begins, continues and ends log-ins, and signs their access tokens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sessions {
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) revocations: Revocations,
    pub(crate) audit: AuditLog,
    pub(crate) signing_keys: SigningKeys,
    /// Life of a log-in.
    pub(crate) life: Duration,
    pub(crate) clock: Clock,
}

impl Sessions {
    /// Begins a log-in. The account's expired ones go.
    pub(crate) async fn open(&self, tx: &mut Tx, grant: &Grant) -> Result<Opened, SessionError> {
        let (id, secret) = (random_id()?, random_secret()?);
        let session_id = random_id()?;
        let now = self.clock.now();
        store::forget_expired(tx, &grant.account, now).await?;
        let log_in = store::New {
            id: &id,
            grant,
            session_id: &session_id,
            hash: &hash_of(&secret),
            now,
            expires_at: self.clock.after(self.life),
        };
        store::insert(tx, &log_in).await?;
        Ok(Opened {
            refresh_token: format!("{id}.{secret}"),
            session_id,
            log_in_id: id,
        })
    }

    /// The token that follows on this one, if it is this client's; none for the person itself. The
    /// request's id is for the audit log.
    ///
    /// # Errors
    /// [`SessionError::Invalid`]; the log-in is over then, if an old token was used again.
    pub(crate) async fn rotate(
        &self,
        token: &str,
        client: Option<&str>,
        request_id: Option<&str>,
    ) -> Result<Rotated, SessionError> {
        let (id, secret) = tokens::parts(token).ok_or(SessionError::Invalid)?;
        let presented = hash_of(secret);
        let log_in = self.living(id, client).await?;
        if log_in.current_hash == presented {
            let nonce = random_secret()?;
            let next = tokens::successor(secret, &nonce);
            let now = self.clock.now();
            let rotation = store::Rotation {
                id,
                presented: &presented,
                next: &hash_of(&next),
                nonce: &nonce,
                now,
            };
            if let Some(log_in) = store::rotate(&self.db, &rotation).await? {
                return self.rotated(log_in, &next).await;
            }
        }
        // Another use of the same token was faster, now or before.
        let log_in = self.living(id, client).await?;
        let grace = i64::try_from(GRACE.as_micros()).unwrap_or(0);
        let lately = to_micros(self.clock.now()) <= log_in.rotated_at.saturating_add(grace);
        let nonce = log_in.nonce.as_deref();
        let next = nonce.map(|nonce| tokens::successor(secret, nonce));
        if let Some(next) = next
            && lately
            && log_in.previous_hash.as_deref() == Some(presented.as_str())
            && hash_of(&next) == log_in.current_hash
        {
            return self.rotated(log_in, &next).await;
        }
        self.reused(&log_in, request_id).await?;
        Err(SessionError::Invalid)
    }

    /// The living log-in that a refresh token belongs to, if it is its present or previous one. Nothing
    /// is changed.
    pub(crate) async fn with_token(&self, token: &str) -> Result<Option<Holder>, StoreError> {
        let Some((id, secret)) = tokens::parts(token) else {
            return Ok(None);
        };
        let presented = Some(hash_of(secret));
        let log_in = store::living(&self.db, id, self.clock.now()).await?;
        Ok(log_in.and_then(|log_in| {
            let is_current = presented.as_deref() == Some(log_in.current_hash.as_str());
            let is_previous = presented == log_in.previous_hash;
            (is_current || is_previous).then_some(Holder {
                id: log_in.id,
                grant: log_in.grant,
                expires_at: log_in.expires_at,
                is_current,
            })
        }))
    }

    /// Ends the log-ins of an OAuth client: their session ids, which must be announced as revoked in the
    /// same transaction.
    pub(crate) async fn end_all_of_client(
        &self,
        tx: &mut Tx,
        client: &str,
    ) -> Result<Vec<String>, StoreError> {
        store::end_all_of_client(tx, client).await
    }

    async fn living(&self, id: &str, client: Option<&str>) -> Result<LogIn, SessionError> {
        let log_in = store::living(&self.db, id, self.clock.now()).await?;
        log_in
            .filter(|log_in| log_in.grant.client.as_deref() == client)
            .ok_or(SessionError::Invalid)
    }

    /// The account is read after the session id: whoever sees a new role late has a revoked id.
    async fn rotated(&self, log_in: LogIn, secret: &str) -> Result<Rotated, SessionError> {
        let user = self
            .accounts
            .user(&log_in.grant.account.to_string())
            .await?;
        Ok(Rotated {
            user: user.ok_or(SessionError::Invalid)?,
            opened: Opened {
                refresh_token: format!("{}.{secret}", log_in.id),
                session_id: log_in.session_id,
                log_in_id: log_in.id,
            },
            grant: log_in.grant,
        })
    }

    /// Ends a log-in whose old token came again; of several that do it at once, one.
    async fn reused(&self, log_in: &LogIn, request_id: Option<&str>) -> Result<(), SessionError> {
        let mut tx = self.db.begin().await?;
        let Some(session_id) = self.end(&mut tx, &log_in.id).await? else {
            return Ok(());
        };
        let account = log_in.grant.account.to_string();
        let record = Record {
            actor: Some(account),
            action: "refresh_reuse",
            succeeded: false,
            target: Some(log_in.id.clone()),
            details: client_details(log_in.grant.client.as_deref()),
            request_id: request_id.map(str::to_owned),
            ..Record::default()
        };
        let seq = self.audit.append(&mut tx, &record).await?;
        self.revocations
            .announce(&mut tx, seq, Kind::Session, &[session_id])
            .await?;
        tx.commit().await?;
        tracing::warn!(
            account_id = %log_in.grant.account,
            "an old refresh token was used again: its log-in was ended"
        );
        Ok(())
    }

    /// An access token of a log-in: of the grant, what the account's role allows now.
    pub(crate) fn access_token(
        &self,
        user: &User,
        grant: &Grant,
        session_id: &str,
    ) -> Result<SignedToken, SessionError> {
        let of_role = user.role.permissions();
        let allowed: Vec<Permission> = match &grant.permissions {
            None => of_role.to_vec(),
            Some(asked) => {
                let both = asked.iter().filter(|asked| of_role.contains(asked));
                both.copied().collect()
            }
        };
        Ok(self.signing_keys.signer()?.sign(&AccessClaims {
            subject: &user.id.to_string(),
            role: user.role,
            permissions: &allowed,
            session: Some(session_id),
            client: grant.client.as_deref(),
        })?)
    }

    /// Ends a log-in: its session id, which must be announced as revoked in the same transaction; none
    /// when it was over already.
    pub(crate) async fn end(
        &self,
        tx: &mut Tx,
        log_in_id: &str,
    ) -> Result<Option<String>, StoreError> {
        store::end(tx, log_in_id).await
    }

    /// Ends the log-in of an access token, by its session id. Its own id; none when it was over already.
    pub(crate) async fn end_session(
        &self,
        tx: &mut Tx,
        account: &str,
        session_id: &str,
    ) -> Result<Option<String>, StoreError> {
        store::end_session(tx, account, session_id).await
    }

    /// Ends every log-in of an account: their session ids, which must be announced as revoked.
    pub(crate) async fn end_all(
        &self,
        tx: &mut Tx,
        account: &str,
    ) -> Result<Vec<String>, StoreError> {
        store::end_all(tx, account).await
    }

    /// Gives every log-in of an account a new session id, so that its access tokens are made anew with
    /// what the account may do now. The old ids, which must be announced as revoked.
    pub(crate) async fn renew_all(
        &self,
        tx: &mut Tx,
        account: &str,
    ) -> Result<Vec<String>, SessionError> {
        let living = store::of_account(tx, account).await?;
        let mut old = Vec::new();
        for (id, session_id) in living {
            store::set_session(tx, &id, &random_id()?).await?;
            old.push(session_id);
        }
        Ok(old)
    }
}

/// What an audit record says of the OAuth client that acts for somebody.
fn client_details(client: Option<&str>) -> Map<String, Value> {
    let named = client.map(|client| ("client_id".to_owned(), Value::from(client)));
    named.into_iter().collect()
}
