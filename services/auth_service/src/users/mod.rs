//! Accounts as administrators see and change them.

mod routes;
mod store;

use audit::AuditLog;
use auth::Role;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use storage::{Db, StoreError, Tx};
use travel_types::UserId;
use utoipa::ToSchema;

use crate::accounts::{Accounts, Personal};
use crate::revocations::{Kind, Revocations};
use crate::sessions::Sessions;
use crate::trail::{detail, record};
use crate::{api_keys, oauth};
pub(crate) use routes::routes;
use store::{Page, Row};

/// An account as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed {
    /// The account's id.
    pub(crate) id: UserId,
    /// The address it logs in with; none once it is erased.
    #[schema(format = Email, example = "agent@interline.test")]
    pub(crate) email: Option<String>,
    /// The person's name; none once it is erased.
    pub(crate) full_name: Option<String>,
    /// What the account is for.
    #[schema(value_type = String, example = "agent")]
    pub(crate) role: Role,
    /// `active`, `deleted` by an administrator, or `erased` by its owner.
    #[schema(example = "active")]
    pub(crate) status: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
}

/// Which accounts are asked for.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) role: Option<Role>,
    pub(crate) status: Option<String>,
    /// Normalised.
    pub(crate) email: Option<String>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
}

/// What administrators do with accounts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Users {
    pub(crate) db: Db,
    pub(crate) accounts: Accounts,
    pub(crate) sessions: Sessions,
    pub(crate) revocations: Revocations,
    pub(crate) audit: AuditLog,
}

/// Whether this account is the last that can administrate. That does not change until the transaction
/// ends.
pub(crate) async fn is_last_administrator(tx: &mut Tx, id: &str) -> Result<bool, StoreError> {
    Ok(is_last(&store::administrators(tx).await?, id))
}

impl Users {
    /// Accounts, newest first, after the one that the page before ended with; and whether there are
    /// more.
    pub(crate) async fn list(
        &self,
        filter: &Filter,
        after: Option<(i64, UserId)>,
        limit: u32,
    ) -> Result<(Vec<Listed>, bool), ApiError> {
        let index = filter
            .email
            .as_deref()
            .map(|email| self.accounts.index(email));
        let page = Page {
            filter,
            email_index: index,
            after,
            limit: i64::from(limit) + 1,
        };
        let mut rows = store::list(&self.db, &page).await?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        Ok((self.open(rows).await?, more))
    }

    async fn open(&self, rows: Vec<Row>) -> Result<Vec<Listed>, StoreError> {
        let items: Vec<(&str, &str)> = rows
            .iter()
            .filter(|row| row.status != "erased")
            .map(|row| (row.id.as_str(), row.sealed.as_str()))
            .collect();
        let mut opened = self.accounts.vault().open_many(&items).await?.into_iter();
        rows.iter()
            .map(|row| {
                let text = match row.status.as_str() {
                    "erased" => None,
                    _ => opened.next().flatten(),
                };
                row.listed(text.and_then(|text| serde_json::from_str::<Personal>(&text).ok()))
            })
            .collect()
    }

    /// Gives an account another role. Its access tokens end within a second and are refreshed with what
    /// the new role allows.
    pub(crate) async fn set_role(
        &self,
        cx: &Cx,
        actor: &str,
        id: &str,
        role: Role,
    ) -> Result<Listed, ApiError> {
        let mut tx = self.db.begin().await?;
        let administrators = store::administrators(&mut tx).await?;
        let Some(row) = store::active(&mut tx, id).await? else {
            drop(tx);
            return self
                .refused(cx, "role_change", actor, id, &codes::NOT_FOUND)
                .await;
        };
        if role != Role::Admin && is_last(&administrators, id) {
            drop(tx);
            return self
                .refused(cx, "role_change", actor, id, &codes::CONFLICT)
                .await;
        }
        let mut renewed = Vec::new();
        if row.role != role.as_str() {
            store::set_role(&mut tx, id, role).await?;
            renewed = self.sessions.renew_all(&mut tx, id).await?;
        }
        let mut record = record(cx, "role_change", true);
        record.actor = Some(actor.to_owned());
        record.target = Some(id.to_owned());
        record.details = facts(json!({"from": row.role, "to": role.as_str()}));
        let keys = api_keys::ids_of(&mut tx, id).await?;
        let seq = self.audit.append(&mut tx, &record).await?;
        self.revocations
            .announce(&mut tx, seq, Kind::Session, &renewed)
            .await?;
        self.revocations
            .announce(&mut tx, seq, Kind::ApiKey, &keys)
            .await?;
        tx.commit().await?;
        let row = Row {
            role: role.as_str().to_owned(),
            ..row
        };
        let listed = self.open(vec![row]).await?.pop();
        listed.ok_or_else(|| ApiError::new(&codes::NOT_FOUND))
    }

    /// Deletes an account: nobody logs in with it any more, and its log-ins end. What it did stays.
    pub(crate) async fn delete(&self, cx: &Cx, actor: &str, id: &str) -> Result<(), ApiError> {
        let mut tx = self.db.begin().await?;
        let administrators = store::administrators(&mut tx).await?;
        if is_last(&administrators, id) {
            drop(tx);
            return self
                .refused(cx, "user_delete", actor, id, &codes::CONFLICT)
                .await;
        }
        if !store::delete(&mut tx, id).await? {
            drop(tx);
            return self
                .refused(cx, "user_delete", actor, id, &codes::NOT_FOUND)
                .await;
        }
        let ended = self.sessions.end_all(&mut tx, id).await?;
        let keys = api_keys::delete_all_of(&mut tx, id).await?;
        oauth::codes::delete_all_of(&mut tx, id).await?;
        let mut record = record(cx, "user_delete", true);
        record.actor = Some(actor.to_owned());
        record.target = Some(id.to_owned());
        let seq = self.audit.append(&mut tx, &record).await?;
        self.revocations
            .announce(&mut tx, seq, Kind::Session, &ended)
            .await?;
        self.revocations
            .announce(&mut tx, seq, Kind::ApiKey, &keys)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn refused<T>(
        &self,
        cx: &Cx,
        action: &'static str,
        actor: &str,
        id: &str,
        code: &'static service_kit::ErrorCode,
    ) -> Result<T, ApiError> {
        let mut record = record(cx, action, false);
        record.actor = Some(actor.to_owned());
        // Only what is an id: anything else may be anything.
        record.target = id.parse::<UserId>().ok().map(|id| id.to_string());
        record.details = detail("reason", code.code);
        self.audit.append_alone(&record).await?;
        let error = ApiError::new(code);
        Err(match *code == codes::CONFLICT {
            true => {
                error.message("This is the last administrator. Give somebody else the role first.")
            }
            false => error,
        })
    }
}

fn is_last(administrators: &[String], id: &str) -> bool {
    matches!(administrators, [only] if only == id)
}

fn facts(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(facts) => facts,
        _ => Map::new(),
    }
}
