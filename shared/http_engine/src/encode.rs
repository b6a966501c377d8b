//! The head of an HTTP/1.1 answer (RFC 9112 §4), and what follows from it for the body.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use http::{Method, StatusCode, Version, header};
use http_body::Body as _;
use tokio::time::Instant;

use crate::body::Outgoing;
use crate::head::{Lines, field};

/// Header fields that are written down already, as lines with their CRLF, beside those in the header
/// map. An answer that is sent often is then not put together anew each time. They hold `Date` and
/// `Content-Length`, and no other field about the message or the connection. The status is one that has
/// a body.
#[derive(Clone, Debug)]
pub struct WrittenFields(pub BytesMut);

/// How the body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delimited {
    /// There is none, whatever the answer holds.
    NoBody,
    /// By its stated length.
    Length,
    /// By chunks.
    Chunks,
    /// By the end of the connection.
    Close,
}

/// What the request says about the form of its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) is_head: bool,
    pub(crate) version: Version,
}

impl Asked {
    pub(crate) fn by(method: &Method, version: Version) -> Self {
        Self {
            is_head: method == Method::HEAD,
            version,
        }
    }
}

/// Writes the head, and says how the body is to follow.
pub(crate) fn write_head(
    out: &mut Vec<u8>,
    response: &http::Response<Outgoing>,
    asked: Asked,
    closing: bool,
) -> Delimited {
    let (status, headers) = (response.status(), response.headers());
    write_status(out, status);
    for (name, value) in headers {
        // These are about this connection, and written below.
        if *name == header::CONNECTION
            || *name == header::TRANSFER_ENCODING
            || *name == header::CONTENT_LENGTH
        {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let switching = status == StatusCode::SWITCHING_PROTOCOLS;
    let delimited = if let Some(WrittenFields(lines)) = response.extensions().get() {
        out.extend_from_slice(lines);
        if asked.is_head {
            Delimited::NoBody
        } else {
            Delimited::Length
        }
    } else {
        if !headers.contains_key(header::DATE) {
            write_date(out);
        }
        delimit(out, response, asked)
    };
    if switching {
        out.extend_from_slice(b"connection: upgrade\r\n");
    } else if closing || delimited == Delimited::Close {
        out.extend_from_slice(b"connection: close\r\n");
    } else if asked.version == Version::HTTP_10 {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    delimited
}

/// Puts written fields into the header map, for a protocol that has no lines.
pub(crate) fn unwritten(mut response: http::Response<Outgoing>) -> http::Response<Outgoing> {
    if let Some(WrittenFields(text)) = response.extensions_mut().remove() {
        let text = text.freeze();
        for (at, line) in (Lines { text: &text, at: 0 }) {
            if let Ok((name, value)) = field(&text, at, line) {
                response.headers_mut().append(name, value);
            }
        }
    }
    response
}

fn write_status(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// RFC 9112 §6.3, and RFC 9110 §8.6 for who may state a length.
fn delimit(out: &mut Vec<u8>, response: &http::Response<Outgoing>, asked: Asked) -> Delimited {
    let status = response.status();
    if status.is_informational() || status == StatusCode::NO_CONTENT {
        return Delimited::NoBody;
    }
    let bodiless = asked.is_head || status == StatusCode::NOT_MODIFIED;
    match response.body().size_hint().exact() {
        // What GET would have had is said by whoever knows it.
        Some(0) if bodiless => {
            if let Some(stated) = response.headers().get(header::CONTENT_LENGTH) {
                out.extend_from_slice(b"content-length: ");
                out.extend_from_slice(stated.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            Delimited::NoBody
        }
        Some(length) => {
            if status != StatusCode::NOT_MODIFIED {
                out.extend_from_slice(b"content-length: ");
                push_number(out, length);
                out.extend_from_slice(b"\r\n");
            }
            if bodiless {
                Delimited::NoBody
            } else {
                Delimited::Length
            }
        }
        None if bodiless => Delimited::NoBody,
        None if asked.version == Version::HTTP_10 => Delimited::Close,
        None => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Delimited::Chunks
        }
    }
}

/// A number in decimal digits.
pub fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

/// A chunk's size line.
pub(crate) fn push_chunk_size(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(format!("{length:x}\r\n").as_bytes());
}

struct Today {
    line: Vec<u8>,
    until: Option<Instant>,
}

thread_local! {
    static DATE: RefCell<Today> = const { RefCell::new(Today { line: Vec::new(), until: None }) };
}

/// The `Date` field (RFC 9110 §6.6.1), made anew once a second.
fn write_date(out: &mut Vec<u8>) {
    DATE.with_borrow_mut(|today| {
        let now = Instant::now();
        if today.until.is_none_or(|until| now >= until) {
            let (time, left) = wall_clock();
            today.until = Some(now + left);
            today.line = format!("date: {}\r\n", httpdate::fmt_http_date(time)).into_bytes();
        }
        out.extend_from_slice(&today.line);
    });
}

#[allow(
    clippy::disallowed_methods,
    reason = "the field says when the message was made, which no test moves"
)]
fn wall_clock() -> (SystemTime, Duration) {
    let now = SystemTime::now();
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let left =
        Duration::from_secs(1).saturating_sub(Duration::from_nanos(since.subsec_nanos().into()));
    (now, left)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn head(status: u16, body: Outgoing, method: &Method, version: Version) -> (String, Delimited) {
        let mut response = http::Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let mut out = Vec::new();
        let delimited = write_head(&mut out, &response, Asked::by(method, version), false);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("\r\ndate: ") && text.ends_with("\r\n\r\n"),
            "{text}"
        );
        (text, delimited)
    }

    #[test]
    fn the_length_is_stated_where_there_is_a_body_and_only_there() {
        let full = || Outgoing::from(Bytes::from("hello"));
        let stream = || {
            Outgoing::Stream(http_body_util::BodyExt::boxed_unsync(
                http_body_util::StreamBody::new(futures_util::stream::pending()),
            ))
        };
        let (get, new) = (Method::GET, Version::HTTP_11);
        let (text, delimited) = head(200, full(), &get, new);
        assert!(text.contains("content-length: 5\r\n") && delimited == Delimited::Length);
        let (text, delimited) = head(200, Outgoing::Empty, &get, new);
        assert!(text.contains("content-length: 0\r\n") && delimited == Delimited::Length);
        let (text, delimited) = head(200, full(), &Method::HEAD, new);
        assert!(text.contains("content-length: 5\r\n") && delimited == Delimited::NoBody);
        for status in [204, 304, 101] {
            let (text, delimited) = head(status, Outgoing::Empty, &get, new);
            assert!(
                !text.contains("length") && delimited == Delimited::NoBody,
                "{text}"
            );
        }
        let (text, delimited) = head(200, stream(), &get, new);
        assert!(text.contains("transfer-encoding: chunked") && delimited == Delimited::Chunks);
        let (text, delimited) = head(200, stream(), &get, Version::HTTP_10);
        assert!(text.contains("connection: close") && delimited == Delimited::Close);
    }

    #[test]
    fn written_fields_say_the_same_over_http_2() {
        let mut response = http::Response::new(Outgoing::from(Bytes::from("{}")));
        let lines = "date: x\r\ncontent-length: 2\r\nvary: a\r\nvary: b\r\n";
        response
            .extensions_mut()
            .insert(WrittenFields(BytesMut::from(lines)));
        let mut out = Vec::new();
        let asked = Asked::by(&Method::GET, Version::HTTP_11);
        assert_eq!(
            write_head(&mut out, &response, asked, false),
            Delimited::Length
        );
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
        let headers = unwritten(response).headers().clone();
        assert_eq!(headers["content-length"], "2");
        assert_eq!(headers.get_all("vary").iter().count(), 2);
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 9, 10, 10_204, u64::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
