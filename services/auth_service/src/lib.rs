//! The auth service: accounts, log-in, refresh, and the keys that everybody else verifies tokens with.

mod accounts;
mod attempts;
mod audit_trail;
mod log_in;
mod passwords;
mod profile;
mod revocations;
mod routes;
mod seed;
mod sessions;

use std::path::Path;
use std::time::Duration;

use audit::AuditLog;
use auth::{AccessRules, SigningKey, TokenSigner};
use caching::{Cache, CacheOptions};
use service_kit::{Access, App, Check, Context, Profile, ServiceSpec, StartError};
use settings::{Settings, SettingsError};
use storage::Migration;

use crate::accounts::Accounts;
use crate::attempts::{AttemptLimits, Attempts};
use crate::log_in::LogIns;
use crate::passwords::Passwords;
use crate::revocations::Revocations;
use crate::sessions::Sessions;

const CONFIG: &str = include_str!("../config.default.toml");
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "accounts",
        sql: include_str!("../migrations/0001_accounts.sql"),
    },
    Migration {
        version: 2,
        name: "identity",
        sql: include_str!("../migrations/0002_identity.sql"),
    },
];

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Auth {
    accounts: Accounts,
    audit_log: AuditLog,
    sessions: Sessions,
    log_ins: LogIns,
    revocations: Revocations,
    issuer: String,
}

/// The auth service, for the kit to run.
pub fn service() -> ServiceSpec {
    ServiceSpec {
        name: "auth_service",
        access: Access::Gateway,
        config: vec![CONFIG.into()],
        openapi: || service_kit::openapi::written(&routes::routes().into_openapi()),
        build: |context| Box::pin(build(context)),
    }
}

async fn build(context: Context) -> Result<App, StartError> {
    let settings = &context.settings;
    let rules = AccessRules {
        issuer: settings.get("tokens.issuer")?,
        audience: settings.get("tokens.audience")?,
    };
    let issuer = rules.issuer.clone();
    let signer = signer(&context, rules)?;
    let db = context
        .open_store(&[(audit::SET, audit::MIGRATIONS), ("auth", MIGRATIONS)])
        .await?;
    let audit_log = audit_trail::open(&context, &db).await?;
    let cache = context.open_cache()?;
    let passwords = Passwords::new(
        settings.get("passwords.concurrency")?,
        Duration::from_millis(settings.get("passwords.wait_ms")?),
    )
    .await
    .map_err(other)?;
    let accounts = Accounts::new(db.clone());
    seed::seed(&context, &db, &accounts, &passwords).await?;
    let limits = AttemptLimits {
        per_account: settings.get("login.failures_per_account")?,
        per_address: settings.get("login.failures_per_address")?,
        window: seconds(settings, "login.window_seconds")?,
    };
    let own = Cache::open(&CacheOptions::new("memory:", context.name)).map_err(other)?;
    let revocations = Revocations::new(db.clone(), signer.life(), context.clock.clone());
    let sessions = Sessions {
        db: db.clone(),
        accounts: accounts.clone(),
        revocations: revocations.clone(),
        signer,
        life: seconds(settings, "tokens.refresh_seconds")?,
        clock: context.clock.clone(),
    };
    let log_ins = LogIns {
        db: db.clone(),
        accounts: accounts.clone(),
        passwords,
        attempts: Attempts::new(cache.clone(), own, limits),
        sessions: sessions.clone(),
    };
    let auth = Auth {
        accounts,
        audit_log,
        sessions,
        log_ins,
        revocations,
        issuer,
    };
    let store = Check::required("store", move || {
        let db = db.clone();
        async move { db.ping().await.map_err(|error| error.to_string()) }
    });
    let counters = Check::required("cache", move || {
        let cache = cache.clone();
        async move { cache.ping().await.map_err(|error| error.to_string()) }
    });
    Ok(App {
        routes: routes::routes().with_state(auth),
        checks: vec![store, counters.optional()],
    })
}

/// The signer with the configured key; in development with one that is made on first use.
fn signer(context: &Context, rules: AccessRules) -> Result<TokenSigner, StartError> {
    let file: String = context.settings.get("keys.signing_key_file")?;
    let life = seconds(&context.settings, "tokens.access_seconds")?;
    let clock = context.clock.clone();
    if !file.is_empty() {
        let key = SigningKey::from_file(Path::new(&file)).map_err(other)?;
        return TokenSigner::new(key, rules, life, clock).map_err(other);
    }
    if context.profile == Profile::Production {
        return Err(StartError::Other(
            "keys.signing_key_file is empty: production signs with no key that it made itself; name \
             the file with the private key (PEM, RSA of at least 2048 bits)"
                .to_owned(),
        ));
    }
    TokenSigner::development(&context.data_dir, rules, life, clock).map_err(other)
}

fn seconds(settings: &Settings, key: &str) -> Result<Duration, SettingsError> {
    settings.get(key).map(Duration::from_secs)
}

fn other(error: impl std::fmt::Display) -> StartError {
    StartError::Other(error.to_string())
}
