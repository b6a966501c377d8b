//! A stored answer that was chosen for a request, and the response that is made of it.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

use crate::body::{Body, empty, full};
use crate::conditions::{Portion, is_conditional, portion};
use crate::moment::Moment;
use crate::status_field::Handling;
use crate::stored::Stored;

/// What a 304 carries (RFC 9110 §15.4.5).
const NOT_MODIFIED_FIELDS: [HeaderName; 7] = [
    header::CACHE_CONTROL,
    HeaderName::from_static("cdn-cache-control"),
    header::CONTENT_LOCATION,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::VARY,
];

/// A stored answer at the moment it was looked up.
#[derive(Clone, Debug)]
pub struct Hit {
    stored: Arc<Stored>,
    /// Seconds.
    age: i64,
    /// Seconds, negative when the lifetime is over.
    ttl: i64,
}

impl Hit {
    pub(crate) fn new(stored: Arc<Stored>, now: Moment) -> Self {
        let age = stored.freshness.age(now) / 1_000;
        let ttl = stored.remaining(now).div_euclid(1_000);
        Self { stored, age, ttl }
    }

    /// The stored answer.
    pub fn stored(&self) -> &Arc<Stored> {
        &self.stored
    }

    /// Seconds since the origin made or validated the answer (RFC 9111 §5.1).
    pub fn age(&self) -> i64 {
        self.age
    }

    /// Seconds for which the answer is still fresh; negative when it is served stale.
    pub fn ttl(&self) -> i64 {
        self.ttl
    }

    /// Whether a `GET` with these fields is to have the stored status, fields and body as they are. If
    /// so they may be written verbatim, with [`Hit::put_fields`] after the stored ones.
    pub fn is_verbatim(&self, request: &HeaderMap) -> bool {
        !is_conditional(request) && !request.contains_key(header::RANGE)
    }

    /// Appends the fields of this very response as lines of HTTP/1: `Age` (RFC 9111 §5.1) and
    /// `Cache-Status` (RFC 9211).
    pub fn put_fields(&self, into: &mut BytesMut) {
        into.put_slice(b"age: ");
        put_number(into, self.age);
        into.put_slice(b"\r\ncache-status: interline; hit; ttl=");
        put_number(into, self.ttl);
        into.put_slice(b"\r\n");
    }

    /// The response to a `GET` or `HEAD` with these fields: all of the answer, a part of it, or 304.
    pub fn respond(&self, method: &Method, request: &HeaderMap) -> Response<Body> {
        self.respond_as(method, request, Handling::Hit { ttl: self.ttl })
    }

    pub(crate) fn respond_as(
        &self,
        method: &Method,
        request: &HeaderMap,
        handling: Handling,
    ) -> Response<Body> {
        let stored = &self.stored;
        let length = Some(stored.body.len());
        let wanted = portion(method, request, stored.status, &stored.headers, length);
        let mut response = answer(stored, &wanted, stored.body.clone());
        if *method == Method::HEAD {
            *response.body_mut() = empty();
        }
        let headers = response.headers_mut();
        headers.insert(header::AGE, HeaderValue::from(self.age));
        handling.add_to(headers);
        response
    }
}

/// The response with the wanted portion of a stored answer.
fn answer(stored: &Stored, wanted: &Portion, body: Bytes) -> Response<Body> {
    let length = body.len();
    let (status, headers, body) = match wanted {
        Portion::Whole => (stored.status, stored.headers.clone(), full(body)),
        Portion::NotModified => {
            let headers = not_modified_fields(&stored.headers);
            (StatusCode::NOT_MODIFIED, headers, empty())
        }
        Portion::Part(range) => {
            let mut headers = stored.headers.clone();
            let last = range.end.saturating_sub(1);
            let position = format!("bytes {}-{last}/{length}", range.start);
            set(&mut headers, header::CONTENT_RANGE, &position);
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.len()));
            (
                StatusCode::PARTIAL_CONTENT,
                headers,
                full(body.slice(range.clone())),
            )
        }
        Portion::Unsatisfiable => {
            let mut headers = not_modified_fields(&stored.headers);
            set(
                &mut headers,
                header::CONTENT_RANGE,
                &format!("bytes */{length}"),
            );
            (StatusCode::RANGE_NOT_SATISFIABLE, headers, empty())
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

pub(crate) fn not_modified_fields(stored: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in &NOT_MODIFIED_FIELDS {
        for value in stored.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    // Only without a better validator (RFC 9110 §15.4.5).
    if !headers.contains_key(header::ETAG)
        && let Some(modified) = stored.get(header::LAST_MODIFIED)
    {
        headers.insert(header::LAST_MODIFIED, modified.clone());
    }
    headers
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// Decimal digits without the detour over a `String`.
fn put_number(into: &mut BytesMut, number: i64) {
    if number < 0 {
        into.put_u8(b'-');
    }
    let mut digits = [0_u8; 20];
    let mut rest = number.unsigned_abs();
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    into.put_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_everywhere() {
        for number in [0, 7, 10, 86_400, -30, i64::MAX, i64::MIN] {
            let mut into = BytesMut::new();
            put_number(&mut into, number);
            assert_eq!(into, number.to_string().as_bytes());
        }
    }
}
