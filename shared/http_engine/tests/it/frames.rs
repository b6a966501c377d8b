//! An HTTP/2 client that sends whatever it is told to.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = vec![length[1], length[2], length[3], kind, flags];
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// A header field, not compressed (RFC 7541 §6.2.2). Name and value have less than 16 KiB.
pub(crate) fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name, value] {
        match u8::try_from(text.len()) {
            Ok(length) if length < 127 => out.push(length),
            _ => {
                let rest = text.len() - 127;
                let low = u8::try_from(rest % 128).unwrap();
                out.extend_from_slice(&[127, low | 128, u8::try_from(rest / 128).unwrap()]);
            }
        }
        out.extend_from_slice(text);
    }
    out
}

/// The fields that every request has.
pub(crate) fn request(method: &str, path: &str) -> Vec<u8> {
    let fields = [
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "a.example"),
    ];
    let all = fields.map(|(name, value)| field(name.as_bytes(), value.as_bytes()));
    all.concat()
}

/// A whole request without a body.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        stream,
        &request("GET", path),
    )
}

/// Preface and settings, each of an id and a value.
pub(crate) fn hello(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (id, value) in settings {
        payload.extend_from_slice(&id.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    [PREFACE, &frame(SETTINGS, 0, 0, &payload)].concat()
}

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// Reads frames.
pub(crate) struct Reader<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: tokio::io::AsyncRead + Unpin> Reader<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next frame; `Ok(None)` at the end of the connection.
    ///
    /// # Errors
    /// When the time is over.
    pub(crate) async fn next(&mut self, until: Instant) -> Result<Option<Frame>, ()> {
        loop {
            if let Some(frame) = self.take() {
                return Ok(Some(frame));
            }
            let mut space = vec![0; 64 * 1024];
            match timeout_at(until, self.stream.read(&mut space)).await {
                Ok(Ok(read @ 1..)) => self.buffer.extend_from_slice(&space[..read]),
                Ok(_) => return Ok(None),
                Err(_) => return Err(()),
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let head = self.buffer.get(..9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let end = 9 + usize::try_from(length).unwrap();
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.buffer.get(9..end)?.to_vec();
        self.buffer.drain(..end);
        Some(Frame {
            kind,
            flags,
            stream,
            payload,
        })
    }
}

/// How a connection went.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// The error code of the last GOAWAY.
    pub(crate) goaway: Option<u32>,
    pub(crate) closed: bool,
    /// Answers that ended, and their streams.
    pub(crate) ended: Vec<u32>,
    pub(crate) resets: usize,
    /// The status field of each answer as HPACK has it.
    pub(crate) statuses: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// Reads until the connection ends or the time is over.
pub(crate) async fn fate<S>(reader: &mut Reader<S>, time: Duration) -> Fate
where
    S: tokio::io::AsyncRead + Unpin,
{
    let until = Instant::now() + time;
    let mut fate = Fate::default();
    loop {
        match reader.next(until).await {
            Ok(Some(frame)) => {
                match frame.kind {
                    GOAWAY => {
                        let code = frame.payload[4..8].try_into().unwrap();
                        fate.goaway = Some(u32::from_be_bytes(code));
                    }
                    RST_STREAM => fate.resets += 1,
                    HEADERS => fate.statuses.extend(frame.payload.first()),
                    DATA => fate.data.extend_from_slice(&frame.payload),
                    _ => {}
                }
                if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
                    fate.ended.push(frame.stream);
                }
            }
            Ok(None) => {
                fate.closed = true;
                return fate;
            }
            Err(()) => return fate,
        }
    }
}

/// Sends a beginning and then piece after piece, reading all the while, until the server ends it.
pub(crate) async fn flood(
    stream: TcpStream,
    begin: Vec<u8>,
    most: u32,
    piece: impl Fn(u32) -> Vec<u8>,
    time: Duration,
) -> Fate {
    let (reading, mut writing) = stream.into_split();
    let mut reader = Reader::new(reading);
    let sending = async {
        writing.write_all(&begin).await?;
        // Many at once: that is what makes it a flood.
        for first in (0..most).step_by(64) {
            let pieces = first..most.min(first + 64);
            let bytes: Vec<u8> = pieces.flat_map(&piece).collect();
            writing.write_all(&bytes).await?;
        }
        std::future::pending::<std::io::Result<()>>().await
    };
    let sending = async {
        // What cannot be sent says less than what can still be read.
        drop(sending.await);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        fate = fate(&mut reader, time) => fate,
        () = sending => Fate::default(),
    }
}
