//! What verifiers must refuse or forget before it ends by itself, as a feed that they follow.

use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use jiff::Timestamp;
use serde::Serialize;
use service_kit::{ApiError, Need, Params, Routes};
use storage::{Db, Row, StoreError, Tx, from_micros, query, to_micros};
use travel_types::Clock;

use crate::Auth;

/// About how many events one answer has: all of the sequence numbers that fit.
const PAGE: i64 = 500;
/// A token may be signed a moment after its log-in was ended, by a request that was under way.
const MARGIN: Duration = Duration::from_secs(60);

/// What a revocation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    dead_code,
    reason = "API keys, single tokens and signing keys are revoked by their own parts"
)]
pub(crate) enum Kind {
    /// Access tokens with this `sid`.
    Session,
    /// The access token with this `jti`.
    Token,
    /// Whatever is remembered of this API key.
    ApiKey,
    /// The signing keys: fetch them anew.
    SigningKeys,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
            Self::ApiKey => "api_key",
            Self::SigningKeys => "signing_keys",
        }
    }
}

/// The feed in the store.
#[derive(Clone)]
pub(crate) struct Revocations {
    db: Db,
    clock: Clock,
    /// Life of an access token.
    life: Duration,
}

/// One event, ids only.
#[derive(Debug, Serialize)]
struct Event {
    seq: i64,
    kind: String,
    value: String,
    /// From when on it need not be remembered.
    expires_at: Timestamp,
}

/// A page of the feed.
#[derive(Debug, Serialize)]
struct Page {
    /// What to ask `after` next.
    head: i64,
    events: Vec<Event>,
    /// Whether there are further ones now.
    more: bool,
}

impl Revocations {
    /// `life` is that of an access token.
    pub(crate) fn new(db: Db, life: Duration, clock: Clock) -> Self {
        Self { db, clock, life }
    }

    /// Adds events to the feed, for as long as an access token lives. `seq` is the number of the audit
    /// record of this transaction; call it after that was appended, last before the commit.
    pub(crate) async fn announce(
        &self,
        tx: &mut Tx,
        seq: u64,
        kind: Kind,
        values: &[String],
    ) -> Result<(), StoreError> {
        let seq = i64::try_from(seq).map_err(|_| StoreError::Corrupt("seq".to_owned()))?;
        let now = to_micros(self.clock.now());
        let expires_at = to_micros(self.clock.after(self.life.saturating_add(MARGIN)));
        for value in values {
            query(
                "INSERT INTO revocations (seq, kind, value, expires_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (seq, kind, value) DO NOTHING",
            )
            .bind(seq)
            .bind(kind.as_str())
            .bind(value)
            .bind(expires_at)
            .execute(&mut **tx)
            .await?;
        }
        // The newest stays, so that the head never goes back.
        query(
            "DELETE FROM revocations WHERE expires_at <= $1 \
             AND seq < (SELECT MAX(seq) FROM revocations)",
        )
        .bind(now)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Whether a session's or a token's id was announced as revoked.
    pub(crate) async fn holds(&self, value: &str) -> Result<bool, StoreError> {
        let row = query("SELECT seq FROM revocations WHERE value = $1 AND expires_at > $2 LIMIT 1")
            .bind(value)
            .bind(to_micros(self.clock.now()))
            .fetch_optional(self.db.pool())
            .await?;
        Ok(row.is_some())
    }

    async fn after(&self, after: i64) -> Result<Page, StoreError> {
        // The head first: what is committed later has a higher number and comes with the next answer.
        let head: Option<i64> = query("SELECT MAX(seq) AS seq FROM revocations")
            .fetch_one(self.db.pool())
            .await?
            .try_get("seq")?;
        let head = head.unwrap_or(0);
        let last =
            query("SELECT seq FROM revocations WHERE seq > $1 ORDER BY seq LIMIT 1 OFFSET $2")
                .bind(after)
                .bind(PAGE)
                .fetch_optional(self.db.pool())
                .await?;
        let end = match last {
            Some(row) => head.min(row.try_get("seq")?),
            None => head,
        };
        let rows = query(
            "SELECT seq, kind, value, expires_at FROM revocations \
             WHERE seq > $1 AND seq <= $2 AND expires_at > $3 ORDER BY seq, kind, value",
        )
        .bind(after)
        .bind(end)
        .bind(to_micros(self.clock.now()))
        .fetch_all(self.db.pool())
        .await?;
        let event = |row: &storage::AnyRow| {
            Ok::<_, StoreError>(Event {
                seq: row.try_get("seq")?,
                kind: row.try_get("kind")?,
                value: row.try_get("value")?,
                expires_at: from_micros(row.try_get("expires_at")?)?,
            })
        };
        Ok(Page {
            head: end,
            events: rows.iter().map(event).collect::<Result<_, _>>()?,
            more: end < head,
        })
    }
}

/// The feed's route: open inside the system, as the keys are; not in the catalogue.
pub(crate) fn routes() -> Routes<Auth> {
    Routes::default().internal(
        Need::Public,
        "/.well-known/interline-revocations",
        axum::routing::get(feed),
    )
}

async fn feed(State(auth): State<Auth>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let mut params = Params::read(query.as_deref(), &["after"])?;
    let after = params.optional("after", |text| {
        let number = text.parse::<i64>().ok().filter(|number| *number >= 0);
        number.ok_or_else(|| "must be a whole number".to_owned())
    });
    params.finish()?;
    let page = auth.revocations.after(after.unwrap_or(0)).await?;
    let mut response = Json(page).into_response();
    let value = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    Ok(response)
}
