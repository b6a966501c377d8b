//! Who gets in: 400, 401, 403, 404, 405 and 413, each in the envelope with the request's id.

use std::time::Duration;

use auth::Role;
use serde_json::Value;

use crate::stack::{Stack, status};

async fn assert_error(answer: reqwest::Response, status: u16, code: &str) -> Value {
    assert_eq!(answer.status().as_u16(), status, "{code}");
    let headers = answer.headers().clone();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cache-control", "private, no-store"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(headers[name], value, "{code}");
    }
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], "error");
    assert_eq!(body["data"], Value::Null);
    assert_eq!(body["errors"][0]["code"], code);
    assert_eq!(
        body["meta"]["request_id"],
        headers["x-request-id"].to_str().unwrap()
    );
    body
}

#[tokio::test]
async fn without_valid_credentials_everything_below_api_is_401() {
    let stack = Stack::new().await;
    let good = stack.token(Role::Agent);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    let tampered = format!("Bearer {head}.{turned}");
    // {"alg":"none","typ":"JWT"}
    let none = format!(
        "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.",
        head.split_once('.').unwrap().1
    );
    let long = format!("Bearer {}", "a".repeat(8 * 1024 + 1));
    let credentials = [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Basic dTpw"),
        Some("Bearer a b"),
        Some("Bearer \u{7f}"),
        Some(good.as_str()),
        Some(tampered.as_str()),
        Some(none.as_str()),
        Some(long.as_str()),
    ];
    for credential in credentials {
        for path in [
            "/api/v1/flights/offers",
            "/api/v1/auth/me",
            "/api/v1/nothing",
            "/api",
            "/api/v1/auth/login",
        ] {
            let mut request = stack.client.get(stack.url(path));
            let value =
                credential.map(|text| reqwest::header::HeaderValue::from_bytes(text.as_bytes()));
            match value {
                Some(Ok(value)) => request = request.header("authorization", value),
                Some(Err(_)) => continue,
                None => {}
            }
            let answer = request.send().await.unwrap();
            let challenge = answer.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .to_owned();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
            assert_error(answer, 401, "UNAUTHENTICATED").await;
        }
    }
    let token = stack.token(Role::Agent);
    assert_eq!(
        stack
            .agent("GET", "/api/v1/flights/offers")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    stack.clock.advance(Duration::from_secs(901));
    let expired = stack
        .client
        .get(stack.url("/api/v1/flights/offers"))
        .bearer_auth(token);
    assert_error(expired.send().await.unwrap(), 401, "UNAUTHENTICATED").await;
    assert_eq!(stack.echo.take().len(), 1);
}

#[tokio::test]
async fn a_role_gets_what_its_permissions_allow() {
    let stack = Stack::new().await;
    for (role, method, path, status) in [
        (Role::Traveller, "GET", "/api/v1/flights/offers", 200),
        (Role::Traveller, "HEAD", "/api/v1/flights/offers", 200),
        (Role::Traveller, "GET", "/api/v1/flights/offers/off_1", 200),
        (Role::Traveller, "GET", "/api/v1/places", 200),
        (Role::Traveller, "GET", "/api/v1/auth/me", 200),
        (Role::Traveller, "GET", "/api/v1/flights/orders", 200),
        (
            Role::Traveller,
            "POST",
            "/api/v1/flights/orders/ord_1/cancellations",
            200,
        ),
        (Role::Traveller, "POST", "/api/v1/flights/orders", 403),
        (Role::Support, "POST", "/api/v1/flights/orders", 403),
        (Role::Agent, "POST", "/api/v1/flights/orders", 200),
        (
            Role::Agent,
            "POST",
            "/api/v1/flights/cancellations/can_1/confirm",
            200,
        ),
        (Role::Admin, "POST", "/api/v1/flights/orders", 200),
    ] {
        let request = stack
            .client
            .request(method.parse().unwrap(), stack.url(path));
        let answer = request.bearer_auth(stack.token(role)).send().await.unwrap();
        if status == 403 {
            let body = assert_error(answer, 403, "FORBIDDEN").await;
            assert_eq!(body["errors"][0]["details"]["permission"], "orders:write");
            assert!(stack.echo.take().is_empty());
        } else {
            assert_eq!(answer.status().as_u16(), status, "{role:?} {method} {path}");
            assert_eq!(answer.headers()["cache-control"], "private, no-store");
            let reached = stack.echo.one();
            assert_eq!(
                (reached.method.as_str(), reached.target.as_str()),
                (method, path)
            );
        }
    }
}

#[tokio::test]
async fn a_public_operation_is_handed_on_without_credentials_as_nobody() {
    let stack = Stack::new().await;
    for credential in [None, Some("Bearer stale")] {
        let mut request = stack
            .client
            .post(stack.url("/api/v1/auth/login"))
            .json(&["x"]);
        if let Some(value) = credential {
            request = request.header("authorization", value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let reached = stack.echo.one();
        assert_eq!(reached.header("authorization"), None);
        let token = reached.header("x-interline-identity").unwrap();
        let identity = stack.hop_verifier("auth_service").verify(token).unwrap();
        assert!(identity.is_anonymous());
        assert!(stack.hop_verifier("flight_service").verify(token).is_err());
    }
    let keys = stack
        .client
        .get(stack.url("/.well-known/jwks.json"))
        .send()
        .await
        .unwrap();
    assert_eq!(keys.status(), 200);
    assert_eq!(keys.json::<Value>().await.unwrap()["keys"][0]["kty"], "RSA");
}

#[tokio::test]
async fn what_does_not_exist_is_404_and_other_methods_are_405_with_allow() {
    let stack = Stack::new().await;
    for path in [
        "/api/v1/nothing",
        "/api/v2/flights/offers",
        "/api/v1/flights",
        "/api/v1/sandbox",
        "/nothing",
        "/health/x",
    ] {
        let answer = stack.agent("GET", path).send().await.unwrap();
        assert_error(answer, 404, "NOT_FOUND").await;
    }
    for (method, path, allow) in [
        ("DELETE", "/api/v1/flights/offers", "GET, HEAD"),
        ("PUT", "/api/v1/flights/orders", "POST, GET, HEAD"),
        ("OPTIONS", "/api/v1/flights/orders", "POST, GET, HEAD"),
        ("GET", "/api/v1/auth/login", "POST"),
        ("POST", "/health", "GET, HEAD"),
        (
            "TRACE",
            "/api/v1/flights/offers",
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        ),
        (
            "PROPFIND",
            "/",
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        ),
    ] {
        let answer = stack.agent(method, path).send().await.unwrap();
        assert_eq!(answer.headers()["allow"], allow, "{method} {path}");
        assert_error(answer, 405, "METHOD_NOT_ALLOWED").await;
    }
    let connect =
        "CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&stack.raw(connect.as_bytes()).await), 405);
    assert!(stack.echo.take().is_empty());
}

#[tokio::test]
async fn problem_json_is_given_to_whoever_asks_for_it() {
    let stack = Stack::new().await;
    let request = stack.agent("GET", "/api/v1/nothing");
    let answer = request
        .header("accept", "application/problem+json")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["status"], 404);
    assert_eq!(problem["code"], "NOT_FOUND");
    assert_eq!(problem["instance"], "/api/v1/nothing");
    assert_eq!(problem["request_id"], id);
}

#[tokio::test]
async fn two_hosts_or_two_credentials_are_400() {
    let stack = Stack::new().await;
    let token = stack.token(Role::Agent);
    for fields in [
        "Host: a.test\r\nHost: a.test\r\n",
        "Host: a.test\r\nHost: b.test\r\n",
        "Host: a.test, b.test\r\n",
        "",
        "Host:\r\n",
        "Host: a.test\r\nAuthorization: Bearer x\r\n",
    ] {
        let request = format!(
            "GET /api/v1/flights/offers HTTP/1.1\r\n{fields}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(
            status(&stack.raw(request.as_bytes()).await),
            400,
            "{fields}"
        );
    }
    assert!(stack.echo.take().is_empty());
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_whether_or_not_it_says_so() {
    let stack = Stack::with(|sources| sources.with("test", "http.max_body_bytes", 1000)).await;
    let exact = stack
        .agent("POST", "/api/v1/flights/orders")
        .body("x".repeat(1000));
    assert_eq!(exact.send().await.unwrap().status(), 200);
    assert_eq!(stack.echo.one().body, 1000);
    let stated = stack
        .agent("POST", "/api/v1/flights/orders")
        .body("x".repeat(1001));
    assert_error(stated.send().await.unwrap(), 413, "BODY_TOO_LARGE").await;
    assert!(stack.echo.take().is_empty());
    let chunks = (0..11).map(|_| Ok::<_, std::io::Error>("x".repeat(100)));
    let unstated = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let answer = stack
        .agent("POST", "/api/v1/flights/orders")
        .body(unstated)
        .send()
        .await
        .unwrap();
    assert_error(answer, 413, "BODY_TOO_LARGE").await;
    let packed = stack
        .agent("POST", "/api/v1/flights/orders")
        .header("content-encoding", "gzip");
    assert_error(
        packed.body("x").send().await.unwrap(),
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    )
    .await;
}

#[tokio::test]
async fn browsers_of_listed_origins_get_in_and_others_do_not() {
    let stack = Stack::with(|sources| {
        let origins = vec![settings_value("https://shop.example")];
        sources.with("test", "cors.origins", origins)
    })
    .await;
    for (origin, allowed) in [
        ("https://shop.example", true),
        ("https://shop.example.evil.test", false),
        ("null", false),
    ] {
        let preflight = stack
            .client
            .request(
                reqwest::Method::OPTIONS,
                stack.url("/api/v1/flights/orders"),
            )
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,idempotency-key",
            )
            .send()
            .await
            .unwrap();
        assert_eq!(preflight.status(), 204);
        let refused = stack
            .client
            .get(stack.url("/api/v1/flights/offers"))
            .header("origin", origin);
        let refused = refused.send().await.unwrap();
        assert_eq!(refused.status(), 401);
        let good = stack
            .agent("GET", "/api/v1/flights/offers")
            .header("origin", origin);
        let good = good.send().await.unwrap();
        assert_eq!(good.status(), 200);
        for answer in [&preflight, &refused, &good] {
            let named = answer.headers().get("access-control-allow-origin");
            assert_eq!(
                named.map(|value| value.to_str().unwrap()),
                allowed.then_some(origin)
            );
            assert!(
                answer.headers()["vary"]
                    .to_str()
                    .unwrap()
                    .to_lowercase()
                    .contains("origin")
            );
        }
        let methods = preflight.headers().get("access-control-allow-methods");
        assert_eq!(methods.is_some(), allowed);
    }
}

fn settings_value(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}
