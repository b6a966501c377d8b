//! OAuth 2 client credentials: who asks with a client id that begins with `amadeus_` and the secret
//! `<client id>_secret` gets a token for a while. Tokens do not outlive the process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use super::params::Params;
use crate::answer::Answer;
use crate::chance::{base62, draw};
use crate::clock::Clock;

pub(crate) struct Tokens {
    seed: u64,
    life: Duration,
    count: AtomicU64,
    /// Until when a token is valid.
    valid: Mutex<HashMap<String, Timestamp>>,
}

impl Tokens {
    pub(crate) fn new(seed: u64, life: Duration) -> Self {
        Self {
            seed,
            life,
            count: AtomicU64::new(0),
            valid: Mutex::default(),
        }
    }

    pub(crate) fn holds(&self, token: &str, now: Timestamp) -> bool {
        self.valid().get(token).is_some_and(|until| now < *until)
    }

    pub(crate) fn issue(&self, form: &[u8], clock: &Clock) -> Answer {
        let form = Params::parse(std::str::from_utf8(form).ok());
        match form.get("grant_type") {
            None => {
                let detail = "Mandatory grant_type form parameter missing";
                return refuse(StatusCode::BAD_REQUEST, "invalid_request", detail);
            }
            Some("client_credentials") => {}
            Some(_) => {
                let detail =
                    "Only client_credentials value is allowed for the body parameter grant_type";
                return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", detail);
            }
        }
        let (Some(id), Some(secret)) = (form.get("client_id"), form.get("client_secret")) else {
            let detail = "Mandatory client_id or client_secret form parameter missing";
            return refuse(StatusCode::BAD_REQUEST, "invalid_request", detail);
        };
        if !id.starts_with("amadeus_") || secret.strip_suffix("_secret") != Some(id) {
            let detail = "Client credentials are invalid";
            return refuse(StatusCode::UNAUTHORIZED, "invalid_client", detail);
        }
        let now = clock.now();
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(now.as_microsecond()).unwrap_or(0);
        let noise = draw(self.seed ^ micros, &format!("{id}{count}"));
        let token = format!(
            "{}{}{}",
            base62(micros, 9),
            base62(noise, 10),
            base62(draw(noise, id), 9)
        );
        let mut valid = self.valid();
        valid.retain(|_, until| now < *until);
        valid.insert(token.clone(), clock.after(self.life));
        let body = json!({
            "type": "amadeusOAuth2Token",
            "username": format!("{id}@sandbox.example"),
            "application_name": "Interline sandbox",
            "client_id": id,
            "token_type": "Bearer",
            "access_token": token,
            "expires_in": self.life.as_secs(),
            "state": "approved",
            "scope": "",
        });
        Answer::json(StatusCode::OK, body).header("content-type", "application/json")
    }

    pub(crate) fn forget(&self) {
        self.valid().clear();
    }

    fn valid(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.valid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse(status: StatusCode, error: &str, detail: &str) -> Answer {
    let body = json!({
        "error": error,
        "error_description": detail,
        "code": 38187,
        "title": "Invalid parameters",
    });
    Answer::json(status, body).header("content-type", "application/json")
}
