//! An HTTP/2 connection's bytes, seen as they pass between the system and the library.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::AsyncWrite as _;
use tokio::time::Instant;

use crate::account::{Account, Verdict};
use crate::frames::{Frames, kind};
use crate::io::{Io, poll_look};
use crate::limits::Limits;

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The connection, and what passed over it.
#[derive(Debug)]
pub(crate) struct Wire {
    io: Io,
    /// What was read before.
    begun: Bytes,
    /// How much of the preface has not passed; it is no frame.
    preface: usize,
    input: Frames,
    output: Frames,
    account: Account,
    greedy: bool,
}

impl Wire {
    pub(crate) fn new(io: Io, begun: Bytes, limits: Limits) -> Self {
        Self {
            io,
            begun,
            preface: PREFACE.len(),
            input: Frames::default(),
            output: Frames::default(),
            account: Account::new(limits, Instant::now()),
            greedy: false,
        }
    }

    /// Why the connection has to end, if it has to.
    pub(crate) fn verdict(&mut self, now: Instant) -> Option<Verdict> {
        if self.greedy {
            return Some(Verdict::Greedy);
        }
        (now >= self.account.next_look(now))
            .then(|| self.account.look(now))
            .flatten()
    }

    pub(crate) fn next_look(&mut self, now: Instant) -> Instant {
        self.account.next_look(now)
    }

    /// Whether a frame can follow what has been sent.
    pub(crate) fn is_between(&self) -> bool {
        self.output.is_between()
    }

    /// The connection, and the frame that ends it with this reason (RFC 9113 §6.8), if one may follow.
    pub(crate) fn end(self, reason: u32) -> (Io, Vec<u8>) {
        let mut frame = Vec::new();
        if self.output.is_between() {
            frame.extend_from_slice(&[0, 0, 8, kind::GOAWAY, 0, 0, 0, 0, 0]);
            frame.extend_from_slice(&self.account.last_stream.to_be_bytes());
            frame.extend_from_slice(&reason.to_be_bytes());
        }
        (self.io, frame)
    }

    fn note_received(&mut self, mut bytes: &[u8]) {
        let now = Instant::now();
        let skipped = self.preface.min(bytes.len());
        self.preface -= skipped;
        bytes = bytes.get(skipped..).unwrap_or_default();
        while let Some(seen) = self.input.next(&mut bytes) {
            if !self.account.received(seen, now) {
                self.greedy = true;
                return;
            }
        }
        let partial = self.input.is_within_control();
        self.account.note_incomplete(partial, now);
    }

    fn note_sent(&mut self, mut bytes: &[u8]) {
        let now = Instant::now();
        self.account.written += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        while let Some(seen) = self.output.next(&mut bytes) {
            self.greedy |= !self.account.sent(seen, now);
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Whoever asks for too much is not heard any more; the connection's task sees to the rest.
        if self.greedy {
            return Poll::Pending;
        }
        let most = buffer.remaining();
        if self.begun.is_empty() {
            let io = &mut self.io;
            let read = ready!(poll_look(io, cx, most, |read| {
                buffer.put_slice(read);
                Bytes::copy_from_slice(read)
            }))?;
            self.note_received(&read);
        } else {
            let begun = self.begun.split_to(most.min(self.begun.len()));
            buffer.put_slice(&begun);
            self.note_received(&begun);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let single = |slices: &[IoSlice<'_>]| match slices {
            [one] => Some(one.len()),
            _ => None,
        };
        let io = Pin::new(&mut self.io);
        let polled = if self.greedy {
            // The frame that has begun is finished, so that the last one can follow.
            let rest = self.output.rest();
            let slice = slices.iter().find(|slice| !slice.is_empty());
            let slice = slice.map(|slice| slice.get(..rest).unwrap_or(slice));
            match slice {
                Some(slice) if rest > 0 => io.poll_write(cx, slice),
                _ => return Poll::Pending,
            }
        } else if single(slices).is_some() {
            io.poll_write(cx, slices.first().map_or(&[], |slice| slice))
        } else {
            io.poll_write_vectored(cx, slices)
        };
        match polled {
            Poll::Ready(Ok(mut written)) => {
                let total = written;
                for slice in slices {
                    let part = written.min(slice.len());
                    self.note_sent(slice.get(..part).unwrap_or_default());
                    written -= part;
                }
                Poll::Ready(Ok(total))
            }
            Poll::Pending => {
                self.account.full = true;
                Poll::Pending
            }
            failed => failed,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is asked for when everything has been written.
        let flushed = ready!(Pin::new(&mut self.io).poll_flush(cx));
        self.account.note_empty();
        Poll::Ready(flushed)
    }
}

/// What the library has of it. Both are of one task.
#[derive(Debug)]
pub(crate) struct Watched(pub(crate) Arc<Mutex<Wire>>);

pub(crate) fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Read for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        lock(&self.0).poll_read(cx, buffer)
    }
}

impl Write for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).io.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_write(cx, slices)
    }
}
