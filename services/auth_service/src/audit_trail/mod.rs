//! The audit log of this service: opened, signed, and shown to those who may read it.

mod entry;
mod routes;
mod verifying;

use std::path::PathBuf;
use std::time::Duration;

use audit::{AuditKey, AuditLog, Witness};
use personal_data::Vault;
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{Context, Profile, StartError};
use storage::Db;

use crate::other;

use verifying::Verifier;

pub(crate) use routes::routes;

/// What the routes of the log need.
#[derive(Clone)]
pub(crate) struct AuditTrail {
    log: AuditLog,
    vault: Vault,
    verifier: Verifier,
    patience: Duration,
}

impl AuditTrail {
    /// # Errors
    /// [`StartError`] for settings that are none.
    pub(crate) fn new(context: &Context, log: AuditLog, vault: Vault) -> Result<Self, StartError> {
        let wait = context.settings.get("audit.verify_wait_ms")?;
        Ok(Self {
            verifier: Verifier::new(log.clone(), heads_file(context)?, context),
            log,
            vault,
            patience: Duration::from_millis(wait),
        })
    }
}

/// Opens the log in the service's store and starts the task that signs its end.
///
/// # Errors
/// [`StartError`] when the key is missing, is not one or not the log's own, or the heads file cannot be
/// written.
pub(crate) async fn open(context: &Context, db: &Db) -> Result<AuditLog, StartError> {
    let log = AuditLog::new(db.clone(), key(context)?, context.clock.clone())
        .counted(&context.metrics)?;
    log.check_key().await.map_err(other)?;
    let witness = Witness::open(log.clone(), &heads_file(context)?).map_err(other)?;
    let gauges = witness.measured(&context.metrics)?;
    context
        .tasks
        .spawn(witness.run(context.shutdown.clone(), context.tasks.clone(), gauges));
    Ok(log)
}

/// The configured key; in development one that is made on first use.
fn key(context: &Context) -> Result<AuditKey, StartError> {
    let secret: SecretString = context.settings.get("audit.key")?;
    if !secret.expose_secret().is_empty() {
        return AuditKey::from_setting(&secret).map_err(other);
    }
    if context.profile == Profile::Production {
        return Err(StartError::Other(
            "audit.key is empty: production chains its audit log with no key that it made itself; \
             set it to 32 random bytes in base64 (openssl rand -base64 32) and keep a copy, for \
             without it the log cannot be verified"
                .to_owned(),
        ));
    }
    AuditKey::development(&context.data_dir).map_err(other)
}

/// The file of signed heads.
fn heads_file(context: &Context) -> Result<PathBuf, StartError> {
    let file: String = context.settings.get("audit.heads_file")?;
    Ok(match file.is_empty() {
        true => audit::default_heads_file(&context.data_dir),
        false => file.into(),
    })
}
