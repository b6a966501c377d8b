//! One connection to a service, and one exchange over it.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{Method, Response, StatusCode, Uri, header};
use http_body::{Body, Frame, SizeHint};
use tokio::io::AsyncWrite as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::answer::{self, AnswerHead, Framing};
use crate::body::{BoxError, Outgoing};
use crate::chunked::{self, Decoder, Piece};
use crate::deadline::Deadline;
use crate::encode::{push_chunk_size, push_number};
use crate::endpoint::Endpoint;
use crate::io::{Io, poll_fill};

/// Why there is no answer. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection could be made: nothing was sent.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The connection ended before the answer's header was complete. `unsent` when not one byte of the
    /// request had left, `stale` when the connection had been idle before.
    #[error("the connection ended before the answer")]
    Closed {
        /// Nothing was sent.
        unsent: bool,
        /// The connection was one from the pool.
        stale: bool,
    },
    /// What came is no answer.
    #[error("the answer is malformed: {0}")]
    Malformed(&'static str),
    /// The deadline passed.
    #[error("there was no answer in time")]
    Late,
    /// The request's own body failed.
    #[error("the request's body failed: {0}")]
    Body(BoxError),
}

/// A connection to a service.
#[derive(Debug)]
pub(crate) struct Link {
    io: Io,
    buffer: BytesMut,
    deadline: Deadline,
    pub(crate) idle_since: Instant,
    /// Whether it has answered before.
    used: bool,
}

/// What goes out.
pub(crate) struct Outbound<'r> {
    pub(crate) head: &'r http::request::Parts,
    /// Path and query as they are sent.
    pub(crate) target: &'r str,
    pub(crate) deadline: Instant,
}

impl Link {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Requests are written whole; waiting for more to send helps nobody.
        drop(stream.set_nodelay(true));
        Self {
            io: Io::Plain(stream),
            buffer: BytesMut::new(),
            deadline: Deadline::new(),
            idle_since: Instant::now(),
            used: false,
        }
    }

    /// Whether the other side has neither closed it nor sent what nobody asked for. The system has told
    /// us already: this asks nothing of it.
    pub(crate) fn is_quiet(&self) -> bool {
        let Io::Plain(stream) = &self.io else {
            return false;
        };
        let mut cx = Context::from_waker(Waker::noop());
        stream.poll_read_ready(&mut cx).is_pending()
    }

    /// Sends a request, and reads the answer as far as its header. The body goes out while the answer is
    /// waited for: a service may answer before it has all of it.
    pub(crate) async fn exchange<B>(
        mut self,
        outbound: Outbound<'_>,
        body: B,
        endpoint: &Arc<Endpoint>,
    ) -> Result<Response<Outgoing>, SendError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let mut sending = Sending::new(&outbound, body, endpoint);
        let mut scanned = 0;
        let (method, until) = (&outbound.head.method, outbound.deadline);
        let answered = std::future::poll_fn(|cx| {
            let sent = match sending.poll(&mut self.io, cx) {
                Poll::Ready(Err(error)) if !sending.broken => return Poll::Ready(Err(error)),
                // The service may have said why it closed.
                polled => polled.is_ready(),
            };
            loop {
                if !self.buffer.is_empty() {
                    match answer::take(&mut self.buffer, &mut scanned, method) {
                        Ok(Some(head)) if is_interim(&head) => continue,
                        Ok(Some(head)) => return Poll::Ready(Ok((head, sent))),
                        Ok(None) => {}
                        Err(bad) => return Poll::Ready(Err(SendError::Malformed(bad.0))),
                    }
                }
                match poll_fill(&mut self.io, cx, &mut self.buffer) {
                    Poll::Ready(Ok(read)) if read > 0 => {}
                    Poll::Ready(_) => {
                        return Poll::Ready(Err(SendError::Closed {
                            unsent: sending.written == 0,
                            stale: self.used,
                        }));
                    }
                    Poll::Pending => break,
                }
            }
            self.deadline
                .poll_passed(cx, until)
                .map(|()| Err(SendError::Late))
        });
        let (head, sent) = answered.await?;
        drop(sending);
        Ok(self.answer(head, sent, until, endpoint))
    }

    fn answer(
        mut self,
        head: AnswerHead,
        sent: bool,
        until: Instant,
        endpoint: &Arc<Endpoint>,
    ) -> Response<Outgoing> {
        self.used = true;
        let AnswerHead {
            response,
            framing,
            keep_alive,
        } = head;
        // Of a request that was not sent whole nobody knows what the service makes of the rest.
        let keep = keep_alive && sent;
        let body = if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (io, begun) = (self.io, self.buffer.freeze());
            Outgoing::Switch(Box::new(move |client, ahead| {
                Box::pin(crate::tunnel::join(client, ahead, io, begun))
            }))
        } else {
            match framing {
                Framing::None => {
                    self.store(keep, endpoint);
                    Outgoing::Empty
                }
                // Small answers arrive in one piece: then there is nothing to stream.
                Framing::Length(length)
                    if u64::try_from(self.buffer.len()).is_ok_and(|here| here >= length) =>
                {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    let bytes = chunked::take(&mut self.buffer, length);
                    self.store(keep, endpoint);
                    Outgoing::Full(bytes)
                }
                framing => {
                    let left = match framing {
                        Framing::Length(length) => Left::Bytes(length),
                        Framing::Chunked => Left::Chunks(Decoder::new()),
                        Framing::None | Framing::UntilClose => Left::Rest,
                    };
                    Outgoing::Stream(boxed(Answer {
                        link: Some(self),
                        left,
                        until,
                        keep,
                        endpoint: Arc::clone(endpoint),
                    }))
                }
            }
        };
        response.map(|()| body)
    }

    /// Gives it back, if it can be used again.
    fn store(mut self, keep: bool, endpoint: &Arc<Endpoint>) {
        if keep && self.buffer.is_empty() {
            self.idle_since = Instant::now();
            endpoint.store(self);
        }
    }
}

/// 100, 102 and 103 are followed by the answer.
fn is_interim(head: &AnswerHead) -> bool {
    let status = head.response.status();
    status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS
}

fn boxed(answer: Answer) -> http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError> {
    use http_body_util::BodyExt as _;
    answer.boxed_unsync()
}

/// A request on its way out.
struct Sending<B> {
    out: Vec<u8>,
    data: Bytes,
    at: usize,
    body: Option<Pin<Box<B>>>,
    chunked: bool,
    written: usize,
    /// The connection does not take any more; what it has to say may still be read.
    broken: bool,
}

impl<B> Sending<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn new(outbound: &Outbound<'_>, body: B, endpoint: &Endpoint) -> Self {
        let head = outbound.head;
        let mut out = Vec::with_capacity(1024);
        for part in [
            head.method.as_str(),
            " ",
            outbound.target,
            " HTTP/1.1\r\nhost: ",
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(endpoint.authority().as_bytes());
        out.extend_from_slice(b"\r\n");
        for (name, value) in &head.headers {
            if !matches!(
                *name,
                header::HOST | header::CONTENT_LENGTH | header::TRANSFER_ENCODING
            ) {
                for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                    out.extend_from_slice(part);
                }
            }
        }
        let none = body.is_end_stream();
        let length = body.size_hint().exact();
        let chunked = !none && length.is_none();
        match length {
            // RFC 9110 §8.6: of GET nobody expects a length.
            Some(0) if matches!(head.method, Method::GET | Method::HEAD) => {}
            _ if chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            length => {
                out.extend_from_slice(b"content-length: ");
                push_number(&mut out, length.unwrap_or_default());
                out.extend_from_slice(b"\r\n");
            }
        }
        out.extend_from_slice(b"\r\n");
        Self {
            out,
            data: Bytes::new(),
            at: 0,
            body: (!none).then(|| Box::pin(body)),
            chunked,
            written: 0,
            broken: false,
        }
    }

    /// Ready when all is sent.
    fn poll(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            ready!(self.poll_write(io, cx))?;
            let Some(body) = &mut self.body else {
                return Poll::Ready(Ok(()));
            };
            match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers stay behind: no list of what may pass was held against them.
                    let data = frame.into_data().unwrap_or_default();
                    if data.is_empty() {
                        continue;
                    }
                    if self.chunked {
                        push_chunk_size(&mut self.out, data.len());
                    }
                    self.data = data;
                }
                Some(Err(error)) => return Poll::Ready(Err(SendError::Body(error.into()))),
                None => {
                    self.body = None;
                    if self.chunked {
                        self.out.extend_from_slice(b"0\r\n\r\n");
                    }
                }
            }
        }
    }

    fn poll_write(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let closed = |unsent| SendError::Closed {
            unsent,
            stale: false,
        };
        if self.broken {
            return Poll::Ready(Err(closed(false)));
        }
        while self.at < self.out.len() + self.data.len() {
            let data = self.data.get(self.at.saturating_sub(self.out.len())..);
            let slices = [
                IoSlice::new(self.out.get(self.at..).unwrap_or_default()),
                IoSlice::new(data.unwrap_or_default()),
            ];
            match ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices)) {
                Ok(length) if length > 0 => {
                    self.at += length;
                    self.written += length;
                }
                _ => {
                    self.broken = true;
                    return Poll::Ready(Err(closed(self.written == 0)));
                }
            }
        }
        self.out.clear();
        if self.chunked && !self.data.is_empty() {
            self.out.extend_from_slice(b"\r\n");
        }
        self.data = Bytes::new();
        self.at = 0;
        if self.body.is_none() && !self.out.is_empty() {
            return self.poll_write(io, cx);
        }
        Poll::Ready(Ok(()))
    }
}

enum Left {
    Bytes(u64),
    Chunks(Decoder),
    /// Until the service closes.
    Rest,
}

/// The rest of an answer, read as its reader wants it.
struct Answer {
    link: Option<Link>,
    left: Left,
    until: Instant,
    keep: bool,
    endpoint: Arc<Endpoint>,
}

/// An answer that breaks off.
#[derive(Debug, thiserror::Error)]
enum BrokenOff {
    #[error("the deadline passed while the answer was being read")]
    Deadline,
    #[error("the service closed the connection within its answer")]
    Closed,
    #[error("the answer's body is malformed: {0}")]
    Malformed(&'static str),
}

impl Answer {
    /// What the buffer holds of the body; `None` when more must be read first.
    fn step(&mut self) -> Option<Option<Result<Frame<Bytes>, BoxError>>> {
        let link = self.link.as_mut()?;
        let piece = match &mut self.left {
            Left::Bytes(0) => None,
            Left::Bytes(left) => {
                if link.buffer.is_empty() {
                    return None;
                }
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let data = chunked::take(&mut link.buffer, most);
                *left -= u64::try_from(data.len()).unwrap_or_default();
                Some(data)
            }
            Left::Chunks(decoder) => match decoder.next(&mut link.buffer) {
                Ok(Piece::Data(data)) => Some(data),
                Ok(Piece::End) => None,
                Ok(Piece::Short) => return None,
                Err(malformed) => {
                    self.link = None;
                    return Some(Some(Err(BrokenOff::Malformed(malformed.0).into())));
                }
            },
            Left::Rest => {
                if link.buffer.is_empty() {
                    return None;
                }
                Some(std::mem::take(&mut link.buffer).freeze())
            }
        };
        if (piece.is_none() || matches!(self.left, Left::Bytes(0)))
            && let Some(link) = self.link.take()
        {
            link.store(self.keep, &self.endpoint);
        }
        Some(piece.map(|data| Ok(Frame::data(data))))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if self.link.is_none() {
                return Poll::Ready(None);
            }
            if let Some(piece) = self.step() {
                return Poll::Ready(piece);
            }
            let this = &mut *self;
            let Some(link) = &mut this.link else {
                return Poll::Ready(None);
            };
            let failed = match poll_fill(&mut link.io, cx, &mut link.buffer) {
                Poll::Ready(Ok(read)) if read > 0 => continue,
                Poll::Ready(Ok(_)) if matches!(this.left, Left::Rest) => {
                    this.link = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(_) => BrokenOff::Closed,
                Poll::Pending => {
                    ready!(link.deadline.poll_passed(cx, this.until));
                    BrokenOff::Deadline
                }
            };
            this.link = None;
            return Poll::Ready(Some(Err(failed.into())));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.link.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.link, &self.left) {
            (None, _) => SizeHint::with_exact(0),
            (Some(_), Left::Bytes(left)) => SizeHint::with_exact(*left),
            _ => SizeHint::default(),
        }
    }
}

/// Path and query of a target for the request line.
pub(crate) fn target_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}
