//! An origin in the process, whose answers a story decides, and the clients that ask for them.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use response_cache::{
    Audience, Body, BoxError, Fetch, FetchError, Key, Options, ResponseCache, Rule,
};
use tokio::sync::{Semaphore, mpsc};
use travel_types::Clock;

type Answer = Result<Response<Body>, BoxError>;

type Script = dyn Fn(usize, &Parts) -> Answer + Send + Sync;

/// Answers what the story says, and remembers what it was asked.
pub(crate) struct Origin {
    asked: Mutex<Vec<Parts>>,
    gate: Semaphore,
    answer: Box<Script>,
}

impl Origin {
    /// `answer` is given the number of the request, from 1 on.
    pub(crate) fn new(
        answer: impl Fn(usize, &Parts) -> Answer + Send + Sync + 'static,
    ) -> Arc<Self> {
        let origin = Self::held(answer);
        origin.release();
        origin
    }

    /// Answers nothing before [`Origin::release`].
    pub(crate) fn held(
        answer: impl Fn(usize, &Parts) -> Answer + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            asked: Mutex::default(),
            gate: Semaphore::new(0),
            answer: Box::new(answer),
        })
    }

    pub(crate) fn release(&self) {
        self.gate.add_permits(1_000_000);
    }

    pub(crate) fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) fn fetch(self: &Arc<Self>) -> Fetch {
        let origin = Arc::clone(self);
        Arc::new(move |parts| {
            let origin = Arc::clone(&origin);
            Box::pin(async move {
                let number = {
                    let mut asked = origin.asked.lock().unwrap();
                    asked.push(parts.clone());
                    asked.len()
                };
                origin.gate.acquire().await.unwrap().forget();
                (origin.answer)(number, &parts)
            })
        })
    }
}

/// An answer with these fields.
pub(crate) fn answer(status: u16, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let full = Full::new(body.into()).map_err(|never| match never {});
    streamed(status, fields, full.boxed_unsync())
}

pub(crate) fn streamed(status: u16, fields: &[(&str, &str)], body: Body) -> Answer {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    Ok(response.body(body).unwrap())
}

/// A body that arrives as the story sends it, and breaks off at an error.
pub(crate) struct Piecewise(pub(crate) mpsc::UnboundedReceiver<Result<Bytes, BoxError>>);

impl http_body::Body for Piecewise {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = self.0.poll_recv(context);
        next.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

/// A cache on a clock that only the story moves.
pub(crate) struct Story {
    pub(crate) cache: ResponseCache,
    pub(crate) clock: Clock,
    pub(crate) rule: Arc<Rule>,
    pub(crate) caller: String,
}

/// What a client got.
pub(crate) type Got = Result<Response<Bytes>, FetchError>;

impl Story {
    /// All share, under a rule that is otherwise as it comes.
    pub(crate) fn new(rule: Rule) -> Self {
        Self::with(rule, Options::default())
    }

    pub(crate) fn with(rule: Rule, options: Options) -> Self {
        let clock = Clock::manual("2026-12-01T12:00:00Z".parse().unwrap());
        let options = Options {
            clock: clock.clone(),
            ..options
        };
        Self {
            cache: ResponseCache::new(options).unwrap(),
            clock,
            rule: Arc::new(Rule {
                enabled: true,
                ..rule
            }),
            caller: String::new(),
        }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn ask(
        &self,
        origin: &Arc<Origin>,
        request: Request<()>,
    ) -> Result<Response<Body>, FetchError> {
        let (parts, ()) = request.into_parts();
        let key = Key::new(&parts.uri, &self.rule, &self.caller);
        let fetch = origin.fetch();
        self.cache
            .serve(key.as_ref(), &self.rule, parts, fetch)
            .await
    }

    /// Asks and reads the whole body.
    pub(crate) async fn get(&self, origin: &Arc<Origin>, path: &str) -> Response<Bytes> {
        self.send(origin, "GET", path, &[]).await
    }

    pub(crate) async fn send(
        &self,
        origin: &Arc<Origin>,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Response<Bytes> {
        self.try_send(origin, method, path, fields).await.unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        origin: &Arc<Origin>,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Got {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let response = self.ask(origin, request.body(()).unwrap()).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

/// A rule under which all share what the origin lets be shared.
pub(crate) fn public() -> Rule {
    Rule {
        audience: Audience::Public,
        ..Rule::default()
    }
}

pub(crate) fn field<'a, B>(response: &'a Response<B>, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

pub(crate) fn handling<B>(response: &Response<B>) -> &str {
    field(response, "cache-status")
}
