//! Rotation of the signing keys, over one instance and over several.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use auth::{AccessVerifier, Identity, Role, SigningKey};
use reqwest::Response;
use serde_json::{Value, json};
use storage::{Row as _, query};
use tokio::time::sleep;
use travel_types::Clock;

use crate::application::{admin, audited, call, revoked, send};
use crate::service::{Place, Service, data, json_of, on_each_engine};

const KEYS: &str = "/api/v1/auth/signing-keys";
/// Each instance looks at the store often, so that a test need not wait.
const SOON: (&str, &str) = ("keys.poll_ms", "20");

fn manual() -> Clock {
    Clock::manual("2026-11-21T12:00:00Z".parse().unwrap())
}

async fn rotate(service: &Service, admin: &Identity, compromised: bool) -> Response {
    let body = json!({"compromised": compromised});
    send(service, "POST", &format!("{KEYS}/rotations"), admin, &body).await
}

async fn published(service: &Service) -> Vec<String> {
    let url = format!("{}/.well-known/jwks.json", service.url);
    let jwks = json_of(service.client.get(url).send().await.unwrap()).await;
    let keys = jwks["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

async fn states(service: &Service, admin: &Identity) -> Vec<(String, String)> {
    let listed = call(service, "GET", KEYS, admin).send().await.unwrap();
    assert_eq!(listed.status(), 200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let keys = data(listed).await;
    let keys = keys.as_array().unwrap().iter();
    keys.map(|key| (text(&key["state"]), text(&key["kid"])))
        .collect()
}

/// The key that signed a token.
async fn signer(service: &Service) -> String {
    use base64::Engine as _;
    let tokens = service.tokens("agent@interline.test").await;
    let token = tokens["access_token"].as_str().unwrap();
    let header = token.split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header);
    let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Waits for what another instance or a background task will do.
async fn until(what: &str, check: impl AsyncFn() -> bool) {
    for _ in 0..500 {
        if check().await {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not come true");
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_until_its_last_token_is_dead() {
    on_each_engine(async |place| {
        let clock = manual();
        let service = place.start(&clock, &[SOON]).await.unwrap();
        let admin = admin(&service, &clock).await;
        let first = signer(&service).await;
        assert_eq!(published(&service).await, [first.as_str()]);
        let answer = rotate(&service, &admin, false).await;
        assert_eq!(answer.status(), 201);
        let made = data(answer).await;
        assert_eq!(made["state"], "next");
        assert_eq!(made["signs_from"], "2026-11-21T12:10:00Z");
        let second = made["kid"].as_str().unwrap().to_owned();
        let both = [first.clone(), second.clone()];
        assert_eq!(published(&service).await, both);
        assert_eq!(signer(&service).await, first);
        // The next one is on its way already.
        assert_eq!(rotate(&service, &admin, false).await.status(), 409);

        clock.advance(Duration::from_secs(599));
        assert_eq!(signer(&service).await, first);
        clock.advance(Duration::from_secs(1));
        assert_eq!(signer(&service).await, second);
        assert_eq!(published(&service).await, both);
        let file = place.data_dir.join("keys").join("signing.pem");
        until("the file shows the new key", async || {
            SigningKey::from_file(&file).unwrap().kid() == second
        })
        .await;
        clock.advance(Duration::from_secs(900 + 119));
        assert_eq!(published(&service).await, both);
        clock.advance(Duration::from_secs(1));
        assert_eq!(published(&service).await, [second.as_str()]);
        let expected = [
            ("signing".to_owned(), second),
            ("retired".to_owned(), first),
        ];
        assert_eq!(states(&service, &admin).await, expected);
        // first key, command, refused command
        assert_eq!(audited(place, "signing_key_rotate").await, (2, 1));
        assert!(revoked(&service).await.is_empty());

        let db = place.open_store().await;
        until("the dead key's private half is destroyed", async || {
            let rows = query("SELECT wrapped FROM signing_keys ORDER BY generation");
            let rows = rows.fetch_all(db.pool()).await.unwrap();
            let wrapped: Option<String> = rows[0].try_get("wrapped").unwrap();
            wrapped.is_none()
        })
        .await;
        db.close().await;
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn private_keys_are_stored_encrypted_and_open_under_the_same_master_key_alone() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let first = signer(&service).await;
        service.stop().await;
        let pem = std::fs::read_to_string(place.data_dir.join("keys").join("signing.pem"));
        let der = SigningKey::from_pem(&pem.unwrap())
            .unwrap()
            .to_der()
            .unwrap();
        let db = place.open_store().await;
        let row = query("SELECT kid, wrapped FROM signing_keys")
            .fetch_one(db.pool())
            .await;
        let row = row.unwrap();
        let wrapped: String = row.try_get("wrapped").unwrap();
        assert_eq!(row.try_get::<String, _>("kid").unwrap(), first);
        let modulus =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der[60..90]);
        assert!(!wrapped.contains(modulus.trim_end_matches('=')));
        db.close().await;
        let other = (
            "personal_data.master_key",
            "aW50ZXJsaW5lIHRlc3RzOiAzMiBieXRlcyBvZiBrZXk=",
        );
        let refused = match place
            .start(&clock, &[other, ("sandbox.accounts", "off")])
            .await
        {
            Ok(_) => panic!("it started with another master key"),
            Err(error) => error.to_string(),
        };
        assert!(refused.contains("personal_data.master_key"), "{refused}");
        // A development file that was lost is written anew.
        let file = place.data_dir.join("keys").join("signing.pem");
        std::fs::remove_file(&file).unwrap();
        let service = place.start(&clock, &[]).await.unwrap();
        assert_eq!(signer(&service).await, first);
        assert_eq!(SigningKey::from_file(&file).unwrap().kid(), first);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_schedule_makes_one_key_over_all_instances() {
    let place = Place::postgres();
    let clock = manual();
    let more = [SOON, ("keys.rotate_days", "1")];
    let one = place.start(&clock, &more).await.unwrap();
    let two = place.start(&clock, &more).await.unwrap();
    let first = signer(&one).await;
    assert_eq!(signer(&two).await, first);
    clock.advance(Duration::from_secs(86_400 - 601));
    sleep(Duration::from_millis(200)).await;
    assert_eq!(published(&one).await.len(), 1, "not before its time");
    clock.advance(Duration::from_secs(1));
    until("the next key is published", async || {
        published(&two).await.len() == 2
    })
    .await;
    sleep(Duration::from_millis(300)).await;
    let both = published(&one).await;
    assert_eq!(both.len(), 2, "exactly one was made");
    assert_eq!(published(&two).await, both);
    clock.advance(Duration::from_secs(600));
    assert_eq!(signer(&one).await, both[1]);
    assert_eq!(signer(&two).await, both[1]);
    assert_eq!(audited(&place, "signing_key_rotate").await, (2, 0));
    one.stop().await;
    two.stop().await;
    place.remove().await;
}

/// Uses tokens of both instances without a pause, as clients of a gateway do.
async fn under_load(
    services: [Arc<Service>; 2],
    verifier: &AccessVerifier,
    rotation: impl AsyncFnOnce(),
) -> (usize, usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let (used, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..6 {
        let service = Arc::clone(&services[n % 2]);
        let (stop, verifier) = (Arc::clone(&stop), verifier.clone());
        let (used, failed) = (Arc::clone(&used), Arc::clone(&failed));
        let mut tokens = service.tokens("agent@interline.test").await;
        clients.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let token = tokens["access_token"].as_str().unwrap();
                for _ in 0..5 {
                    used.fetch_add(1, Ordering::SeqCst);
                    if verifier.verify(token).await.is_err() {
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                }
                let refresh = tokens["refresh_token"].as_str().unwrap();
                let next = service.refresh(refresh).await;
                assert_eq!(next.status(), 200);
                tokens = data(next).await;
            }
        });
    }
    rotation().await;
    stop.store(true, Ordering::SeqCst);
    clients.join_all().await;
    (used.load(Ordering::SeqCst), failed.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_on_command_under_load_fails_no_request() {
    let place = Place::postgres();
    // No clock that jumps: requests are under way.
    let clock = Clock::system();
    let more = [SOON, ("keys.publish_ahead_s", "3")];
    let one = Arc::new(place.start(&clock, &more).await.unwrap());
    let two = Arc::new(place.start(&clock, &more).await.unwrap());
    let who = admin(&one, &clock).await;
    let services = [Arc::clone(&one), Arc::clone(&two)];
    let verifier = one.verifier(&clock);
    let (used, failed) = under_load(services, &verifier, async || {
        for _ in 0..2 {
            let before = signer(&one).await;
            // At both at once: one makes the key; the other is told so, unless it came much later.
            let both = tokio::join!(rotate(&one, &who, false), rotate(&two, &who, false));
            let mut statuses = [both.0.status().as_u16(), both.1.status().as_u16()];
            statuses.sort_unstable();
            assert!([[201, 201], [201, 409]].contains(&statuses), "{statuses:?}");
            // A verifier fetches them every five minutes, and has ten.
            verifier.refetch_keys().await;
            until("both sign with the new key", async || {
                let (a, b) = (signer(&one).await, signer(&two).await);
                a == b && a != before
            })
            .await;
        }
    })
    .await;
    println!("{used} tokens were used, {failed} refused");
    assert!(used > 50, "{used}");
    assert_eq!(failed, 0);
    for service in [one, two] {
        Arc::into_inner(service).unwrap().stop().await;
    }
    place.remove().await;
}

#[tokio::test]
async fn a_compromised_key_is_withdrawn_at_once_on_every_instance() {
    let place = Place::postgres();
    let clock = manual();
    let one = place.start(&clock, &[SOON]).await.unwrap();
    // This one looks at the store only when it is asked.
    let two = place
        .start(&clock, &[("keys.poll_ms", "3600000")])
        .await
        .unwrap();
    let who = admin(&one, &clock).await;
    let first = signer(&two).await;
    assert_eq!(rotate(&one, &who, false).await.status(), 201);
    let answer = rotate(&one, &who, true).await;
    assert_eq!(answer.status(), 201);
    let new = data(answer).await;
    assert_eq!(new["state"], "signing");
    let new = new["kid"].as_str().unwrap().to_owned();
    assert_eq!(signer(&one).await, new);
    assert_eq!(published(&one).await, [new.as_str()]);
    // Verifiers that come by the feed's word get the new keys from whichever instance they ask.
    assert_eq!(
        revoked(&two).await,
        [("signing_keys".to_owned(), new.clone())]
    );
    assert_eq!(published(&two).await, [new.as_str()]);
    assert_eq!(signer(&two).await, new);
    let states = states(&one, &who).await;
    let names: Vec<&str> = states.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(names, ["signing", "withdrawn", "withdrawn"]);
    assert_eq!(states[2].1, first);
    let db = place.open_store().await;
    let rows = query("SELECT kid FROM signing_keys WHERE wrapped IS NOT NULL");
    assert_eq!(rows.fetch_all(db.pool()).await.unwrap().len(), 1);
    db.close().await;
    one.stop().await;
    two.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn keys_that_are_given_as_files_are_all_published_the_first_signs_and_none_is_rotated() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let (a, b) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    std::fs::create_dir_all(&place.data_dir).unwrap();
    let file = |name: &str, key: &SigningKey| {
        let path = place.data_dir.join(name);
        std::fs::write(&path, key.to_pem().unwrap()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let files = format!("{},{}", file("a.pem", &a), file("b.pem", &b));
    let given = [("keys.signing_key_files", files.as_str())];
    let service = place.start(&clock, &given).await.unwrap();
    assert_eq!(signer(&service).await, a.kid());
    assert_eq!(published(&service).await, [a.kid(), b.kid()]);
    let who = admin(&service, &clock).await;
    let listed = [("signing", a.kid()), ("verifying", b.kid())];
    let listed = listed.map(|(state, kid)| (state.to_owned(), kid.to_owned()));
    assert_eq!(states(&service, &who).await, listed);
    for compromised in [false, true] {
        let refused = rotate(&service, &who, compromised).await;
        assert_eq!(refused.status(), 409);
    }
    assert!(!place.data_dir.join("keys").join("signing.pem").exists());
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn only_administrators_see_and_rotate_keys() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let service = place.start(&clock, &[]).await.unwrap();
    for role in [Role::Traveller, Role::Agent, Role::Support, Role::Service] {
        let who = Identity::new("usr_1".to_owned(), role, role.permissions().to_vec());
        assert_eq!(rotate(&service, &who, true).await.status(), 403);
        let list = call(&service, "GET", KEYS, &who).send().await.unwrap();
        assert_eq!(list.status(), 403);
    }
    let who = admin(&service, &clock).await;
    let path = format!("{KEYS}/rotations");
    let wrong = send(&service, "POST", &path, &who, &json!({})).await;
    assert_eq!(wrong.status(), 422);
    service.stop().await;
    place.remove().await;
}
