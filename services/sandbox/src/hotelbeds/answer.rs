//! Answers in Hotelbeds' shapes: audit data in two notations, `{"auditData","error":{"code","message"}}`,
//! and `{"error":"…"}` from the gateway in front of it. Messages are the documented ones.

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;

/// An error of Hotelbeds'.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    /// None: the gateway refuses before the API is asked.
    code: Option<&'static str>,
    message: String,
}

/// A handler's result; both sides are answers.
pub(crate) type Answered = Result<Answer, Problem>;

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: Some(code),
            message: message.into(),
        }
    }

    fn gateway(status: StatusCode, message: &str) -> Self {
        Self {
            status,
            code: None,
            message: message.to_owned(),
        }
    }

    /// A value that makes no sense.
    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_DATA", message)
    }

    /// A request that cannot be read.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
    }

    /// The product cannot be sold as asked.
    pub(crate) fn product(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "PRODUCT_ERROR", message)
    }

    pub(crate) fn allotment() -> Self {
        Self::product("Allotment exceeded")
    }

    pub(crate) fn price() -> Self {
        Self::product("Price has increased")
    }

    pub(crate) fn refused() -> Self {
        Self::product("Booking confirmation error, please do not retry again")
    }

    pub(crate) fn rate_key() -> Self {
        Self::data("The rateKey is not valid or has expired")
    }

    pub(crate) fn no_booking() -> Self {
        let message = "The booking does not exist";
        Self::new(StatusCode::NOT_FOUND, "INVALID_DATA", message)
    }

    pub(crate) fn system() -> Self {
        let message = "An internal error has occurred";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", message)
    }

    pub(crate) fn unavailable() -> Self {
        let message = "The system is temporarily unavailable";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "SYSTEM_ERROR", message)
    }

    pub(crate) fn signature() -> Self {
        let message = "Request signature verification failed";
        Self::gateway(StatusCode::UNAUTHORIZED, message)
    }

    pub(crate) fn no_key() -> Self {
        Self::gateway(
            StatusCode::FORBIDDEN,
            "Access to this API has been disallowed",
        )
    }

    pub(crate) fn quota() -> Self {
        Self::gateway(StatusCode::FORBIDDEN, "Quota exceeded")
    }

    pub(crate) fn too_many() -> Self {
        Self::gateway(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
    }

    pub(crate) fn not_found() -> Self {
        Self::gateway(StatusCode::NOT_FOUND, "Resource not found")
    }

    pub(crate) fn media_type() -> Self {
        Self::gateway(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type")
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let body = match problem.code {
            None => json!({ "error": problem.message }),
            // The audit data and the code's token are filled in when the answer is finished.
            Some(code) => json!({
                "auditData": null,
                "error": { "code": code, "message": problem.message },
            }),
        };
        Self::json(problem.status, body)
    }
}

/// 200; `auditData` is filled in when the answer is finished.
pub(crate) fn ok(body: Value) -> Answer {
    Answer::json(StatusCode::OK, body)
}

/// The audit data as searches have it (numbers and lists) or as bookings have it (texts).
pub(crate) fn audit(at: jiff::Timestamp, token: &str, texts: bool) -> Value {
    let timestamp = at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
    let internal = format!("0|{}|GB|06|1|1||||||||||||1||1~1~1~0|0|0||0", &token);
    if texts {
        json!({
            "processTime": "42",
            "timestamp": timestamp,
            "requestHost": "127.0.0.1, 10.193.57.105",
            "serverId": "sandbox#A+",
            "environment": "[sandbox, sandbox1]",
            "release": "",
            "token": token,
            "internal": internal,
        })
    } else {
        json!({
            "processTime": 42,
            "timestamp": timestamp,
            "requestHost": ["127.0.0.1"],
            "environment": ["sandbox"],
            "serverId": "sandbox",
            "token": token,
            "internal": internal,
        })
    }
}
