//! A reverse proxy that is nothing but the cache, for the conformance tests of `tests/http_cache`.
//!
//! `caching_proxy LISTEN ORIGIN`, both as `host:port`. Port 0 is any; the address is printed.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use response_cache::{Audience, Body, BoxError, Fetch, Key, Options, ResponseCache, Rule};
use tokio::net::{TcpListener, TcpStream};

type Origin = Client<HttpConnector, Body>;

struct Proxy {
    cache: ResponseCache,
    rule: Arc<Rule>,
    client: Origin,
    origin: String,
}

/// HTTP as it is written, with every status the origin lets be cached.
fn rule() -> Rule {
    Rule {
        enabled: true,
        audience: Audience::Public,
        heuristic: true,
        stale_if_error: Duration::from_secs(60),
        negative: std::iter::once(400..=599).collect(),
        shares_cookies: true,
        ..Rule::default()
    }
}

async fn ask(
    client: Origin,
    origin: String,
    mut parts: Parts,
    body: Body,
) -> Result<Response<Body>, BoxError> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = Uri::try_from(format!("http://{origin}{path}"))?;
    for name in [
        header::CONNECTION,
        header::TE,
        header::UPGRADE,
        header::PROXY_AUTHORIZATION,
    ] {
        parts.headers.remove(name);
    }
    parts
        .headers
        .insert(header::VIA, HeaderValue::from_static("1.1 interline"));
    let response = client.request(Request::from_parts(parts, body)).await?;
    Ok(response.map(|body| body.map_err(BoxError::from).boxed_unsync()))
}

async fn answer(
    proxy: Arc<Proxy>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let key = Key::new(&parts.uri, &proxy.rule, "");
    let body = Mutex::new(Some(body.map_err(BoxError::from).boxed_unsync()));
    let (client, origin) = (proxy.client.clone(), proxy.origin.clone());
    let fetch: Fetch = Arc::new(move |parts| {
        // A request that is repeated is one without a body.
        let body = body.lock().unwrap_or_else(PoisonError::into_inner).take();
        let body = body.unwrap_or_else(|| text(""));
        Box::pin(ask(client.clone(), origin.clone(), parts, body))
    });
    let served = proxy
        .cache
        .serve(key.as_ref(), &proxy.rule, parts, fetch)
        .await;
    Ok(served.unwrap_or_else(|_| {
        let mut response = Response::new(text("the origin does not answer\n"));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    }))
}

fn text(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync()
}

async fn connection(proxy: Arc<Proxy>, stream: TcpStream) {
    let service = service_fn(move |request| answer(Arc::clone(&proxy), request));
    // A connection that breaks concerns its client only.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[tokio::main]
#[allow(clippy::print_stdout, reason = "whoever starts it must learn the port")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(origin)) = (arguments.next(), arguments.next()) else {
        return Err("usage: caching_proxy LISTEN ORIGIN".into());
    };
    let proxy = Arc::new(Proxy {
        cache: ResponseCache::new(Options::default())?,
        rule: Arc::new(rule()),
        client: Client::builder(TokioExecutor::new()).build_http(),
        origin,
    });
    let listener = TcpListener::bind(listen).await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(Arc::clone(&proxy), stream));
    }
}
