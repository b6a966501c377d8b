//! Services that are slow, down or broken, and bodies that pass while they are still being made.

use std::sync::atomic::Ordering;
use std::time::Duration;

use auth::Role;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::stack::Stack;

#[tokio::test]
async fn a_service_that_does_not_answer_is_504_at_the_deadline() {
    let stack = Stack::new().await;
    let started = Instant::now();
    let request = stack.agent("GET", "/api/v1/flights/offers?do=hang");
    let answer = request
        .header("x-interline-deadline-ms", "300")
        .send()
        .await
        .unwrap();
    let took = started.elapsed();
    assert_eq!(answer.status(), 504);
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_millis(900),
        "{took:?}"
    );
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("DEADLINE_EXCEEDED") && !text.contains("flight"),
        "{text}"
    );
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_to_the_service_with_it() {
    let stack = Stack::new().await;
    let token = stack.token(Role::Agent);
    let mut stream = TcpStream::connect(stack.gateway.address).await.unwrap();
    let request = format!(
        "GET /api/v1/flights/offers?do=hang HTTP/1.1\r\nHost: g.test\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let until = |what: fn(&Stack) -> bool| {
        let stack = &stack;
        timeout(Duration::from_secs(5), async move {
            while !what(stack) {
                tokio::task::yield_now().await;
            }
        })
    };
    until(|stack| !stack.echo.take().is_empty()).await.unwrap();
    drop(stream);
    until(|stack| stack.echo.dropped.load(Ordering::SeqCst) == 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_service_that_is_down_is_503_with_retry_after_within_a_second() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let stack =
        Stack::with(|sources| sources.with("test", "upstreams.flight_service.url", url)).await;
    for method in ["GET", "POST"] {
        let started = Instant::now();
        let answer = stack
            .agent(method, "/api/v1/flights/orders")
            .send()
            .await
            .unwrap();
        assert!(started.elapsed() < Duration::from_secs(1));
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "2");
        let text = answer.text().await.unwrap();
        for inside in ["flight", "127.0.0.1", "refused", "hyper"] {
            assert!(!text.contains(inside), "{text}");
        }
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["errors"][0]["code"], "SERVICE_UNAVAILABLE");
        assert_eq!(body["errors"][0]["retryable"], true);
        assert_eq!(
            body["errors"][0]["may_have_booked"], false,
            "nothing was sent"
        );
    }
    let health = stack
        .client
        .get(stack.url("/health/ready"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        health.status(),
        200,
        "a vertical that is down does not take the gateway with it"
    );
    let health: Value = health.json().await.unwrap();
    assert_eq!(health["status"], "warn");
    assert_eq!(health["checks"]["flight_service"]["status"], "warn");
    assert_eq!(health["checks"]["auth_service"]["status"], "pass");
}

#[tokio::test]
async fn without_the_identity_service_tokens_cannot_be_checked_and_the_gateway_is_not_ready() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let stack =
        Stack::with(|sources| sources.with("test", "upstreams.auth_service.url", url)).await;
    let answer = stack
        .agent("GET", "/api/v1/flights/offers")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(stack.echo.take().is_empty());
    let ready = stack
        .client
        .get(stack.url("/health/ready"))
        .send()
        .await
        .unwrap();
    assert_eq!(ready.status(), 503);
    let live = stack
        .client
        .get(stack.url("/health/live"))
        .send()
        .await
        .unwrap();
    assert_eq!(live.status(), 200);
}

/// A service that answers each connection with the given bytes and closes it.
async fn scripted(answers: Vec<&'static [u8]>) -> (String, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut count = 0;
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            assert!(read > 0);
            count += 1;
            stream.write_all(answer).await.unwrap();
        }
        count
    });
    (url, served)
}

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_tried_again_once_for_get_and_never_for_post() {
    for (method, answers, status) in [
        ("GET", vec![b"".as_slice(), GOOD], 200),
        ("GET", vec![b"", b""], 503),
        ("POST", vec![b""], 503),
        ("GET", vec![b"garbage\r\n\r\n"], 503),
        ("POST", vec![b"HTTP/1.1 2"], 503),
    ] {
        let expected = answers.len();
        let (url, served) = scripted(answers).await;
        let stack =
            Stack::with(|sources| sources.with("test", "upstreams.flight_service.url", url)).await;
        let answer = stack
            .agent(method, "/api/v1/flights/orders")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method}");
        if status == 503 {
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["errors"][0]["may_have_booked"], method == "POST");
        }
        assert_eq!(served.await.unwrap(), expected, "{method}");
    }
}

#[tokio::test]
async fn the_first_part_of_an_answer_arrives_before_the_service_has_made_the_last() {
    let stack = Stack::new().await;
    let request = stack.agent("GET", "/api/v1/flights/offers?do=stream");
    let mut parts = request.send().await.unwrap().bytes_stream();
    let first = timeout(Duration::from_secs(3), parts.next()).await.unwrap();
    assert_eq!(first.unwrap().unwrap(), "first");
    stack.echo.go_on.notify_one();
    assert_eq!(parts.next().await.unwrap().unwrap(), "last");
    assert!(parts.next().await.is_none());
}

#[tokio::test]
async fn an_answer_that_never_ends_is_broken_off_at_the_deadline() {
    let stack = Stack::new().await;
    let request = stack.agent("GET", "/api/v1/flights/offers?do=stream");
    let answer = request
        .header("x-interline-deadline-ms", "300")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let whole = timeout(Duration::from_secs(3), answer.text())
        .await
        .unwrap();
    assert!(whole.is_err(), "a part must not pass for the whole");
}

#[tokio::test]
async fn a_refusal_by_a_service_says_how_to_do_better() {
    let stack = Stack::new().await;
    let answer = stack
        .agent("GET", "/api/v1/flights/offers?do=401")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn requests_failures_and_verifications_are_counted() {
    let stack = Stack::new().await;
    stack
        .agent("GET", "/api/v1/flights/offers")
        .send()
        .await
        .unwrap();
    stack.agent("GET", "/api/v1/nothing").send().await.unwrap();
    stack
        .client
        .get(stack.url("/api/v1/nothing"))
        .send()
        .await
        .unwrap();
    let hang = stack.agent("GET", "/api/v1/flights/offers/x?do=hang");
    hang.header("x-interline-deadline-ms", "50")
        .send()
        .await
        .unwrap();
    let text = stack
        .client
        .get(stack.url("/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "interline_gateway_seconds_count{class=\"search\",route=\"GET /api/v1/flights/offers\",status=\"200\"} 1",
        "interline_gateway_seconds_count{class=\"(none)\",route=\"(none)\",status=\"404\"} 1",
        "interline_gateway_upstream_failures_total{reason=\"deadline\",service=\"flight_service\"} 1",
        "interline_gateway_token_verifications_total{outcome=\"valid\"} 3",
        "interline_gateway_token_verifications_total{outcome=\"missing\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn http_2_meets_the_same_policies() {
    let stack = Stack::new().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let offers = stack.url("/api/v1/flights/offers");
    let refused = client.get(&offers).send().await.unwrap();
    assert_eq!(refused.version(), reqwest::Version::HTTP_2);
    assert_eq!(refused.status(), 401);
    let twice = stack.url("/api/v1/flights%2foffers");
    assert_eq!(client.get(twice).send().await.unwrap().status(), 400);
    let token = stack.token(Role::Agent);
    let forged = client.get(&offers).header("x-interline-identity", "forged");
    let answer = forged.bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let reached = stack.echo.one();
    let identity = reached.header("x-interline-identity").unwrap();
    assert!(
        stack
            .hop_verifier("flight_service")
            .verify(identity)
            .is_ok()
    );
    let order = client.post(stack.url("/api/v1/flights/orders")).body("{}");
    assert_eq!(
        order.bearer_auth(&token).send().await.unwrap().status(),
        200
    );
    let reached = stack.echo.one();
    assert_eq!((reached.method.as_str(), reached.body), ("POST", 2));
}

#[tokio::test]
async fn what_a_client_sends_arrives_while_it_is_still_sending() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stack =
        Stack::with(|sources| sources.with("test", "upstreams.flight_service.url", url)).await;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let parts = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    sender.send(Ok::<_, std::io::Error>("first")).unwrap();
    let body = reqwest::Body::wrap_stream(parts);
    let request = stack
        .agent("POST", "/api/v1/flights/orders")
        .body(body)
        .send();
    let request = tokio::spawn(request);
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("first") {
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
    }
    sender.send(Ok("last")).unwrap();
    drop(sender);
    while !String::from_utf8_lossy(&seen).contains("last\r\n0\r\n\r\n") {
        assert!(stream.read_buf(&mut seen).await.unwrap() > 0);
    }
    stream.write_all(GOOD).await.unwrap();
    assert_eq!(request.await.unwrap().unwrap().status(), 200);
}
