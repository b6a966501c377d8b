//! API keys: whom they speak for, how long that is remembered, how fast it is forgotten, how often they
//! may be used.

use std::time::Duration;

use auth::{Credential, Permission, Role};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::stack::Stack;

const OFFERS: &str = "/api/v1/flights/offers";
const ORDERS: &str = "/api/v1/flights/orders";
const KEY: &str = "ilk_abc_secret-1";

fn answer(id: &str, rate_class: &str, expires_at: Option<&str>) -> Value {
    json!({
        "key_id": id, "subject": "usr_7", "role": "agent",
        "permissions": ["offers:read", "of:a:later:release"],
        "rate_class": rate_class, "expires_at": expires_at,
    })
}

impl Stack {
    async fn key_answers(&self, key: &str, path: &str) -> (u16, String) {
        let answer = self.keyed(key, "GET", path).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        let code = body["errors"][0]["code"].as_str().unwrap_or_default();
        (status, code.to_owned())
    }
}

#[tokio::test]
async fn a_key_speaks_for_its_owner_within_its_scopes_and_ends_at_the_gateway() {
    let stack = Stack::new().await;
    stack
        .issuer
        .has_api_key(KEY, answer("key_1", "standard", None));
    assert_eq!(stack.key_answers(KEY, OFFERS).await.0, 200);
    let reached = stack.echo.one();
    assert!(
        reached
            .headers
            .iter()
            .all(|(_, value)| !value.contains(KEY))
    );
    let token = reached.header("x-interline-identity").unwrap();
    let identity = stack.hop_verifier("flight_service").verify(token).unwrap();
    assert_eq!(identity.subject(), "usr_7");
    assert_eq!(identity.role(), Some(Role::Agent));
    assert_eq!(identity.permissions(), [Permission::OffersRead]);
    assert_eq!(identity.credential(), Credential::ApiKey);
    assert_eq!(identity.api_key(), Some("key_1"));
    // The identity service is asked by the gateway, not by the client.
    let asked = stack.issuer.api_keys_asked();
    let [(headers, _)] = &asked[..] else {
        panic!("{asked:?}")
    };
    let token = headers["x-interline-identity"].to_str().unwrap();
    let asking = stack.hop_verifier("auth_service").verify(token).unwrap();
    assert!(asking.is_anonymous());
    assert!(!headers.contains_key("x-api-key"));
    // What the role may and the key may not.
    let refused = stack.key_answers(KEY, ORDERS).await;
    assert_eq!(refused, (403, "FORBIDDEN".to_owned()));
    assert!(stack.echo.take().is_empty());
}

#[tokio::test]
async fn what_wants_a_persons_own_log_in_takes_no_key_and_no_token_of_a_client() {
    let stack = Stack::new().await;
    stack
        .issuer
        .has_api_key(KEY, answer("key_1", "standard", None));
    let (method, path) = ("PATCH", "/api/v1/auth/me");
    let client = stack.token_of(Role::Admin, Some("log_1"), Some("cli_1"));
    for request in [
        stack.keyed(KEY, method, path),
        stack.client.patch(stack.url(path)).bearer_auth(client),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 403);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["code"], "LOGIN_REQUIRED");
    }
    assert!(stack.echo.take().is_empty());
    assert_eq!(
        stack.agent(method, path).send().await.unwrap().status(),
        200
    );
}

#[tokio::test]
async fn two_credentials_at_once_are_refused_whatever_they_are() {
    let stack = Stack::new().await;
    stack
        .issuer
        .has_api_key(KEY, answer("key_1", "standard", None));
    let token = stack.token(Role::Agent);
    for path in [OFFERS, "/api/v1/auth/login", "/.well-known/jwks.json"] {
        for request in [
            stack.keyed(KEY, "GET", path).bearer_auth(&token),
            stack.keyed(KEY, "GET", path).basic_auth("a", Some("b")),
            stack.keyed(KEY, "GET", path).header("x-api-key", KEY),
        ] {
            assert_eq!(request.send().await.unwrap().status(), 400, "{path}");
        }
    }
    assert!(stack.echo.take().is_empty() && stack.issuer.api_keys_asked().is_empty());
}

#[tokio::test]
async fn many_first_uses_at_once_and_a_flood_of_one_invented_key_cost_one_question_each() {
    let stack = Stack::new().await;
    stack.issuer.has_api_key(KEY, answer("key_1", "high", None));
    let uses = join_all((0..50).map(|_| stack.key_answers(KEY, OFFERS))).await;
    assert!(uses.iter().all(|(status, _)| *status == 200));
    assert_eq!(stack.issuer.api_keys_asked().len(), 1);
    let flood = join_all((0..50).map(|_| stack.key_answers("ilk_abc_invented", OFFERS))).await;
    let refused = (401, "UNAUTHENTICATED".to_owned());
    assert!(flood.iter().all(|answer| *answer == refused));
    assert_eq!(stack.issuer.api_keys_asked().len(), 1);
    // What cannot be a key is not asked for at all.
    let long = format!("ilk_{}", "a".repeat(300));
    for text in [
        "",
        "x",
        "ilk",
        "ilk_a b",
        "ilk_\u{e9}",
        "ILK_abc_secret-1",
        &long,
        "ilk_a/../b",
    ] {
        assert_eq!(stack.key_answers(text, OFFERS).await, refused, "{text}");
    }
    assert!(stack.issuer.api_keys_asked().is_empty());
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_a_second_and_its_neighbours_are_not_asked_again() {
    let stack = Stack::new().await;
    let other = "ilk_def_secret-2";
    stack.issuer.has_api_key(KEY, answer("key_1", "high", None));
    stack
        .issuer
        .has_api_key(other, answer("key_2", "high", None));
    for key in [KEY, other] {
        assert_eq!(stack.key_answers(key, OFFERS).await.0, 200);
    }
    stack.issuer.api_keys_asked();
    stack.issuer.loses_api_key(KEY);
    stack.issuer.announce("api_key", "key_1");
    let began = Instant::now();
    while stack.key_answers(KEY, OFFERS).await.0 != 401 {
        assert!(began.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    println!("a revoked API key was refused after {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(stack.issuer.api_keys_asked().len(), 1);
    assert_eq!(stack.key_answers(other, OFFERS).await.0, 200);
    assert!(stack.issuer.api_keys_asked().is_empty());
}

#[tokio::test]
async fn a_key_ends_with_its_time_although_it_is_remembered() {
    let stack = Stack::new().await;
    let ends = answer("key_1", "standard", Some("2026-11-21T12:00:05Z"));
    stack.issuer.has_api_key(KEY, ends);
    assert_eq!(stack.key_answers(KEY, OFFERS).await.0, 200);
    stack.clock.advance(Duration::from_secs(5));
    assert_eq!(stack.key_answers(KEY, OFFERS).await.0, 401);
}

#[tokio::test]
async fn while_nobody_says_whose_a_key_is_it_is_503_and_a_remembered_one_works_on() {
    let stack = Stack::new().await;
    stack
        .issuer
        .has_api_key(KEY, answer("key_1", "standard", None));
    assert_eq!(stack.key_answers(KEY, OFFERS).await.0, 200);
    stack.issuer.api_keys_are_up(false);
    assert_eq!(stack.key_answers(KEY, OFFERS).await.0, 200);
    let other = "ilk_def_secret-2";
    let unknown = stack.key_answers(other, OFFERS).await;
    assert_eq!(unknown, (503, "SERVICE_UNAVAILABLE".to_owned()));
    stack
        .issuer
        .has_api_key(other, answer("key_2", "standard", None));
    stack.issuer.api_keys_are_up(true);
    assert_eq!(stack.key_answers(other, OFFERS).await.0, 200);
}

#[tokio::test]
async fn a_key_has_the_requests_of_its_class_in_a_minute_and_is_told_so() {
    let stack = Stack::with(|sources| {
        sources
            .with("test", "key_rates.standard_per_minute", 3)
            .with("test", "key_rates.high_per_minute", 5)
    })
    .await;
    let high = "ilk_def_secret-2";
    stack
        .issuer
        .has_api_key(KEY, answer("key_1", "standard", None));
    stack
        .issuer
        .has_api_key(high, answer("key_2", "high", None));
    for (key, policy, quota) in [(KEY, "api-key", 3), (high, "api-key-high", 5)] {
        for left in (0..quota).rev() {
            let answer = stack.keyed(key, "GET", OFFERS).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let fields = answer.headers();
            assert_eq!(
                fields["ratelimit-policy"],
                format!("\"{policy}\";q={quota};w=60")
            );
            let stands = fields["ratelimit"].to_str().unwrap();
            assert!(
                stands.starts_with(&format!("\"{policy}\";r={left};t=")),
                "{stands}"
            );
        }
        let refused = stack.keyed(key, "GET", OFFERS).send().await.unwrap();
        assert_eq!(refused.status(), 429);
        let wait: u64 = refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        // A slot of the window counts until it has left whole.
        assert!((1..=61).contains(&wait));
        assert!(refused.headers().contains_key("ratelimit"));
    }
    // A log-in of the same owner is not counted with it.
    let login = stack.agent("GET", OFFERS).send().await.unwrap();
    assert_eq!(login.status(), 200);
    let policy = login.headers()["ratelimit-policy"].to_str().unwrap();
    assert!(policy.starts_with("\"search\";q=300000;w=60"), "{policy}");
}
