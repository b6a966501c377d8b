//! Sealing, opening, destroying.

use futures_util::future::join_all;
use personal_data::{MasterKey, Vault, VaultError};
use storage::{Db, Row as _, query};

use crate::engines::on_each_engine;

const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn vault(db: &Db) -> Vault {
    let master = MasterKey::from_text(&MASTER.to_owned().into()).unwrap();
    Vault::new(db.clone(), master)
}

async fn seal(db: &Db, vault: &Vault, subject: &str, text: &str) -> Result<String, VaultError> {
    let mut tx = db.begin().await?;
    let sealed = vault.seal(&mut tx, subject, text).await?;
    tx.commit().await?;
    Ok(sealed)
}

async fn destroy(db: &Db, vault: &Vault, subject: &str) -> bool {
    let mut tx = db.begin().await.unwrap();
    let first = vault.destroy(&mut tx, subject).await.unwrap();
    tx.commit().await.unwrap();
    first
}

#[tokio::test]
async fn what_was_sealed_for_a_person_opens_for_that_person_alone() {
    on_each_engine(async |db| {
        let vault = vault(db);
        let sealed = seal(db, &vault, "usr_1", "Tony Stark").await.unwrap();
        seal(db, &vault, "usr_2", "x").await.unwrap();
        assert!(!sealed.contains("Tony"));
        assert_eq!(
            vault.open("usr_1", &sealed).await.unwrap().as_deref(),
            Some("Tony Stark")
        );
        let mut tx = db.begin().await.unwrap();
        let within = vault.open_in(&mut tx, "usr_1", &sealed).await.unwrap();
        assert_eq!(within.as_deref(), Some("Tony Stark"));
        drop(tx);
        for subject in ["usr_2", "usr_3"] {
            let error = vault.open(subject, &sealed).await.unwrap_err();
            assert!(matches!(error, VaultError::Unreadable), "{error}");
        }
        // Who has the database has nothing without the master key.
        let other = MasterKey::from_text(&OTHER.to_owned().into()).unwrap();
        let error = Vault::new(db.clone(), other).open("usr_1", &sealed).await;
        assert!(matches!(error, Err(VaultError::Unreadable)));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_many_people_is_opened_in_its_order() {
    on_each_engine(async |db| {
        let vault = vault(db);
        let mut sealed = Vec::new();
        for n in 0..30 {
            let subject = format!("usr_{}", n % 7);
            let text = seal(db, &vault, &subject, &format!("text {n}"))
                .await
                .unwrap();
            sealed.push((subject, text));
        }
        destroy(db, &vault, "usr_3").await;
        let items: Vec<(&str, &str)> = sealed
            .iter()
            .map(|(subject, text)| (subject.as_str(), text.as_str()))
            .collect();
        let opened = vault.open_many(&items).await.unwrap();
        assert_eq!(opened.len(), 30);
        for (n, text) in opened.iter().enumerate() {
            let expected = (n % 7 != 3).then(|| format!("text {n}"));
            assert_eq!(*text, expected);
        }
        assert!(vault.open_many(&[]).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_destroyed_key_takes_everything_with_it_and_never_comes_back() {
    on_each_engine(async |db| {
        let vault = vault(db);
        let sealed = seal(db, &vault, "usr_1", "Tony Stark").await.unwrap();
        let kept = seal(db, &vault, "usr_2", "Pepper Potts").await.unwrap();

        // Not before the commit.
        let mut tx = db.begin().await.unwrap();
        assert!(vault.destroy(&mut tx, "usr_1").await.unwrap());
        tx.rollback().await.unwrap();
        assert!(vault.open("usr_1", &sealed).await.unwrap().is_some());

        assert!(destroy(db, &vault, "usr_1").await);
        assert!(!destroy(db, &vault, "usr_1").await, "the second time");
        assert!(destroy(db, &vault, "usr_never_seen").await);
        assert_eq!(vault.open("usr_1", &sealed).await.unwrap(), None);
        for subject in ["usr_1", "usr_never_seen"] {
            let error = seal(db, &vault, subject, "x").await.unwrap_err();
            assert!(matches!(error, VaultError::Erased), "{error}");
        }
        assert!(vault.open("usr_2", &kept).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn many_first_seals_at_once_end_with_one_key() {
    on_each_engine(async |db| {
        let vault = vault(db);
        for round in 0..5 {
            let subject = format!("usr_{round}");
            let seals = (0..20).map(|n| {
                let (vault, subject) = (vault.clone(), subject.clone());
                async move { seal(db, &vault, &subject, &format!("{n}")).await.unwrap() }
            });
            for (n, sealed) in join_all(seals).await.into_iter().enumerate() {
                let opened = vault.open(&subject, &sealed).await.unwrap();
                assert_eq!(opened, Some(format!("{n}")));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_seal_that_races_with_the_destruction_leaves_nothing_that_opens() {
    on_each_engine(async |db| {
        let vault = vault(db);
        for round in 0..10 {
            let subject = format!("usr_{round}");
            if round % 2 == 0 {
                seal(db, &vault, &subject, "first").await.unwrap();
            }
            let seals = join_all((0..6).map(|_| seal(db, &vault, &subject, "x")));
            let (sealed, ()) = futures_util::future::join(seals, async {
                destroy(db, &vault, &subject).await;
            })
            .await;
            for result in sealed {
                match result {
                    Ok(text) => assert_eq!(vault.open(&subject, &text).await.unwrap(), None),
                    Err(error) => assert!(matches!(error, VaultError::Erased), "{error}"),
                }
            }
            let row = query(
                "SELECT COUNT(*) AS n FROM subject_keys WHERE subject = $1 AND wrapped IS NULL",
            )
            .bind(subject)
            .fetch_one(db.pool())
            .await
            .unwrap();
            assert_eq!(row.try_get::<i64, _>("n").unwrap(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrapped_secret_is_unwrapped_for_its_purpose_alone() {
    on_each_engine(async |db| {
        let vault = vault(db);
        let wrapped = vault.wrap("signing key", b"secret").unwrap();
        assert_eq!(
            vault.unwrap_("signing key", &wrapped).as_deref(),
            Some(b"secret".as_slice())
        );
        assert_eq!(vault.unwrap_("other", &wrapped), None);
        let other = MasterKey::from_text(&OTHER.to_owned().into()).unwrap();
        assert_eq!(
            Vault::new(db.clone(), other).unwrap_("signing key", &wrapped),
            None
        );
    })
    .await;
}
