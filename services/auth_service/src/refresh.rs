//! Refresh tokens (RFC 9700 §4.14): each log-in is a family; every use rotates the token out; an old
//! token that comes again ends the family, unless it is the previous one within ten seconds, whose
//! answer was lost: then the answer is the same new token. The new secret is an HMAC of the old one
//! over a random nonce, so that it can be said again while the store holds hashes alone.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use storage::{Db, Row, StoreError, query, to_micros};
use travel_types::Clock;

/// How long the previous token still gets the present one.
const GRACE: Duration = Duration::from_secs(10);
/// A family's id and a secret, in bytes and in base64url.
const ID_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;

/// Why a refresh token gives nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefreshError {
    /// Unknown, expired or ended.
    #[error("the refresh token is not valid")]
    Invalid,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine has no randomness.
    #[error("no randomness")]
    Random,
}

impl From<storage::sqlx::Error> for RefreshError {
    fn from(error: storage::sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A new token and whose it is.
pub(crate) struct Rotated {
    pub(crate) token: String,
    pub(crate) account_id: String,
}

/// The families in the store.
#[derive(Clone)]
pub(crate) struct RefreshTokens {
    db: Db,
    life: Duration,
    clock: Clock,
}

struct Family {
    account_id: String,
    current_hash: String,
    previous_hash: Option<String>,
    nonce: Option<String>,
    rotated_at: i64,
}

impl RefreshTokens {
    pub(crate) fn new(db: Db, life: Duration, clock: Clock) -> Self {
        Self { db, life, clock }
    }

    /// Begins a family; its first token. The account's dead families go.
    pub(crate) async fn begin(&self, account_id: &str) -> Result<String, RefreshError> {
        let id = random::<ID_BYTES>()?;
        let secret = random::<SECRET_BYTES>()?;
        let now = to_micros(self.clock.now());
        query("DELETE FROM refresh_families WHERE account_id = $1 AND expires_at <= $2")
            .bind(account_id)
            .bind(now)
            .execute(self.db.pool())
            .await?;
        query(
            "INSERT INTO refresh_families \
             (id, account_id, current_hash, rotated_at, expires_at, ended) \
             VALUES ($1, $2, $3, $4, $5, 0)",
        )
        .bind(&id)
        .bind(account_id)
        .bind(hash_of(&secret))
        .bind(now)
        .bind(to_micros(self.clock.after(self.life)))
        .execute(self.db.pool())
        .await?;
        Ok(format!("{id}.{secret}"))
    }

    /// The token that follows on this one.
    pub(crate) async fn rotate(&self, token: &str) -> Result<Rotated, RefreshError> {
        let (id, secret) = parts(token).ok_or(RefreshError::Invalid)?;
        let presented = hash_of(secret);
        let nonce = random::<SECRET_BYTES>()?;
        let family = self.family(id).await?.ok_or(RefreshError::Invalid)?;
        if family.current_hash == presented {
            let next = successor(secret, &nonce);
            let changed = query(
                "UPDATE refresh_families \
                 SET current_hash = $1, previous_hash = $2, nonce = $3, rotated_at = $4 \
                 WHERE id = $5 AND current_hash = $2 AND ended = 0",
            )
            .bind(hash_of(&next))
            .bind(&presented)
            .bind(&nonce)
            .bind(to_micros(self.clock.now()))
            .bind(id)
            .execute(self.db.pool())
            .await?
            .rows_affected();
            if changed == 1 {
                return Ok(rotated(id, &next, family));
            }
        }
        // Another use of the same token was faster, now or before.
        let family = self.family(id).await?.ok_or(RefreshError::Invalid)?;
        let grace = i64::try_from(GRACE.as_micros()).unwrap_or(0);
        let lately = to_micros(self.clock.now()) <= family.rotated_at.saturating_add(grace);
        let next = family
            .nonce
            .as_deref()
            .map(|nonce| successor(secret, nonce));
        if let Some(next) = next
            && lately
            && family.previous_hash.as_deref() == Some(presented.as_str())
            && hash_of(&next) == family.current_hash
        {
            return Ok(rotated(id, &next, family));
        }
        query("UPDATE refresh_families SET ended = 1 WHERE id = $1")
            .bind(id)
            .execute(self.db.pool())
            .await?;
        tracing::warn!(
            account_id = family.account_id,
            "an old refresh token was used again: its log-in was ended"
        );
        Err(RefreshError::Invalid)
    }

    /// A family that lives.
    async fn family(&self, id: &str) -> Result<Option<Family>, RefreshError> {
        let row = query(
            "SELECT account_id, current_hash, previous_hash, nonce, rotated_at \
             FROM refresh_families WHERE id = $1 AND ended = 0 AND expires_at > $2",
        )
        .bind(id)
        .bind(to_micros(self.clock.now()))
        .fetch_optional(self.db.pool())
        .await?;
        row.map(|row| {
            Ok(Family {
                account_id: row.try_get("account_id")?,
                current_hash: row.try_get("current_hash")?,
                previous_hash: row.try_get("previous_hash")?,
                nonce: row.try_get("nonce")?,
                rotated_at: row.try_get("rotated_at")?,
            })
        })
        .transpose()
    }
}

fn rotated(id: &str, secret: &str, family: Family) -> Rotated {
    Rotated {
        token: format!("{id}.{secret}"),
        account_id: family.account_id,
    }
}

/// Id and secret of a well-formed token.
fn parts(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let is = |text: &str, bytes: usize| {
        // Longer texts are not decoded at all.
        text.len() <= 64 && URL_SAFE_NO_PAD.decode(text).is_ok_and(|b| b.len() == bytes)
    };
    (is(id, ID_BYTES) && is(secret, SECRET_BYTES)).then_some((id, secret))
}

fn random<const N: usize>() -> Result<String, RefreshError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| RefreshError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn hash_of(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes()))
}

fn successor(secret: &str, nonce: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, nonce.as_bytes()))
}
