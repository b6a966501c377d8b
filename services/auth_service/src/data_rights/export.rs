//! Export: everything that is kept about a person, from all services, or nothing.

use std::time::Duration;

use audit::{Filter, Stored};
use futures_util::future::join_all;
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use service_kit::error::codes;
use service_kit::{ApiError, Caller, Cx};
use storage::{Row as _, StoreError, from_micros, query};
use supplier_client::{CallCx, WireRequest};
use utoipa::ToSchema;

use super::catalogue::Keeper;
use super::{DataRights, by_oneself};
use crate::accounts::User;
use crate::api_keys::{self, ApiKeyView};

/// Records and orders that one page has.
const PAGE: u32 = 100;
/// When an export that lacks a service may be asked for again.
const RETRY: Duration = Duration::from_secs(10);

/// Everything that is kept about a person.
#[derive(Serialize, ToSchema)]
pub(super) struct Export {
    /// When it was put together.
    #[schema(value_type = String, format = DateTime)]
    exported_at: Timestamp,
    /// The account.
    account: User,
    /// The log-ins that are remembered, newest first; with an OAuth client, what it was granted.
    log_ins: Vec<LogIn>,
    /// The API keys, newest first, without the keys themselves.
    api_keys: Vec<ApiKeyView>,
    /// What the audit log says of the person, newest first.
    audit: Vec<Entry>,
    /// The orders of each vertical, newest first.
    #[schema(value_type = Object)]
    orders: Map<String, Value>,
}

/// One log-in.
#[derive(Serialize, ToSchema)]
struct LogIn {
    /// The OAuth client that acts for the person; null for the person itself.
    client_id: Option<String>,
    /// The permissions that the client was granted, with spaces between.
    scope: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last refreshed.
    #[schema(value_type = String, format = DateTime)]
    refreshed_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Whether it is over.
    ended: bool,
}

/// One record of the audit log.
#[derive(Serialize, ToSchema)]
struct Entry {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What was done, e.g. `login`.
    action: String,
    /// Who did it.
    actor: Option<String>,
    /// To what or whom.
    target: Option<String>,
    /// Whether it succeeded.
    succeeded: bool,
    /// More about it.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
    /// The personal part, as text.
    personal: Option<String>,
}

impl DataRights {
    /// Puts the export together, and leaves one audit record.
    pub(super) async fn export(&self, cx: &Cx, caller: &Caller) -> Result<Export, ApiError> {
        let export = self.collect(cx, caller).await;
        let id = caller.subject();
        let record = by_oneself(cx, "export", id, export.is_ok());
        self.audit.append_alone(&record).await?;
        export
    }

    async fn collect(&self, cx: &Cx, caller: &Caller) -> Result<Export, ApiError> {
        let id = caller.subject();
        let account = self.accounts.user(id).await?;
        let account = account.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
        Ok(Export {
            exported_at: self.clock.now(),
            account,
            orders: self.orders(cx, caller).await?,
            log_ins: self.log_ins(id).await?,
            api_keys: api_keys::all_of(&self.db, self.accounts.vault(), id).await?,
            audit: self.entries(id).await?,
        })
    }

    /// The orders of all verticals.
    ///
    /// # Errors
    /// 503 that names the services that could not be asked.
    async fn orders(&self, cx: &Cx, caller: &Caller) -> Result<Map<String, Value>, ApiError> {
        let asked = self.keepers.iter().map(async |keeper| {
            let orders = self.orders_of(cx, caller, keeper).await;
            (keeper, orders)
        });
        let mut orders = Map::new();
        let mut missing = Vec::new();
        for (keeper, found) in join_all(asked).await {
            match found {
                Ok(found) => {
                    orders.insert(keeper.vertical.clone(), found.into());
                }
                Err(problem) => {
                    let service = &keeper.service;
                    tracing::warn!(service, problem, "an export lacks a service");
                    missing.push(service.as_str());
                }
            }
        }
        if missing.is_empty() {
            return Ok(orders);
        }
        Err(ApiError::new(&codes::SERVICE_UNAVAILABLE)
            .message(format!(
                "The export would lack what these services keep: {}. Try again later.",
                missing.join(", ")
            ))
            .details(json!({ "missing": missing }))
            .retry_after(RETRY))
    }

    async fn orders_of(
        &self,
        cx: &Cx,
        caller: &Caller,
        keeper: &Keeper,
    ) -> Result<Vec<Value>, String> {
        let mut orders = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let path = format!("/api/v1/{}/orders", keeper.vertical);
            let mut request = WireRequest::get("export", path).query("limit", PAGE);
            if let Some(cursor) = &cursor {
                request = request.query("cursor", cursor);
            }
            let call = CallCx::new(cx.deadline.0, cx.correlation.clone());
            let answer = self
                .colleagues
                .call(&keeper.service, &caller.0, &call, request)
                .await
                .map_err(|error| error.kind.as_str().to_owned())?;
            if answer.status != StatusCode::OK {
                return Err(format!("it answered {}", answer.status));
            }
            let mut page: Value = answer
                .json()
                .map_err(|error| error.kind.as_str().to_owned())?;
            match page.get_mut("data").map(Value::take) {
                Some(Value::Array(mut found)) => orders.append(&mut found),
                _ => return Err("it answered no list".to_owned()),
            }
            let next = page.pointer("/meta/next_cursor").and_then(Value::as_str);
            match next {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(orders),
            }
        }
    }

    async fn log_ins(&self, id: &str) -> Result<Vec<LogIn>, StoreError> {
        let rows = query(
            "SELECT client_id, scope, created_at, rotated_at, expires_at, ended FROM log_ins \
             WHERE account_id = $1 ORDER BY created_at DESC, id",
        )
        .bind(id)
        .fetch_all(self.db.pool())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(LogIn {
                    client_id: row.try_get("client_id")?,
                    scope: row.try_get("scope")?,
                    created_at: from_micros(row.try_get("created_at")?)?,
                    refreshed_at: from_micros(row.try_get("rotated_at")?)?,
                    expires_at: from_micros(row.try_get("expires_at")?)?,
                    ended: row.try_get::<i64, _>("ended")? == 1,
                })
            })
            .collect()
    }

    /// All records about the person. Personal parts are opened where they are the person's own.
    async fn entries(&self, id: &str) -> Result<Vec<Entry>, ApiError> {
        let filter = Filter {
            user_id: Some(id.to_owned()),
            ..Filter::default()
        };
        let mut entries = Vec::new();
        let mut before = None;
        loop {
            let page = self.audit.search(&filter, before, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(entries);
            };
            before = Some(last.seq);
            self.open_entries(id, page, &mut entries).await?;
        }
    }

    async fn open_entries(
        &self,
        id: &str,
        page: Vec<Stored>,
        into: &mut Vec<Entry>,
    ) -> Result<(), StoreError> {
        let own = |record: &Stored| record.actor.as_deref() == Some(id);
        let sealed: Vec<(&str, &str)> = page
            .iter()
            .filter(|record| own(record))
            .filter_map(|record| Some((id, record.sealed.as_deref()?)))
            .collect();
        let mut opened = self.accounts.vault().open_many(&sealed).await?.into_iter();
        for record in page {
            let has_part = own(&record) && record.sealed.is_some();
            into.push(Entry {
                personal: has_part.then(|| opened.next().flatten()).flatten(),
                at: record.at,
                action: record.action,
                actor: record.actor,
                target: record.target,
                succeeded: record.succeeded,
                details: record.details,
            });
        }
        Ok(())
    }
}
