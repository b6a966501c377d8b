//! Measures what a hit costs: the look-up, and the bytes of an HTTP/1 response made of it.
//! `cargo run --release -p response_cache --example lookup_cost`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use response_cache::{Audience, Body, BoxError, Fetch, Key, Lookup, Options, ResponseCache, Rule};
use tokio::time::Instant;

const ROUNDS: u32 = 2_000_000;

fn origin() -> Fetch {
    Arc::new(|_| {
        Box::pin(async {
            let body = Full::new(Bytes::from(vec![b'x'; 2_000]));
            let body: Body = body.map_err(|never| match never {}).boxed_unsync();
            Ok(Response::builder()
                .header("content-type", "application/json")
                .header("cache-control", "max-age=3600")
                .header("etag", "\"0123456789abcdef\"")
                .header("vary", "accept-language")
                .header("x-request-id", "0123456789abcdef0123456789abcdef")
                .header("strict-transport-security", "max-age=31536000")
                .body(body)?)
        })
    })
}

/// What a browser sends.
fn request(uri: &str) -> Result<Request<()>, BoxError> {
    Ok(Request::get(uri)
        .header("host", "api.example")
        .header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        )
        .header("accept", "application/json")
        .header("accept-language", "en")
        .header("accept-encoding", "gzip")
        .header("authorization", "Bearer 0123456789abcdef0123456789abcdef")
        .body(())?)
}

#[allow(clippy::print_stdout, reason = "the result of the measurement")]
fn report(what: &str, started: Instant) {
    let nanos = started.elapsed().as_nanos() / u128::from(ROUNDS);
    println!("{what:<46} {nanos:>5} ns");
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let cache = ResponseCache::new(Options::default())?;
    let rule = Arc::new(Rule {
        enabled: true,
        audience: Audience::Everyone,
        freshness: Some(Duration::from_secs(60)),
        ..Rule::default()
    });
    for number in 0..1_000 {
        let (parts, ()) = request(&format!("/api/v1/places?q=lon&page={number}"))?.into_parts();
        let key = Key::new(&parts.uri, &rule, "");
        let answer = cache.serve(key.as_ref(), &rule, parts, origin()).await?;
        answer.into_body().collect().await?;
    }
    let (parts, ()) = request("/api/v1/places?q=lon&page=500")?.into_parts();
    let key = Key::new(&parts.uri, &rule, "").ok_or("no key")?;
    let headers: HeaderMap = parts.headers;
    let now = cache.now();
    let method = Method::GET;

    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(Key::new(black_box(&parts.uri), &rule, ""));
    }
    report("key", started);

    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(cache.lookup(&key, black_box(&headers), &method, now));
    }
    report("lookup", started);

    let mut out = BytesMut::with_capacity(4_096);
    let started = Instant::now();
    for _ in 0..ROUNDS {
        let Lookup::Fresh(hit) = cache.lookup(&key, black_box(&headers), &method, now) else {
            return Err("not fresh".into());
        };
        if hit.is_verbatim(&headers) {
            out.clear();
            out.put_slice(b"HTTP/1.1 200 OK\r\n");
            out.put_slice(hit.stored().header_block());
            hit.put_fields(&mut out);
            out.put_slice(b"\r\n");
            black_box((&out, hit.stored().body().clone()));
        }
    }
    report("lookup and a verbatim HTTP/1 head", started);

    let started = Instant::now();
    for _ in 0..ROUNDS {
        if let Lookup::Fresh(hit) = cache.lookup(&key, black_box(&headers), &method, cache.now()) {
            black_box(hit.respond(&method, &headers));
        }
    }
    report("clock, lookup and an http::Response", started);
    Ok(())
}
