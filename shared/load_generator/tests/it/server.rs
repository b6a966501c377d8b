//! A server in this process, and what a run against it needs.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use load_generator::{Dial, Host, Job, Load, Protocol, Report, Requests, Stream, TcpDial, build};
use tokio::net::TcpListener;
use travel_types::Clock;

pub(crate) type Answer = Response<Full<Bytes>>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Answers requests, numbered from 0, in the order in which they come.
#[derive(Clone)]
pub(crate) struct Server {
    handler: Arc<dyn Fn(usize, Request<Incoming>) -> Answering + Send + Sync>,
    /// The targets that were asked for.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn new<F>(
        handler: impl Fn(usize, Request<Incoming>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Self {
            handler: Arc::new(move |number, request| Box::pin(handler(number, request))),
            seen: Arc::default(),
        }
    }

    async fn serve(self, stream: impl Stream + 'static) {
        let service = service_fn(move |request: Request<Incoming>| {
            let number = {
                let mut seen = self.seen.lock().unwrap();
                seen.push(request.uri().path_and_query().unwrap().to_string());
                seen.len() - 1
            };
            let answer = (self.handler)(number, request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        drop(
            builder
                .serve_connection(TokioIo::new(stream), service)
                .await,
        );
    }

    /// Listens on a port of its own, whose URL is given.
    pub(crate) async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        url
    }
}

/// Connections in memory, on which paused time works.
#[async_trait]
impl Dial for Server {
    async fn dial(&self, _: usize) -> io::Result<Box<dyn Stream>> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.clone().serve(far));
        Ok(Box::new(near))
    }
}

pub(crate) fn ok(body: &str) -> Answer {
    Response::new(Full::from(body.to_owned()))
}

pub(crate) fn status(status: u16) -> Answer {
    Response::builder()
        .status(status)
        .body(Full::default())
        .unwrap()
}

pub(crate) fn to(url: &str) -> Requests {
    Requests {
        urls: vec![url.to_owned()],
        ..Requests::default()
    }
}

pub(crate) fn job(requests: &Requests, load: Load) -> Job {
    Job {
        scenario: Arc::new(build(requests, "2026-12-01".parse().unwrap()).unwrap()),
        load,
        protocol: Protocol::Http1,
        connections: 4,
        idle_connections: 0,
        threads: 1,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        tokens: Arc::new([]),
        pids: Vec::new(),
    }
}

/// Runs over connections in memory.
pub(crate) async fn run_in_memory(job: &Job, server: &Server) -> Report {
    run_with(job, server.clone()).await
}

/// Runs over connections that are made in this way.
pub(crate) async fn run_with(job: &Job, dial: impl Dial + 'static) -> Report {
    run_until(job, dial, std::future::pending()).await
}

/// The same, until it is stopped.
pub(crate) async fn run_until(
    job: &Job,
    dial: impl Dial + 'static,
    stop: impl Future<Output = ()>,
) -> Report {
    let host = Host {
        dial: Arc::new(dial),
        clock: Clock::manual("2026-12-01T12:00:00Z".parse().unwrap()),
        fine_timer: false,
    };
    load_generator::run(job, &host, stop, &mut |_| ())
        .await
        .unwrap()
}

/// Runs over TCP.
pub(crate) async fn run_over_tcp(job: &Job) -> Report {
    let host = Host {
        dial: Arc::new(TcpDial::resolve(job).await.unwrap()),
        clock: Clock::system(),
        fine_timer: true,
    };
    load_generator::run(job, &host, std::future::pending(), &mut |_| ())
        .await
        .unwrap()
}
