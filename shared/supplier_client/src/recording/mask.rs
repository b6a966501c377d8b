//! Masks an exchange: first whatever stands under a telling name or has a telling form, then the same
//! values wherever else they stand in the exchange.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method};

use super::body::Content;
use super::json::{Piece, rewrite};
use super::names::{Kind, kind_of};
use super::sweep::{Credentials, Words};
use super::text::findings;
use super::{RecordedBody, RecordedRequest, RecordedResponse, placeholder};
use crate::wire::path_segment;

/// JSON inside strings of JSON is masked so deep.
const MAX_NESTING: usize = 3;
/// The value of an unknown header is looked for elsewhere from this length on: it may be a key.
const KEY_LENGTH: usize = 16;

/// Headers of the connection or of the body's encoding, which a recording does not keep.
const NOT_KEPT: [&str; 12] = [
    "connection",
    "content-encoding",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
];
/// Headers of requests whose values are kept, besides those ending in `-version`.
const HARMLESS: [&str; 16] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-language",
    "content-type",
    "date",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "test",
    "traceparent",
    "x-http-method-override",
    "x-idempotency-key",
    "x-request-id",
];

/// The header that names a program. It is kept as it is: it speaks of nobody, and a user name like
/// `interline` would spoil it.
const PROGRAM: &str = "user-agent";

/// A request before it is masked.
pub(super) struct RawRequest<'r> {
    pub(super) method: &'r Method,
    pub(super) path: &'r str,
    pub(super) query: &'r str,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: Content,
}

/// An answer before it is masked.
pub(super) struct RawResponse<'r> {
    pub(super) status: u16,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: Content,
}

/// What is known of a file's values. One per file, so that a value has one stand-in.
#[derive(Default)]
pub(super) struct Masker {
    numbers: HashMap<String, u64>,
    /// The number before the first to be given.
    base: u64,
    credentials: Credentials,
    raw_bodies: bool,
}

impl Masker {
    /// For a new file. `raw_bodies`: whether to keep what cannot be masked.
    pub(super) fn new(raw_bodies: bool) -> Self {
        Self {
            raw_bodies,
            ..Self::default()
        }
    }

    /// For requests that are compared with a file whose stand-ins go up to this one.
    pub(super) fn after(base: u64) -> Self {
        Self {
            base,
            ..Self::default()
        }
    }

    /// The request alone.
    pub(super) fn request(&mut self, raw: RawRequest<'_>) -> RecordedRequest {
        let mut pass = Pass::new(self);
        let mut request = pass.request(raw);
        pass.sweep_request(&mut request);
        request
    }

    /// The request and its answer.
    pub(super) fn exchange(
        &mut self,
        request: RawRequest<'_>,
        response: RawResponse<'_>,
    ) -> (RecordedRequest, RecordedResponse) {
        let mut pass = Pass::new(self);
        let mut request = pass.request(request);
        let mut response = pass.response(response);
        pass.sweep_request(&mut request);
        pass.sweep_headers(&mut response.headers);
        pass.sweep_body(&mut response.body);
        (request, response)
    }

    fn number(&mut self, value: &str) -> u64 {
        let next = self.base + u64::try_from(self.numbers.len()).unwrap_or(u64::MAX) + 1;
        *self.numbers.entry(value.to_owned()).or_insert(next)
    }
}

/// One exchange.
struct Pass<'m> {
    masker: &'m mut Masker,
    words: Words,
    /// Personal values by themselves, for numbers that repeat them.
    whole: BTreeMap<String, u64>,
}

impl<'m> Pass<'m> {
    fn new(masker: &'m mut Masker) -> Self {
        Self {
            masker,
            words: Words::default(),
            whole: BTreeMap::new(),
        }
    }

    fn request(&mut self, raw: RawRequest<'_>) -> RecordedRequest {
        RecordedRequest {
            // Headers first: their credentials are what the rest may repeat.
            headers: self.headers(raw.headers, true),
            method: raw.method.to_string(),
            path: self
                .text(raw.path, 0)
                .unwrap_or_else(|| raw.path.to_owned()),
            query: self.pairs(raw.query),
            body: self.body(raw.body),
        }
    }

    fn response(&mut self, raw: RawResponse<'_>) -> RecordedResponse {
        RecordedResponse {
            status: raw.status,
            headers: self.headers(raw.headers, false),
            body: self.body(raw.body),
        }
    }

    /// Remembers a value and gives its number; none for what is empty or a stand-in already.
    fn learn(&mut self, value: &str, kind: Kind) -> Option<u64> {
        if value.trim().is_empty() || placeholder::is_one(value) {
            return None;
        }
        let number = self.masker.number(value);
        let stand_in = placeholder::of_text(number, value);
        match kind {
            _ if placeholder::is_part_of_one(value) => {}
            Kind::Credential => self.masker.credentials.learn(value, &stand_in),
            Kind::Token | Kind::Personal => {
                self.words.learn(value, &stand_in);
                self.whole.insert(value.to_owned(), number);
            }
            Kind::Place => {}
        }
        Some(number)
    }

    fn stand_in(&mut self, value: &str, kind: Kind) -> Option<String> {
        let number = self.learn(value, kind)?;
        Some(placeholder::of_text(number, value))
    }

    fn headers(&mut self, headers: &HeaderMap, of_request: bool) -> Vec<(String, String)> {
        let kept = headers
            .iter()
            .filter(|(name, _)| !NOT_KEPT.contains(&name.as_str()));
        let mut masked = Vec::new();
        for (name, value) in kept {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let name = name.as_str().to_owned();
            let value = self.header(&name, value, of_request);
            masked.push((name, value));
        }
        masked
    }

    fn header(&mut self, name: &str, value: String, of_request: bool) -> String {
        if name == PROGRAM {
            return value;
        }
        let harmless = HARMLESS.contains(&name) || name.ends_with("-version");
        match kind_of(name, &[]) {
            Some(Kind::Credential) => self.credential(name, &value),
            Some(kind) => self.stand_in(&value, kind).unwrap_or(value),
            None if harmless || !of_request => self.text(&value, 0).unwrap_or(value),
            // Nobody knows what it is.
            None => {
                let kind = match value.len() {
                    KEY_LENGTH.. => Kind::Credential,
                    _ => Kind::Place,
                };
                self.stand_in(&value, kind).unwrap_or(value)
            }
        }
    }

    /// The header of a credential: its scheme stays, what the scheme hides is learnt, too.
    fn credential(&mut self, name: &str, value: &str) -> String {
        let (scheme, secret) = match value.split_once(' ') {
            Some((scheme, secret)) if name.ends_with("authorization") => (scheme, secret.trim()),
            _ => ("", value),
        };
        if placeholder::is_one(secret) {
            return value.to_owned();
        }
        if name.ends_with("cookie") {
            for (_, value) in secret.split(';').filter_map(|pair| pair.split_once('=')) {
                self.learn(value, Kind::Token);
            }
        }
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(pair) = STANDARD.decode(secret)
            && let Some((user, password)) = String::from_utf8_lossy(&pair).split_once(':')
        {
            self.learn(user, Kind::Credential);
            self.learn(password, Kind::Credential);
        }
        for (range, kind) in findings(secret) {
            self.learn(secret.get(range).unwrap_or_default(), kind);
        }
        // A signature is another each time.
        let kind = match name.contains("signature") || secret.contains("signature=") {
            true => Kind::Token,
            false => Kind::Credential,
        };
        let stand_in = self
            .stand_in(secret, kind)
            .unwrap_or_else(|| secret.to_owned());
        format!("{scheme} {stand_in}").trim_start().to_owned()
    }

    /// A query or a form.
    fn pairs(&mut self, text: &str) -> String {
        let masked: Vec<String> = text.split('&').map(|pair| self.pair(pair)).collect();
        masked.join("&")
    }

    fn pair(&mut self, pair: &str) -> String {
        let Some((name, value)) = url::form_urlencoded::parse(pair.as_bytes()).next() else {
            return pair.to_owned();
        };
        // `paxes[0][name]`, `holder.name`
        let mut path: Vec<&str> = name
            .split(['[', ']', '.'])
            .filter(|part| !part.is_empty() && part.parse::<u32>().is_err())
            .collect();
        let last = path.pop().unwrap_or_default();
        let kind = match last {
            "key" => Some(Kind::Credential),
            _ => kind_of(last, &path),
        };
        let masked = match kind {
            Some(kind) => self.stand_in(&value, kind),
            None => self.text(&value, 0),
        };
        match (masked, pair.split_once('=')) {
            (Some(masked), Some((name, _))) => format!("{name}={}", path_segment(&masked)),
            _ => pair.to_owned(),
        }
    }

    fn body(&mut self, body: Content) -> Option<RecordedBody> {
        let text = match body {
            Content::Empty => return None,
            Content::Form(text) => self.pairs(&text),
            Content::Text(text) => self.text(&text, 0).unwrap_or(text),
            Content::Json(text) => match self.json(&text, 0) {
                Some(masked) => masked,
                None => return Some(RecordedBody::omitted(&text.into())),
            },
            Content::Opaque(bytes) => return Some(self.opaque(&bytes)),
        };
        Some(RecordedBody::Text(text))
    }

    fn opaque(&self, bytes: &Bytes) -> RecordedBody {
        if self.masker.raw_bodies && !self.masker.credentials.within(bytes) {
            RecordedBody::raw(bytes)
        } else {
            RecordedBody::omitted(bytes)
        }
    }

    fn json(&mut self, text: &str, nesting: usize) -> Option<String> {
        rewrite(text, &mut |name, around, piece| match piece {
            Piece::Name(name) => self.text(name, MAX_NESTING),
            Piece::Text(value) => match kind_of(name, around) {
                Some(kind) => self.stand_in(value, kind),
                None => self.text(value, nesting),
            },
            Piece::Bare("null" | "true" | "false") => None,
            Piece::Bare(value) if value.parse::<f64>().is_ok() => {
                let card = || findings(value).first().map(|(_, kind)| *kind);
                let kind = kind_of(name, around).or_else(card)?;
                self.learn(value, kind).map(placeholder::of_number)
            }
            Piece::Bare(value) => self.text(value, MAX_NESTING),
        })
    }

    /// Text of any kind; none if nothing in it is masked.
    fn text(&mut self, text: &str, nesting: usize) -> Option<String> {
        let nested = text.starts_with("{\"") || text.starts_with("[{");
        if nested && nesting < MAX_NESTING {
            return self.json(text, nesting + 1).filter(|masked| masked != text);
        }
        let mut out = String::new();
        let mut done = 0;
        for (range, kind) in findings(text) {
            let found = text.get(range.clone()).unwrap_or_default();
            let decoded = decoded(found);
            if let Some(stand_in) = self.stand_in(&decoded, kind) {
                out.push_str(text.get(done..range.start).unwrap_or_default());
                out.push_str(&stand_in);
                done = range.end;
            }
        }
        (done > 0).then(|| out + text.get(done..).unwrap_or_default())
    }

    fn sweep_request(&mut self, request: &mut RecordedRequest) {
        if let Some(swept) = self.swept(&request.path) {
            request.path = swept;
        }
        if let Some(swept) = self.swept(&request.query) {
            request.query = swept;
        }
        self.sweep_headers(&mut request.headers);
        self.sweep_body(&mut request.body);
    }

    fn sweep_headers(&self, headers: &mut [(String, String)]) {
        for (_, value) in headers.iter_mut().filter(|(name, _)| name != PROGRAM) {
            if let Some(swept) = self.swept(value) {
                *value = swept;
            }
        }
    }

    fn sweep_body(&self, body: &mut Option<RecordedBody>) {
        let Some(RecordedBody::Text(text)) = body else {
            return;
        };
        let swept = if text.trim_start().starts_with(['{', '[']) {
            rewrite(text, &mut |_, _, piece| match piece {
                // A member called as a traveller is keeps its name: adapters look for it.
                Piece::Name(name) => self.masker.credentials.swept(name),
                Piece::Text(value) => self.swept(value),
                Piece::Bare(value) if value.len() < KEY_LENGTH / 2 => None,
                Piece::Bare(value) => self.whole.get(value).copied().map(placeholder::of_number),
            })
        } else {
            self.swept(text)
        };
        if let Some(swept) = swept {
            *text = swept;
        }
    }

    fn swept(&self, text: &str) -> Option<String> {
        let without = self.masker.credentials.swept(text);
        self.words
            .swept(without.as_deref().unwrap_or(text))
            .or(without)
    }
}

/// The value behind percent-escapes: one value, one stand-in.
fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    // `+` is a plus in all places but forms.
    let text = text.replace('+', "%2B");
    let pair = format!("={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or(text, |(_, value)| value.into_owned())
}
