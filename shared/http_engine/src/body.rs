//! The bodies of requests and answers as the engine hands them over.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use crate::io::Io;

/// Any failure of a body that an answer is made of.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request's body ends before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client closed the connection or sends too slowly.
    #[error("the client stopped sending")]
    Gone,
    /// What the client sends is no valid chunked coding (RFC 9112 §7.1).
    #[error("the body is malformed: {0}")]
    Malformed(&'static str),
    /// The HTTP/2 stream failed.
    #[error(transparent)]
    Stream(#[from] hyper::Error),
}

/// A request's body.
#[derive(Default)]
pub struct Incoming(Source);

#[derive(Default)]
enum Source {
    #[default]
    Empty,
    Read(Reader),
    Http2(hyper::body::Incoming),
}

impl Incoming {
    /// No body.
    pub fn empty() -> Self {
        Self::default()
    }

    pub(crate) fn http2(body: hyper::body::Incoming) -> Self {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self(Source::Http2(body))
    }

    /// A body that a connection feeds, and the end that it is fed at.
    pub(crate) fn fed(length: Option<u64>) -> (Self, Feed) {
        let shared = Arc::new(Mutex::new(Slot::default()));
        let feed = Feed(Arc::clone(&shared));
        let reader = Reader {
            shared,
            left: length,
            ended: false,
        };
        (Self(Source::Read(reader)), feed)
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Source::Empty => Poll::Ready(None),
            Source::Read(reader) => reader.poll(cx).map(|data| Some(data?.map(Frame::data))),
            Source::Http2(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::Stream),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Empty => true,
            Source::Read(reader) => reader.ended || reader.left == Some(0),
            Source::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Empty => SizeHint::with_exact(0),
            Source::Read(reader) => reader
                .left
                .map_or_else(SizeHint::default, SizeHint::with_exact),
            Source::Http2(body) => body.size_hint(),
        }
    }
}

/// What stands between a connection and the reader of a body: one piece at most, so that a reader that
/// is slow slows the client.
#[derive(Default)]
struct Slot {
    piece: Option<Result<Bytes, BodyError>>,
    ended: bool,
    wanted: bool,
    abandoned: bool,
    reader: Option<Waker>,
    feeder: Option<Waker>,
}

struct Reader {
    shared: Arc<Mutex<Slot>>,
    left: Option<u64>,
    ended: bool,
}

impl Reader {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut slot = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(piece) = slot.piece.take() {
            drop(slot);
            match &piece {
                Ok(data) => {
                    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    self.left = self.left.map(|left| left.saturating_sub(length));
                }
                Err(_) => self.ended = true,
            }
            return Poll::Ready(Some(piece));
        }
        if slot.ended {
            self.ended = true;
            return Poll::Ready(None);
        }
        slot.wanted = true;
        slot.reader = Some(cx.waker().clone());
        if let Some(feeder) = slot.feeder.take() {
            feeder.wake();
        }
        Poll::Pending
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut slot = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        slot.abandoned = true;
        if let Some(feeder) = slot.feeder.take() {
            feeder.wake();
        }
    }
}

/// Where a connection puts what it reads.
pub(crate) struct Feed(Arc<Mutex<Slot>>);

/// What the reader of a body is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// The next piece.
    Piece,
    /// Nothing at the moment.
    Nothing,
    /// Nothing ever again: it was dropped.
    Never,
}

impl Feed {
    /// What the reader wants; the task is woken when that changes.
    pub(crate) fn demand(&self, cx: &Context<'_>) -> Demand {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.abandoned {
            Demand::Never
        } else if slot.wanted && slot.piece.is_none() {
            Demand::Piece
        } else {
            slot.feeder = Some(cx.waker().clone());
            Demand::Nothing
        }
    }

    pub(crate) fn put(&self, piece: Result<Bytes, BodyError>) {
        self.give(|slot| slot.piece = Some(piece));
    }

    pub(crate) fn end(&self) {
        self.give(|slot| slot.ended = true);
    }

    fn give(&self, change: impl FnOnce(&mut Slot)) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut slot);
        slot.wanted = false;
        if let Some(reader) = slot.reader.take() {
            reader.wake();
        }
    }
}

impl Drop for Feed {
    /// A reader whose connection is gone must not wait for ever.
    fn drop(&mut self) {
        self.give(|slot| {
            if !slot.ended && slot.piece.is_none() {
                slot.piece = Some(Err(BodyError::Gone));
            }
        });
    }
}

/// An answer's body.
#[derive(Default)]
pub enum Outgoing {
    /// None.
    #[default]
    Empty,
    /// All of it.
    Full(Bytes),
    /// Piece by piece. Trailers are left out.
    Stream(UnsyncBoxBody<Bytes, BoxError>),
    /// Not HTTP any more: after this 101 the connection is handed over (RFC 9110 §7.8).
    Switch(Takeover),
}

/// What takes a connection over after a 101: the connection, and what the client sent beyond its
/// request.
pub type Takeover = Box<dyn FnOnce(Io, Bytes) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

impl Outgoing {
    /// A body of any type.
    pub fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        use http_body_util::BodyExt as _;
        if body.is_end_stream() {
            return Self::Empty;
        }
        Self::Stream(body.map_err(Into::into).boxed_unsync())
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Full(_) => "Full",
            Self::Stream(_) => "Stream",
            Self::Switch(_) => "Switch",
        })
    }
}

impl From<Bytes> for Outgoing {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Full(bytes)
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match std::mem::take(&mut *self) {
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Self::Stream(mut body) => {
                let polled = Pin::new(&mut body).poll_frame(cx);
                *self = Self::Stream(body);
                polled
            }
            Self::Empty | Self::Switch(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Switch(_) => true,
            Self::Full(_) => false,
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Switch(_) => SizeHint::with_exact(0),
            Self::Full(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
            }
            Self::Stream(body) => body.size_hint(),
        }
    }
}
