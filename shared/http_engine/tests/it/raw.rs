//! A client that reads what comes, byte by byte.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::{Instant, timeout_at};

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client's end of a connection.
pub(crate) struct Client<S> {
    pub(crate) stream: S,
    pub(crate) buffer: Vec<u8>,
    pub(crate) closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            closed: false,
        }
    }

    /// Reads until there is more, the end, or the time is over. Whether there was more.
    async fn more(&mut self, until: Instant) -> bool {
        let mut space = vec![0; 64 * 1024];
        match timeout_at(until, self.stream.read(&mut space)).await {
            Ok(Ok(read @ 1..)) => {
                self.buffer.extend_from_slice(&space[..read]);
                true
            }
            Ok(_) => {
                self.closed = true;
                false
            }
            Err(_) => false,
        }
    }

    /// Whether the other side closes within this time, sending nothing more.
    pub(crate) async fn closes_within(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        self.more(until).await;
        self.closed
    }

    /// The next answer that is not a 1xx other than 101.
    pub(crate) async fn answer(&mut self, to_head: bool, time: Duration) -> Option<Answer> {
        let until = Instant::now() + time;
        loop {
            let answer = self.one(to_head, until).await?;
            if !(100..200).contains(&answer.status) || answer.status == 101 {
                return Some(answer);
            }
        }
    }

    async fn one(&mut self, to_head: bool, until: Instant) -> Option<Answer> {
        let end = loop {
            let found = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(at) = found {
                break at + 4;
            }
            if !self.more(until).await {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end);
        let status = head.get(9..12)?.parse().ok()?;
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
        };
        if to_head || status < 200 || status == 204 || status == 304 {
            return Some(answer);
        }
        if let Some(length) = answer.field("content-length") {
            let length: usize = length.parse().ok()?;
            while self.buffer.len() < length {
                if !self.more(until).await {
                    return None;
                }
            }
            answer.body = self.buffer.drain(..length).collect();
        } else if answer.field("transfer-encoding").is_some() {
            while !self.buffer.ends_with(b"0\r\n\r\n") {
                if !self.more(until).await {
                    return None;
                }
            }
            answer.body = std::mem::take(&mut self.buffer);
        } else {
            while self.more(until).await {}
            answer.body = std::mem::take(&mut self.buffer);
        }
        Some(answer)
    }
}
