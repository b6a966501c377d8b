//! One HTTP/1.1 connection: requests one after the other, each with its body fed to the service while
//! the service works, and its answer written as it comes.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode, Version};
use http_body::Body as _;
use tokio::io::AsyncWrite as _;
use tokio::time::Instant;

use crate::body::{BodyError, Demand, Feed, Incoming, Outgoing, Takeover};
use crate::chunked::{self, Decoder, Piece};
use crate::deadline::Deadline;
use crate::encode::{Asked, Delimited, push_chunk_size, write_head};
use crate::head::{self, Framing, Head, Refusal};
use crate::io::{self, Io, poll_fill};
use crate::limits::Limits;
use crate::pace::Pace;
use crate::registry::Seat;
use crate::{Peer, Service};

/// What a client may send ahead of its turn; then it is not read from until its turn comes.
const AHEAD: usize = 32 * 1024;
/// The connection is over: closed, broken or too slow. There is nobody to tell.
#[derive(Debug)]
pub(crate) struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

pub(crate) struct Connection {
    io: Io,
    buffer: BytesMut,
    peer: Peer,
    limits: Arc<Limits>,
    deadline: Deadline,
    /// How the answer is read.
    pace: Pace,
    seat: Seat,
}

/// What comes after an answer.
enum Next {
    Request,
    Close,
    Switch(Takeover),
}

impl Connection {
    pub(crate) fn new(
        io: Io,
        buffer: BytesMut,
        peer: Peer,
        limits: Arc<Limits>,
        seat: Seat,
    ) -> Self {
        Self {
            io,
            buffer,
            peer,
            limits,
            deadline: Deadline::new(),
            pace: Pace::default(),
            seat,
        }
    }

    /// Serves until one side closes.
    pub(crate) async fn serve(mut self, service: Arc<dyn Service>) {
        let mut first = true;
        loop {
            let head = match self.head(first).await {
                Ok(Ok(head)) => head,
                Ok(Err(refusal)) => return self.refuse(&*service, refusal).await,
                Err(Over) => return,
            };
            first = false;
            match self.exchange(&*service, head).await {
                Ok(Next::Request) => {}
                Ok(Next::Close) => return self.close().await,
                Ok(Next::Switch(takeover)) => {
                    return takeover(self.io, self.buffer.freeze()).await;
                }
                Err(Over) => return,
            }
        }
    }

    /// The next request's head.
    async fn head(&mut self, first: bool) -> Result<Result<Head, Refusal>, Over> {
        let mut scanned = 0;
        let mut begun = None;
        let waiting_since = Instant::now();
        std::future::poll_fn(|cx| {
            loop {
                if !self.buffer.is_empty() {
                    match head::take(&mut self.buffer, &mut scanned) {
                        Ok(Some(head)) => return Poll::Ready(Ok(Ok(head))),
                        Ok(None) => {}
                        Err(refusal) => return Poll::Ready(Ok(Err(refusal))),
                    }
                }
                let started = !self.buffer.is_empty();
                match poll_fill(&mut self.io, cx, &mut self.buffer) {
                    Poll::Ready(Ok(read)) if read > 0 => continue,
                    Poll::Ready(_) => return Poll::Ready(Err(Over)),
                    Poll::Pending => {}
                }
                if !started && self.seat.is_leaving(cx) {
                    return Poll::Ready(Err(Over));
                }
                let until = if started {
                    *begun.get_or_insert_with(Instant::now) + self.limits.header
                } else if first {
                    waiting_since + self.limits.first_byte
                } else {
                    waiting_since + self.limits.idle
                };
                if self.deadline.poll_passed(cx, until).is_pending() {
                    return Poll::Pending;
                }
                let late = Refusal::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "the header fields did not arrive in time",
                );
                return Poll::Ready(if started { Ok(Err(late)) } else { Err(Over) });
            }
        })
        .await
    }

    async fn exchange(&mut self, service: &dyn Service, head: Head) -> Result<Next, Over> {
        let asked = Asked::by(head.request.method(), head.request.version());
        let (body, mut intake) = Intake::of(&head);
        let call = service.call(head.request.map(|()| body), self.peer);
        let response = self.answer(call, &mut intake).await?;
        // Whoever is asked to leave says so with the next answer.
        let closing = !head.keep_alive || self.seat.must_leave() || !intake.may_go_on(&self.buffer);
        let next = self.respond(response, asked, closing, &mut intake).await?;
        if matches!(next, Next::Request) && !intake.finish(&mut self.buffer) {
            return Ok(Next::Close);
        }
        Ok(next)
    }

    /// Lets the service work, and feeds it the body.
    async fn answer(
        &mut self,
        mut call: Pin<Box<dyn Future<Output = Response<Outgoing>> + Send>>,
        intake: &mut Intake,
    ) -> Result<Response<Outgoing>, Over> {
        std::future::poll_fn(|cx| {
            if let Poll::Ready(response) = call.as_mut().poll(cx) {
                return Poll::Ready(Ok(response));
            }
            match self.poll_intake(cx, intake) {
                Poll::Ready(Over) => Poll::Ready(Err(Over)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Feeds what is wanted of the body. Ready when the client is gone.
    fn poll_intake(&mut self, cx: &mut Context<'_>, intake: &mut Intake) -> Poll<Over> {
        while let Some(feed) = &intake.feed {
            match feed.demand(cx) {
                Demand::Never => intake.abandon(),
                // Its reader, or the end of the answer, wakes this task.
                Demand::Nothing => return Poll::Pending,
                Demand::Piece => {
                    if intake.asks_to_continue() {
                        ready!(self.poll_continue(cx, intake));
                        continue;
                    }
                    if intake.step(&mut self.buffer) {
                        continue;
                    }
                    match poll_fill(&mut self.io, cx, &mut self.buffer) {
                        Poll::Ready(Ok(read)) if read > 0 => {
                            intake.pace.moved(read, self.limits.least_rate);
                        }
                        Poll::Ready(_) => {
                            intake.break_off(BodyError::Gone);
                            return Poll::Ready(Over);
                        }
                        Poll::Pending => {
                            let until = intake.due(&self.limits);
                            ready!(self.deadline.poll_passed(cx, until));
                            intake.break_off(BodyError::Gone);
                            return Poll::Ready(Over);
                        }
                    }
                }
            }
        }
        // Nothing more is expected; but a client that leaves takes its request with it.
        while self.buffer.len() < AHEAD {
            match ready!(poll_fill(&mut self.io, cx, &mut self.buffer)) {
                Ok(read) if read > 0 => {}
                _ => return Poll::Ready(Over),
            }
        }
        Poll::Pending
    }

    /// Says 100, which goes out whole or not at all: it is the first thing on an idle connection.
    fn poll_continue(&mut self, cx: &mut Context<'_>, intake: &mut Intake) -> Poll<()> {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        if intake.continued >= CONTINUE.len() {
            // The next read finds out whether it failed.
            drop(ready!(Pin::new(&mut self.io).poll_flush(cx)));
            intake.waits_for_100 = false;
            return Poll::Ready(());
        }
        let left = CONTINUE.get(intake.continued..).unwrap_or_default();
        match ready!(Pin::new(&mut self.io).poll_write(cx, left)) {
            Ok(written) => intake.continued += written,
            // The next read finds out.
            Err(_) => intake.continued = CONTINUE.len(),
        }
        Poll::Ready(())
    }

    async fn respond(
        &mut self,
        response: Response<Outgoing>,
        asked: Asked,
        closing: bool,
        intake: &mut Intake,
    ) -> Result<Next, Over> {
        self.pace = Pace::default();
        let mut out = Vec::with_capacity(512);
        let delimited = write_head(&mut out, &response, asked, closing);
        let body = response.into_body();
        match (delimited, body) {
            (_, Outgoing::Switch(takeover)) => {
                self.write(&out, &[], intake).await?;
                return Ok(Next::Switch(takeover));
            }
            (Delimited::Length, Outgoing::Full(bytes)) => self.write(&out, &bytes, intake).await?,
            (Delimited::NoBody, _) | (_, Outgoing::Empty) => self.write(&out, &[], intake).await?,
            (_, body) => self.stream(out, body, delimited, intake).await?,
        }
        Ok(if closing || delimited == Delimited::Close {
            Next::Close
        } else {
            Next::Request
        })
    }

    /// Writes a body that comes in pieces; the first one that is there at once goes with the head.
    async fn stream(
        &mut self,
        mut out: Vec<u8>,
        mut body: Outgoing,
        delimited: Delimited,
        intake: &mut Intake,
    ) -> Result<(), Over> {
        let chunked = delimited == Delimited::Chunks;
        loop {
            let frame = std::future::poll_fn(|cx| {
                if let Poll::Ready(frame) = Pin::new(&mut body).poll_frame(cx) {
                    return Poll::Ready(Ok(Some(frame)));
                }
                if !out.is_empty() {
                    return Poll::Ready(Ok(None));
                }
                // A proxied answer may wait for the rest of the request's body.
                self.poll_intake(cx, intake).map(Err)
            })
            .await?;
            let data = match frame {
                // Nothing yet: what is there already goes out.
                None => Bytes::new(),
                Some(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => data,
                    _ => continue,
                },
                // It breaks off: closing without an end is the only way to say so.
                Some(Some(Err(_))) => return Err(Over),
                Some(None) => {
                    if chunked {
                        out.extend_from_slice(b"0\r\n\r\n");
                    }
                    if !out.is_empty() {
                        self.write(&out, &[], intake).await?;
                    }
                    return Ok(());
                }
            };
            if chunked && !data.is_empty() {
                push_chunk_size(&mut out, data.len());
            }
            self.write(&out, &data, intake).await?;
            out.clear();
            if chunked && !data.is_empty() {
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Writes both, and goes on feeding the service, which may still be at work.
    async fn write(&mut self, head: &[u8], data: &[u8], intake: &mut Intake) -> Result<(), Over> {
        let total = head.len() + data.len();
        let mut written = 0;
        std::future::poll_fn(|cx| {
            loop {
                let slices = [
                    IoSlice::new(head.get(written..).unwrap_or_default()),
                    IoSlice::new(
                        data.get(written.saturating_sub(head.len())..)
                            .unwrap_or_default(),
                    ),
                ];
                let polled = if written == total {
                    // TLS may have taken more than the system has.
                    let flushed = Pin::new(&mut self.io).poll_flush(cx);
                    match flushed {
                        Poll::Ready(done) => return Poll::Ready(done.map_err(Over::from)),
                        Poll::Pending => Poll::Pending,
                    }
                } else if slices.iter().any(|slice| slice.is_empty()) {
                    let rest = slices.iter().find(|slice| !slice.is_empty());
                    Pin::new(&mut self.io).poll_write(cx, rest.map_or(&[], |rest| rest))
                } else {
                    Pin::new(&mut self.io).poll_write_vectored(cx, &slices)
                };
                match polled {
                    Poll::Ready(Ok(length)) if length > 0 => {
                        written += length;
                        self.pace.moved(length, self.limits.least_rate);
                    }
                    Poll::Ready(_) => return Poll::Ready(Err(Over)),
                    Poll::Pending => {
                        let until = self.pace.wait(self.limits.slow * 2);
                        if self.deadline.poll_passed(cx, until).is_ready() {
                            return Poll::Ready(Err(Over));
                        }
                        if intake.feed.is_some() && self.poll_intake(cx, intake).is_ready() {
                            return Poll::Ready(Err(Over));
                        }
                        return Poll::Pending;
                    }
                }
            }
        })
        .await
    }

    async fn refuse(mut self, service: &dyn Service, refusal: Refusal) {
        let response = service.refuse(refusal);
        let asked = Asked {
            is_head: false,
            version: Version::HTTP_11,
        };
        let mut intake = Intake::none();
        if self
            .respond(response, asked, true, &mut intake)
            .await
            .is_ok()
        {
            self.close().await;
        }
    }

    async fn close(self) {
        io::close(self.io, &[]).await;
    }
}

/// A request's body on its way from the connection to the service.
struct Intake {
    feed: Option<Feed>,
    left: Left,
    waits_for_100: bool,
    continued: usize,
    /// How the body comes.
    pace: Pace,
}

enum Left {
    Bytes(u64),
    Chunks(Decoder),
    /// The next request begins where this one ended.
    Nothing,
    /// Nobody knows where the next one begins.
    Unknown,
}

impl Intake {
    fn none() -> Self {
        Self {
            feed: None,
            left: Left::Nothing,
            waits_for_100: false,
            continued: 0,
            pace: Pace::default(),
        }
    }

    fn of(head: &Head) -> (Incoming, Self) {
        let (length, left) = match head.framing {
            Framing::None => return (Incoming::empty(), Self::none()),
            Framing::Length(length) => (Some(length), Left::Bytes(length)),
            Framing::Chunked => (None, Left::Chunks(Decoder::new())),
        };
        let (body, feed) = Incoming::fed(length);
        let intake = Self {
            feed: Some(feed),
            left,
            waits_for_100: head.expects_continue,
            ..Self::none()
        };
        (body, intake)
    }

    fn asks_to_continue(&self) -> bool {
        self.waits_for_100
    }

    /// Gives the reader what the buffer holds. Whether it had anything.
    fn step(&mut self, buffer: &mut BytesMut) -> bool {
        let Some(feed) = &self.feed else {
            return false;
        };
        match &mut self.left {
            Left::Bytes(left) => {
                if buffer.is_empty() {
                    return false;
                }
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let data = chunked::take(buffer, most);
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                *left = left.saturating_sub(length);
                let over = *left == 0;
                feed.put(Ok(data));
                if over {
                    self.end();
                }
            }
            Left::Chunks(decoder) => match decoder.next(buffer) {
                Ok(Piece::Data(data)) => {
                    feed.put(Ok(data));
                }
                Ok(Piece::End) => self.end(),
                Ok(Piece::Short) => return false,
                Err(malformed) => self.break_off(BodyError::Malformed(malformed.0)),
            },
            Left::Nothing | Left::Unknown => self.feed = None,
        }
        true
    }

    fn end(&mut self) {
        if let Some(feed) = self.feed.take() {
            feed.end();
        }
        self.left = Left::Nothing;
    }

    fn break_off(&mut self, error: BodyError) {
        if let Some(feed) = self.feed.take() {
            feed.put(Err(error));
        }
        self.left = Left::Unknown;
    }

    /// The service does not want the rest.
    fn abandon(&mut self) {
        self.feed = None;
    }

    /// By when the next piece must have come.
    fn due(&mut self, limits: &Limits) -> Instant {
        self.pace.wait(limits.slow)
    }

    /// Whether another request can follow: only where all of this one is here already. Waiting for the
    /// rest would let a client keep the connection with a body that nobody wants.
    fn may_go_on(&self, buffer: &BytesMut) -> bool {
        match self.left {
            Left::Nothing => true,
            Left::Bytes(left) => {
                !self.waits_for_100 && u64::try_from(buffer.len()).is_ok_and(|here| here >= left)
            }
            Left::Chunks(_) | Left::Unknown => false,
        }
    }

    /// Passes over the rest of a body that nobody read. Whether the next request begins there.
    fn finish(&mut self, buffer: &mut BytesMut) -> bool {
        self.feed = None;
        match self.left {
            Left::Nothing => true,
            Left::Bytes(left) if self.may_go_on(buffer) => {
                drop(chunked::take(
                    buffer,
                    usize::try_from(left).unwrap_or(usize::MAX),
                ));
                true
            }
            Left::Bytes(_) | Left::Chunks(_) | Left::Unknown => false,
        }
    }
}
