//! The sandbox accounts: made in development, refused in production.

use auth::Role;
use service_kit::{Context, Profile, StartError};
use storage::Db;
use travel_types::UserId;

use crate::accounts::{Accounts, NewAccount, Personal};
use crate::passwords::Passwords;

/// Address, name and role of each account.
const ACCOUNTS: [(&str, &str, Role); 3] = [
    ("admin@interline.test", "Ada Admin", Role::Admin),
    ("agent@interline.test", "Arthur Agent", Role::Agent),
    (
        "traveller@interline.test",
        "Tara Traveller",
        Role::Traveller,
    ),
];
/// Their password, as the public contract names it.
const PASSWORD: &str = "interline-sandbox";

/// Makes the accounts that are missing, or makes sure that production has none.
///
/// # Errors
/// [`StartError::Other`] when production is asked for sandbox accounts or its store has some.
pub(crate) async fn seed(
    context: &Context,
    db: &Db,
    accounts: &Accounts,
    passwords: &Passwords,
) -> Result<(), StartError> {
    let wanted: String = context.settings.get("sandbox.accounts")?;
    match (context.profile, wanted.as_str()) {
        (Profile::Production, "on") => Err(StartError::Other(
            "sandbox.accounts is 'on': production makes no sandbox accounts; set it to 'off'"
                .to_owned(),
        )),
        (Profile::Production, "auto" | "off") => refuse_seeded(accounts).await,
        (Profile::Development, "auto" | "on") => make(context, db, accounts, passwords).await,
        (Profile::Development, "off") => Ok(()),
        (_, other) => Err(StartError::Other(format!(
            "configuration key 'sandbox.accounts' is '{other}'; it must be auto, on or off"
        ))),
    }
}

async fn refuse_seeded(accounts: &Accounts) -> Result<(), StartError> {
    if accounts.sandbox_count().await? == 0 {
        return Ok(());
    }
    Err(StartError::Other(
        "the store holds sandbox accounts, whose password is public: production needs a store that \
         no development instance has used"
            .to_owned(),
    ))
}

async fn make(
    context: &Context,
    db: &Db,
    accounts: &Accounts,
    passwords: &Passwords,
) -> Result<(), StartError> {
    for (email, full_name, role) in ACCOUNTS {
        if accounts.with_email(email).await?.is_some() {
            continue;
        }
        let fault = |words: String| StartError::Other(words);
        let turn = passwords
            .turn(std::time::Duration::MAX)
            .await
            .ok_or_else(|| fault("no turn to hash a sandbox password".to_owned()))?;
        let (password_hash, _) = turn
            .hash(PASSWORD.into())
            .await
            .map_err(|error| fault(error.to_string()))?;
        let personal = Personal {
            email: email.to_owned(),
            full_name: full_name.to_owned(),
        };
        let account = NewAccount {
            id: UserId::new(&context.clock),
            personal: &personal,
            role,
            password_hash: &password_hash,
            sandbox: true,
            created_at: context.clock.now(),
        };
        let mut tx = db.begin().await?;
        accounts.add(&mut tx, &account).await?;
        tx.commit().await?;
    }
    Ok(())
}
