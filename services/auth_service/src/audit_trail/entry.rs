//! A record of the log as an admin sees it.

use audit::Stored;
use jiff::Timestamp;
use personal_data::{Vault, VaultError};
use serde::Serialize;
use serde_json::{Map, Value};
use storage::StoreError;
use utoipa::ToSchema;

/// One record of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Its number: 1, 2, 3, … without a gap.
    seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it: an account, an OAuth client, or null where nobody was known.
    actor: Option<String>,
    /// What was done.
    #[schema(example = "login")]
    action: String,
    /// `success` or `failure`.
    #[schema(example = "success")]
    status: &'static str,
    /// The id of what it was done to.
    target: Option<String>,
    /// What else is known; nothing personal.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
    /// Personal facts, such as the caller's address. Null if there are none, and when they are erased.
    #[schema(value_type = Option<Object>)]
    personal: Option<Value>,
    /// Whether there were personal facts, and the account was erased since.
    erased: bool,
    /// The request's id, which stands in the logs of all services.
    request_id: Option<String>,
}

/// Records as they are shown, with what is sealed in them opened.
///
/// # Errors
/// Those of the store. A sealed text that cannot be opened is shown as erased: the log's verification
/// says whether somebody changed it.
pub(crate) async fn entries(
    vault: &Vault,
    records: Vec<Stored>,
) -> Result<Vec<AuditEntry>, StoreError> {
    let sealed: Vec<(&str, &str)> = records
        .iter()
        .filter_map(|record| Some((owner(record)?, record.sealed.as_deref()?)))
        .collect();
    let opened = match vault.open_many(&sealed).await {
        Ok(opened) => opened,
        Err(VaultError::Store(error)) => return Err(error),
        Err(_) => one_by_one(vault, &sealed).await?,
    };
    let mut opened = opened.into_iter();
    let mut personal: Vec<Option<String>> = Vec::with_capacity(records.len());
    for record in &records {
        let has = owner(record).is_some() && record.sealed.is_some();
        personal.push(if has { opened.next().flatten() } else { None });
    }
    Ok(records
        .into_iter()
        .zip(personal)
        .map(|(record, personal)| shown(record, personal))
        .collect())
}

/// Whose key the personal facts are sealed under.
fn owner(record: &Stored) -> Option<&str> {
    record.actor.as_deref().or(record.target.as_deref())
}

async fn one_by_one(
    vault: &Vault,
    sealed: &[(&str, &str)],
) -> Result<Vec<Option<String>>, StoreError> {
    let mut opened = Vec::with_capacity(sealed.len());
    for (subject, sealed) in sealed {
        opened.push(match vault.open(subject, sealed).await {
            Ok(plain) => plain,
            Err(VaultError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "personal facts of an audit record cannot be opened");
                None
            }
        });
    }
    Ok(opened)
}

fn shown(record: Stored, personal: Option<String>) -> AuditEntry {
    AuditEntry {
        seq: record.seq,
        at: record.at,
        actor: record.actor,
        action: record.action,
        status: if record.succeeded {
            "success"
        } else {
            "failure"
        },
        target: record.target,
        details: record.details,
        erased: record.sealed.is_some() && personal.is_none(),
        personal: personal.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
        request_id: record.request_id,
    }
}
