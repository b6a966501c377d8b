//! One lane: a connection (HTTP/1.1) or a stream (HTTP/2) that carries one request at a time.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::Full;
use rand::RngExt as _;
use tokio::time::{Instant, timeout};

use crate::dial::Dial;
use crate::failure::{Failure, FailureKind};
use crate::http1::{self, Answer};
use crate::http2;
use crate::pace::{Arrivals, Timer};
use crate::scenario::{Flow, Scenario, Step};
use crate::tally::Tally;
use crate::template::{Counters, Values};

/// After a failed dial a closed loop would do nothing but dial.
const AFTER_FAILED_DIAL: Duration = Duration::from_millis(50);

/// When the run begins, when it begins to count, and when the last request is due.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) begin: Instant,
    pub(crate) from: Instant,
    pub(crate) end: Instant,
}

/// What the lanes of one worker have in common.
pub(crate) struct Worker {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tokens: Arc<[String]>,
    /// None in a closed loop.
    pub(crate) arrivals: Option<Arrivals>,
    pub(crate) window: Window,
    pub(crate) timeout: Duration,
    pub(crate) fine_timer: bool,
    pub(crate) tally: Arc<Mutex<Tally>>,
}

impl Worker {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    /// Counts what was due before the end and found no free lane. How long it would have taken is not
    /// known; it has taken until the end already.
    fn count_unsent(&self, first: Instant, arrivals: &Arrivals) {
        let Window { from, end, .. } = self.window;
        let mut due = Some(first);
        while let Some(at) = due {
            if at >= from {
                let detail = "no connection was free until the end";
                let mut tally = self.tally();
                tally.failed(0, Failure::new(FailureKind::Unsent, detail));
                tally.took(0, end - at, None);
            }
            due = arrivals.take(end);
        }
    }
}

enum Link {
    Http1(Vec<Option<http1::Connection>>),
    Http2(Arc<http2::Shared>),
}

/// The lane's own state.
pub(crate) struct Lane {
    worker: Arc<Worker>,
    link: Link,
    timer: Timer,
    buffer: Vec<u8>,
}

impl Lane {
    /// `shared` is the connection of HTTP/2 that this lane is a stream of.
    pub(crate) fn new(worker: Arc<Worker>, shared: Option<Arc<http2::Shared>>) -> Self {
        let origins = worker.scenario.origins.len();
        Self {
            timer: Timer::new(worker.fine_timer && worker.arrivals.is_some()),
            link: match shared {
                Some(shared) => Link::Http2(shared),
                None => Link::Http1(std::iter::repeat_with(|| None).take(origins).collect()),
            },
            buffer: Vec::new(),
            worker,
        }
    }

    /// Sends until the end of the window, and waits for the last answer.
    pub(crate) async fn run(mut self) {
        let worker = Arc::clone(&self.worker);
        let (counters, tokens) = (&*worker.counters, &*worker.tokens);
        let mut values = Values::new(counters, tokens, worker.scenario.names);
        let weights = worker.scenario.flows.iter().map(|flow| flow.weight).sum();
        let end = worker.window.end;
        loop {
            let due = match &worker.arrivals {
                None => {
                    let now = Instant::now();
                    if now >= end {
                        return;
                    }
                    now
                }
                Some(arrivals) => {
                    let Some(due) = arrivals.take(end) else {
                        return;
                    };
                    let now = Instant::now();
                    if now >= end {
                        worker.count_unsent(due, arrivals);
                        return;
                    }
                    if now < due {
                        self.timer.until(due).await;
                        if due >= worker.window.from {
                            worker.tally().sent(Instant::now() - due);
                        }
                    }
                    due
                }
            };
            if let Some(flow) = choose(&worker.scenario.flows, weights, &mut values) {
                self.flow(flow, due, &mut values).await;
            }
        }
    }

    async fn flow(&mut self, flow: &Flow, due: Instant, values: &mut Values<'_>) {
        let worker = Arc::clone(&self.worker);
        let counted = due >= worker.window.from;
        let mut due = due;
        for step in &flow.steps {
            let sent = Instant::now();
            let outcome = timeout(worker.timeout, self.exchange(step, values)).await;
            let now = Instant::now();
            let outcome = outcome.unwrap_or_else(|_| {
                self.hang_up(step.origin);
                let detail = format!("no whole answer within {:?}", worker.timeout);
                Err(Failure::new(FailureKind::Timeout, detail))
            });
            let judged = match &outcome {
                Ok(answer) => judge(step, answer, values),
                Err(failure) => Err(failure.clone()),
            };
            let failed = judged.as_ref().err().map(|failure| failure.kind);
            if counted {
                let mut tally = worker.tally();
                if let Ok(answer) = &outcome {
                    *tally.statuses.entry(answer.status).or_default() += 1;
                    tally.bytes += answer.bytes;
                }
                if outcome.is_ok() || failed == Some(FailureKind::Timeout) {
                    tally.took(step.number, now - due, Some(now - sent));
                }
                match judged {
                    Ok(()) => tally.good(step.number),
                    Err(failure) => tally.failed(step.number, failure),
                }
            }
            if failed == Some(FailureKind::Connect) && worker.arrivals.is_none() {
                tokio::time::sleep(AFTER_FAILED_DIAL).await;
            }
            if failed.is_some() {
                return;
            }
            due = now;
        }
    }

    /// After a time-out the connection still waits for the old answer.
    fn hang_up(&mut self, origin: usize) {
        if let Link::Http1(connections) = &mut self.link
            && let Some(connection) = connections.get_mut(origin)
        {
            *connection = None;
        }
    }

    async fn exchange(&mut self, step: &Step, values: &mut Values<'_>) -> Result<Answer, Failure> {
        let keep_body = !step.capture.is_empty();
        let connect = |detail: String| Failure::new(FailureKind::Connect, detail);
        match &mut self.link {
            Link::Http1(connections) => {
                let slot = connections
                    .get_mut(step.origin)
                    .ok_or_else(|| connect("no such origin".to_owned()))?;
                let open = match slot {
                    Some(connection) => connection.is_open().await,
                    None => false,
                };
                let connection = match slot {
                    Some(connection) if open => connection,
                    slot => {
                        let stream = self.worker.dial.dial(step.origin).await;
                        let stream = stream.map_err(|error| connect(error.to_string()))?;
                        slot.insert(http1::Connection::new(stream))
                    }
                };
                self.buffer.clear();
                step.write(values, &mut self.buffer);
                let of_head = step.method == http::Method::HEAD;
                connection.exchange(&self.buffer, of_head, keep_body).await
            }
            Link::Http2(shared) => {
                let dial = &*self.worker.dial;
                let mut sender = shared.sender(step.origin, dial).await?;
                let authority = self
                    .worker
                    .scenario
                    .origins
                    .get(step.origin)
                    .map_or("", |origin| origin.authority.as_str());
                let request = step.request(authority, values)?;
                http2::exchange(&mut sender, request, keep_body).await
            }
        }
    }
}

impl Step {
    /// The request as HTTP/1.1 has it.
    fn write(&self, values: &mut Values<'_>, into: &mut Vec<u8>) {
        self.head.write(values, into);
        if self.body.is_empty() {
            into.extend_from_slice(b"\r\n");
            return;
        }
        let mut body = Vec::new();
        self.body.write(values, &mut body);
        into.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        into.extend_from_slice(&body);
    }

    /// The request for HTTP/2.
    fn request(
        &self,
        authority: &str,
        values: &mut Values<'_>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let wrong = |error: http::Error| Failure::new(FailureKind::Capture, error.to_string());
        let mut text = Vec::new();
        self.target.write(values, &mut text);
        let uri = Uri::builder()
            .scheme("http")
            .authority(authority)
            .path_and_query(text.as_slice())
            .build()
            .map_err(wrong)?;
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            text.clear();
            value.write(values, &mut text);
            let value = HeaderValue::from_bytes(&text).map_err(|error| wrong(error.into()))?;
            headers.append(name, value);
        }
        text.clear();
        self.body.write(values, &mut text);
        let mut request = Request::builder()
            .method(&self.method)
            .uri(uri)
            .body(Full::new(Bytes::from(text)))
            .map_err(wrong)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn choose<'a>(flows: &'a [Flow], weights: u32, values: &mut Values<'_>) -> Option<&'a Flow> {
    if let [only] = flows {
        return Some(only);
    }
    let mut left = values.random.random_range(0..weights.max(1));
    flows
        .iter()
        .find(|flow| match left.checked_sub(flow.weight) {
            None => true,
            Some(rest) => {
                left = rest;
                false
            }
        })
}

/// Whether the answer is allowed, and has what the next step needs.
fn judge(step: &Step, answer: &Answer, values: &mut Values<'_>) -> Result<(), Failure> {
    if !step.expect.allows(answer.status) {
        let detail = format!("status {}", answer.status);
        return Err(Failure::new(FailureKind::Status, detail));
    }
    if step.capture.is_empty() {
        return Ok(());
    }
    let missing = |detail: String| Failure::new(FailureKind::Capture, detail);
    let json: serde_json::Value = serde_json::from_slice(&answer.body)
        .map_err(|error| missing(format!("the answer is no JSON: {error}")))?;
    for (number, pointer) in &step.capture {
        let value = match json.pointer(pointer) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Number(value)) => value.to_string(),
            _ => {
                return Err(missing(format!(
                    "the answer has no text or number at {pointer}"
                )));
            }
        };
        // It may become part of a header.
        if value.chars().any(char::is_control) {
            return Err(missing(format!("a control character at {pointer}")));
        }
        if let Some(slot) = values.captured.get_mut(*number) {
            *slot = value;
        }
    }
    Ok(())
}
