//! Mail that this service sends: written down in the transaction that it belongs to, and posted by a
//! worker to the part that delivers it. Recipients and texts are wrapped at rest and in no log.

mod texts;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use personal_data::Vault;
use serde::{Deserialize, Serialize};
use service_kit::{Context, Profile, StartError};
use storage::{Db, StoreError, Tx, query, to_micros};
use supplier_client::SupplierMetrics;
use travel_types::{Clock, NotificationId};

pub(crate) use texts::Letter;
use texts::Links;
use worker::{Worker, WorkerOptions};

/// What the vault wraps mails as.
const PURPOSE: &str = "mail";

/// A mail as it is posted.
#[derive(Deserialize, Serialize)]
struct Message {
    to: String,
    subject: String,
    text: String,
}

/// A mail that is to be sent.
pub(crate) struct Mail<'a> {
    /// Whom it is about; none where there is no account.
    pub(crate) account: Option<String>,
    pub(crate) to: &'a str,
    pub(crate) letter: Letter<'a>,
    /// Whether anybody is to get it. One that is not wanted costs the same until it is dropped.
    pub(crate) wanted: bool,
    /// How long it is worth anything.
    pub(crate) life: Duration,
}

/// The outbox as configured; its worker runs until the service ends.
///
/// # Errors
/// [`StartError`] for a setting that makes no sense, and in production for the sandbox's mailbox.
pub(crate) fn start(
    context: &Context,
    db: &Db,
    vault: &Vault,
    issuer: &str,
    calls: &SupplierMetrics,
) -> Result<Outbox, StartError> {
    let settings = &context.settings;
    if context.profile == Profile::Production && settings.is_default("mail.url") {
        return Err(StartError::Other(
            "mail.url still has the sandbox's value: production needs the address of a service that \
             delivers mail"
                .to_owned(),
        ));
    }
    let link = |key: &str| -> Result<String, StartError> {
        let template: String = settings.get(key)?;
        if !template.contains("{token}") {
            return Err(StartError::Other(format!("{key} must contain {{token}}")));
        }
        Ok(template.replace("{issuer}", issuer.trim_end_matches('/')))
    };
    let links = Links {
        confirm: link("links.confirm")?,
        reset: link("links.reset")?,
    };
    let outbox = Outbox::new(db.clone(), vault.clone(), links, context.clock.clone());
    let options = WorkerOptions {
        url: settings.get("mail.url")?,
        poll: Duration::from_millis(settings.get("mail.poll_ms")?),
    };
    Worker::new(context, outbox.clone(), vault.clone(), options, calls)?.start(context);
    Ok(outbox)
}

/// Where mails are put.
#[derive(Clone)]
pub(crate) struct Outbox {
    db: Db,
    vault: Vault,
    clock: Clock,
    links: Arc<Links>,
}

impl Outbox {
    fn new(db: Db, vault: Vault, links: Links, clock: Clock) -> Self {
        Self {
            db,
            vault,
            clock,
            links: Arc::new(links),
        }
    }

    /// Puts a mail into the outbox with the transaction. Nothing wakes the worker: what it does must not
    /// fall together with the next request, whose time would tell whether there was a mail.
    pub(crate) async fn put(&self, tx: &mut Tx, mail: &Mail<'_>) -> Result<(), StoreError> {
        let (subject, text) = self.links.written(&mail.letter);
        let message = Message {
            to: mail.to.to_owned(),
            subject: subject.to_owned(),
            text,
        };
        let json = serde_json::to_vec(&message)
            .map_err(|_| StoreError::Corrupt("mail.wrapped".to_owned()))?;
        query(
            "INSERT INTO mail (id, account_id, wrapped, wanted, attempts, due_at, expires_at) \
             VALUES ($1, $2, $3, $4, 0, $5, $6)",
        )
        .bind(NotificationId::new(&self.clock).to_string())
        .bind(&mail.account)
        .bind(self.vault.wrap(PURPOSE, &json)?)
        .bind(i64::from(mail.wanted))
        .bind(to_micros(self.clock.now()))
        .bind(to_micros(self.clock.after(mail.life)))
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Removes what is still to be sent about an account.
    pub(crate) async fn forget(&self, tx: &mut Tx, account: &str) -> Result<(), StoreError> {
        query("DELETE FROM mail WHERE account_id = $1")
            .bind(account)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
