//! The auth service: accounts, log-in, refresh, and the keys that everybody else verifies tokens with.

mod account_pages;
mod accounts;
mod actions;
mod api_keys;
mod attempts;
mod audit_trail;
mod clients;
mod data_rights;
mod log_in;
mod mail;
mod oauth;
mod pages;
mod password_reset;
mod passwords;
mod profile;
mod registration;
mod revocations;
mod routes;
mod seed;
mod sessions;
mod signing_keys;
mod trail;
mod users;

use std::time::Duration;

use audit::AuditLog;
use auth::AccessRules;
use caching::{Cache, CacheOptions};
use personal_data::{MasterKey, Vault};
use service_kit::error::codes;
use service_kit::{Access, ApiError, App, Check, Context, Profile, ServiceSpec, StartError};
use settings::{Settings, SettingsError};
use storage::Migration;
use supplier_client::SupplierMetrics;

use crate::accounts::Accounts;
use crate::attempts::{AddressLimit, AttemptLimits, Attempts};
use crate::audit_trail::AuditTrail;
use crate::data_rights::DataRights;
use crate::log_in::LogIns;
use crate::password_reset::PasswordResets;
use crate::passwords::{Passwords, Share};
use crate::profile::Profiles;
use crate::registration::{Confirmation, Registrations};
use crate::revocations::Revocations;
use crate::sessions::Sessions;
use crate::signing_keys::SigningKeys;
use crate::users::Users;

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
    audit_log: AuditLog,
    audit_trail: AuditTrail,
    sessions: Sessions,
    log_ins: LogIns,
    registrations: Registrations,
    password_resets: PasswordResets,
    profiles: Profiles,
    users: Users,
    data_rights: DataRights,
    revocations: Revocations,
    signing_keys: SigningKeys,
    vault: Vault,
    issuer: String,
}

/// The auth service, for the kit to run.
pub fn service() -> ServiceSpec {
    ServiceSpec {
        name: "auth_service",
        access: Access::Gateway,
        config: vec![CONFIG.into(), data_rights::config().into()],
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
    let life = seconds(settings, "tokens.access_seconds")?;
    let db = context
        .open_store(&[
            (personal_data::SET, personal_data::MIGRATIONS),
            (audit::SET, audit::MIGRATIONS),
            ("auth", MIGRATIONS),
            (data_rights::SET, data_rights::MIGRATIONS),
            (signing_keys::SET, signing_keys::MIGRATIONS),
            (oauth::SET, oauth::MIGRATIONS),
            (api_keys::SET, api_keys::MIGRATIONS),
        ])
        .await?;
    let vault = Vault::new(db.clone(), MasterKey::of(&context)?);
    let audit_log = audit_trail::open(&context, &db).await?;
    let cache = context.open_cache()?;
    let passwords = Passwords::new(share(settings)?).await.map_err(other)?;
    let accounts = Accounts::new(db.clone(), vault.clone());
    seed::seed(&context, &db, &accounts, &passwords).await?;
    let attempts = Attempts {
        shared: cache.clone(),
        own: Cache::open(&CacheOptions::new("memory:", context.name)).map_err(other)?,
        limits: AttemptLimits {
            per_account: settings.get("login.failures_per_account")?,
            per_address: settings.get("login.failures_per_address")?,
            window: seconds(settings, "login.window_seconds")?,
        },
        db: db.clone(),
        vault: vault.clone(),
        clock: context.clock.clone(),
    };
    let revocations = Revocations::new(db.clone(), life, context.clock.clone());
    let parts = signing_keys::Parts {
        db: db.clone(),
        vault: vault.clone(),
        audit: audit_log.clone(),
        revocations: revocations.clone(),
        rules,
        life,
    };
    let signing_keys = SigningKeys::start(&context, parts).await?;
    let sessions = Sessions {
        db: db.clone(),
        accounts: accounts.clone(),
        revocations: revocations.clone(),
        audit: audit_log.clone(),
        signing_keys: signing_keys.clone(),
        life: seconds(settings, "tokens.refresh_seconds")?,
        clock: context.clock.clone(),
    };
    let calls = SupplierMetrics::register(&context.metrics)?;
    let outbox = mail::start(&context, &db, &vault, &issuer, &calls)?;
    let data_rights = DataRights::new(
        &context,
        &calls,
        data_rights::Parts {
            db: db.clone(),
            accounts: accounts.clone(),
            sessions: sessions.clone(),
            revocations: revocations.clone(),
            outbox: outbox.clone(),
            audit: audit_log.clone(),
        },
    )?;
    data_rights.start_worker(&context);
    let mails = AddressLimit {
        what: "mail",
        requests: settings.get("mail.per_recipient_hour")?,
        window: Duration::from_secs(60 * 60),
    };
    let registrations = Registrations {
        db: db.clone(),
        accounts: accounts.clone(),
        attempts: attempts.clone(),
        passwords: passwords.clone(),
        outbox: outbox.clone(),
        audit: audit_log.clone(),
        confirmation: confirmation(&context)?,
        life: seconds(settings, "registration.link_seconds")?,
        limit: address_limit(&context, "registration")?,
        mails,
        clock: context.clock.clone(),
    };
    let password_resets = PasswordResets {
        db: db.clone(),
        accounts: accounts.clone(),
        attempts: attempts.clone(),
        passwords: passwords.clone(),
        sessions: sessions.clone(),
        revocations: revocations.clone(),
        outbox: outbox.clone(),
        audit: audit_log.clone(),
        life: seconds(settings, "password_reset.link_seconds")?,
        limit: address_limit(&context, "password_reset")?,
        mails,
        clock: context.clock.clone(),
    };
    let profiles = Profiles {
        db: db.clone(),
        accounts: accounts.clone(),
        attempts: attempts.clone(),
        passwords: passwords.clone(),
        sessions: sessions.clone(),
        revocations: revocations.clone(),
        outbox,
        audit: audit_log.clone(),
    };
    let log_ins = LogIns {
        db: db.clone(),
        accounts: accounts.clone(),
        registrations: registrations.clone(),
        passwords,
        attempts,
        sessions: sessions.clone(),
        revocations: revocations.clone(),
        audit: audit_log.clone(),
    };
    let users = Users {
        db: db.clone(),
        accounts,
        sessions: sessions.clone(),
        revocations: revocations.clone(),
        audit: audit_log.clone(),
    };
    let auth = Auth {
        audit_trail: AuditTrail::new(&context, audit_log.clone(), vault.clone())?,
        audit_log,
        sessions,
        log_ins,
        registrations,
        password_resets,
        profiles,
        users,
        data_rights,
        revocations,
        signing_keys,
        vault,
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
        interface: routes::routes().with_state(auth).into(),
        checks: vec![store, counters.optional()],
    })
}

/// How much of the machine password hashing may take.
fn share(settings: &Settings) -> Result<Share, StartError> {
    let percent: u32 = settings.get("passwords.share_percent")?;
    if !(1..=100).contains(&percent) {
        return Err(StartError::Other(
            "passwords.share_percent must be 1 to 100".to_owned(),
        ));
    }
    Ok(Share {
        concurrency: settings.get("passwords.concurrency")?,
        wait: Duration::from_millis(settings.get("passwords.wait_ms")?),
        queue: settings.get("passwords.queue")?,
        percent,
    })
}

/// How addresses are confirmed.
fn confirmation(context: &Context) -> Result<Confirmation, StartError> {
    let wanted: String = context.settings.get("registration.confirmation")?;
    match (wanted.as_str(), context.profile) {
        ("at_once", _) | ("auto", Profile::Development) => Ok(Confirmation::AtOnce),
        ("mail", _) | ("auto", Profile::Production) => Ok(Confirmation::Mail),
        (other, _) => Err(StartError::Other(format!(
            "configuration key 'registration.confirmation' is '{other}'; it must be auto, at_once or \
             mail"
        ))),
    }
}

/// The limit per client address of a section.
fn address_limit(context: &Context, what: &'static str) -> Result<AddressLimit, StartError> {
    let settings = &context.settings;
    let given = settings.get(&format!("{what}.requests_per_address"))?;
    Ok(AddressLimit {
        what,
        requests: match (given, context.profile) {
            (0, Profile::Production) => 60,
            // Everything in development comes from one address, and tests make many accounts.
            (0, Profile::Development) => 100_000,
            (given, _) => given,
        },
        window: seconds(settings, &format!("{what}.window_seconds"))?,
    })
}

fn seconds(settings: &Settings, key: &str) -> Result<Duration, SettingsError> {
    settings.get(key).map(Duration::from_secs)
}

/// 503 when password hashing has more to do than it may.
pub(crate) fn overloaded() -> ApiError {
    ApiError::new(&codes::SERVICE_UNAVAILABLE)
        .retry_after(Duration::from_secs(1))
        .because("no turn to compute a password hash")
}

/// A fault of ours.
pub(crate) fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(&codes::INTERNAL_ERROR).because(error)
}

fn other(error: impl std::fmt::Display) -> StartError {
    StartError::Other(error.to_string())
}
