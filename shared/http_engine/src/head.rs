//! The head of an HTTP/1.1 request (RFC 9112 §3, §5), read strictly: lines end in CRLF, names are
//! tokens, nothing is folded, and the length of the body is stated once and in one way.

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};

use crate::chunked::is_token;

/// The most that a request line and header fields may have in bytes: beyond it, 431.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// The longest target: beyond it, 414.
pub(crate) const MAX_TARGET: usize = 16 * 1024;
/// The longest method. Registered ones have at most 17 letters.
pub(crate) const MAX_METHOD: usize = 32;
/// The most header fields: beyond it, 431.
pub(crate) const MAX_FIELDS: usize = 100;

/// Why a request is refused before anybody sees it. The connection is closed after the answer: where
/// the next request begins is not certain any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 408, 413, 414, 417, 431, 501 or 505.
    pub status: StatusCode,
    /// What is wrong, for the client.
    pub problem: &'static str,
}

impl Refusal {
    pub(crate) const fn new(status: StatusCode, problem: &'static str) -> Self {
        Self { status, problem }
    }

    pub(crate) const fn bad(problem: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, problem)
    }
}

/// How long a message's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Length(u64),
    /// Until its last chunk.
    Chunked,
}

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) request: Request<()>,
    pub(crate) framing: Framing,
    /// Whether the client wants to send another request afterwards.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for 100 before it sends the body.
    pub(crate) expects_continue: bool,
}

/// Takes the head out of the buffer if all of it is there. `scanned` is how much of it was looked at
/// before.
pub(crate) fn take(buffer: &mut BytesMut, scanned: &mut usize) -> Result<Option<Head>, Refusal> {
    // RFC 9112 §2.2: an empty line before the request line is to be ignored.
    while buffer.starts_with(b"\r\n") {
        buffer.advance(2);
        *scanned = 0;
    }
    let end = match end(buffer, *scanned) {
        Ok(Some(end)) => end,
        // What cannot become a request is refused before the client has sent all of it.
        short => {
            check_start(buffer)?;
            short?;
            *scanned = buffer.len();
            return Ok(None);
        }
    };
    *scanned = 0;
    let text = if end == buffer.len() {
        std::mem::take(buffer).freeze()
    } else {
        buffer.split_to(end).freeze()
    };
    parse(&text).map(Some)
}

/// Where the head ends: behind the first empty line. Every line must end in CRLF.
pub(crate) fn end(buffer: &[u8], scanned: usize) -> Result<Option<usize>, Refusal> {
    let from = scanned.saturating_sub(1);
    let rest = buffer.get(from..).unwrap_or_default();
    for at in memchr::memchr_iter(b'\n', rest) {
        let at = from + at;
        let before = buffer.get(..at).unwrap_or_default();
        if !before.ends_with(b"\r") {
            return Err(Refusal::bad("a line ends in LF alone"));
        }
        if before.ends_with(b"\r\n\r") {
            if at >= MAX_HEAD {
                return Err(TOO_LARGE);
            }
            return Ok(Some(at + 1));
        }
    }
    if buffer.len() > MAX_HEAD {
        return Err(TOO_LARGE);
    }
    Ok(None)
}

const TOO_LARGE: Refusal = Refusal::new(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "the header fields are too large",
);
const TARGET_TOO_LONG: Refusal = Refusal::new(StatusCode::URI_TOO_LONG, "the target is too long");

fn check_start(buffer: &[u8]) -> Result<(), Refusal> {
    let method = buffer.iter().take_while(|byte| is_token(**byte)).count();
    match buffer.get(method) {
        Some(b' ') if method > 0 => {}
        // It may be a CRLF of which half has arrived.
        Some(b'\r') if method == 0 && buffer.len() == 1 => {}
        None => {}
        Some(_) => {
            return Err(Refusal::bad(
                "the request line does not begin with a method",
            ));
        }
    }
    if method > MAX_METHOD {
        return Err(Refusal::bad("the method is too long"));
    }
    let target = buffer.get(method..).unwrap_or_default();
    if target.len() > MAX_TARGET + 16 && memchr::memchr(b'\r', target).is_none() {
        return Err(TARGET_TOO_LONG);
    }
    Ok(())
}

fn parse(text: &Bytes) -> Result<Head, Refusal> {
    let mut lines = Lines { text, at: 0 };
    let (start, line) = lines.next().unwrap_or_default();
    let (method, uri, version) = request_line(text, start, line)?;
    let mut fields = Fields::default();
    let mut headers = HeaderMap::with_capacity(16);
    for (at, line) in lines {
        if line.is_empty() {
            break;
        }
        if headers.len() == MAX_FIELDS {
            return Err(Refusal::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "there are too many header fields",
            ));
        }
        let (name, value) = field(text, at, line)?;
        fields.note(&name, &value)?;
        headers.append(name, value);
    }
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    fields.conclude(request)
}

/// Lines without their CRLF, and where they begin.
pub(crate) struct Lines<'t> {
    pub(crate) text: &'t [u8],
    pub(crate) at: usize,
}

impl<'t> Iterator for Lines<'t> {
    type Item = (usize, &'t [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let rest = self.text.get(start..)?;
        let length = memchr::memchr(b'\n', rest)?;
        self.at = start + length + 1;
        Some((start, rest.get(..length.saturating_sub(1))?))
    }
}

fn request_line(
    text: &Bytes,
    start: usize,
    line: &[u8],
) -> Result<(Method, Uri, Version), Refusal> {
    let malformed = Refusal::bad("the request line is malformed");
    let method_end = memchr::memchr(b' ', line).ok_or(malformed)?;
    let version_start = memchr::memrchr(b' ', line).ok_or(malformed)? + 1;
    let method = line.get(..method_end).unwrap_or_default();
    let target = line.get(method_end + 1..version_start.saturating_sub(1));
    let target = target
        .filter(|target| !target.is_empty())
        .ok_or(malformed)?;
    let version = match line.get(version_start..).unwrap_or_default() {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Refusal::new(
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "only HTTP/1.1, HTTP/1.0 and HTTP/2 are spoken here",
            ));
        }
        _ => return Err(malformed),
    };
    if method.len() > MAX_METHOD || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Refusal::bad("the method is no token"));
    }
    if target.len() > MAX_TARGET {
        return Err(TARGET_TOO_LONG);
    }
    // RFC 9112 §3.2; the library would cut a fragment off silently.
    if !target
        .iter()
        .all(|byte| matches!(byte, b'!'..=b'~') && *byte != b'#')
    {
        return Err(Refusal::bad(
            "the target has a character that must be encoded",
        ));
    }
    let method = Method::from_bytes(method).map_err(|_| malformed)?;
    let at = start + method_end + 1;
    let fits = match target {
        b"*" => method == Method::OPTIONS,
        [b'/', ..] => method != Method::CONNECT,
        _ if method == Method::CONNECT => true,
        _ => has_scheme(target),
    };
    if !fits {
        return Err(Refusal::bad(
            "the target is not of a form that the method may have",
        ));
    }
    let uri = Uri::from_maybe_shared(text.slice(at..at + target.len()))
        .map_err(|_| Refusal::bad("the target is malformed"))?;
    Ok((method, uri, version))
}

fn has_scheme(target: &[u8]) -> bool {
    let begins = |scheme: &[u8]| {
        target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    begins(b"http://") || begins(b"https://")
}

pub(crate) fn field(
    text: &Bytes,
    at: usize,
    line: &[u8],
) -> Result<(HeaderName, HeaderValue), Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Refusal::bad("a header field is folded"));
    }
    let colon = memchr::memchr(b':', line).ok_or(Refusal::bad("a header field has no colon"))?;
    let (name, value) = line.split_at_checked(colon).unwrap_or_default();
    let name = HeaderName::from_bytes(name)
        .map_err(|_| Refusal::bad("the name of a header field is no token"))?;
    let value = value.get(1..).unwrap_or_default();
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let front = value.iter().take_while(blank).count();
    let value = value.get(front..).unwrap_or_default();
    let back = value.iter().rev().take_while(blank).count();
    let length = value.len() - back;
    let start = at + colon + 1 + front;
    let value = HeaderValue::from_maybe_shared(text.slice(start..start + length))
        .map_err(|_| Refusal::bad("a header field has a control character"))?;
    Ok((name, value))
}

/// What header fields say about the message itself.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    codings: Option<Coding>,
    host: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    Other,
}

impl Fields {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Refusal> {
        let text = value.as_bytes();
        if *name == header::CONTENT_LENGTH {
            if self.length.is_some() {
                return Err(Refusal::bad("there are two Content-Length fields"));
            }
            self.length = Some(length(text)?);
        } else if *name == header::TRANSFER_ENCODING {
            if self.codings.is_some() {
                return Err(Refusal::bad("there are two Transfer-Encoding fields"));
            }
            let chunked = |part: &[u8]| part.trim_ascii().eq_ignore_ascii_case(b"chunked");
            let mut codings = text.rsplit(|byte| *byte == b',');
            codings.next();
            // RFC 9112 §6.3: where chunked is not the last, nobody knows where the body ends.
            if codings.any(chunked) {
                return Err(Refusal::bad("chunked is not the last transfer coding"));
            }
            self.codings = Some(if text.eq_ignore_ascii_case(b"chunked") {
                Coding::Chunked
            } else {
                Coding::Other
            });
        } else if *name == header::HOST {
            if std::mem::replace(&mut self.host, true) {
                return Err(Refusal::bad("there are two Host fields"));
            }
            if !is_host(text) {
                return Err(Refusal::bad("the Host field is not a host"));
            }
        } else if *name == header::CONNECTION {
            for option in text.split(|byte| *byte == b',') {
                let option = option.trim_ascii();
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if *name == header::EXPECT {
            if !text.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::new(
                    StatusCode::EXPECTATION_FAILED,
                    "only 100-continue can be expected",
                ));
            }
            self.expects_continue = true;
        }
        Ok(())
    }

    fn conclude(self, mut request: Request<()>) -> Result<Head, Refusal> {
        let old = request.version() == Version::HTTP_10;
        // RFC 9110 §7.8: HTTP/1.0 has no upgrades; and a body would stand between them and the request.
        if old || request.method() != Method::GET {
            request.headers_mut().remove(header::UPGRADE);
        }
        // RFC 9112 §3.2. HTTP/1.0 had no Host.
        if !self.host && !old {
            return Err(Refusal::bad("the Host field is missing"));
        }
        let framing = match (self.codings, self.length) {
            (None, None | Some(0)) => Framing::None,
            (None, Some(length)) => Framing::Length(length),
            // RFC 9112 §6.1, §6.3: this is how requests are smuggled.
            (Some(_), Some(_)) => {
                return Err(Refusal::bad(
                    "there are both Content-Length and Transfer-Encoding",
                ));
            }
            (Some(_), None) if old => {
                return Err(Refusal::bad("HTTP/1.0 has no Transfer-Encoding"));
            }
            (Some(Coding::Chunked), None) => Framing::Chunked,
            (Some(Coding::Other), None) => {
                return Err(Refusal::new(
                    StatusCode::NOT_IMPLEMENTED,
                    "the only transfer coding is chunked",
                ));
            }
        };
        Ok(Head {
            framing,
            keep_alive: !self.close && (!old || self.keep_alive),
            expects_continue: self.expects_continue && !old && framing != Framing::None,
            request,
        })
    }
}

/// One number of plain digits (RFC 9110 §8.6), without leading zeros, which others read as octal.
pub(crate) fn length(text: &[u8]) -> Result<u64, Refusal> {
    let plain = match text {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    std::str::from_utf8(text)
        .ok()
        .filter(|_| plain)
        .and_then(|text| text.parse().ok())
        .ok_or(Refusal::bad("Content-Length is not a number"))
}

/// A host and perhaps a port (RFC 9110 §7.2).
pub(crate) fn is_host(text: &[u8]) -> bool {
    let (host, port) = match text {
        [b'[', rest @ ..] => {
            let Some(end) = memchr::memchr(b']', rest) else {
                return false;
            };
            let (address, port) = rest.split_at_checked(end).unwrap_or_default();
            let port = port.get(1..).unwrap_or_default();
            let address = std::str::from_utf8(address).unwrap_or_default();
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (None, port)
        }
        _ => {
            let end = memchr::memchr(b':', text).unwrap_or(text.len());
            let (host, port) = text.split_at_checked(end).unwrap_or_default();
            (Some(host), port)
        }
    };
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let port_is_one = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    port_is_one && host.is_none_or(|host| !host.is_empty() && host.iter().all(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Head>, Refusal> {
        take(&mut BytesMut::from(text), &mut 0)
    }

    #[test]
    fn a_request_is_the_same_however_it_arrives() {
        let text = "\r\nPOST /a?b=c HTTP/1.1\r\nHost: a.example:80\r\nContent-Length:  5\t\r\nX-Y:\r\n\r\nhello";
        for step in 1..text.len() {
            let (mut buffer, mut scanned, mut head) = (BytesMut::new(), 0, None);
            for piece in text.as_bytes().chunks(step) {
                buffer.extend_from_slice(piece);
                if head.is_none() {
                    head = take(&mut buffer, &mut scanned).unwrap();
                }
            }
            let head = head.unwrap();
            assert_eq!(&buffer[..], b"hello", "in pieces of {step}");
            assert_eq!(head.framing, Framing::Length(5));
            assert!(head.keep_alive && !head.expects_continue);
            assert_eq!(head.request.uri(), "/a?b=c");
            assert_eq!(head.request.headers()["x-y"], "");
            assert_eq!(head.request.headers()["content-length"], "5");
        }
    }

    #[test]
    fn who_closes_and_who_waits_for_100() {
        for (version, fields, keep_alive, expects) in [
            ("1.1", "", true, false),
            ("1.1", "Connection: x, Close\r\n", false, false),
            ("1.0", "", false, false),
            ("1.0", "Connection: keep-alive\r\n", true, false),
            (
                "1.1",
                "Content-Length: 1\r\nExpect: 100-Continue\r\n",
                true,
                true,
            ),
            ("1.1", "Expect: 100-continue\r\n", true, false),
            (
                "1.0",
                "Content-Length: 1\r\nExpect: 100-continue\r\n",
                false,
                false,
            ),
        ] {
            let text = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
            let head = read(&text).unwrap().unwrap();
            assert_eq!(
                (head.keep_alive, head.expects_continue),
                (keep_alive, expects),
                "{text}"
            );
        }
    }

    #[test]
    fn a_host_is_one_host() {
        for (host, valid) in [
            ("a", true),
            ("a.example:8000", true),
            ("[::1]:80", true),
            ("127.0.0.1", true),
            ("a:", true),
            ("", false),
            ("a b", false),
            ("a,b", false),
            ("u@a", false),
            ("a/b", false),
            ("a:b", false),
            ("a:80:80", false),
            ("[::1", false),
            ("[x]", false),
            (":80", false),
            ("a:800000", false),
        ] {
            assert_eq!(is_host(host.as_bytes()), valid, "{host}");
        }
    }

    #[test]
    fn a_head_without_end_is_refused_in_time() {
        let long = "x".repeat(MAX_HEAD);
        for (text, status) in [
            (format!("GET /{long}"), 414),
            (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"), 431),
            (format!("{long} / HTTP/1.1"), 400),
            (">\x17garbage".to_owned(), 400),
            (
                format!(
                    "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
                    "X: 1\r\n".repeat(100)
                ),
                431,
            ),
        ] {
            assert_eq!(
                read(&text).unwrap_err().status.as_u16(),
                status,
                "{}",
                &text[..9]
            );
        }
    }
}
