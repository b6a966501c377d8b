//! The client against real servers on port 0: what goes over the wire, and what a broken wire does.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the whole file is a test: what it unwraps, it asserts"
)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use secrecy::SecretString;
use supplier_client::{
    ApiClient, ApiClientConfig, Auth, Blame, CallCx, OAuth2Client, OAuth2Config, Safety, Sent,
    Signable, Signer, SupplierError, SupplierErrorKind, SupplierMetrics, Transport, WireRequest,
    WireResponse, by_status, path_segment,
};
use telemetry::{Correlation, Metrics};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use travel_types::Clock;

/// Starts a server that answers every request with this function.
async fn server<F>(answer: F) -> String
where
    F: Fn(Request) -> Response + Clone + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(move |request: Request| {
        let answer = answer.clone();
        async move { answer(request) }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Starts a server that reads a request's head and then does this to the connection. Counts connections.
async fn raw_server<F, W>(then: F) -> (String, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let connections = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let mut head = vec![0; 4096];
            let _ = stream.read(&mut head).await;
            tokio::spawn(then(stream));
        }
    });
    (format!("http://{address}"), count)
}

fn client_with(
    url: &str,
    auth: Auth,
    change: impl FnOnce(&mut ApiClientConfig),
) -> (ApiClient, Metrics) {
    let mut config = ApiClientConfig::new("acme", url)
        .unwrap()
        .header("acme-version", "v2");
    config.policy.retry.base_ms = 1;
    change(&mut config);
    let metrics = Metrics::new();
    let families = SupplierMetrics::register(&metrics).unwrap();
    let client = ApiClient::new(config, by_status, auth, &families, Clock::system()).unwrap();
    (client, metrics)
}

fn client(url: &str) -> ApiClient {
    client_with(url, Auth::None, |_| {}).0
}

fn within(millis: u64) -> CallCx {
    CallCx::new(
        Instant::now() + Duration::from_millis(millis),
        Correlation::new(),
    )
}

fn order() -> WireRequest {
    WireRequest::post("order", "/orders", Safety::Unsafe)
        .json(&"an order")
        .unwrap()
}

fn search() -> WireRequest {
    WireRequest::get("search", "/offers")
}

/// What the server saw: method, path with query, headers.
type Seen = Arc<Mutex<Vec<(String, String, HeaderMap)>>>;

async fn recording(answer: fn() -> Response) -> (String, Seen) {
    let seen = Seen::default();
    let log = seen.clone();
    let url = server(move |request| {
        log.lock().unwrap().push((
            request.method().to_string(),
            request.uri().to_string(),
            request.headers().clone(),
        ));
        answer()
    })
    .await;
    (url, seen)
}

#[tokio::test]
async fn a_request_arrives_as_written_below_the_base_urls_prefix() {
    let (url, seen) = recording(|| ([("x-acme", "1")], r#"{"id":"off_1"}"#).into_response()).await;
    let request = WireRequest::get("offer", format!("/offers/{}", path_segment("off/1")))
        .query("sort", "total amount")
        .query("after", "g3QAAAAC+=")
        .header("acme-version", "v3");
    let cx = within(5_000);
    let response = client(&format!("{url}/api/v2/"))
        .call(&cx, request)
        .await
        .unwrap();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("x-acme"), Some("1"));
    let offer: std::collections::BTreeMap<String, String> = response.json().unwrap();
    assert_eq!(offer["id"], "off_1");
    let seen = seen.lock().unwrap();
    let (method, uri, headers) = &seen[0];
    assert_eq!(method, "GET");
    assert_eq!(
        uri,
        "/api/v2/offers/off%2F1?sort=total%20amount&after=g3QAAAAC%2B%3D"
    );
    assert_eq!(headers["acme-version"], "v3");
    assert_eq!(headers["x-request-id"], cx.correlation.request_id());
    let trace = headers["traceparent"].to_str().unwrap();
    assert!(trace.contains(&cx.correlation.trace_id()));
    assert_eq!(headers["accept-encoding"], "gzip");
    assert!(!headers.contains_key("x-interline-deadline-ms"));
}

#[tokio::test]
async fn only_our_own_services_are_told_the_deadline() {
    let (url, seen) = recording(|| StatusCode::OK.into_response()).await;
    let (client, _) = client_with(&url, Auth::None, |config| config.internal = true);
    client.call(&within(5_000), search()).await.unwrap();
    let seen = seen.lock().unwrap();
    let left: u64 = seen[0].2["x-interline-deadline-ms"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=5_000).contains(&left), "{left}");
}

#[tokio::test]
async fn no_redirect_is_followed_and_no_cookie_kept() {
    let (url, seen) = recording(|| {
        (
            StatusCode::FOUND,
            [(header::LOCATION, "/login"), (header::SET_COOKIE, "a=b")],
        )
            .into_response()
    })
    .await;
    let client = client(&url);
    for _ in 0..2 {
        let error = client.call(&within(5_000), search()).await.unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::Protocol);
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(
        seen.iter()
            .all(|(_, uri, headers)| uri == "/offers" && !headers.contains_key("cookie"))
    );
}

#[tokio::test]
async fn a_refused_connection_is_surely_unsent_so_an_order_is_tried_again() {
    let address: SocketAddr = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let (client, metrics) = client_with(&format!("http://{address}"), Auth::None, |_| {});
    let error = client.call(&within(5_000), order()).await.unwrap_err();
    assert_eq!(error.kind, SupplierErrorKind::Unavailable);
    assert_eq!((error.blame, error.sent), (Blame::Network, Sent::No));
    let line = r#"interline_supplier_attempts_total{operation="order",outcome="connect",supplier="acme"} 3"#;
    assert!(metrics.render().contains(line));
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_unknown_and_sent_once() {
    async fn reset(stream: TcpStream) {
        stream.set_zero_linger().unwrap();
    }
    async fn close(_: TcpStream) {}
    async fn truncate(mut stream: TcpStream) {
        let answer = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"id\":";
        let _ = stream.write_all(answer).await;
    }
    async fn garble(mut stream: TcpStream) {
        let _ = stream.write_all(b"\x16\x03\x01 not HTTP\r\n\r\n").await;
    }
    let servers = [
        raw_server(reset).await,
        raw_server(close).await,
        raw_server(truncate).await,
        raw_server(garble).await,
    ];
    for (url, connections) in servers {
        let error = client(&url)
            .call(&within(5_000), order())
            .await
            .unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::OutcomeUnknown, "{error}");
        assert_eq!(error.sent, Sent::Maybe);
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        let error = client(&url)
            .call(&within(5_000), search())
            .await
            .unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::Unavailable, "{error}");
        assert_eq!(
            connections.load(Ordering::SeqCst),
            4,
            "a search is tried three times"
        );
    }
}

#[tokio::test]
async fn a_hanging_server_or_a_dripping_body_ends_with_the_deadline() {
    async fn hang(stream: TcpStream) {
        let _open = stream;
        std::future::pending().await
    }
    async fn drip(mut stream: TcpStream) {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
            .await;
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    for (url, _) in [raw_server(hang).await, raw_server(drip).await] {
        let start = Instant::now();
        let error = client(&url).call(&within(300), search()).await.unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::Timeout);
        let took = start.elapsed();
        assert!(
            took >= Duration::from_millis(300) && took < Duration::from_secs(2),
            "{took:?}"
        );
    }
}

/// 65,536 zero bytes.
const GZIPPED: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 237, 193, 1, 1, 0, 0, 0, 128, 144, 254, 175, 238, 8, 10, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 106,
    235, 142, 151, 215, 0, 0, 1, 0,
];

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_as_it_was_before_compression() {
    let url = server(|request: Request| match request.uri().path() {
        "/zip" => ([(header::CONTENT_ENCODING, "gzip")], GZIPPED).into_response(),
        _ => vec![b' '; 10_001].into_response(),
    })
    .await;
    let limit = |bytes| {
        client_with(&url, Auth::None, |config| {
            config.policy.max_response_bytes = bytes
        })
        .0
    };
    let read = |path| WireRequest::get("read", path);
    for (path, fits) in [("/plain", 10_001), ("/zip", 65_536)] {
        let answer = limit(fits).call(&within(5_000), read(path)).await.unwrap();
        assert_eq!(answer.body.len(), fits);
        let error = limit(fits - 1)
            .call(&within(5_000), read(path))
            .await
            .unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::Protocol);
        assert!(error.detail.contains("longer than"), "{error}");
    }
}

const SECRET: &str = "s3cr3t-t0ken";

/// Signs as many suppliers do: a hash of secret and time would stand where the secret stands here.
struct Stamp;

impl Signer for Stamp {
    fn sign(&self, request: &Signable<'_>) -> Result<HeaderMap, SupplierError> {
        let stamp = format!("{} {} {}", SECRET, request.method, request.target);
        Ok(HeaderMap::from_iter([(
            header::AUTHORIZATION,
            stamp.parse().unwrap(),
        )]))
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_error_and_no_log_line_of_a_failing_call_shows_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (url, seen) =
        recording(|| (StatusCode::INTERNAL_SERVER_ERROR, SECRET).into_response()).await;
    let secret = || SecretString::from(SECRET);
    let (token_client, _) = client_with(&url, Auth::None, |_| {});
    let oauth = OAuth2Config::new("/token", "me", secret());
    let mut printed = format!("{oauth:?}");
    for auth in [
        Auth::Bearer(secret()),
        Auth::Header {
            name: header::HeaderName::from_static("api-key"),
            secret: secret(),
        },
        Auth::Custom(Arc::new(Stamp)),
        Auth::OAuth2(OAuth2Client::new(
            Arc::new(token_client),
            oauth,
            Clock::system(),
        )),
    ] {
        printed += &format!("{auth:?}");
        for url in [url.as_str(), "http://127.0.0.1:1"] {
            let (client, _) = client_with(url, auth.clone(), |_| {});
            let request = order().query("key", SECRET).header("x-own", SECRET);
            printed += &format!("{request:?}");
            let error = client.call(&within(5_000), request).await.unwrap_err();
            printed += &format!("{error} {error:?}");
        }
    }
    let sent = seen.lock().unwrap();
    assert!(
        sent.iter()
            .any(|(_, _, headers)| headers.get("api-key").is_some_and(|key| key == SECRET))
    );
    assert!(sent.iter().any(|(_, uri, headers)| {
        headers
            .get("authorization")
            .is_some_and(|stamp| stamp.to_str().unwrap() == format!("{SECRET} POST {uri}"))
    }));
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("supplier attempt failed"), "{logged}");
    assert!(logged.contains("token fetch failed"), "{logged}");
    for text in [printed, logged] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

/// A supplier whose tokens `t1`, `t2`, … are valid from number `valid` on. Counts token requests and
/// calls.
async fn oauth_supplier(valid: usize) -> (ApiClient, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (tokens, calls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (token_count, call_count) = (tokens.clone(), calls.clone());
    let url = server(move |request| {
        if request.uri().path() == "/token" {
            let number = token_count.fetch_add(1, Ordering::SeqCst) + 1;
            let body = format!(r#"{{"access_token":"t{number}","expires_in":3600}}"#);
            return body.into_response();
        }
        call_count.fetch_add(1, Ordering::SeqCst);
        let token = request.headers()["authorization"].to_str().unwrap();
        let number: usize = token.strip_prefix("Bearer t").unwrap().parse().unwrap();
        match number >= valid {
            true => StatusCode::OK.into_response(),
            false => StatusCode::UNAUTHORIZED.into_response(),
        }
    })
    .await;
    let config = OAuth2Config::new("/token", "me", "secret".into());
    let oauth = OAuth2Client::new(Arc::new(client(&url)), config, Clock::system());
    let (client, _) = client_with(&url, Auth::OAuth2(oauth), |_| {});
    (client, tokens, calls)
}

#[tokio::test]
async fn a_hundred_parallel_calls_need_one_token() {
    let (client, tokens, calls) = oauth_supplier(1).await;
    let cx = within(20_000);
    let answers = join_all((0..100).map(|_| {
        let (client, cx) = (&client, &cx);
        async move { client.call(cx, search()).await }
    }))
    .await;
    let refused = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!((refused, tokens.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(calls.load(Ordering::SeqCst), 100);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_even_for_an_order() {
    let (client, tokens, calls) = oauth_supplier(2).await;
    let answer: WireResponse = client.call(&within(5_000), order()).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(tokens.load(Ordering::SeqCst), 2);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_second_401_is_given_back_and_asks_for_no_more_tokens_for_a_while() {
    let (client, tokens, calls) = oauth_supplier(usize::MAX).await;
    for calls_so_far in [2, 3, 4] {
        let error = client.call(&within(5_000), order()).await.unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::NotAuthorised);
        assert_eq!(error.sent, Sent::Answered);
        assert_eq!(calls.load(Ordering::SeqCst), calls_so_far);
    }
    assert_eq!(tokens.load(Ordering::SeqCst), 2);
}
