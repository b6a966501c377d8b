use auth::{HopSigner, Identity, Role};
use storage::{Row as _, query};
use travel_types::Clock;

use crate::service::{Place, json_of, on_each_engine};

/// 32 bytes in base64, as an operator makes them.
const KEY: &str = "aW50ZXJsaW5lIHRlc3RzOiAzMiBieXRlcyBvZiBrZXk=";

async fn refusal(place: &Place, more: &[(&str, &str)]) -> String {
    match place.start(&Clock::system(), more).await {
        Ok(_) => panic!("it started with {more:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_restart_keeps_the_key_and_the_accounts() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let before = service.tokens("agent@interline.test").await;
        let keys = |url: String| async move {
            let answer = reqwest::get(format!("{url}/.well-known/jwks.json")).await;
            let answer = answer.unwrap();
            assert_eq!(answer.headers()["cache-control"], "public, max-age=300");
            json_of(answer).await
        };
        let published = keys(service.url.clone()).await;
        service.stop().await;

        let service = place.start(&clock, &[]).await.unwrap();
        assert_eq!(keys(service.url.clone()).await, published);
        let after = service.tokens("agent@interline.test").await;
        assert_eq!(before["user"], after["user"]);
        let token = before["access_token"].as_str().unwrap();
        service.verifier(&clock).verify(token).await.unwrap();
        let refresh = before["refresh_token"].as_str().unwrap();
        assert_eq!(service.refresh(refresh).await.status(), 200);
        service.stop().await;

        let db = place.open_store().await;
        let row = query("SELECT COUNT(*) AS n FROM accounts")
            .fetch_one(db.pool())
            .await;
        assert_eq!(row.unwrap().try_get::<i64, _>("n").unwrap(), 3);
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_published_key_is_public_alone_and_named_by_its_thumbprint() {
    let place = Place::sqlite();
    let service = place.start(&Clock::system(), &[]).await.unwrap();
    let answer = reqwest::get(format!("{}/.well-known/jwks.json", service.url)).await;
    let jwks = json_of(answer.unwrap()).await;
    let key = jwks["keys"][0].as_object().unwrap();
    let mut members: Vec<&str> = key.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(key["n"].as_str().unwrap().len(), 342, "2048 bits");
    assert_eq!(key["kid"].as_str().unwrap().len(), 43, "SHA-256");
    let answer = reqwest::get(format!("{}/.well-known/openid-configuration", service.url)).await;
    let metadata = json_of(answer.unwrap()).await;
    assert_eq!(metadata["issuer"], "http://localhost:8000");
    assert_eq!(
        metadata["jwks_uri"],
        "http://localhost:8000/.well-known/jwks.json"
    );
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn production_starts_only_with_a_given_key_and_without_sandbox_accounts() {
    on_each_engine(async |place| {
        // Keys as an operator would make them; here those of another development folder.
        let operator = Place::sqlite();
        let clock = Clock::system();
        operator.start(&clock, &[]).await.unwrap().stop().await;
        let file = |name: &str| {
            let path = operator.data_dir.join("keys").join(name);
            path.to_str().unwrap().to_owned()
        };
        let (signing, public) = (file("signing.pem"), file("identity.pub.pem"));
        let calls = format!("file:{}", file("identity.pem"));
        let base = [
            ("profile", "production"),
            ("identity.public_keys", public.as_str()),
            ("identity.service_private_key", calls.as_str()),
            ("personal_data.master_key", KEY),
            ("mail.url", "http://127.0.0.1:1/mail/messages"),
        ];
        let with = |more: &[(&'static str, &str)]| -> Vec<(String, String)> {
            base.iter()
                .chain(more)
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        let refused = async |more: &[(&'static str, &str)]| {
            let all = with(more);
            let all: Vec<(&str, &str)> = all.iter().map(|(k, v)| (&**k, &**v)).collect();
            refusal(place, &all).await
        };
        assert!(!place.data_dir.join("keys").join("signing.pem").exists());
        let key = ("keys.signing_key_files", signing.as_str());
        let audit = ("audit.key", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        let asked = refused(&[key, audit, ("sandbox.accounts", "on")]).await;
        assert!(asked.contains("sandbox.accounts"), "{asked}");
        let wrong = ("keys.signing_key_files", public.as_str());
        assert!(refused(&[wrong, audit]).await.contains("is not an RSA key"));
        assert!(refused(&[key]).await.contains("audit.key is empty"));
        assert!(!place.data_dir.join("keys").join("audit.pem").exists());
        let unsigned = ("identity.service_private_key", "");
        let unsigned = refused(&[key, audit, unsigned]).await;
        assert!(
            unsigned.contains("identity.service_private_key is empty"),
            "{unsigned}"
        );
        let sealed = refused(&[key, audit, ("personal_data.master_key", "")]).await;
        assert!(
            sealed.contains("personal_data.master_key is empty"),
            "{sealed}"
        );

        let all = with(&[key, audit]);
        let all: Vec<(&str, &str)> = all.iter().map(|(k, v)| (&**k, &**v)).collect();
        let mut service = place.start(&clock, &all).await.unwrap();
        service.gateway = HopSigner::development(&operator.data_dir, clock.clone()).unwrap();
        let email = "admin@interline.test";
        let answer = service.log_in(email, crate::service::PASSWORD, "192.0.2.1");
        assert_eq!(answer.await.status(), 401, "there are no sandbox accounts");
        let nobody = Identity::new("usr_x".to_owned(), Role::Admin, Vec::new());
        assert_eq!(service.me(&nobody).await.status(), 401);
        service.stop().await;

        place.start(&clock, &[audit]).await.unwrap().stop().await;
        let seeded = refused(&[key, audit]).await;
        assert!(seeded.contains("holds sandbox accounts"), "{seeded}");
        operator.remove().await;
    })
    .await;
}

#[tokio::test]
async fn tokens_that_live_longer_than_fifteen_minutes_are_not_issued() {
    let place = Place::sqlite();
    for wrong in ["901", "0"] {
        let refused = refusal(&place, &[("tokens.access_seconds", wrong)]).await;
        assert!(refused.contains("between 1 and 900"), "{refused}");
    }
    place.remove().await;
}
