//! Answers in Duffel's shapes: `{"data":…}`, `{"data":[…],"meta":{…}}` and
//! `{"meta":{"status","request_id"},"errors":[…]}`. Titles and messages are Duffel's where recorded.

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;

/// One error of Duffel's.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    kind: &'static str,
    code: &'static str,
    title: &'static str,
    message: String,
    source: Option<Value>,
}

/// A handler's result; both sides are answers.
pub(crate) type Answered = Result<Answer, Problem>;

/// 200 with `data`.
pub(crate) fn ok(data: Value) -> Answer {
    Answer::json(StatusCode::OK, json!({ "data": data }))
}

/// 201 with `data`.
pub(crate) fn created(data: Value) -> Answer {
    Answer::json(StatusCode::CREATED, json!({ "data": data }))
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self::json(problem.status, problem.body())
    }
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        kind: &'static str,
        code: &'static str,
        title: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            code,
            title,
            message: message.into(),
            source: None,
        }
    }

    fn state(code: &'static str, title: &'static str, message: &str) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "invalid_state_error", code, title, message)
    }

    /// The request id is filled in when the answer is finished.
    fn body(&self) -> Value {
        let mut error = json!({
            "type": self.kind,
            "title": self.title,
            "message": self.message,
            "documentation_url": "https://duffel.com/docs/api/overview/errors",
            "code": self.code,
        });
        if let (Some(source), Some(map)) = (&self.source, error.as_object_mut()) {
            map.insert("source".to_owned(), source.clone());
        }
        json!({
            "meta": { "status": self.status.as_u16(), "request_id": null },
            "errors": [error],
        })
    }

    /// A field of the request that is wrong; `pointer` such as `/passengers/0/born_on`.
    pub(crate) fn field(
        code: &'static str,
        title: &'static str,
        pointer: &str,
        message: impl Into<String>,
    ) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let name = pointer.rsplit('/').next().unwrap_or(pointer);
        let mut problem = Self::new(status, "validation_error", code, title, message);
        problem.source = Some(json!({ "field": name, "pointer": pointer }));
        problem
    }

    pub(crate) fn required(pointer: &str) -> Self {
        let name = pointer.rsplit('/').next().unwrap_or(pointer);
        let message = format!("Field '{name}' can't be blank");
        Self::field("validation_required", "Required field", pointer, message)
    }

    pub(crate) fn format(pointer: &str, expected: &str) -> Self {
        let name = pointer.rsplit('/').next().unwrap_or(pointer);
        let message = format!("Field '{name}' {expected}");
        Self::field("validation_format", "Invalid format", pointer, message)
    }

    pub(crate) fn inclusion(pointer: &str, allowed: &[&str]) -> Self {
        let name = pointer.rsplit('/').next().unwrap_or(pointer);
        let message = format!("Field '{name}' must be one of {}", allowed.join(", "));
        Self::field("validation_inclusion", "Invalid value", pointer, message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "invalid_request_error",
            "not_found",
            "Not found",
            "The resource you are trying to access does not exist.",
        )
    }

    pub(crate) fn bad_json() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            "bad_request",
            "Bad request",
            "The request body could not be parsed as JSON.",
        )
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "api_error",
            "internal_server_error",
            "Internal server error",
            "Something went wrong. The order may still have been created on the airline's side. Please contact our support team and attach the `request_id` to your message.",
        )
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "api_error",
            "service_unavailable",
            "Service unavailable",
            "There is a temporary issue with the server. Please retry later.",
        )
    }

    pub(crate) fn rate_limit() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_error",
            "rate_limit_exceeded",
            "Rate limit exceeded",
            "Too many requests hit the API too quickly. Please retry your request after the time specified in the `ratelimit-reset` header.",
        )
    }

    pub(crate) fn gateway_timeout() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "api_error",
            "gateway_timeout_error",
            "Gateway timeout error",
            "The airlines did not answer in time. Please retry later.",
        )
    }

    pub(crate) fn no_authorization() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "authentication_error",
            "missing_authorization_header",
            "Missing authorization header",
            "The 'Authorization' header needs to be set and contain a valid API token.",
        )
    }

    pub(crate) fn unknown_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "authentication_error",
            "access_token_not_found",
            "Access token not found",
            "The access token provided in the 'Authorization' header was not found.",
        )
    }

    pub(crate) fn no_version() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            "missing_version_header",
            "Missing version header",
            "The 'Duffel-Version' header needs to be set to a valid API version.",
        )
    }

    pub(crate) fn unknown_version() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            "unsupported_version",
            "Unsupported version",
            "The version set in the 'Duffel-Version' header is no longer supported by the API.",
        )
    }

    pub(crate) fn offer_gone() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "airline_error",
            "offer_no_longer_available",
            "Requested offer is no longer available",
            "Please select another offer, or create a new offer request to get the latest availability.",
        )
    }

    pub(crate) fn offer_expired() -> Self {
        Self::state(
            "offer_expired",
            "Offer expired",
            "The offer has expired. Please create a new offer request to get the latest availability.",
        )
    }

    pub(crate) fn already_booked() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_error",
            "offer_request_already_booked",
            "Offer request already booked",
            "An offer from this offer request has already been booked. Please perform a new search.",
        )
    }

    pub(crate) fn price_changed() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "airline_error",
            "price_changed",
            "Price changed",
            "The price of the selected offer has changed. Please retrieve the offer to get its latest price.",
        )
    }

    pub(crate) fn refused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "airline_error",
            "airline_refused",
            "The airline refused the booking",
            "The airline did not accept this booking. No order was created.",
        )
    }

    pub(crate) fn airline_unknown() -> Self {
        let mut problem = Self::new(
            StatusCode::BAD_GATEWAY,
            "airline_error",
            "airline_unknown",
            "Unexpected Airline Error",
            "The airline responded with an unexpected error. Please contact us.",
        );
        problem.source = Some(Value::from("duffel_airways"));
        problem
    }

    pub(crate) fn insufficient_balance() -> Self {
        Self::state(
            "insufficient_balance",
            "Insufficient balance",
            "The balance of your organisation is too low to pay for this order.",
        )
    }

    pub(crate) fn wrong_amount() -> Self {
        Self::field(
            "payment_amount_does_not_match_order_amount",
            "Payment amount does not match order amount",
            "/payments/0/amount",
            "The payment amount does not match the amount of the order.",
        )
    }

    pub(crate) fn wrong_currency() -> Self {
        Self::field(
            "payment_currency_does_not_match_order_currency",
            "Payment currency does not match order currency",
            "/payments/0/currency",
            "The payment currency does not match the currency of the order.",
        )
    }

    pub(crate) fn wrong_order_type() -> Self {
        Self::state(
            "invalid_order_create_type",
            "Invalid order create type",
            "The specified `type` was incorrect.",
        )
    }

    pub(crate) fn already_cancelled() -> Self {
        Self::state(
            "already_cancelled",
            "Order already cancelled",
            "The order has already been cancelled.",
        )
    }

    pub(crate) fn cancellation_expired() -> Self {
        Self::state(
            "order_cancellation_expired",
            "Order cancellation expired",
            "The order cancellation has expired. Please create a new one.",
        )
    }

    pub(crate) fn already_paid() -> Self {
        Self::state(
            "already_paid",
            "Order already paid",
            "The order has already been paid for.",
        )
    }
}
