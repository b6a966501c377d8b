//! A stored answer.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::Rule;
use crate::directives::{Directives, TARGETED};
use crate::freshness::{Exchange, Freshness};
use crate::moment::{Moment, date_of};
use crate::vary::{Selector, selects};

const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// Fields of one connection, and those that RFC 9111 §3.1 keeps out of a cache.
const CONNECTION_FIELDS: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Fields that describe the body that is kept, which a 304 does not bring (RFC 9111 §3.2).
const BODY_FIELDS: [HeaderName; 3] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
];

/// What the cache does without the client seeing it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) selectors: Vec<Selector>,
    pub(crate) tags: Vec<Box<str>>,
    /// Fields that only this cache reads: a 304 may leave them out, as any other.
    pub(crate) hidden: HeaderMap,
}

/// A stored answer, shared by all who are given it.
pub struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    block: Bytes,
    pub(crate) body: Bytes,
    pub(crate) freshness: Freshness,
    pub(crate) labels: Labels,
    /// The purges that it has seen: those of a greater number may concern it.
    pub(crate) seen: u64,
    /// When a soft purge ended its lifetime; `i64::MAX`: never.
    stale_since: AtomicI64,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Fields and body may be somebody's own.
        f.debug_struct("Stored")
            .field("status", &self.status)
            .field("freshness", &self.freshness)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl Stored {
    pub(crate) fn new(
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
        freshness: Freshness,
        labels: Labels,
        seen: u64,
    ) -> Self {
        let mut block = BytesMut::new();
        for (name, value) in &headers {
            block.put_slice(name.as_str().as_bytes());
            block.put_slice(b": ");
            block.put_slice(value.as_bytes());
            block.put_slice(b"\r\n");
        }
        Self {
            status,
            headers,
            block: block.freeze(),
            body,
            freshness,
            labels,
            seen,
            stale_since: AtomicI64::new(i64::MAX),
        }
    }

    /// The answer's status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stored fields. `Age` and `Cache-Status` are not among them, for they change.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The same fields as lines of HTTP/1, each with its end, without the empty line.
    pub fn header_block(&self) -> &Bytes {
        &self.block
    }

    /// The whole body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The answer with its body, once that has arrived.
    pub(crate) fn with_body(&self, body: Bytes) -> Self {
        let mut headers = self.headers.clone();
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Self::new(
            self.status,
            headers,
            body,
            self.freshness,
            self.labels.clone(),
            self.seen,
        )
    }

    /// What is left of the lifetime in milliseconds; negative once it is over or was ended.
    pub(crate) fn remaining(&self, now: Moment) -> i64 {
        let ended = Moment(self.stale_since.load(Ordering::Relaxed));
        self.freshness.remaining(now).min(ended.since(now))
    }

    /// Ends the lifetime; the times for which it may be served stale begin.
    pub(crate) fn expire(&self, now: Moment) {
        self.stale_since.fetch_min(now.0, Ordering::Relaxed);
    }

    /// Whether it may be served although its lifetime is over, in so long a time after.
    pub(crate) fn may_be_stale(&self, now: Moment, window: i64) -> bool {
        !self.freshness.always_validate
            && window > 0
            && self.remaining(now).saturating_neg() <= window
    }

    pub(crate) fn may_be_stale_while_revalidated(&self, now: Moment) -> bool {
        self.may_be_stale(now, self.freshness.stale_while_revalidate)
    }

    pub(crate) fn may_be_stale_on_error(&self, now: Moment) -> bool {
        self.may_be_stale(now, self.freshness.stale_if_error)
    }

    /// Whether the request would get this answer, of all variants (RFC 9111 §4.1).
    pub(crate) fn is_selected_by(&self, request: &HeaderMap) -> bool {
        selects(&self.labels.selectors, &self.headers, request)
    }

    /// Whether the origin can be asked for it with a condition.
    pub(crate) fn has_validator(&self) -> bool {
        self.headers.contains_key(header::ETAG) || self.headers.contains_key(header::LAST_MODIFIED)
    }

    /// Makes a request conditional on what is stored (RFC 9111 §4.3.1).
    pub(crate) fn add_conditions(&self, request: &mut HeaderMap) {
        drop_conditions(request);
        if let Some(tag) = self.headers.get(header::ETAG) {
            request.insert(header::IF_NONE_MATCH, tag.clone());
        }
        if let Some(modified) = self.headers.get(header::LAST_MODIFIED) {
            request.insert(header::IF_MODIFIED_SINCE, modified.clone());
        }
    }

    /// Whether a 304 speaks of this answer: one with a strong validator of another does not (RFC 9111
    /// §4.3.4).
    pub(crate) fn is_meant_by(&self, not_modified: &HeaderMap) -> bool {
        match (
            not_modified.get(header::ETAG),
            self.headers.get(header::ETAG),
        ) {
            (Some(new), Some(own)) => new == own || new.as_bytes().starts_with(b"W/"),
            (Some(new), None) => new.as_bytes().starts_with(b"W/"),
            _ => true,
        }
    }

    /// The stored fields with those of a 304 (RFC 9111 §3.2).
    pub(crate) fn updated_fields(&self, not_modified: &HeaderMap) -> HeaderMap {
        let mut merged = self.headers.clone();
        merged.extend(self.labels.hidden.clone());
        for name in not_modified.keys() {
            if BODY_FIELDS.contains(name) {
                continue;
            }
            merged.remove(name);
            for value in not_modified.get_all(name) {
                merged.append(name.clone(), value.clone());
            }
        }
        // The old date would make the answer old again.
        if !not_modified.contains_key(header::DATE) {
            merged.remove(header::DATE);
        }
        merged
    }

    /// The bytes that it occupies, roughly: its fields stand there twice.
    pub(crate) fn bytes(&self) -> usize {
        let tags: usize = self.labels.tags.iter().map(|tag| tag.len() + 16).sum();
        let selectors: usize = self
            .labels
            .selectors
            .iter()
            .map(|selector| 64 + selector.value.as_ref().map_or(0, |value| value.len()))
            .sum();
        512 + 2 * self.block.len() + 72 * self.headers.len() + self.body.len() + tags + selectors
    }
}

/// What is stored of an answer's head, and the labels that are taken from it.
pub(crate) fn head(
    status: StatusCode,
    mut headers: HeaderMap,
    directives: &Directives,
    rule: &Rule,
    selectors: Vec<Selector>,
    exchange: Exchange,
    seen: u64,
) -> Stored {
    let freshness = Freshness::new(status, &headers, directives, rule, exchange);
    let mut tags: Vec<Box<str>> = rule.tags.iter().map(|&tag| tag.into()).collect();
    if rule.tags_from_response {
        for line in headers.get_all(CACHE_TAG) {
            let found = line.to_str().unwrap_or_default().split([',', ' ']);
            tags.extend(found.filter(|tag| !tag.is_empty()).map(Box::from));
        }
    }
    let mut hidden = HeaderMap::new();
    for name in hidden_fields(rule) {
        for value in headers.get_all(&name) {
            hidden.append(name.clone(), value.clone());
        }
    }
    clean(&mut headers, rule);
    for name in &directives.unstored_fields {
        headers.remove(name);
    }
    headers.remove(header::AGE);
    // A recipient with a clock adds the date that is missing (RFC 9110 §6.6.1).
    if date_of(&headers, &header::DATE).is_none()
        && !headers.contains_key(header::DATE)
        && let Some(date) = exchange.answered.http_date()
    {
        headers.insert(header::DATE, date);
    }
    Stored::new(
        status,
        headers,
        Bytes::new(),
        freshness,
        Labels {
            selectors,
            tags,
            hidden,
        },
        seen,
    )
}

/// Makes a request one for the whole answer, whatever the client has already.
pub(crate) fn drop_conditions(request: &mut HeaderMap) {
    for name in [
        header::RANGE,
        header::IF_RANGE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
    ] {
        request.remove(name);
    }
}

/// Takes out what goes no further than this cache: the connection's fields, what is addressed to it
/// alone, and its tags.
pub(crate) fn clean(headers: &mut HeaderMap, rule: &Rule) {
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in listed.iter().chain(&CONNECTION_FIELDS) {
        headers.remove(name);
    }
    for name in hidden_fields(rule) {
        headers.remove(name);
    }
}

fn hidden_fields(rule: &Rule) -> impl Iterator<Item = HeaderName> {
    let [own, _] = TARGETED;
    let tag = rule.tags_from_response.then_some(CACHE_TAG);
    std::iter::once(own).chain(tag)
}
