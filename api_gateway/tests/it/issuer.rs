//! An identity service whose answers a test decides: its keys, its feed of revocations, its API keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

/// The script, and what was asked.
#[derive(Clone)]
pub(crate) struct Issuer(Arc<Mutex<Script>>);

struct Script {
    keys: Value,
    keys_asked: usize,
    events: Vec<Value>,
    head: u64,
    feed_is_up: bool,
    feed_asked: usize,
    api_keys: BTreeMap<String, Value>,
    api_keys_are_up: bool,
    api_keys_asked: Vec<(HeaderMap, Value)>,
}

impl Issuer {
    pub(crate) fn publishing(keys: Value) -> Self {
        Self(Arc::new(Mutex::new(Script {
            keys,
            keys_asked: 0,
            events: Vec::new(),
            head: 0,
            feed_is_up: true,
            feed_asked: 0,
            api_keys: BTreeMap::new(),
            api_keys_are_up: true,
            api_keys_asked: Vec::new(),
        })))
    }

    fn script<T>(&self, with: impl FnOnce(&mut Script) -> T) -> T {
        with(&mut self.0.lock().unwrap())
    }

    pub(crate) fn publish(&self, keys: Value) {
        self.script(|script| script.keys = keys);
    }

    /// How often the keys were fetched.
    pub(crate) fn keys_asked(&self) -> usize {
        self.script(|script| script.keys_asked)
    }

    /// How often the feed was asked for, answered or not.
    pub(crate) fn feed_asked(&self) -> usize {
        self.script(|script| script.feed_asked)
    }

    pub(crate) fn announce(&self, kind: &str, value: &str) {
        self.script(|script| {
            script.head += 1;
            let event = json!({
                "seq": script.head, "kind": kind, "value": value,
                "expires_at": "2026-11-21T12:16:00Z",
            });
            script.events.push(event);
        });
    }

    /// The store of the feed was lost: another one begins.
    pub(crate) fn begin_feed_anew(&self) {
        self.script(|script| {
            script.events.clear();
            script.head = 0;
        });
    }

    pub(crate) fn feed_is_up(&self, up: bool) {
        self.script(|script| script.feed_is_up = up);
    }

    pub(crate) fn has_api_key(&self, key: &str, answer: Value) {
        self.script(|script| script.api_keys.insert(key.to_owned(), answer));
    }

    pub(crate) fn loses_api_key(&self, key: &str) {
        self.script(|script| script.api_keys.remove(key));
    }

    pub(crate) fn api_keys_are_up(&self, up: bool) {
        self.script(|script| script.api_keys_are_up = up);
    }

    /// The questions about keys since the last look.
    pub(crate) fn api_keys_asked(&self) -> Vec<(HeaderMap, Value)> {
        self.script(|script| std::mem::take(&mut script.api_keys_asked))
    }

    pub(crate) fn routes(&self) -> Router {
        Router::new()
            .route("/.well-known/jwks.json", get(keys))
            .route("/.well-known/interline-revocations", get(feed))
            .route("/internal/api-keys/verify", post(api_key))
            .with_state(self.clone())
    }
}

async fn keys(State(issuer): State<Issuer>) -> Json<Value> {
    issuer.script(|script| {
        script.keys_asked += 1;
        Json(script.keys.clone())
    })
}

async fn feed(State(issuer): State<Issuer>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap();
    let after: u64 = query.strip_prefix("after=").unwrap().parse().unwrap();
    issuer.script(|script| {
        script.feed_asked += 1;
        if !script.feed_is_up {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        // Two a page, so that paging is exercised.
        let later = |event: &&Value| event["seq"].as_u64().unwrap() > after;
        let events: Vec<&Value> = script.events.iter().filter(later).take(2).collect();
        let head = events
            .last()
            .map_or(script.head, |event| event["seq"].as_u64().unwrap());
        let more = head < script.head;
        Json(json!({"head": head, "events": events, "more": more})).into_response()
    })
}

async fn api_key(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    issuer.script(|script| {
        script.api_keys_asked.push((headers, body.clone()));
        if !script.api_keys_are_up {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        match script.api_keys.get(body["key"].as_str().unwrap()) {
            Some(answer) => Json(answer.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    })
}
