use std::time::Duration;

use auth::{HopSigner, Identity, Permission, Role};
use serde_json::json;
use travel_types::Clock;

use crate::service::{PASSWORD, Place, comparable, data, json_of, on_each_engine};

#[tokio::test]
async fn each_sandbox_account_logs_in_and_its_token_is_verified_with_the_published_key() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let verifier = service.verifier(&clock);
        for (name, role) in [
            ("admin", Role::Admin),
            ("agent", Role::Agent),
            ("traveller", Role::Traveller),
        ] {
            let spelled = format!("  {}@Interline.TEST ", name.to_uppercase());
            let answer = service.log_in(&spelled, PASSWORD, "192.0.2.1").await;
            assert_eq!(answer.headers()["cache-control"], "no-store");
            let tokens = data(answer).await;
            assert_eq!(tokens["token_type"], "Bearer");
            assert_eq!(tokens["expires_in"], 900);
            assert_eq!(tokens["user"]["role"], role.as_str());
            assert_eq!(tokens["user"]["email"], format!("{name}@interline.test"));
            assert!(tokens["user"].get("password_hash").is_none());

            let token = tokens["access_token"].as_str().unwrap();
            let verified = verifier.verify(token).await.unwrap();
            assert_eq!(verified.identity.role(), Some(role));
            assert_eq!(verified.identity.permissions(), role.permissions());
            assert_eq!(verified.identity.subject(), tokens["user"]["id"]);

            let me = service.me(&verified.identity).await;
            assert_eq!(me.headers()["cache-control"], "private, no-store");
            assert_eq!(data(me).await, tokens["user"]);
        }
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_get_the_same_answer() {
    let place = Place::sqlite();
    // A clock that stands still: the same timestamp, and so the same length.
    let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
    let service = place.start(&clock, &[]).await.unwrap();
    let wrong = service.log_in("agent@interline.test", "wrong", "192.0.2.1");
    let wrong = comparable(wrong.await).await;
    let unknown = service.log_in("nobody@interline.test", "wrong", "192.0.2.1");
    let unknown = comparable(unknown.await).await;
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.0, 401);
    assert_eq!(wrong.2["errors"][0]["code"], "INVALID_CREDENTIALS");
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn the_sixth_attempt_after_five_failures_is_429_even_with_the_password_in_any_spelling() {
    let place = Place::sqlite();
    let service = place.start(&Clock::system(), &[]).await.unwrap();
    for spelling in [
        "agent@interline.test",
        "Agent@interline.test",
        " agent@interline.test",
        "AGENT@INTERLINE.TEST",
        "agent@interline.test\t",
    ] {
        let answer = service.log_in(spelling, "wrong", "192.0.2.1").await;
        assert_eq!(answer.status(), 401, "{spelling}");
    }
    let answer = service.log_in("agent@interline.test", PASSWORD, "192.0.2.99");
    let answer = answer.await;
    assert_eq!(answer.status(), 429);
    let wait: u64 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(json_of(answer).await["errors"][0]["code"], "RATE_LIMITED");
    // Another account is not concerned.
    service.tokens("traveller@interline.test").await;
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn a_success_forgives_the_account_but_not_the_address() {
    let place = Place::sqlite();
    let more = [("login.failures_per_address", "8")];
    let service = place.start(&Clock::system(), &more).await.unwrap();
    for _ in 0..2 {
        for _ in 0..4 {
            let answer = service.log_in("agent@interline.test", "wrong", "192.0.2.1");
            assert_eq!(answer.await.status(), 401);
        }
        let answer = service.log_in("agent@interline.test", PASSWORD, "192.0.2.2");
        assert_eq!(answer.await.status(), 200);
    }
    for email in ["agent@interline.test", "nobody@interline.test"] {
        let answer = service.log_in(email, PASSWORD, "192.0.2.1").await;
        assert_eq!(answer.status(), 429);
    }
    let answer = service.log_in("agent@interline.test", PASSWORD, "192.0.2.3");
    assert_eq!(answer.await.status(), 200);
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn guesses_that_come_at_once_do_not_pass_the_limit_by_more_than_the_hashing_turns() {
    let place = Place::sqlite();
    let more = [
        ("passwords.concurrency", "1"),
        ("passwords.wait_ms", "60000"),
    ];
    let service = place.start(&Clock::system(), &more).await.unwrap();
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..30 {
        let body = json!({"email": "agent@interline.test", "password": format!("guess{n}")});
        let request = service.post("/api/v1/auth/login", &body);
        guesses.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    let statuses = guesses.join_all().await;
    let tried = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(tried, 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 25);
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn a_cache_that_is_down_does_not_open_the_door_to_guessing() {
    let place = Place::sqlite();
    // Nothing listens there.
    let more = [
        ("cache.url", "redis://127.0.0.1:1"),
        ("cache.timeout_ms", "50"),
    ];
    let service = place.start(&Clock::system(), &more).await.unwrap();
    for _ in 0..5 {
        let answer = service.log_in("agent@interline.test", "wrong", "192.0.2.1");
        assert_eq!(answer.await.status(), 401);
    }
    let answer = service.log_in("agent@interline.test", PASSWORD, "192.0.2.1");
    assert_eq!(answer.await.status(), 429);
    service.tokens("admin@interline.test").await;
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn only_an_identity_that_a_gateway_signed_for_this_service_gets_in() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let service = place.start(&clock, &[]).await.unwrap();
    let tokens = service.tokens("admin@interline.test").await;
    let id = tokens["user"]["id"].as_str().unwrap().to_owned();
    let admin = Identity::new(id.clone(), Role::Admin, Permission::ALL.to_vec());
    let me = |name: &'static str, value: String| {
        let request = service
            .client
            .get(format!("{}/api/v1/auth/me", service.url));
        async move { request.header(name, value).send().await.unwrap().status() }
    };
    assert_eq!(me("x-nothing", String::new()).await, 401);
    assert_eq!(me("x-user-id", id.clone()).await, 401);
    assert_eq!(me("x-interline-identity", id).await, 401);
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    assert_eq!(me("authorization", bearer).await, 401);
    let elsewhere = service.gateway.sign(&admin, "flight_service").unwrap();
    assert_eq!(me("x-interline-identity", elsewhere).await, 401);
    let other = Place::sqlite();
    let forger = HopSigner::development(&other.data_dir, clock).unwrap();
    let forged = forger.sign(&admin, "auth_service").unwrap();
    assert_eq!(me("x-interline-identity", forged).await, 401);
    assert_eq!(service.me(&Identity::anonymous()).await.status(), 401);
    assert_eq!(service.me(&admin).await.status(), 200);

    let bare = service
        .client
        .post(format!("{}/api/v1/auth/login", service.url));
    let bare = bare.body("{}").send().await.unwrap();
    assert_eq!(bare.status(), 401);
    service.stop().await;
    other.remove().await;
    place.remove().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_right_is_told_why_and_touches_no_counter() {
    on_each_engine(async |place| {
        let service = place.start(&Clock::system(), &[]).await.unwrap();
        let email = "agent@interline.test";
        for (body, status, code) in [
            (json!({"email": email}), 422, "REQUIRED"),
            (json!({"email": 7, "password": "x"}), 422, "INVALID"),
            (json!({"email": " ", "password": "x"}), 422, "INVALID"),
            (json!({"email": "a\0@b", "password": "x"}), 422, "INVALID"),
            (json!({"email": email, "password": ""}), 422, "INVALID"),
            (
                json!({"email": email, "password": "x".repeat(1025)}),
                422,
                "INVALID",
            ),
            (
                json!({"email": email, "password": "x", "role": "admin"}),
                400,
                "UNKNOWN_FIELD",
            ),
        ] {
            let request = service.post("/api/v1/auth/login", &body);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{body}");
            assert_eq!(json_of(answer).await["errors"][0]["code"], code, "{body}");
        }
        service.tokens(email).await;
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_access_token_dies_by_the_clock() {
    let place = Place::sqlite();
    let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
    let service = place.start(&clock, &[]).await.unwrap();
    let tokens = service.tokens("agent@interline.test").await;
    let token = tokens["access_token"].as_str().unwrap();
    let verifier = service.verifier(&clock);
    verifier.verify(token).await.unwrap();
    clock.advance(Duration::from_secs(899));
    verifier.verify(token).await.unwrap();
    clock.advance(Duration::from_secs(1));
    verifier.verify(token).await.unwrap_err();
    service.stop().await;
    place.remove().await;
}
