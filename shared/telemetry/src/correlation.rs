//! The ids that tie together what one request caused: `X-Request-Id` for people, and W3C
//! `traceparent` for tracing systems.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::Rng as _;

/// The header that carries a request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header of the W3C Trace Context recommendation.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The correlation of one request. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correlation {
    request_id: Arc<str>,
    trace_id: [u8; 16],
    span_id: [u8; 8],
    sampled: bool,
}

impl Correlation {
    /// Fresh ids, for work that no request caused.
    pub fn new() -> Self {
        Self {
            request_id: new_request_id(),
            trace_id: random(),
            span_id: random(),
            sampled: true,
        }
    }

    /// The ids that a request came with; whatever is absent or ill-formed is made anew. The span id is
    /// always new: it names the receiver's own part of the work.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let id = single(headers, &REQUEST_ID).filter(|id| is_request_id(id));
        let trace = single(headers, &TRACEPARENT).and_then(parse_traceparent);
        let (trace_id, sampled) = trace.unwrap_or_else(|| (random(), true));
        Self {
            request_id: id.map_or_else(new_request_id, Arc::from),
            trace_id,
            span_id: random(),
            sampled,
        }
    }

    /// The request's id: 1 to 128 characters of `[A-Za-z0-9._-]`.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The trace id as 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        hex::encode(self.trace_id)
    }

    /// Sets both headers on an outgoing request.
    pub fn apply(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.request_id) {
            headers.insert(REQUEST_ID, value);
        }
        let flags = if self.sampled { "01" } else { "00" };
        let traceparent = format!(
            "00-{}-{}-{flags}",
            hex::encode(self.trace_id),
            hex::encode(self.span_id)
        );
        if let Ok(value) = HeaderValue::from_str(&traceparent) {
            headers.insert(TRACEPARENT, value);
        }
    }
}

impl Default for Correlation {
    fn default() -> Self {
        Self::new()
    }
}

/// The header's value if it stands exactly once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.to_str().ok())?
}

/// Bytes drawn together: one by one they would cost as many draws.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn new_request_id() -> Arc<str> {
    let mut text = *b"req_000000000000000000000000";
    if let Some(digits) = text.get_mut(4..) {
        // The place has twice as many digits as there are bytes.
        let _ = hex::encode_to_slice(random::<12>(), digits);
    }
    std::str::from_utf8(&text).unwrap_or_default().into()
}

/// A request's id stands in every log line, so what has the form of one of our own credentials is none:
/// a client that mixed up its headers shall not find its key in our logs.
fn is_request_id(text: &str) -> bool {
    let credential = ["ilk_", "eyJ"].iter().any(|form| text.starts_with(form));
    !credential
        && (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Reads version 00 of `traceparent` (W3C Trace Context §3.2); all-zero ids are invalid there.
fn parse_traceparent(text: &str) -> Option<([u8; 16], bool)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != "00" || parts.next().is_some() || flags.len() != 2 {
        return None;
    }
    let trace: [u8; 16] = unhex(trace)?;
    let span: [u8; 8] = unhex(span)?;
    let flags: [u8; 1] = unhex(flags)?;
    (trace != [0; 16] && span != [0; 8]).then_some((trace, flags[0] & 1 == 1))
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let mut bytes = [0; N];
    let read = text.bytes().all(lower) && hex::decode_to_slice(text, &mut bytes).is_ok();
    read.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn a_good_request_id_and_trace_travel_on() {
        let incoming = headers(&[
            ("x-request-id", "client-7.a_B"),
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
        ]);
        let mut outgoing = HeaderMap::new();
        let correlation = Correlation::from_headers(&incoming);
        correlation.apply(&mut outgoing);
        assert_eq!(outgoing[&REQUEST_ID], "client-7.a_B");
        let traceparent = outgoing[&TRACEPARENT].to_str().unwrap();
        assert!(traceparent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert!(!traceparent.contains("00f067aa0ba902b7"));
        assert!(traceparent.ends_with("-01"));
    }

    #[test]
    fn ids_that_could_forge_a_log_line_or_are_credentials_are_replaced() {
        for bad in [
            "ilk_019a_secret",
            "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
            "",
            "a b",
            "a\u{7f}",
            &"x".repeat(129),
            "<script>",
        ] {
            let Ok(value) = HeaderValue::from_str(bad) else {
                continue;
            };
            let mut incoming = HeaderMap::new();
            incoming.insert(REQUEST_ID, value);
            let made = Correlation::from_headers(&incoming);
            assert!(made.request_id().starts_with("req_"), "{bad}");
        }
        let zero = headers(&[(
            "traceparent",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        )]);
        assert_ne!(Correlation::from_headers(&zero).trace_id(), "0".repeat(32));
    }
}
