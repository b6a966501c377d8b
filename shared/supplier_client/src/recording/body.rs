//! What a body is, as far as masking is concerned.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::RecordedBody;

/// A body to be masked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Empty,
    /// Text with members, perhaps broken.
    Json(String),
    /// `application/x-www-form-urlencoded`.
    Form(String),
    /// Text without members that have names.
    Text(String),
    /// Anything in which a traveller's name cannot be told from other bytes.
    Opaque(Bytes),
}

impl Content {
    /// The body that goes with these headers. `max` bytes are decompressed at most.
    pub(super) fn of(headers: &HeaderMap, body: &Bytes, max: usize) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        let header = |name| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().trim().to_ascii_lowercase()
        };
        let decoded = match header(CONTENT_ENCODING).as_str() {
            "" | "identity" => Some(body.to_vec()),
            "gzip" | "x-gzip" => gunzip(body, max),
            _ => None,
        };
        let Some(Ok(text)) = decoded.map(String::from_utf8) else {
            return Self::Opaque(body.clone());
        };
        let media = header(CONTENT_TYPE);
        let media = media.split(';').next().unwrap_or_default().trim();
        let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        if media == "application/x-www-form-urlencoded" {
            Self::Form(text)
        } else if media.ends_with("json") || start.starts_with(['{', '[']) {
            Self::Json(text)
        } else if media.starts_with("multipart/")
            || (media.ends_with("xml") && !media.starts_with("application/xhtml"))
            || start.starts_with("<?xml")
        {
            // Its names are known to nobody here.
            Self::Opaque(body.clone())
        } else if media.is_empty() || media.starts_with("text/") || media.ends_with("xhtml+xml") {
            Self::Text(text)
        } else {
            Self::Opaque(body.clone())
        }
    }
}

fn gunzip(body: &[u8], max: usize) -> Option<Vec<u8>> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    let mut out = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(body).take(limit.saturating_add(1));
    reader.read_to_end(&mut out).ok()?;
    (out.len() <= max).then_some(out)
}

impl RecordedBody {
    /// The bytes to answer with; none if they were not kept.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(text.clone().into()),
            Self::Base64(text) => STANDARD.decode(text).ok().map(Bytes::from),
            Self::Omitted(_) => None,
        }
    }

    pub(super) fn raw(bytes: &Bytes) -> Self {
        Self::Base64(STANDARD.encode(bytes))
    }

    pub(super) fn omitted(bytes: &Bytes) -> Self {
        Self::Omitted(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
    }
}
