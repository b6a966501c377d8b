//! The head of an HTTP/1.1 answer, read as strictly as requests are: a service that is confused, or
//! that somebody speaks through, must not confuse the next client of its connection.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response, StatusCode, Version, header};

use crate::head::{self, Lines};

/// How the body of an answer is delimited (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// An answer without its body.
#[derive(Debug)]
pub(crate) struct AnswerHead {
    pub(crate) response: Response<()>,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
}

/// What came is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadAnswer(pub(crate) &'static str);

/// Takes the head out of the buffer if all of it is there. `scanned` is how much was looked at before.
pub(crate) fn take(
    buffer: &mut BytesMut,
    scanned: &mut usize,
    method: &Method,
) -> Result<Option<AnswerHead>, BadAnswer> {
    let found = head::end(buffer, *scanned).map_err(|refusal| BadAnswer(refusal.problem))?;
    let Some(end) = found else {
        if !b"HTTP/1.".starts_with(buffer.get(..7).unwrap_or(buffer)) {
            return Err(BadAnswer("it does not begin as HTTP/1 does"));
        }
        *scanned = buffer.len();
        return Ok(None);
    };
    *scanned = 0;
    let text = if end == buffer.len() {
        std::mem::take(buffer).freeze()
    } else {
        buffer.split_to(end).freeze()
    };
    parse(&text, method).map(Some)
}

fn parse(text: &Bytes, method: &Method) -> Result<AnswerHead, BadAnswer> {
    let mut lines = Lines { text, at: 0 };
    let (_, line) = lines.next().unwrap_or_default();
    let (version, status) = status_line(line)?;
    let mut headers = HeaderMap::with_capacity(16);
    for (at, line) in lines {
        if line.is_empty() {
            break;
        }
        if headers.len() == head::MAX_FIELDS {
            return Err(BadAnswer("it has too many header fields"));
        }
        let (name, value) =
            head::field(text, at, line).map_err(|refusal| BadAnswer(refusal.problem))?;
        headers.append(name, value);
    }
    let framing = framing(&headers, status, version, method)?;
    let says = |option: &str| {
        let options = headers.get_all(header::CONNECTION).iter();
        options
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    };
    let keep_alive = match version {
        Version::HTTP_11 => !says("close"),
        _ => says("keep-alive"),
    };
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(AnswerHead {
        response,
        framing,
        keep_alive: keep_alive && framing != Framing::UntilClose,
    })
}

fn status_line(line: &[u8]) -> Result<(Version, StatusCode), BadAnswer> {
    let wrong = BadAnswer("its status line is malformed");
    let (version, rest) = line.split_at_checked(9).ok_or(wrong)?;
    let version = match version {
        b"HTTP/1.1 " => Version::HTTP_11,
        b"HTTP/1.0 " => Version::HTTP_10,
        _ => return Err(wrong),
    };
    let (code, reason) = rest.split_at_checked(3).ok_or(wrong)?;
    if !matches!(reason.first(), None | Some(b' ')) {
        return Err(wrong);
    }
    let status = StatusCode::from_bytes(code).map_err(|_| wrong)?;
    Ok((version, status))
}

fn framing(
    headers: &HeaderMap,
    status: StatusCode,
    version: Version,
    method: &Method,
) -> Result<Framing, BadAnswer> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let (coding, length) = (codings.next(), lengths.next());
    if codings.next().is_some() || lengths.next().is_some() {
        return Err(BadAnswer("it states its length twice"));
    }
    let length = length
        .map(|length| head::length(length.as_bytes()))
        .transpose()
        .map_err(|refusal| BadAnswer(refusal.problem))?;
    let bodiless = *method == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    match (coding, length) {
        (Some(_), Some(_)) => Err(BadAnswer("it states its length in two ways")),
        _ if bodiless => Ok(Framing::None),
        (Some(coding), None) => {
            if version == Version::HTTP_11 && coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
                Ok(Framing::Chunked)
            } else {
                Err(BadAnswer("its transfer coding is not chunked"))
            }
        }
        (None, Some(0)) => Ok(Framing::None),
        (None, Some(length)) => Ok(Framing::Length(length)),
        (None, None) => Ok(Framing::UntilClose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, method: &Method) -> Result<AnswerHead, BadAnswer> {
        take(&mut BytesMut::from(text), &mut 0, method).map(|head| head.unwrap())
    }

    #[test]
    fn a_body_ends_where_the_answer_says() {
        let get = Method::GET;
        for (start, fields, framing, keep_alive) in [
            (
                "HTTP/1.1 200 OK",
                "Content-Length: 5\r\n",
                Framing::Length(5),
                true,
            ),
            ("HTTP/1.1 200", "Content-Length: 0\r\n", Framing::None, true),
            (
                "HTTP/1.1 200 OK",
                "Transfer-Encoding: Chunked\r\n",
                Framing::Chunked,
                true,
            ),
            ("HTTP/1.1 200 OK", "", Framing::UntilClose, false),
            ("HTTP/1.1 204 No Content", "", Framing::None, true),
            (
                "HTTP/1.1 304 Not Modified",
                "Content-Length: 9\r\n",
                Framing::None,
                true,
            ),
            (
                "HTTP/1.0 200 OK",
                "Content-Length: 5\r\n",
                Framing::Length(5),
                false,
            ),
            (
                "HTTP/1.1 200 OK",
                "Content-Length: 5\r\nConnection: x, close\r\n",
                Framing::Length(5),
                false,
            ),
        ] {
            let head = read(&format!("{start}\r\n{fields}\r\n"), &get).unwrap();
            assert_eq!(
                (head.framing, head.keep_alive),
                (framing, keep_alive),
                "{start} {fields}"
            );
        }
        let head = read(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            &Method::HEAD,
        )
        .unwrap();
        assert_eq!(head.framing, Framing::None);
    }

    #[test]
    fn an_answer_that_two_programs_could_read_differently_is_none() {
        for text in [
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\nA: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : 1\r\n\r\n",
        ] {
            assert!(read(text, &Method::GET).is_err(), "{text:?}");
        }
    }
}
