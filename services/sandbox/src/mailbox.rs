//! The mailbox: mail that the system sends comes here in development, and is kept in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Sandbox;
use crate::control::{List, Refused, refuse};

/// Mails that are kept; the oldest goes first.
const KEPT: usize = 10_000;

/// A mail as it is handed in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Message {
    /// The recipient's address.
    #[schema(example = "tony@example.com")]
    to: String,
    subject: String,
    /// Plain text.
    text: String,
}

/// A mail as it was delivered.
#[derive(Clone, Serialize, ToSchema)]
struct Delivered {
    to: String,
    subject: String,
    text: String,
    /// When it arrived.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Every mail that arrived, oldest first.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<VecDeque<Delivered>>);

impl Mailbox {
    fn put(&self, mail: Delivered) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if mails.len() >= KEPT {
            mails.pop_front();
        }
        mails.push_back(mail);
    }

    fn of(&self, recipient: Option<&str>) -> Vec<Delivered> {
        let mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = mails
            .iter()
            .filter(|mail| recipient.is_none_or(|to| mail.to.eq_ignore_ascii_case(to)));
        wanted.cloned().collect()
    }

    /// Throws every mail away.
    pub(crate) fn clear(&self) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.clear();
    }
}

pub(crate) fn routes() -> OpenApiRouter<Arc<Sandbox>> {
    OpenApiRouter::new()
        .routes(routes!(deliver))
        .routes(routes!(list))
}

/// Takes a mail.
#[utoipa::path(
    post,
    path = "/mail/messages",
    tag = "mail",
    request_body = Message,
    responses(
        (status = 202, description = "It is in the mailbox"),
        (status = 422, description = "The body is no mail", body = Refused)
    )
)]
async fn deliver(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let message: Message = match serde_json::from_slice(&body) {
        Ok(message) => message,
        Err(error) => {
            // The position alone: the words may repeat what the mail says.
            let problem = format!("line {}, column {}", error.line(), error.column());
            return refuse(StatusCode::UNPROCESSABLE_ENTITY, "", problem);
        }
    };
    sandbox.mailbox.put(Delivered {
        to: message.to,
        subject: message.subject,
        text: message.text,
        at: sandbox.clock.now(),
    });
    StatusCode::ACCEPTED.into_response()
}

/// The mails that were delivered, oldest first.
#[utoipa::path(
    get,
    path = "/_control/mailbox",
    tag = "control",
    params(("to" = Option<String>, Query, description = "Only mail to this address")),
    responses(
        (status = 200, description = "Mails", body = List<Delivered>),
        (status = 422, description = "A parameter is unknown", body = Refused)
    )
)]
async fn list(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery) -> Response {
    let mut to = None;
    let query = query.unwrap_or_default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "to" if value.is_empty() => {}
            "to" => to = Some(value.into_owned()),
            unknown => {
                let message = "unknown parameter; known is to";
                return refuse(StatusCode::UNPROCESSABLE_ENTITY, unknown, message);
            }
        }
    }
    let data = sandbox.mailbox.of(to.as_deref());
    Json(List { data }).into_response()
}
