//! The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3): read, checked against its client, and
//! kept in the page as a sealed text that nobody can change and that grows old.

use std::time::Duration;

use auth::Permission;
use jiff::Timestamp;
use personal_data::Vault;
use serde::{Deserialize, Serialize};

use super::form::Form;
use super::{pkce, redirect_uri, scope};
use crate::clients::{Client, GrantType};

/// What requests are sealed for.
const PURPOSE: &str = "authorization_request";
/// How long a person may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// The longest `state` that is carried, in bytes.
const LONGEST_STATE: usize = 2048;

/// A request that may be put before a person.
#[derive(Serialize, Deserialize)]
pub(super) struct AuthorizationRequest {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) challenge: String,
    /// Permissions, with spaces between: what the client asked for, of what it may.
    scope: String,
    /// Seconds since 1970.
    expires_at: i64,
}

/// Where to send a person back to.
pub(super) struct Return {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
}

/// Why a request cannot be put before a person although client and redirect URI are right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// As RFC 6749 §4.1.2.1 names it.
    pub(super) code: &'static str,
    pub(super) description: &'static str,
}

impl Return {
    /// Where the client of this request is to get its answer; none if it does not name one of the
    /// client's redirect URIs to the letter, or names it twice.
    pub(super) fn of(form: &Form, client: &Client) -> Option<Self> {
        let asked = form.get("redirect_uri")?;
        let mut registered = client.redirect_uris.iter();
        registered
            .any(|registered| redirect_uri::means(registered, asked))
            .then(|| Self {
                redirect_uri: asked.to_owned(),
                state: form.get("state").map(str::to_owned),
            })
    }

    /// The address with an answer.
    pub(super) fn with(&self, issuer: &str, answer: &[(&str, &str)]) -> String {
        let state = self.state.as_deref().map(|state| ("state", state));
        let mut all = answer.to_vec();
        all.extend(state);
        // RFC 9207: a client of several issuers learns whose answer it is.
        all.push(("iss", issuer));
        redirect_uri::with(&self.redirect_uri, &all)
    }
}

impl AuthorizationRequest {
    /// What a request asks for.
    ///
    /// # Errors
    /// What the client is to be told.
    pub(super) fn read(
        form: &Form,
        client: &Client,
        back: &Return,
        now: Timestamp,
    ) -> Result<Self, Wrong> {
        let invalid = |description| Wrong {
            code: "invalid_request",
            description,
        };
        if form.has_repeated() {
            return Err(invalid("A parameter stands twice."));
        }
        let state = back.state.as_deref().unwrap_or_default();
        if state.len() > LONGEST_STATE {
            return Err(invalid("state is longer than 2048 bytes."));
        }
        match form.get("response_type") {
            None => return Err(invalid("response_type is missing.")),
            Some("code") => {}
            Some(_) => {
                return Err(Wrong {
                    code: "unsupported_response_type",
                    description: "Only the response_type code is known.",
                });
            }
        }
        if !client.may_use(GrantType::AuthorizationCode) {
            return Err(Wrong {
                code: "unauthorized_client",
                description: "This client is not registered for authorization_code.",
            });
        }
        if form
            .get("response_mode")
            .is_some_and(|mode| mode != "query")
        {
            return Err(invalid("Only the response_mode query is known."));
        }
        if form.get("code_challenge_method") != Some("S256") {
            return Err(invalid("code_challenge_method must be S256."));
        }
        let challenge = form.get("code_challenge").filter(|c| pkce::is_challenge(c));
        let challenge = challenge.ok_or_else(|| {
            invalid("code_challenge must be the SHA-256 of the verifier in base64url.")
        })?;
        let wrong = Wrong {
            code: "invalid_scope",
            description: "The scope names something unknown, or nothing that this client may ask for.",
        };
        let asked = match form.get("scope") {
            None => client.scopes.clone(),
            Some(text) => match scope::asked(text) {
                Ok(asked) => scope::both(&asked, &client.scopes),
                Err(scope::UnknownScope) => return Err(wrong),
            },
        };
        if asked.is_empty() {
            return Err(wrong);
        }
        let patience = i64::try_from(PATIENCE.as_secs()).unwrap_or(0);
        Ok(Self {
            client_id: client.id.to_string(),
            redirect_uri: back.redirect_uri.clone(),
            state: back.state.clone(),
            challenge: challenge.to_owned(),
            scope: scope::written(&asked),
            expires_at: now.as_second().saturating_add(patience),
        })
    }

    /// What is asked for.
    pub(super) fn permissions(&self) -> Vec<Permission> {
        scope::stored(&self.scope)
    }

    pub(super) fn back(&self) -> Return {
        Return {
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
        }
    }

    /// The request as the page carries it.
    pub(super) fn sealed(&self, vault: &Vault) -> Result<String, String> {
        let text = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        let sealed = vault.wrap(PURPOSE, &text);
        sealed.map_err(|error| error.to_string())
    }

    /// The request that a page carried; none if it is not one that was sealed here, or is too old.
    pub(super) fn opened(vault: &Vault, sealed: &str, now: Timestamp) -> Option<Self> {
        let text = vault.unwrap_(PURPOSE, sealed)?;
        let request: Self = serde_json::from_slice(&text).ok()?;
        (request.expires_at > now.as_second()).then_some(request)
    }
}
