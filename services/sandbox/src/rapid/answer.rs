//! Answers in Rapid's shapes. An error is `{type,message,fields?,errors?}`; types and messages are the
//! specification's where it has an example.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::answer::Answer;

/// One error of Rapid's.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    message: &'static str,
    fields: Vec<Value>,
    errors: Vec<Value>,
}

/// A handler's result; both sides are answers.
pub(crate) type Answered = Result<Answer, Problem>;

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let mut body = Map::new();
        body.insert("type".to_owned(), Value::from(problem.kind));
        body.insert("message".to_owned(), Value::from(problem.message));
        for (key, list) in [("fields", problem.fields), ("errors", problem.errors)] {
            if !list.is_empty() {
                body.insert(key.to_owned(), Value::from(list));
            }
        }
        Self::json(problem.status, Value::from(body))
    }
}

/// A field that an error names; `place` is `body`, `header`, `path` or `querystring`.
pub(crate) fn field(name: &str, place: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    if value.is_null() {
        return json!({ "name": name, "type": place });
    }
    json!({ "name": name, "type": place, "value": value })
}

/// One of the errors inside an `invalid_input`.
pub(crate) fn wrong(kind: &str, message: &str, fields: Vec<Value>) -> Value {
    let mut error = json!({ "type": kind, "message": message });
    if let Some(map) = error.as_object_mut().filter(|_| !fields.is_empty()) {
        map.insert("fields".to_owned(), Value::from(fields));
    }
    error
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, message: &'static str) -> Self {
        Self {
            status,
            kind,
            message,
            fields: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// 400 with what is wrong, in the words of [`wrong`].
    pub(crate) fn invalid(errors: Vec<Value>) -> Self {
        let message = "An invalid request was sent in, please check the nested errors for details.";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid_input", message);
        problem.errors = errors;
        problem
    }

    /// 400 for one query parameter.
    pub(crate) fn parameter(kind: &str, message: &str, name: &str, value: Option<&str>) -> Self {
        let fields = vec![field(name, "querystring", value)];
        Self::invalid(vec![wrong(kind, message, fields)])
    }

    /// 400 for a link that is not one of ours, was changed or is no longer good.
    pub(crate) fn link() -> Self {
        Self::invalid(vec![wrong("link.invalid", "Link is invalid.", Vec::new())])
    }

    pub(crate) fn unauthenticated(fields: Vec<Value>) -> Self {
        let message = "Data required to authenticate your request is missing or inaccurate. Ensure that your request follows the guidelines in our documentation.";
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "request_unauthenticated", message);
        problem.fields = fields;
        problem
    }

    pub(crate) fn forbidden() -> Self {
        let message = "Your request could not be authorized.";
        Self::new(StatusCode::FORBIDDEN, "request_unauthorized", message)
    }

    pub(crate) fn no_itinerary() -> Self {
        let message = "Itinerary was not found with provided request.";
        Self::new(StatusCode::NOT_FOUND, "resource_not_found", message)
    }

    /// A path that the supplier does not have.
    pub(crate) fn no_path() -> Self {
        let message = "The requested resource could not be found.";
        Self::new(StatusCode::NOT_FOUND, "resource_not_found", message)
    }

    pub(crate) fn too_many() -> Self {
        let message = "You have reached your capacity for this type of request.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
    }

    pub(crate) fn internal() -> Self {
        let message = "An internal server error has occurred.";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "unknown_internal_error", message)
    }

    pub(crate) fn unavailable() -> Self {
        let message = "This service is currently unavailable.";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            message,
        )
    }

    /// 409: the link's price is not today's; both as decimal amounts.
    pub(crate) fn price_mismatch(paid: &str, price: &str) -> Self {
        let message =
            "Payment amount did not match current price, please check price and try again.";
        let mut problem = Self::new(StatusCode::CONFLICT, "price_mismatch", message);
        problem.fields = vec![
            field("payments.amount", "body", paid),
            field("price.amount", "body", price),
        ];
        problem
    }

    pub(crate) fn rooms_unavailable() -> Self {
        let message = "One or more requested rooms are unavailable.";
        Self::new(StatusCode::GONE, "rooms_unavailable", message)
    }

    pub(crate) fn duplicate(reference: &str) -> Self {
        let message = "An itinerary already exists with this affiliate reference id.";
        let fields = vec![field("affiliate_reference_id", "body", reference)];
        Self::invalid(vec![wrong("duplicate_itinerary", message, fields)])
    }

    pub(crate) fn card_declined() -> Self {
        let message = "The credit card was declined.";
        let fields = vec![field("number", "body", Value::Null)];
        Self::invalid(vec![wrong("credit_card.declined", message, fields)])
    }

    pub(crate) fn already_cancelled() -> Self {
        let message = "Room is already cancelled.";
        Self::new(StatusCode::BAD_REQUEST, "room_already_cancelled", message)
    }
}
