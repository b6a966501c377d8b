//! Connections that speak something else after a 101.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_engine::{Endpoint, Incoming, Outgoing, Peer, PoolLimits, Refusal, Service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::raw::Client;
use crate::stage::{Stage, short};

/// Hands everything on.
struct Pass(Arc<Endpoint>);

impl Service for Pass {
    fn call(
        &self,
        request: Request<Incoming>,
        _peer: Peer,
    ) -> Pin<Box<dyn Future<Output = Response<Outgoing>> + Send>> {
        let endpoint = Arc::clone(&self.0);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let until = Instant::now() + Duration::from_secs(10);
            endpoint.send(&head, body, until).await.unwrap()
        })
    }

    fn refuse(&self, refusal: Refusal) -> Response<Outgoing> {
        let mut response = Response::new(Outgoing::Empty);
        *response.status_mut() = refusal.status;
        response
    }
}

async fn behind(origin: &Stage) -> Stage {
    let limits = PoolLimits {
        connect: Duration::from_secs(5),
        idle: Duration::from_secs(5),
        most_idle: 4,
    };
    let endpoint = Endpoint::new(origin.address.to_string(), limits);
    let started = Arc::new(AtomicUsize::new(0));
    Stage::serving(Arc::new(Pass(endpoint)), started, short(), None).await
}

#[tokio::test]
async fn bytes_go_both_ways_through_two_listeners_after_a_101() {
    let origin = Stage::start(short()).await;
    let front = behind(&origin).await;
    for stage in [&origin, &front] {
        let mut client = Client::new(stage.connect().await);
        // The first words come with the request already.
        let request =
            b"GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello";
        client.stream.write_all(request).await.unwrap();
        let answer = client.answer(false, Duration::from_secs(5)).await.unwrap();
        assert_eq!(answer.status, 101);
        assert_eq!(answer.field("connection"), Some("upgrade"));
        assert_eq!(answer.field("upgrade"), Some("echo"));
        // It is longer open than an idle connection of HTTP would be.
        tokio::time::sleep(short().idle + Duration::from_millis(200)).await;
        let long = vec![b'y'; 300_000];
        let (mut reading, mut writing) = client.stream.into_split();
        let writing = async {
            writing.write_all(&long).await.unwrap();
            writing
        };
        let mut got = client.buffer.clone();
        let reading = async {
            let mut space = vec![0; 64 * 1024];
            while got.len() < 5 + long.len() {
                let read = reading.read(&mut space).await.unwrap();
                assert!(read > 0);
                got.extend_from_slice(&space[..read]);
            }
            reading
        };
        let both = async { tokio::join!(writing, reading) };
        let (mut writing, mut reading) = timeout(Duration::from_secs(10), both).await.unwrap();
        assert!(got.starts_with(b"helloyyy"));
        // Whoever closes ends it for both.
        writing.shutdown().await.unwrap();
        let mut space = [0; 1];
        let end = reading.read(&mut space);
        assert_eq!(
            timeout(Duration::from_secs(5), end).await.unwrap().unwrap(),
            0
        );
    }
}

#[tokio::test]
async fn only_get_of_http_1_1_that_asks_for_it_is_switched() {
    let origin = Stage::start(short()).await;
    let front = behind(&origin).await;
    for stage in [&origin, &front] {
        for request in [
            "POST /switch HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: echo\r\nContent-Length: 0",
            "GET /switch HTTP/1.1\r\nUpgrade: echo",
            "GET /switch HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: other",
        ] {
            let mut client = Client::new(stage.connect().await);
            let request = format!("{request}\r\nHost: a\r\n\r\n");
            client.stream.write_all(request.as_bytes()).await.unwrap();
            let answer = client.answer(false, Duration::from_secs(5)).await.unwrap();
            assert_eq!(answer.status, StatusCode::OK.as_u16(), "{request}");
        }
    }
    // HTTP/1.0 has no upgrades, whatever stands behind us.
    let mut client = Client::new(front.connect().await);
    let request =
        b"GET /switch HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    client.stream.write_all(request).await.unwrap();
    let answer = client.answer(false, Duration::from_secs(5)).await.unwrap();
    assert_ne!(answer.status, 101);
}
