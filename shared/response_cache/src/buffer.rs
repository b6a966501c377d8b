//! A body on its way in, from which any number of clients read at their own pace.
//!
//! Up to a limit everything is kept, so that the origin is read at its own speed and whoever comes
//! later begins at the start. A body that turns out longer will not be stored: from there on only so
//! much is kept, the fastest reader sets the pace, and one that falls further behind than the limit is
//! cut off, for it must not hold up the others.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};

use crate::body::BoxError;

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the origin's answer broke off")]
    Origin,
    #[error("the client read too slowly")]
    TooSlow,
}

#[derive(Debug, Default)]
pub(crate) struct Buffer(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Bytes>,
    /// The number of the first chunk that is still there.
    first: usize,
    bytes: usize,
    end: Option<Result<(), Broken>>,
    readers: Vec<Option<Place>>,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Place {
    next: usize,
    waker: Option<Waker>,
}

impl State {
    fn wake_readers(&mut self) {
        for place in self.readers.iter_mut().flatten() {
            if let Some(waker) = place.waker.take() {
                waker.wake();
            }
        }
    }

    fn drop_first(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.bytes -= chunk.len();
            self.first += 1;
        }
    }

    /// Bytes that the fastest reader has not read; `None` when nobody reads.
    fn unread(&self) -> Option<usize> {
        let fastest = self
            .readers
            .iter()
            .flatten()
            .map(|place| place.next)
            .max()?;
        let read = fastest.saturating_sub(self.first);
        Some(self.chunks.iter().skip(read).map(Bytes::len).sum())
    }
}

impl Buffer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, chunk: Bytes) {
        let mut state = self.state();
        state.bytes += chunk.len();
        state.chunks.push_back(chunk);
        state.wake_readers();
    }

    pub(crate) fn finish(&self, end: Result<(), Broken>) {
        let mut state = self.state();
        if state.end.is_none() {
            state.end = Some(end);
        }
        state.wake_readers();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// All of it in one piece of its own: a chunk may be a small part of a large read buffer.
    pub(crate) fn whole(&self) -> Bytes {
        let state = self.state();
        let mut whole = BytesMut::with_capacity(state.bytes);
        for chunk in &state.chunks {
            whole.extend_from_slice(chunk);
        }
        whole.freeze()
    }

    /// Waits until the fastest reader is less than `limit` behind, and forgets what lies further back
    /// than that. Returns whether anybody still reads.
    pub(crate) async fn make_room(&self, limit: usize) -> bool {
        poll_fn(|context| {
            let mut state = self.state();
            let Some(unread) = state.unread() else {
                return Poll::Ready(false);
            };
            let slowest = state.readers.iter().flatten().map(|place| place.next).min();
            while slowest.is_some_and(|slowest| state.first < slowest) && !state.chunks.is_empty() {
                state.drop_first();
            }
            if unread >= limit {
                state.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            while state.bytes > limit.saturating_mul(2) {
                state.drop_first();
            }
            state.wake_readers();
            Poll::Ready(true)
        })
        .await
    }
}

/// One client's reading of a buffer, from the start.
#[derive(Debug)]
pub(crate) struct Reader {
    buffer: Arc<Buffer>,
    seat: usize,
}

impl Reader {
    /// `None` when the start is no longer there.
    pub(crate) fn new(buffer: &Arc<Buffer>) -> Option<Self> {
        let mut state = buffer.state();
        if state.first > 0 {
            return None;
        }
        let place = Some(Place {
            next: 0,
            waker: None,
        });
        let free = state.readers.iter().position(Option::is_none);
        let seat = match free.and_then(|seat| state.readers.get_mut(seat).map(|at| (seat, at))) {
            Some((seat, at)) => {
                *at = place;
                seat
            }
            None => {
                state.readers.push(place);
                state.readers.len() - 1
            }
        };
        drop(state);
        Some(Self {
            buffer: Arc::clone(buffer),
            seat,
        })
    }
}

impl HttpBody for Reader {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.buffer.state();
        let state = &mut *state;
        let Some(Some(place)) = state.readers.get_mut(self.seat) else {
            return Poll::Ready(None);
        };
        let Some(position) = place.next.checked_sub(state.first) else {
            return Poll::Ready(Some(Err(Broken::TooSlow.into())));
        };
        if let Some(chunk) = state.chunks.get(position) {
            place.next += 1;
            if let Some(writer) = state.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Some(Ok(Frame::data(chunk.clone()))));
        }
        match state.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(broken)) => Poll::Ready(Some(Err(broken.into()))),
            None => {
                place.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.buffer.state();
        if let Some(place) = state.readers.get_mut(self.seat) {
            *place = None;
        }
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn chunk(letter: u8) -> Bytes {
        Bytes::from(vec![letter; 10])
    }

    #[tokio::test]
    async fn a_late_reader_gets_all_and_a_broken_body_never_looks_whole() {
        let buffer = Arc::new(Buffer::default());
        buffer.push(chunk(b'a'));
        buffer.push(chunk(b'b'));
        let reader = Reader::new(&buffer).unwrap();
        buffer.finish(Ok(()));
        let read = reader.collect().await.unwrap().to_bytes();
        assert_eq!(read, buffer.whole());

        let broken = Arc::new(Buffer::default());
        let reader = Reader::new(&broken).unwrap();
        broken.push(chunk(b'a'));
        broken.finish(Err(Broken::Origin));
        assert!(reader.collect().await.is_err());
    }

    #[tokio::test]
    async fn beyond_the_limit_the_fastest_reader_sets_the_pace_and_the_slowest_is_cut_off() {
        let buffer = Arc::new(Buffer::default());
        let mut fast = Reader::new(&buffer).unwrap();
        let mut slow = Reader::new(&buffer).unwrap();
        assert!(slow_frame(&mut slow).is_none());
        for letter in b'a'..=b'f' {
            buffer.push(chunk(letter));
            assert!(fast.frame().await.unwrap().is_ok());
            assert!(buffer.make_room(20).await);
        }
        assert!(buffer.bytes() <= 40);
        assert!(slow.frame().await.unwrap().is_err());
        assert!(Reader::new(&buffer).is_none());

        buffer.push(chunk(b'x'));
        buffer.push(chunk(b'y'));
        let mut room = Box::pin(buffer.make_room(20));
        let mut context = Context::from_waker(Waker::noop());
        assert!(room.as_mut().poll(&mut context).is_pending());
        assert!(fast.frame().await.unwrap().is_ok());
        assert!(room.await);
        drop((fast, slow));
        assert!(!buffer.make_room(20).await);
    }

    /// The frame that is there already.
    fn slow_frame(reader: &mut Reader) -> Option<Frame<Bytes>> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(reader).poll_frame(&mut context) {
            Poll::Ready(Some(Ok(frame))) => Some(frame),
            _ => None,
        }
    }
}
