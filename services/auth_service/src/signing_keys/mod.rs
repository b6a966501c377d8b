//! The keys that access tokens are signed with, over all instances of this service.
//!
//! Several keys are alive at once: the next one is published before it signs, the former ones until
//! their last tokens are dead. They are in the store, each private half wrapped under the master key,
//! and every instance loads them anew every few seconds. Which one signs follows from the clock alone, so
//! all instances change over together. An operator may give the keys as files instead; then nothing is
//! rotated here.

mod ring;
mod rotation;
mod routes;
mod store;
mod timeline;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use audit::AuditLog;
use auth::{AccessRules, Jwks, SigningError, SigningKey, TokenSigner};
use personal_data::Vault;
use service_kit::{Context, Profile, StartError};
use storage::{Db, Migration, StoreError};
use tokio::sync::Mutex;
use travel_types::Clock;

use crate::revocations::Revocations;
use ring::Ring;
pub(crate) use routes::routes;

/// The name of this area's set of migrations.
pub(crate) const SET: &str = "signing_keys";
/// Its tables.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "signing_keys",
    sql: include_str!("../../migrations/signing_keys/0001_signing_keys.sql"),
}];
/// The longest life of an access token, in seconds.
const LONGEST_LIFE: u64 = 900;
/// What private keys are wrapped for.
const PURPOSE: &str = "signing_key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key cannot be made, read or used.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A stored private key does not open.
    #[error(
        "signing key {0} does not open: personal_data.master_key is not the one that it was stored \
         under; give that one"
    )]
    Locked(String),
    /// The file of the development key cannot be used.
    #[error("signing key {path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The vault failed.
    #[error("{0}")]
    Vault(#[from] personal_data::VaultError),
    /// The thread that makes keys broke.
    #[error("no key could be made")]
    Interrupted,
}

/// How keys are made and changed over.
#[derive(Clone, Copy, Debug)]
struct Policy {
    /// How long a key is published before it signs.
    publish_ahead: Duration,
    /// How long a key signs; none: until somebody commands.
    every: Option<Duration>,
    /// How often the store is looked at.
    poll: Duration,
}

/// The parts that the keys need.
pub(crate) struct Parts {
    pub(crate) db: Db,
    pub(crate) vault: Vault,
    pub(crate) audit: AuditLog,
    pub(crate) revocations: Revocations,
    pub(crate) rules: AccessRules,
    /// Life of an access token.
    pub(crate) life: Duration,
}

/// The keys. Clones share them.
#[derive(Clone)]
pub(crate) struct SigningKeys(Arc<Inner>);

struct Inner {
    parts: Parts,
    policy: Policy,
    clock: Clock,
    /// The file that shows the key that signs, in development.
    file: Option<PathBuf>,
    /// Whether an operator gave the keys.
    given: bool,
    ring: std::sync::RwLock<Arc<Ring>>,
    /// Calls of [`SigningKeys::refresh`] so far, and how many of them have been served.
    asked: AtomicU64,
    served: Mutex<u64>,
}

impl SigningKeys {
    /// The keys of the files that the settings name, or those of the store, where the first one is made.
    ///
    /// # Errors
    /// [`StartError`] when a key cannot be made, read or opened.
    pub(crate) async fn start(context: &Context, parts: Parts) -> Result<Self, StartError> {
        let settings = &context.settings;
        let files: Vec<String> = settings.get("keys.signing_key_files")?;
        let days: u64 = settings.get("keys.rotate_days")?;
        let policy = Policy {
            publish_ahead: Duration::from_secs(settings.get("keys.publish_ahead_s")?),
            every: (days > 0).then(|| Duration::from_secs(days.saturating_mul(86_400))),
            poll: Duration::from_millis(settings.get("keys.poll_ms")?),
        };
        if !(1..=LONGEST_LIFE).contains(&parts.life.as_secs()) {
            return Err(crate::other(SigningError::Life));
        }
        let development = context.profile == Profile::Development && files.is_empty();
        let given = files
            .iter()
            .map(|file| SigningKey::from_file(file.as_ref()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(crate::other)?;
        let signers = given
            .into_iter()
            .map(|key| {
                let clock = context.clock.clone();
                TokenSigner::new(key, parts.rules.clone(), parts.life, clock)
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(crate::other)?;
        let keys = Self(Arc::new(Inner {
            policy,
            clock: context.clock.clone(),
            file: development.then(|| auth::key_file::signing_key(&context.data_dir)),
            given: !signers.is_empty(),
            ring: std::sync::RwLock::new(Arc::new(Ring::given(signers))),
            asked: AtomicU64::new(0),
            served: Mutex::new(0),
            parts,
        }));
        if !keys.0.given {
            keys.refresh().await.map_err(crate::other)?;
            if keys.ring().is_empty() {
                keys.make_first().await.map_err(crate::other)?;
                keys.refresh().await.map_err(crate::other)?;
            }
            keys.show_signing_key().map_err(crate::other)?;
            let worker = keys.clone();
            let shutdown = context.shutdown.clone();
            context.tasks.spawn(async move {
                while shutdown
                    .run_until_cancelled(tokio::time::sleep(worker.0.policy.poll))
                    .await
                    .is_some()
                {
                    worker.look_after().await;
                }
            });
        }
        Ok(keys)
    }

    /// What signs now.
    ///
    /// # Errors
    /// [`SigningError::Failed`] when there is no key: only before the first one was made.
    pub(crate) fn signer(&self) -> Result<Arc<TokenSigner>, SigningError> {
        let signer = self.ring().signer(self.0.clock.now());
        signer.ok_or(SigningError::Failed)
    }

    /// The published keys, from memory.
    pub(crate) fn jwks(&self) -> Jwks {
        let now = self.0.clock.now();
        self.ring().published(self.0.parts.life, now)
    }

    /// Who issues the tokens, and for whom.
    pub(crate) fn rules(&self) -> &AccessRules {
        &self.0.parts.rules
    }

    /// Life of an access token.
    pub(crate) fn life(&self) -> Duration {
        self.0.parts.life
    }

    fn ring(&self) -> Arc<Ring> {
        let ring = self.0.ring.read();
        Arc::clone(&ring.unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Loads the keys anew, as the store has them after this call. Calls that come while another one
    /// waits for its turn share one load.
    ///
    /// # Errors
    /// [`KeysError`]; the keys in memory stay.
    pub(crate) async fn refresh(&self) -> Result<(), KeysError> {
        if self.0.given {
            return Ok(());
        }
        let mine = self.0.asked.fetch_add(1, Ordering::SeqCst);
        let mut served = self.0.served.lock().await;
        if *served > mine {
            return Ok(());
        }
        let all = self.0.asked.load(Ordering::SeqCst);
        let stored = store::living(&self.0.parts.db).await?;
        let before = self.ring();
        let ring = before.renewed(stored, |kid, wrapped| self.opened(kid, wrapped))?;
        let mut place = self.0.ring.write();
        if let Ok(place) = &mut place {
            **place = Arc::new(ring);
        }
        *served = all;
        Ok(())
    }

    fn opened(&self, kid: &str, wrapped: &str) -> Result<TokenSigner, KeysError> {
        let der = self.0.parts.vault.unwrap_(PURPOSE, wrapped);
        let key = der.and_then(|der| SigningKey::from_der(&der).ok());
        let key = key.ok_or_else(|| KeysError::Locked(kid.to_owned()))?;
        let (rules, clock) = (self.0.parts.rules.clone(), self.0.clock.clone());
        Ok(TokenSigner::new(key, rules, self.0.parts.life, clock)?)
    }

    /// In development, the file `keys/signing.pem` holds the key that signs.
    fn show_signing_key(&self) -> Result<(), KeysError> {
        let Some(path) = &self.0.file else {
            return Ok(());
        };
        let pem = self.signer()?.key().to_pem()?;
        if std::fs::read_to_string(path).is_ok_and(|there| there == pem) {
            return Ok(());
        }
        auth::key_file::replace_private(path, &pem).map_err(|error| KeysError::File {
            path: path.display().to_string(),
            problem: error.to_string(),
        })
    }

    /// One round of the worker.
    async fn look_after(&self) {
        let round = async {
            self.refresh().await?;
            self.rotate_if_due().await?;
            self.destroy_dead_keys().await?;
            self.show_signing_key()
        };
        if let Err(error) = round.await {
            tracing::warn!(%error, "the signing keys could not be looked after; trying again");
        }
    }
}
