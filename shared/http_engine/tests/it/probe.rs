//! The 215 tests of Http11Probe against the listener.

use std::collections::BTreeMap;
use std::time::Duration;

use http_engine::Limits;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::probe_requests::requests;
use crate::raw::{Answer, Client};
use crate::stage::{Stage, short};

/// What a test wants of the answer, or of the last one where there are several.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// One of these, given as they are written: a status, `2xx`, `close`, `timeout`.
    OneOf(&'static [&'static str]),
    /// The first passes, the second is worth a remark.
    Rather(&'static [&'static str], &'static [&'static str]),
    /// Refused or closed, and no further answer whatever was in the body.
    NoSecondAnswer,
    /// Refused, or answered and closed.
    RefusedOrClosed,
    /// If it is answered, the next request is too, and only that.
    CleanFollowUp,
    BothAnswered,
    /// Any answer but this one.
    Not(u16),
    NotInterim,
    /// The body that was sent.
    Echo,
    /// Success and a field.
    Field(&'static str),
    MethodNotAllowed,
    NoContentNoLength,
    NoBody,
    DateFormat,
    SuccessAndClose,
    /// Refused, or success that contains all of these and none of those.
    Contains(&'static [&'static str], &'static [char]),
    /// A field that looks like one that frames the message: refused or gone is best, as it was sent
    /// is worth a remark.
    NotNormalized,
    NotModified,
    NotModifiedWithTag,
}

fn want(expected: &str) -> Option<Want> {
    use Want::*;
    const CONTROL: &[char] = &['\0', '\u{1}', '\u{2}', '\u{3}'];
    Some(match expected {
        "Exact(400)" => OneOf(&["400"]),
        "Exact(400) or close" | "400 or close" | "400, or close" => OneOf(&["400", "close"]),
        "Range2xx" | "2xx (no crash)" | "2xx (Range ignored)" => OneOf(&["2xx"]),
        "Range2xx or close" => OneOf(&["2xx", "close"]),
        "200" => OneOf(&["200"]),
        "400 or 2xx" | "2xx or 400" => OneOf(&["400", "2xx"]),
        "400 or 2xx/404" => OneOf(&["400", "2xx", "404"]),
        "400/505 or close" => OneOf(&["400", "505", "close"]),
        "400/501 or close" => OneOf(&["400", "501", "close"]),
        "400/431 or close" => OneOf(&["400", "431", "close"]),
        "400/414/431 or close" => OneOf(&["400", "414", "431", "close"]),
        "400/405/501 or close" | "501/405/400 or close" => OneOf(&["400", "405", "501", "close"]),
        "400/405/501 or 2xx" => OneOf(&["400", "405", "501", "2xx"]),
        "405/501 or 2xx" => OneOf(&["405", "501", "2xx"]),
        "405/501, or 200 without Auth" => OneOf(&["405", "501"]),
        "400/405 or 200" => OneOf(&["400", "405", "200"]),
        "417 or 2xx" => OneOf(&["417", "2xx"]),
        "406 or 2xx" => OneOf(&["406", "2xx"]),
        "415 or 2xx" => OneOf(&["415", "2xx"]),
        "200 or 400" => OneOf(&["200", "400"]),
        "200 or 416" => OneOf(&["200", "416"]),
        "200 or 505" => OneOf(&["200", "505"]),
        "200/206/400/416" => OneOf(&["200", "206", "400", "416"]),
        "400/431 (rejected) or 2xx (survived)" | "2xx or 400/431" => OneOf(&["400", "431", "2xx"]),
        "400/close/timeout" => OneOf(&["400", "408", "close", "timeout"]),
        "400/505/close/timeout" => OneOf(&["400", "505", "close", "timeout"]),
        "400 or close (pass), 2xx (warn)" | "400 or close preferred; 2xx acceptable" => {
            Rather(&["400", "close"], &["2xx"])
        }
        "2xx preferred; 400 warns" => Rather(&["2xx"], &["400"]),
        "non-101 (426 preferred)" => Not(101),
        "!101" => Not(101),
        "not 414" => Not(414),
        "non-1xx response" => NotInterim,
        "400, or close (no extra response)" => NoSecondAnswer,
        "400, or 2xx + close" | "400 or 2xx+close" | "400/501 or 2xx+close" => RefusedOrClosed,
        "400/close preferred; poisoned follow-up = warn"
        | "400/close preferred; extra response on step 2 = warn"
        | "400/close/pass-through; poisoned follow-up = warn"
        | "417/400/close preferred; poisoned follow-up = warn" => CleanFollowUp,
        "2xx + 2xx" => BothAnswered,
        "2xx + echo" => Echo,
        "2xx + close" => SuccessAndClose,
        "2xx with Date header" => Field("date"),
        "2xx with Allow header" => Field("allow"),
        "2xx with Content-Type" => Field("content-type"),
        "IMF-fixdate format" => DateFormat,
        "405 + Allow header" => MethodNotAllowed,
        "204 without CL" => NoContentNoLength,
        "2xx with no body" => NoBody,
        "2xx with Cookie in body" => Contains(&["cookie: foo=bar"], &[]),
        "2xx with foo=bar in body" => Contains(&["foo=bar"], &[]),
        "2xx with both cookies" => Contains(&["a=1", "b=2"], &[]),
        "2xx with a=1, b=2, c=3 in body" => Contains(&["a=1", "b=2", "c=3"], &[]),
        "400 (rejected) or 2xx without NUL" => Contains(&[], &['\0']),
        "400 (rejected) or 2xx without control chars" => Contains(&[], CONTROL),
        "Reject/drop (pass), normalize (fail), preserve (warn)"
        | "Reject/drop (pass), normalize casing (fail), preserve (warn)" => NotNormalized,
        "304" => NotModified,
        "304 with ETag" => NotModifiedWithTag,
        _ => return None,
    })
}

/// What happened.
#[derive(Debug)]
struct Outcome {
    answers: Vec<Answer>,
    interim: bool,
    closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Pass,
    Warn,
    Fail,
}

fn pass(is: bool) -> Mark {
    if is { Mark::Pass } else { Mark::Fail }
}

impl Outcome {
    fn is(&self, what: &str) -> bool {
        let status = self.answers.last().map(|answer| answer.status);
        match what {
            "close" => status.is_none() && self.closed,
            "timeout" => status.is_none() && !self.closed,
            "2xx" => status.is_some_and(|status| (200..300).contains(&status)),
            code => status.is_some_and(|status| status.to_string() == code),
        }
    }

    fn success(&self) -> bool {
        self.is("2xx")
    }

    fn judge(&self, test: &Value, want: Want) -> Mark {
        let status = self.answers.last().map(|answer| answer.status);
        let field = |name: &str| self.answers.last().and_then(|answer| answer.field(name));
        let text = self.answers.last().map(Answer::text).unwrap_or_default();
        match want {
            Want::OneOf(all) => pass(all.iter().any(|what| self.is(what))),
            Want::Rather(good, fair) => {
                if good.iter().any(|what| self.is(what)) {
                    Mark::Pass
                } else if fair.iter().any(|what| self.is(what)) {
                    Mark::Warn
                } else {
                    Mark::Fail
                }
            }
            Want::NoSecondAnswer => pass(self.closed && self.answers.len() <= 1 && !self.success()),
            Want::RefusedOrClosed => {
                pass(self.closed && self.answers.len() <= 1 && (self.success() || self.is("400")))
            }
            Want::CleanFollowUp => match self.answers.as_slice() {
                [] => pass(self.closed),
                [only] => pass(self.closed && matches!(only.status, 200..=299 | 400 | 417)),
                [_, second] if (200..300).contains(&second.status) => Mark::Pass,
                [..] => Mark::Warn,
            },
            Want::BothAnswered => pass(
                self.answers.len() == 2 && self.answers.iter().all(|answer| answer.status == 200),
            ),
            Want::Not(code) => pass(status.is_some_and(|status| status != code)),
            Want::NotInterim => pass(self.success() && !self.interim),
            Want::Echo => {
                let sent = test["payloads"][0].as_str().unwrap();
                let sent: String = sent.replace("\r\n", " ");
                let words = ["hello world", "helloworld", "hello"];
                let whole = words.iter().find(|word| {
                    sent.contains(**word) || sent.contains("hello 6  world") && **word == words[0]
                });
                pass(self.success() && whole.is_some_and(|word| text == **word))
            }
            Want::Field(name) => pass(self.success() && field(name).is_some()),
            Want::MethodNotAllowed => pass(status == Some(405) && field("allow").is_some()),
            Want::NoContentNoLength => {
                pass(status == Some(204) && field("content-length").is_none())
            }
            Want::NoBody => pass(self.success() && text.is_empty() && self.answers.len() == 1),
            Want::DateFormat => pass(field("date").is_some_and(|date| {
                let parsed = httpdate::parse_http_date(date);
                parsed.is_ok_and(|time| httpdate::fmt_http_date(time) == date)
            })),
            Want::SuccessAndClose => pass(self.success() && self.closed),
            Want::Contains(all, none) => {
                let refused = all.is_empty() && self.is("400");
                let holds = all.iter().all(|part| text.contains(part));
                pass(refused || self.success() && holds && !text.contains(none))
            }
            Want::NotNormalized => {
                if !self.success() {
                    return pass(self.is("400") || self.is("501"));
                }
                let as_sent = text.contains("content_length: 99")
                    || text.contains("transfer_encoding: chunked");
                let normalized = text.contains("content-length: 99")
                    || text.contains("content-length: 5\n")
                    || text.contains("transfer-encoding: chunked");
                match (normalized, as_sent) {
                    (true, _) => Mark::Fail,
                    (false, true) => Mark::Warn,
                    (false, false) => Mark::Pass,
                }
            }
            Want::NotModified => pass(status == Some(304)),
            Want::NotModifiedWithTag => pass(status == Some(304) && field("etag").is_some()),
        }
    }
}

/// The second request of those whose second depends on the first answer.
fn conditional(id: &str, first: &Answer, host: &str) -> Option<Vec<u8>> {
    let tag = first.field("etag")?;
    let date = first.field("last-modified")?;
    let condition = match id {
        "CAP-ETAG-304" | "CAP-ETAG-IN-304" => format!("If-None-Match: {tag}"),
        "CAP-LAST-MODIFIED-304" => format!("If-Modified-Since: {date}"),
        "CAP-INM-PRECEDENCE" => {
            format!("If-None-Match: {tag}\r\nIf-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT")
        }
        "CAP-INM-UNQUOTED" => format!("If-None-Match: {}", tag.trim_matches('"')),
        "CAP-ETAG-WEAK" => format!("If-None-Match: W/{tag}"),
        _ => return None,
    };
    Some(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{condition}\r\n\r\n").into_bytes())
}

async fn attempt(stage: &Stage, test: &Value) -> Outcome {
    let host = stage.address.to_string();
    let id = test["id"].as_str().unwrap();
    let mut client: Client<TcpStream> = Client::new(stage.connect().await);
    let mut outcome = Outcome {
        answers: Vec::new(),
        interim: false,
        closed: false,
    };
    let mut pending = requests(test, &host);
    pending.reverse();
    let mut first = true;
    while let Some(request) = pending.pop() {
        // The server may close while a long request is on its way.
        if client.stream.write_all(&request).await.is_err() && client.closed {
            break;
        }
        let to_head = request.starts_with(b"HEAD");
        let Some(answer) = client.answer(to_head, Duration::from_millis(900)).await else {
            break;
        };
        outcome.interim |= answer.status < 200;
        if first
            && pending.is_empty()
            && let Some(second) = conditional(id, &answer, &host)
        {
            pending.push(second);
        }
        first = false;
        outcome.answers.push(answer);
    }
    // Nothing was asked any more: what still comes answers something that was hidden.
    if let Some(answer) = client.answer(false, Duration::from_millis(250)).await {
        outcome.answers.push(answer);
    }
    outcome.closed = client.closed;
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_http11probe_is_answered_as_it_should_be() {
    let vectors: Value =
        serde_json::from_str(include_str!("../vectors/http11probe/vectors.json")).unwrap();
    let tests = vectors["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 215);
    let limits = Limits {
        idle: Duration::from_secs(5),
        ..short()
    };
    let stage = Stage::start(limits).await;
    let attempts = tests.iter().map(|test| attempt(&stage, test));
    let outcomes = futures_util::future::join_all(attempts).await;
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    let mut failed = Vec::new();
    for (test, outcome) in tests.iter().zip(&outcomes) {
        let expected = test["expected"].as_str().unwrap();
        let want = want(expected).unwrap_or_else(|| panic!("not understood: {expected}"));
        let mark = outcome.judge(test, want);
        let category = test["category"].as_str().unwrap().to_owned();
        *counts.entry((category, format!("{mark:?}"))).or_default() += 1;
        if mark == Mark::Warn {
            println!("warn: {} ({expected})", test["id"]);
        }
        if mark == Mark::Fail {
            failed.push(format!("{} wants {expected}: {outcome:?}", test["id"]));
        }
    }
    for ((category, mark), count) in counts {
        println!("{category}: {count} {mark}");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
