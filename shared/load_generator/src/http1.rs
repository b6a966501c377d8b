//! A lean HTTP/1.1 client (RFC 9112): one request at a time on a kept connection, answers read and
//! mostly thrown away. It does as little as it can, because it shares the machine with what it measures.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};

use crate::dial::Stream;
use crate::failure::{Failure, FailureKind};

/// Longer heads are no answer that a service of ours would give.
const MAX_HEAD: usize = 64 * 1024;
const BUFFER: usize = 16 * 1024;

/// A whole answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Of head and body, as they came.
    pub(crate) bytes: u64,
    /// Empty unless it was asked for.
    pub(crate) body: Vec<u8>,
}

/// How the end of the body is found (RFC 9112 §6.3).
#[derive(Debug, PartialEq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

struct Head {
    status: u16,
    framing: Framing,
    keep: bool,
    length: usize,
}

/// One connection.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    buffer: Box<[u8]>,
    /// What was read and not yet used lies between these.
    from: usize,
    to: usize,
    /// Read so far of the present answer.
    bytes: u64,
    /// Whether the last answer leaves it for another request.
    keep: bool,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            from: 0,
            to: 0,
            bytes: 0,
            keep: true,
        }
    }

    /// Whether it may carry another request: neither side has said or done that it closes. A server may
    /// close a connection that was idle for long, which is no error (RFC 9112 §9.5).
    pub(crate) async fn is_open(&mut self) -> bool {
        let Self { stream, keep, .. } = self;
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        // Whatever can be read, an end or a word of farewell, answers no request of ours.
        let quiet = poll_fn(|context| {
            let read = Pin::new(&mut *stream).poll_read(context, &mut byte);
            Poll::Ready(read.is_pending())
        });
        *keep && quiet.await
    }

    /// Sends a request, already in its wire form, and reads the whole answer. After an error, or when it
    /// is dropped half-way, the connection is of no more use.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        of_head: bool,
        keep_body: bool,
    ) -> Result<Answer, Failure> {
        self.keep = false;
        self.bytes = 0;
        self.stream.write_all(request).await?;
        let mut head = self.head().await?;
        // Informational answers come before the one that counts (RFC 9110 §15.2).
        while head.status < 200 {
            head = self.head().await?;
        }
        let mut body = Vec::new();
        let kept = keep_body.then_some(&mut body);
        if !of_head && !matches!(head.status, 204 | 304) {
            match head.framing {
                Framing::Length(length) => self.skip(length, kept).await?,
                Framing::Chunked => self.chunks(kept).await?,
                Framing::UntilClose => self.rest(kept).await?,
            }
        }
        if self.from < self.to {
            return Err(Failure::bad_http("more bytes than the answer has"));
        }
        self.keep = head.keep;
        Ok(Answer {
            status: head.status,
            bytes: self.bytes,
            body,
        })
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.from..self.to).unwrap_or_default()
    }

    fn used(&mut self, count: usize) {
        self.from += count;
        if self.from >= self.to {
            (self.from, self.to) = (0, 0);
        }
    }

    /// Reads more; an end of the connection is an error.
    async fn fill(&mut self) -> Result<(), Failure> {
        match self.read().await? {
            0 => Err(Failure::new(
                FailureKind::Reset,
                "the connection was closed before the answer ended",
            )),
            _ => Ok(()),
        }
    }

    async fn read(&mut self) -> Result<usize, Failure> {
        if self.to == self.buffer.len() {
            if self.from > 0 {
                self.buffer.copy_within(self.from..self.to, 0);
                (self.from, self.to) = (0, self.to - self.from);
            } else {
                let mut larger = std::mem::take(&mut self.buffer).into_vec();
                larger.resize(larger.len() * 2, 0);
                self.buffer = larger.into_boxed_slice();
            }
        }
        let space = self.buffer.get_mut(self.to..).unwrap_or_default();
        let count = self.stream.read(space).await?;
        self.to += count;
        self.bytes += u64::try_from(count).unwrap_or_default();
        Ok(count)
    }

    async fn head(&mut self) -> Result<Head, Failure> {
        loop {
            if let Some(head) = parse_head(self.unread())? {
                self.used(head.length);
                return Ok(head);
            }
            if self.to - self.from >= MAX_HEAD {
                return Err(Failure::bad_http("a head of more than 64 KiB"));
            }
            self.fill().await?;
        }
    }

    async fn skip(&mut self, length: u64, mut kept: Option<&mut Vec<u8>>) -> Result<(), Failure> {
        let mut left = length;
        loop {
            let unread = self.unread();
            let part = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(unread.len());
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(unread.get(..part).unwrap_or_default());
            }
            self.used(part);
            left -= u64::try_from(part).unwrap_or(left);
            if left == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn chunks(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<(), Failure> {
        loop {
            let (line, size) = loop {
                match httparse::parse_chunk_size(self.unread()) {
                    Ok(httparse::Status::Complete(found)) => break found,
                    Ok(httparse::Status::Partial) if self.to - self.from < MAX_HEAD => {
                        self.fill().await?;
                    }
                    _ => return Err(Failure::bad_http("a chunk without a size")),
                }
            };
            self.used(line);
            if size == 0 {
                return self.trailers().await;
            }
            self.skip(size, kept.as_deref_mut()).await?;
            if self.line().await? != 0 {
                return Err(Failure::bad_http("a chunk longer than its size"));
            }
        }
    }

    /// The fields after the last chunk, up to an empty line (RFC 9112 §7.1.2).
    async fn trailers(&mut self) -> Result<(), Failure> {
        while self.line().await? != 0 {}
        Ok(())
    }

    /// Uses a line up; gives its length without the end.
    async fn line(&mut self) -> Result<usize, Failure> {
        loop {
            let unread = self.unread();
            if let Some(at) = unread.iter().position(|byte| *byte == b'\n') {
                let line = unread.get(..at).unwrap_or_default();
                let length = line.strip_suffix(b"\r").unwrap_or(line).len();
                self.used(at + 1);
                return Ok(length);
            }
            if unread.len() >= MAX_HEAD {
                return Err(Failure::bad_http("a line of more than 64 KiB"));
            }
            self.fill().await?;
        }
    }

    async fn rest(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<(), Failure> {
        loop {
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(self.unread());
            }
            self.used(self.to - self.from);
            if self.read().await? == 0 {
                return Ok(());
            }
        }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Failure> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut fields = [const { MaybeUninit::uninit() }; 96];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, bytes, &mut fields)
        .map_err(|error| Failure::bad_http(error.to_string()))?;
    let (httparse::Status::Complete(length), Some(status)) = (parsed, response.code) else {
        return Ok(None);
    };
    let mut keep = response.version == Some(1);
    let mut framing = Framing::UntilClose;
    for field in response.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            // Transfer-Encoding overrides it (RFC 9112 §6.3).
            if framing != Framing::Chunked {
                framing = std::str::from_utf8(field.value)
                    .ok()
                    .and_then(|text| text.trim().parse().ok())
                    .map(Framing::Length)
                    .ok_or_else(|| Failure::bad_http("a Content-Length that is no number"))?;
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if has_token(field.value, b"chunked") {
                framing = Framing::Chunked;
            }
        } else if field.name.eq_ignore_ascii_case("connection") {
            if has_token(field.value, b"close") {
                keep = false;
            } else if has_token(field.value, b"keep-alive") {
                keep = true;
            }
        }
    }
    if framing == Framing::UntilClose && !matches!(status, 100..200 | 204 | 304) {
        keep = false;
    }
    Ok(Some(Head {
        status,
        framing,
        keep,
        length,
    }))
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the client makes of an answer that arrives in pieces of this size.
    async fn read_in_pieces(answer: &str, size: usize) -> Result<(Answer, bool), Failure> {
        let (near, mut far) = tokio::io::duplex(size);
        let mut connection = Connection::new(Box::new(near));
        let answer = answer.to_owned();
        let server = tokio::spawn(async move {
            let mut request = [0; 4];
            far.read_exact(&mut request).await.unwrap();
            for piece in answer.as_bytes().chunks(size) {
                if far.write_all(piece).await.is_err() {
                    break;
                }
            }
        });
        let answer = connection.exchange(b"ping", false, true).await;
        drop(server);
        answer.map(|answer| (answer, connection.keep))
    }

    async fn read(answer: &str) -> Result<(Answer, bool), Failure> {
        let whole = read_in_pieces(answer, 4096).await;
        for size in [4, 5, 7, 64] {
            let again = read_in_pieces(answer, size).await;
            match (&whole, &again) {
                (Ok((a, keep_a)), Ok((b, keep_b))) => {
                    assert_eq!((a.status, &a.body, keep_a), (b.status, &b.body, keep_b));
                }
                (Err(a), Err(b)) => assert_eq!(a.kind, b.kind),
                _ => panic!("{whole:?} whole, {again:?} in pieces of {size}"),
            }
        }
        whole
    }

    #[tokio::test]
    async fn every_framing_of_a_body_is_read_to_its_end() {
        for (answer, status, body, open) in [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
                200,
                "hello",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n",
                200,
                "hello",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
                200,
                "x",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\n\r\nuntil the end",
                200,
                "until the end",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 2\r\n\r\nok",
                200,
                "ok",
                false,
            ),
            (
                "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
                200,
                "ok",
                false,
            ),
            (
                "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
                200,
                "ok",
                true,
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
            (
                "HTTP/1.1 304 Not Modified\r\ncontent-length: 700\r\n\r\n",
                304,
                "",
                true,
            ),
            (
                "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
                404,
                "",
                true,
            ),
        ] {
            let (read, is_open) = read(answer).await.unwrap();
            assert_eq!((read.status, is_open), (status, open), "{answer}");
            assert_eq!(String::from_utf8(read.body).unwrap(), body, "{answer}");
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_from_an_answer_that_ends_early() {
        for (answer, kind) in [
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", FailureKind::BadHttp),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
                FailureKind::BadHttp,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
                FailureKind::BadHttp,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
                FailureKind::BadHttp,
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
                FailureKind::Reset,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
                FailureKind::Reset,
            ),
            ("HTTP/1.1 200", FailureKind::Reset),
            ("", FailureKind::Reset),
        ] {
            assert_eq!(read(answer).await.unwrap_err().kind, kind, "{answer}");
        }
    }

    #[tokio::test]
    async fn bytes_after_the_end_of_the_answer_are_noticed() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n";
        let error = read_in_pieces(answer, 4096).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::BadHttp);
    }

    #[tokio::test]
    async fn a_head_has_an_end() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD));
        let error = read_in_pieces(&endless, 4096).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::BadHttp);
    }
}
