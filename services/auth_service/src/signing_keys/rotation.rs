//! Making keys: the first one, the next one on schedule or on command, and the end of old ones.

use audit::Record;
use auth::{SigningKey, key_file};
use jiff::Timestamp;
use serde_json::json;
use storage::StoreError;

use super::timeline::{self, KeyTimes, State};
use super::{KeysError, PURPOSE, SigningKeys, store};
use crate::revocations::Kind;

/// The action in the audit trail.
const ACTION: &str = "signing_key_rotate";
/// How often a key is made anew because another instance was faster.
const TRIES: usize = 3;

/// Who makes keys change over, and why.
pub(super) struct Command<'a> {
    pub(super) actor: &'a str,
    /// Whether the keys until now are not to be believed any more.
    pub(super) compromised: bool,
    pub(super) request_id: &'a str,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The operator gives the keys.
    #[error("keys_given")]
    Given,
    /// The next key is published already and will sign by itself.
    #[error("on_its_way")]
    OnItsWay(Timestamp),
    /// Other instances were faster again and again.
    #[error("contended")]
    Contended,
    /// It could not be done.
    #[error("failed")]
    Failed(#[from] KeysError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// A key that is to be made.
struct Plan<'a> {
    generation: i64,
    signs_from: Timestamp,
    withdraws: bool,
    trigger: &'a str,
    command: Option<&'a Command<'a>>,
}

impl SigningKeys {
    /// Makes the key of an empty store; in development the one of `keys/signing.pem`. Of several
    /// instances that do it, one does.
    pub(super) async fn make_first(&self) -> Result<(), KeysError> {
        let key = match &self.0.file {
            None => generate().await?,
            Some(path) => {
                let wrong = |problem: String| KeysError::File {
                    path: path.display().to_string(),
                    problem,
                };
                let make = || {
                    let key = SigningKey::generate().map_err(|error| error.to_string())?;
                    key.to_pem().map_err(|error| error.to_string())
                };
                let pem = key_file::read_or_create(path, make).map_err(wrong)?;
                SigningKey::from_pem(&pem).map_err(wrong)?
            }
        };
        let plan = Plan {
            generation: 1,
            signs_from: self.0.clock.now(),
            withdraws: false,
            trigger: "first",
            command: None,
        };
        self.add(&key, &plan).await.map(drop)
    }

    /// Makes the next key when the schedule says so and no other instance has.
    pub(super) async fn rotate_if_due(&self) -> Result<(), KeysError> {
        let Some(every) = self.0.policy.every else {
            return Ok(());
        };
        let ring = self.ring();
        let ahead = self.0.policy.publish_ahead;
        let now = self.0.clock.now();
        let due = timeline::next_due(ring.times(), every, ahead);
        let (Some(due), Some(newest)) = (due, ring.times().last()) else {
            return Ok(());
        };
        if now < due {
            return Ok(());
        }
        let plan = Plan {
            generation: newest.generation.saturating_add(1),
            signs_from: timeline::later(now, ahead),
            withdraws: false,
            trigger: "schedule",
            command: None,
        };
        if self.add(&generate().await?, &plan).await? {
            tracing::info!(signs_from = %plan.signs_from, "the next signing key is published");
        }
        self.refresh().await
    }

    /// Makes the next key on command; its name.
    pub(super) async fn rotate(&self, command: &Command<'_>) -> Result<String, Refused> {
        let made = self.carry_out(command).await;
        if let Err(refused) = &made {
            let reason = refused.to_string();
            let details = json!({"compromised": command.compromised, "reason": reason});
            let record = self.record(Some(command), false, None, details);
            let noted = self.0.parts.audit.append_alone(&record).await;
            noted?;
        }
        made
    }

    async fn carry_out(&self, command: &Command<'_>) -> Result<String, Refused> {
        if self.0.given {
            return Err(Refused::Given);
        }
        for _ in 0..TRIES {
            self.refresh().await?;
            let now = self.0.clock.now();
            let ring = self.ring();
            let newest = ring.times().last();
            if let Some(next) = newest.filter(|newest| newest.signs_from > now)
                && !command.compromised
            {
                return Err(Refused::OnItsWay(next.signs_from));
            }
            let signs_from = match command.compromised {
                true => now,
                false => timeline::later(now, self.0.policy.publish_ahead),
            };
            let plan = Plan {
                generation: newest.map_or(1, |newest| newest.generation.saturating_add(1)),
                signs_from,
                withdraws: command.compromised,
                trigger: "command",
                command: Some(command),
            };
            let key = generate().await?;
            if self.add(&key, &plan).await? {
                self.refresh().await?;
                self.show_signing_key()?;
                return Ok(key.kid().to_owned());
            }
        }
        Err(Refused::Contended)
    }

    /// Puts a key into the store with its audit record, unless its generation is taken. Whether it did.
    async fn add(&self, key: &SigningKey, plan: &Plan<'_>) -> Result<bool, KeysError> {
        let parts = &self.0.parts;
        let now = self.0.clock.now();
        let wrapped = parts.vault.wrap(PURPOSE, &key.to_der()?)?;
        let times = KeyTimes {
            kid: key.kid().to_owned(),
            generation: plan.generation,
            made_at: now,
            signs_from: plan.signs_from,
            withdrawn_at: None,
        };
        let mut tx = parts.db.begin().await?;
        if !store::insert(&mut tx, &times, &wrapped).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        let mut details = json!({
            "trigger": plan.trigger,
            "compromised": plan.withdraws,
            "signs_from": plan.signs_from.to_string(),
        });
        if plan.withdraws {
            let withdrawn = store::withdraw_before(&mut tx, plan.generation, now).await?;
            if let Some(facts) = details.as_object_mut() {
                facts.insert("withdrawn".to_owned(), withdrawn.into());
            }
        }
        let record = self.record(plan.command, true, Some(key.kid()), details);
        let seq = parts.audit.append(&mut tx, &record).await?;
        if plan.withdraws {
            let names = [key.kid().to_owned()];
            parts
                .revocations
                .announce(&mut tx, seq, Kind::SigningKeys, &names)
                .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    fn record(
        &self,
        command: Option<&Command<'_>>,
        succeeded: bool,
        target: Option<&str>,
        details: serde_json::Value,
    ) -> Record {
        Record {
            actor: command.map(|command| command.actor.to_owned()),
            action: ACTION,
            succeeded,
            target: target.map(str::to_owned),
            sealed: None,
            details: details.as_object().cloned().unwrap_or_default(),
            request_id: command.map(|command| command.request_id.to_owned()),
        }
    }

    /// Destroys the private halves of keys whose last tokens are dead.
    pub(super) async fn destroy_dead_keys(&self) -> Result<(), KeysError> {
        let (ring, now) = (self.ring(), self.0.clock.now());
        let life = self.0.parts.life;
        for key in ring.times() {
            if timeline::state(ring.times(), key, life, now) == State::Retired {
                store::destroy(&self.0.parts.db, &key.kid).await?;
            }
        }
        Ok(())
    }
}

/// A new key, made off the runtime's threads.
async fn generate() -> Result<SigningKey, KeysError> {
    let made = tokio::task::spawn_blocking(SigningKey::generate).await;
    Ok(made.map_err(|_| KeysError::Interrupted)??)
}
