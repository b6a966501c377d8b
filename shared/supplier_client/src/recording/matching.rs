//! Serves a recording: finds the exchange that a request repeats, and gives its answer again, over HTTP
//! or as a [`Transport`].

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::body::Content;
use super::key::Keys;
use super::mask::{Masker, RawRequest};
use super::own::{Own, may_be, replaced};
use super::recorder::problem;
use super::{
    Exchange, Outcome, RecordedBody, RecordedFailure, RecordedRequest, RecordingError, file,
    placeholder,
};
use crate::call::error_of;
use crate::classify::{Classifier, by_status, settle};
use crate::engine::{SendCause, SendFailure};
use crate::error::{Blame, Sent, SupplierError, SupplierErrorKind};
use crate::wire::{WireRequest, WireResponse};
use crate::{CallCx, Transport};

/// So many requests of the recording are named to whoever asked for another.
const NEAREST: usize = 3;

/// A recording that answers. Requests are found by method, path and query (in any order of its
/// parameters), and by body if the recording has several bodies for them. A request that equals a
/// recorded one in what was not masked is that request. The same request again gets the next answer that
/// was recorded for it; the last one is repeated.
///
/// A value that the client made itself, such as its reference of an order, is taken for the recorded one
/// from the first request on that has it, and stands in the answers in place of the recorded one. It is
/// known by this: a long word in the same place of both requests, which no recorded answer had before,
/// and which the present client has not from the recording.
pub struct Replay {
    exchanges: Vec<Exchange>,
    lines: Vec<usize>,
    keys: Vec<Keys>,
    /// Which have been given.
    served: Mutex<Vec<bool>>,
    /// The values that clients made themselves, the latest last.
    own: Mutex<Vec<Own>>,
    text: String,
    highest: u64,
    truncated: bool,
    ignored: Vec<String>,
    classifier: Classifier,
}

/// A recorded exchange that a request was found to repeat.
pub struct Matched<'r> {
    /// What was recorded.
    pub exchange: &'r Exchange,
    /// Its line in the file, from 1.
    pub line: usize,
    /// What stands in the answer in place of recorded values.
    own: Vec<Own>,
}

impl Matched<'_> {
    /// The text with the client's own values.
    fn own_in(&self, text: &str) -> String {
        self.own.iter().fold(text.to_owned(), |text, own| {
            replaced(&text, &own.recorded, &own.present)
        })
    }

    /// Whether the answer had a body that was not kept: it is empty in the replay.
    pub fn lost_body(&self) -> bool {
        matches!(
            &self.exchange.outcome,
            Outcome::Response(response) if matches!(response.body, Some(RecordedBody::Omitted(_)))
        )
    }
}

/// A request that the recording does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// What was asked, masked.
    pub asked: String,
    /// What differs, in words.
    pub reason: String,
    /// The recorded requests that are most like it, masked.
    pub nearest: Vec<String>,
}

/// What a replay answers over HTTP.
pub struct Served<'r> {
    /// The answer: the recorded one, a 502 for a recorded failure, or a 404 that names the nearest.
    pub answer: http::Response<Bytes>,
    /// Where it is from.
    pub source: Result<Matched<'r>, Unmatched>,
}

impl Replay {
    /// Reads a file.
    ///
    /// # Errors
    /// [`RecordingError::File`] if it cannot be read or holds no exchange, [`RecordingError::Line`] if a
    /// line is none. A last line that was cut off is left out: see [`Replay::truncated`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|error| RecordingError::file(path, error))?;
        let (exchanges, truncated) = file::parse(&text, path)?;
        if exchanges.is_empty() {
            return Err(RecordingError::file(path, "holds no complete exchange"));
        }
        let (lines, exchanges): (Vec<usize>, Vec<Exchange>) = exchanges.into_iter().unzip();
        let keys = exchanges
            .iter()
            .map(|e| Keys::of(&e.request, &[]))
            .collect();
        Ok(Self {
            served: Mutex::new(vec![false; exchanges.len()]),
            own: Mutex::default(),
            exchanges,
            lines,
            keys,
            highest: placeholder::highest(&text),
            text,
            truncated,
            ignored: Vec::new(),
            classifier: by_status,
        })
    }

    /// The same with the adapter's own classifier in place of [`by_status`].
    #[must_use]
    pub fn classified(mut self, classifier: Classifier) -> Self {
        self.classifier = classifier;
        self
    }

    /// The same without comparing these parameters of queries and forms and these members of JSON: what
    /// is another each time, like the time that is left or a reference of ours.
    #[must_use]
    pub fn ignoring<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.ignored.extend(names.into_iter().map(Into::into));
        let requests = self.exchanges.iter().map(|exchange| &exchange.request);
        self.keys = requests.map(|r| Keys::of(r, &self.ignored)).collect();
        self
    }

    /// The exchanges in the order in which they ended.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Whether the last line was cut off, and is left out.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The recorded requests that nobody has asked again.
    pub fn unasked(&self) -> Vec<String> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = self.exchanges.iter().zip(served.iter());
        pairs
            .filter(|(_, served)| !**served)
            .map(|(exchange, _)| name(&exchange.request))
            .collect()
    }

    /// The recorded answer to a request over HTTP.
    pub fn serve(&self, request: &http::Request<Bytes>) -> Served<'_> {
        let (uri, headers) = (request.uri(), request.headers());
        let body = request.body();
        let source = self.find(RawRequest {
            method: request.method(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers,
            body: Content::of(headers, body, usize::MAX),
        });
        let answer = match &source {
            Ok(matched) => match &matched.exchange.outcome {
                Outcome::Response(_) => recorded(matched),
                Outcome::Failure(failure) => unreachable(failure),
            },
            Err(unmatched) => problem(StatusCode::NOT_FOUND, &unmatched.json()),
        };
        Served { answer, source }
    }

    fn find(&self, raw: RawRequest<'_>) -> Result<Matched<'_>, Unmatched> {
        let present = Masker::after(self.highest).request(raw);
        let request = self.as_recorded(present.clone());
        let asked = Keys::of(&request, &self.ignored);
        let of_place: Vec<usize> = (0..self.keys.len())
            .filter(|index| {
                let key = self.keys.get(*index);
                key.is_some_and(|key| key.blurred.same_place(&asked.blurred))
            })
            .collect();
        let like = |same: &dyn Fn(&Keys) -> bool| -> Vec<usize> {
            let of_place = of_place.iter().copied();
            of_place
                .filter(|index| self.keys.get(*index).is_some_and(same))
                .collect()
        };
        let own_alone = of_place.iter().copied().filter(|index| {
            let key = self.keys.get(*index);
            key.and_then(|key| key.blurred.unlike_in_texts(&asked.blurred))
                .is_some_and(|found| found.iter().all(|own| self.is_own(own)))
        });
        let mut bodies = of_place.iter().filter_map(|index| self.keys.get(*index));
        let first = bodies.next();
        let one_body = bodies.all(|key| first.is_some_and(|f| f.blurred.body == key.blurred.body));
        let candidates = [
            like(&|key| key.exact == asked.exact),
            like(&|key| key.blurred == asked.blurred),
            own_alone.collect(),
            if one_body {
                of_place.clone()
            } else {
                Vec::new()
            },
        ];
        match candidates.iter().find(|found| !found.is_empty()) {
            Some(found) => self
                .next(found, &present)
                .ok_or_else(|| self.unmatched(&present, &asked)),
            None => Err(self.unmatched(&present, &asked)),
        }
    }

    /// The first of these that has not been given, or the last.
    fn next(&self, found: &[usize], present: &RecordedRequest) -> Option<Matched<'_>> {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |index: &&usize| served.get(**index) == Some(&false);
        let index = *found.iter().find(fresh).or(found.last())?;
        *served.get_mut(index)? = true;
        let exchange = self.exchanges.get(index)?;
        let line = *self.lines.get(index)?;
        let own = self.learn(&exchange.request, present);
        Some(Matched {
            exchange,
            line,
            own,
        })
    }

    /// The request with the recorded values in place of what clients made themselves.
    fn as_recorded(&self, mut request: RecordedRequest) -> RecordedRequest {
        for own in self
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            let recorded = |text: &str| replaced(text, &own.present, &own.recorded);
            request.path = recorded(&request.path);
            request.query = recorded(&request.query);
            if let Some(RecordedBody::Text(text)) = &mut request.body {
                *text = recorded(text);
            }
        }
        request
    }

    /// Remembers what the client made itself in this request, and gives what stands for recorded values
    /// in the answer to it: its own values first, then the latest of earlier requests.
    fn learn(&self, recorded: &RecordedRequest, present: &RecordedRequest) -> Vec<Own> {
        let whole = |request| Keys::of(request, &[]).blurred;
        let (_, mut found) = whole(recorded).compared(&whole(present));
        found.retain(|own| self.is_own(own));
        let mut known = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|own| !found.contains(own));
        let earlier: Vec<Own> = known.iter().rev().cloned().collect();
        known.extend(found.iter().cloned());
        for own in earlier {
            let covered = found.iter().any(|other| other.recorded == own.recorded);
            if !covered && !present.has(&own.recorded) {
                found.push(own);
            }
        }
        found
    }

    /// Whether the client made both values: the recording has the one first in a request, and the other
    /// nowhere.
    fn is_own(&self, own: &Own) -> bool {
        let in_a_request = |exchange: &Exchange| match &exchange.outcome {
            _ if exchange.request.has(&own.recorded) => Some(true),
            Outcome::Response(response) => match &response.body {
                Some(RecordedBody::Text(text)) if text.contains(&own.recorded) => Some(false),
                _ => None,
            },
            Outcome::Failure(_) => None,
        };
        may_be(&own.recorded)
            && may_be(&own.present)
            && !self.text.contains(&own.present)
            && self.exchanges.iter().find_map(in_a_request) == Some(true)
    }

    fn unmatched(&self, request: &RecordedRequest, asked: &Keys) -> Unmatched {
        let asked = &asked.blurred;
        let mut ranked: Vec<(usize, usize)> = self
            .keys
            .iter()
            .enumerate()
            .map(|(index, key)| (key.blurred.unlike(asked), index))
            .collect();
        ranked.sort_unstable();
        let best = ranked.first().and_then(|(_, index)| self.keys.get(*index));
        let reason = match best.map(|key| &key.blurred) {
            Some(key) if key.same_place(asked) => "no recorded request has this body",
            Some(key) if key.path == asked.path && key.method == asked.method => {
                "no recorded request has this query"
            }
            Some(key) if key.path == asked.path => "no recorded request has this method",
            _ => "no recorded request has this path",
        };
        let mut nearest: Vec<String> = Vec::new();
        for (_, index) in ranked {
            let name = self.exchanges.get(index).map(|e| name(&e.request));
            if let Some(name) = name
                && nearest.len() < NEAREST
                && !nearest.contains(&name)
            {
                nearest.push(name);
            }
        }
        Unmatched {
            asked: name(request),
            reason: reason.to_owned(),
            nearest,
        }
    }
}

#[async_trait]
impl Transport for Replay {
    /// # Errors
    /// As the client gives them for the recorded answer or failure;
    /// [`SupplierErrorKind::InvalidRequest`] for a request that was not recorded.
    async fn call(&self, _: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        let query = request.encoded_query().unwrap_or_default();
        let found = self.find(RawRequest {
            method: request.method(),
            path: request.path(),
            query: &query,
            headers: request.headers(),
            body: Content::of(request.headers(), request.body_bytes(), usize::MAX),
        });
        let matched = found.map_err(|unmatched| {
            let detail = format!("replay: {unmatched}");
            SupplierError::new(SupplierErrorKind::InvalidRequest, detail).with_sent(Sent::No)
        })?;
        match &matched.exchange.outcome {
            Outcome::Failure(failure) => Err(error_of(&request, failure.again())),
            Outcome::Response(_) => {
                let (head, body) = recorded(&matched).into_parts();
                let response = WireResponse::new(&request, head.status, head.headers, body);
                let verdict = (self.classifier)(&request, &response);
                settle(&request, response, verdict, None)
            }
        }
    }
}

impl RecordedFailure {
    fn again(&self) -> SendFailure {
        let cause = SendCause::named(&self.cause).unwrap_or(SendCause::Broken);
        let blame = match cause {
            SendCause::Unbuildable => Blame::Us,
            SendCause::TooLarge | SendCause::TimedOut => Blame::Supplier,
            SendCause::Connect | SendCause::Broken => Blame::Network,
        };
        SendFailure {
            sent: self.sent(),
            blame,
            cause,
            detail: self.detail.clone(),
        }
    }
}

impl RecordedRequest {
    /// Whether the text stands anywhere in it, its headers aside.
    fn has(&self, text: &str) -> bool {
        let body = match &self.body {
            Some(RecordedBody::Text(body)) => body.as_str(),
            _ => "",
        };
        [&self.path, &self.query, body]
            .iter()
            .any(|part| part.contains(text))
    }
}

/// Method, path and query.
fn name(request: &RecordedRequest) -> String {
    let mark = if request.query.is_empty() { "" } else { "?" };
    format!("{} {}{mark}{}", request.method, request.path, request.query)
}

impl std::fmt::Display for RecordedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&name(self))
    }
}

impl std::fmt::Display for Unmatched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.asked, self.reason)?;
        write!(f, "; nearest: {}", self.nearest.join(", "))
    }
}

impl Unmatched {
    fn json(&self) -> Value {
        json!({
            "error": "not_recorded",
            "asked": self.asked,
            "reason": self.reason,
            "nearest": self.nearest,
            "from": "interline supplier replay: this is not the supplier's answer",
        })
    }
}

fn recorded(matched: &Matched<'_>) -> http::Response<Bytes> {
    let Outcome::Response(recorded) = &matched.exchange.outcome else {
        return http::Response::new(Bytes::new());
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &recorded.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&matched.own_in(value)),
        ) {
            headers.append(name, value);
        }
    }
    let body = match &recorded.body {
        Some(RecordedBody::Text(text)) => Some(matched.own_in(text).into()),
        body => body.as_ref().and_then(RecordedBody::bytes),
    };
    let mut response = http::Response::new(body.unwrap_or_default());
    *response.status_mut() =
        StatusCode::from_u16(recorded.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response
}

fn unreachable(failure: &RecordedFailure) -> http::Response<Bytes> {
    let body = json!({
        "error": "supplier_unreachable",
        "cause": failure.cause,
        "detail": failure.detail,
        "from": "interline supplier replay: the recording has no answer to this request",
    });
    problem(StatusCode::BAD_GATEWAY, &body)
}
