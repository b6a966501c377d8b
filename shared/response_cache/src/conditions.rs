//! What a request wants of an answer that is there: all of it, a part, or only to know that it has not
//! changed (RFC 9110 §13, §14; RFC 9111 §4.3.2).

use std::ops::Range;

use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use crate::directives::split_list;
use crate::moment::date_of;
use crate::vary::text_of;

/// Preconditions that guard against changing what is there, and a change of the protocol.
const FOR_THE_ORIGIN: [HeaderName; 4] = [
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What is given to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    Whole,
    /// The client has it already: 304.
    NotModified,
    /// These bytes: 206.
    Part(Range<usize>),
    /// A range that begins after the end: 416.
    Unsatisfiable,
}

/// Whether the request has a condition that a cache may judge.
pub(crate) fn is_conditional(request: &HeaderMap) -> bool {
    request.contains_key(header::IF_NONE_MATCH) || request.contains_key(header::IF_MODIFIED_SINCE)
}

/// Whether only the origin can answer the request. What depends on a request's content has no key.
pub(crate) fn is_for_the_origin(request: &HeaderMap) -> bool {
    FOR_THE_ORIGIN.iter().any(|name| request.contains_key(name))
        || request
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0")
}

/// Chooses by the request's fields. `length` is the body's, where that is known and the body there.
pub(crate) fn portion(
    method: &Method,
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    length: Option<usize>,
) -> Portion {
    if status != StatusCode::OK {
        return Portion::Whole;
    }
    if is_conditional(request) && is_unchanged(request, response) {
        return Portion::NotModified;
    }
    match (length, request.get(header::RANGE)) {
        (Some(length), Some(range))
            if *method == Method::GET && range_applies(request, response) =>
        {
            range
                .to_str()
                .map_or(Portion::Whole, |range| part(range, length))
        }
        _ => Portion::Whole,
    }
}

/// `If-None-Match` outweighs `If-Modified-Since` (RFC 9110 §13.2.2).
fn is_unchanged(request: &HeaderMap, response: &HeaderMap) -> bool {
    let mut tags = request.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        let own = response.get(header::ETAG).map(text_of);
        return tags.any(|line| {
            split_list(&text_of(line)).any(|tag| {
                tag == "*" || own.as_deref().is_some_and(|own| opaque(tag) == opaque(own))
            })
        });
    }
    let Some(since) = date_of(request, &header::IF_MODIFIED_SINCE) else {
        return false;
    };
    date_of(response, &header::LAST_MODIFIED)
        .or_else(|| date_of(response, &header::DATE))
        .is_some_and(|modified| modified <= since)
}

/// The weak comparison leaves out the mark of weakness (RFC 9110 §8.8.3.2).
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// `If-Range` compares strongly (RFC 9110 §13.1.5).
fn range_applies(request: &HeaderMap, response: &HeaderMap) -> bool {
    let Some(condition) = request.get(header::IF_RANGE) else {
        return true;
    };
    let is_strong_tag = condition.as_bytes().starts_with(b"\"");
    if is_strong_tag {
        return response.get(header::ETAG) == Some(condition);
    }
    date_of(request, &header::IF_RANGE).is_some_and(|date| {
        date_of(response, &header::LAST_MODIFIED) == Some(date)
            // A date is strong only when the answer is from a later second (RFC 9110 §8.8.2.2).
            && date_of(response, &header::DATE).is_some_and(|made| made.seconds() > date.seconds())
    })
}

/// One range of bytes (RFC 9110 §14.1.2). Anything else is left out of account, as a server may.
fn part(range: &str, length: usize) -> Portion {
    let Some((unit, spec)) = range.split_once('=') else {
        return Portion::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Portion::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || spec.contains(',') {
        return Portion::Whole;
    }
    let number = |digits: &str| {
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        all_digits.then(|| digits.parse().unwrap_or(usize::MAX))
    };
    match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 || length == 0 {
                return Portion::Unsatisfiable;
            }
            Portion::Part(length.saturating_sub(suffix)..length)
        }
        (Some(first), last) if last.is_some() || spec.trim().ends_with('-') => {
            if last.is_some_and(|last| last < first) {
                return Portion::Whole;
            }
            if first >= length {
                return Portion::Unsatisfiable;
            }
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            Portion::Part(first..end)
        }
        _ => Portion::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    const MODIFIED: &str = "Wed, 01 Jan 2020 00:00:00 GMT";

    fn asked(request: &[(&'static str, &str)]) -> Portion {
        let response = headers(&[
            ("etag", "\"abc\""),
            ("last-modified", MODIFIED),
            ("date", "Thu, 02 Jan 2020 00:00:00 GMT"),
        ]);
        portion(
            &Method::GET,
            &headers(request),
            StatusCode::OK,
            &response,
            Some(10),
        )
    }

    #[test]
    fn a_client_that_has_the_answer_is_told_so() {
        for tags in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\" , \"y\"", "*"] {
            assert_eq!(
                asked(&[("if-none-match", tags)]),
                Portion::NotModified,
                "{tags}"
            );
        }
        assert_eq!(asked(&[("if-none-match", "\"x,abc\"")]), Portion::Whole);
        assert_eq!(
            asked(&[("if-modified-since", MODIFIED)]),
            Portion::NotModified
        );
        let old = ("if-modified-since", "Wed, 01 Jan 2014 00:00:00 GMT");
        assert_eq!(asked(&[old]), Portion::Whole);
        assert_eq!(
            asked(&[old, ("if-none-match", "\"abc\"")]),
            Portion::NotModified
        );
        let new = ("if-modified-since", MODIFIED);
        assert_eq!(asked(&[new, ("if-none-match", "\"x\"")]), Portion::Whole);
    }

    #[test]
    fn a_part_is_what_was_asked_for_and_no_more() {
        for (range, expected) in [
            ("bytes=0-1", Portion::Part(0..2)),
            ("bytes=1-", Portion::Part(1..10)),
            ("bytes=-3", Portion::Part(7..10)),
            ("bytes=-30", Portion::Part(0..10)),
            ("bytes=5-99999999999999999999", Portion::Part(5..10)),
            ("bytes=10-", Portion::Unsatisfiable),
            ("bytes=-0", Portion::Unsatisfiable),
            ("bytes=3-2", Portion::Whole),
            ("bytes=0-1,4-5", Portion::Whole),
            ("bytes=a-2", Portion::Whole),
            ("bytes=2-a", Portion::Whole),
            ("bytes=-", Portion::Whole),
            ("lines=0-1", Portion::Whole),
        ] {
            assert_eq!(asked(&[("range", range)]), expected, "{range}");
        }
    }

    #[test]
    fn a_part_of_another_version_is_not_given() {
        let range = ("range", "bytes=0-1");
        assert_eq!(
            asked(&[range, ("if-range", "\"abc\"")]),
            Portion::Part(0..2)
        );
        assert_eq!(asked(&[range, ("if-range", "\"x\"")]), Portion::Whole);
        assert_eq!(asked(&[range, ("if-range", "W/\"abc\"")]), Portion::Whole);
        assert_eq!(asked(&[range, ("if-range", MODIFIED)]), Portion::Part(0..2));
        let other = ("if-range", "Wed, 01 Jan 2014 00:00:00 GMT");
        assert_eq!(asked(&[range, other]), Portion::Whole);
    }
}
