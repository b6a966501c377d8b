//! Identity headers cannot be forged: whatever the client sends in whatever spelling, the service sees
//! the gateway's own value, once.

use auth::Role;

use crate::stack::{Reached, Stack, status};

const INTERNAL: [&str; 3] = [
    "x-interline-identity",
    "x-interline-client-ip",
    "x-interline-deadline-ms",
];

/// Letters and digits alone, as a service that is careless about names might compare them.
fn bare(name: &str) -> String {
    let kept = name.chars().filter(char::is_ascii_alphanumeric);
    kept.collect::<String>().to_lowercase()
}

fn assert_untouched(stack: &Stack, reached: &Reached, what: &str) {
    for (name, value) in &reached.headers {
        assert!(!value.contains("forged"), "{what}: {name}: {value}");
        assert!(!name.contains("forged"), "{what}: {name}");
    }
    for internal in INTERNAL {
        let like = reached
            .headers
            .iter()
            .filter(|(name, _)| bare(name) == bare(internal));
        let names: Vec<&str> = like.map(|(name, _)| name.as_str()).collect();
        let expected = if internal == "x-interline-client-ip" {
            names.len().min(1)
        } else {
            1
        };
        assert_eq!(names.len(), expected, "{what}: {names:?}");
        assert!(
            names.iter().all(|name| *name == internal),
            "{what}: {names:?}"
        );
    }
    let token = reached.header("x-interline-identity").unwrap();
    let identity = stack.hop_verifier("flight_service").verify(token).unwrap();
    assert_eq!(identity.subject(), "usr_1", "{what}");
    assert_eq!(identity.role(), Some(Role::Agent), "{what}");
}

#[tokio::test]
async fn no_spelling_of_an_internal_header_passes() {
    let stack = Stack::new().await;
    let mut attempts = Vec::new();
    for name in INTERNAL {
        let stem = name.replace('-', "_");
        let mut spellings = vec![name.to_owned(), name.to_uppercase(), stem.clone()];
        for odd in "_.!#$%&'*+^`|~".chars() {
            spellings.push(name.replace('-', &odd.to_string()));
            spellings.push(name.replacen('-', &odd.to_string(), 1));
            spellings.push(format!("{name}{odd}"));
        }
        for spelling in spellings {
            attempts.push(format!("{spelling}: forged\r\n"));
            attempts.push(format!("{spelling}: forged\r\n{spelling}: forged2\r\n"));
        }
        attempts.push(format!("{name}:\r\n"));
        attempts.push(format!("{name}: forged\r\nConnection: {name}\r\n"));
        attempts.push(format!("Connection: {name}\r\n"));
        attempts.push(format!("Connection: keep-alive, {name}, accept\r\n"));
        attempts.push(format!("Forwarded: for=forged;{name}=forged\r\n"));
    }
    for name in [
        "x-forwarded-for",
        "x-real-ip",
        "x-user-id",
        "x-forwarded-host",
        "via",
        "cookie",
        "forwarded",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "te",
        "proxy-authorization",
        "upgrade",
    ] {
        attempts.push(format!("{name}: forged\r\n"));
    }
    let token = stack.token(Role::Agent);
    for attempt in &attempts {
        let request = format!(
            "GET /api/v1/flights/orders HTTP/1.1\r\nHost: g.test\r\nAuthorization: Bearer {token}\r\n\
             {attempt}Connection: close\r\n\r\n"
        );
        assert_eq!(
            status(&stack.raw(request.as_bytes()).await),
            200,
            "{attempt}"
        );
        assert_untouched(&stack, &stack.echo.one(), attempt);
    }
    assert!(attempts.len() > 250);
}

#[tokio::test]
async fn folded_lines_and_trailers_carry_no_identity_in() {
    let stack = Stack::new().await;
    let token = stack.token(Role::Agent);
    let folded = format!(
        "GET /api/v1/flights/orders HTTP/1.1\r\nHost: g.test\r\nAuthorization: Bearer {token}\r\n\
         Accept: a\r\n X-Interline-Identity: forged\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(status(&stack.raw(folded.as_bytes()).await), 400);
    assert!(stack.echo.take().is_empty());
    let trailer = format!(
        "POST /api/v1/flights/orders HTTP/1.1\r\nHost: g.test\r\nAuthorization: Bearer {token}\r\n\
         Transfer-Encoding: chunked\r\nTrailer: X-Interline-Identity\r\nConnection: close\r\n\r\n\
         2\r\n{{}}\r\n0\r\nX-Interline-Identity: forged\r\n\r\n"
    );
    assert_eq!(status(&stack.raw(trailer.as_bytes()).await), 200);
    let reached = stack.echo.one();
    assert_eq!(reached.body, 2);
    assert_untouched(&stack, &reached, "trailer");
}

#[tokio::test]
async fn a_service_gets_the_listed_headers_and_none_besides() {
    let stack = Stack::new().await;
    let answer = stack
        .agent("POST", "/api/v1/flights/orders")
        .header("idempotency-key", "k-1")
        .header("accept-language", "de")
        .header("if-match", "\"v\"")
        .header("user-agent", "shop/1")
        .header("x-request-id", "client-1")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .header("origin", "https://a.example")
        .json(&[1, 2, 3])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-request-id"], "client-1");
    let reached = stack.echo.one();
    let mut names: Vec<&str> = reached
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.retain(|name| *name != "x-interline-client-ip");
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "accept-language",
            "content-length",
            "content-type",
            "host",
            "idempotency-key",
            "if-match",
            "traceparent",
            "user-agent",
            "x-interline-deadline-ms",
            "x-interline-identity",
            "x-request-id"
        ]
    );
    assert_eq!(reached.body, 7);
    assert_eq!(reached.header("x-request-id"), Some("client-1"));
    assert!(
        reached
            .header("traceparent")
            .unwrap()
            .contains("4bf92f3577b34da6a3ce929d0e0e4736")
    );
    let left: u64 = reached
        .header("x-interline-deadline-ms")
        .unwrap()
        .parse()
        .unwrap();
    assert!((34_000..=35_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_callers_shorter_deadline_is_handed_on_and_a_longer_one_is_not() {
    let stack = Stack::new().await;
    for (stated, low, high) in [("1500", 1_000, 1_500), ("999999", 5_000, 6_000)] {
        let request = stack.agent("GET", "/api/v1/flights/offers");
        request
            .header("x-interline-deadline-ms", stated)
            .send()
            .await
            .unwrap();
        let reached = stack.echo.one();
        let left: u64 = reached
            .header("x-interline-deadline-ms")
            .unwrap()
            .parse()
            .unwrap();
        assert!((low..=high).contains(&left), "{stated}: {left}");
    }
}

#[tokio::test]
async fn an_answer_shows_nothing_of_the_inside() {
    let stack = Stack::new().await;
    let request = stack.agent("GET", "/api/v1/flights/offers?do=leak");
    let answer = request
        .header("x-request-id", "bad id!")
        .send()
        .await
        .unwrap();
    let headers = answer.headers();
    for absent in [
        "server",
        "x-interline-instance",
        "access-control-allow-origin",
        "connection",
    ] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
    assert_eq!(headers["etag"], "\"v1\"");
    assert_eq!(headers["cache-control"], "public, max-age=3");
    let id = headers["x-request-id"].to_str().unwrap();
    assert!(
        id.starts_with("req_"),
        "a bad id is replaced, an inner one is not shown: {id}"
    );
    assert_eq!(stack.echo.one().header("x-request-id"), Some(id));
}

#[tokio::test]
async fn behind_a_proxy_of_ours_the_client_has_the_address_that_the_proxy_wrote() {
    const CLIENT_IP: &str = "x-interline-client-ip";
    let believed = |stack: &Stack| stack.echo.one().header(CLIENT_IP).unwrap().to_owned();
    for (trusted, client) in [(&[][..], "127.0.0.1"), (&["127.0.0.0/8"], "203.0.113.7")] {
        let list: Vec<String> = trusted.iter().map(|text| (*text).to_owned()).collect();
        let stack = Stack::with(|sources| sources.with("test", "http.trusted_proxies", list)).await;
        let request = stack.agent("GET", "/api/v1/flights/orders");
        let request = request.header("x-forwarded-for", "6.6.6.6, 203.0.113.7");
        assert_eq!(request.send().await.unwrap().status(), 200);
        assert_eq!(believed(&stack), client);
    }
}
