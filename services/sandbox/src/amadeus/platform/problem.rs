//! Amadeus's errors: `{"errors":[{"status","code","title","detail","source"}]}`. Codes and titles are
//! those of the specification files; what they say of the sandbox's own rules stands in `detail`.

use axum::body::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;

/// What an error is about.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Nothing,
    /// A JSON pointer into the request's body.
    Pointer(String),
    /// A query parameter or header.
    Parameter(String),
}

/// One error.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: i64,
    title: &'static str,
    detail: String,
    source: Source,
}

/// A handler's result; both sides are answers.
pub(crate) type Answered = Result<Answer, Problem>;

/// The answer of either side.
pub(crate) fn answer(answered: Answered) -> Answer {
    answered.unwrap_or_else(Answer::from)
}

/// Reads a body.
///
/// # Errors
/// 477, it is no JSON.
pub(crate) fn json(body: &Bytes) -> Result<Value, Problem> {
    serde_json::from_slice(body)
        .map_err(|_| Problem::format(Source::Pointer(String::new()), "the body is no JSON"))
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let mut error = json!({
            "status": problem.status.as_u16(),
            "code": problem.code,
            "title": problem.title,
            "detail": problem.detail,
        });
        let source = match problem.source {
            Source::Nothing => None,
            Source::Pointer(pointer) => Some(json!({ "pointer": pointer })),
            Source::Parameter(parameter) => Some(json!({ "parameter": parameter })),
        };
        if let (Some(map), Some(source)) = (error.as_object_mut(), source) {
            map.insert("source".to_owned(), source);
        }
        Self::json(problem.status, json!({ "errors": [error] }))
    }
}

impl Problem {
    fn new(status: StatusCode, code: i64, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            source: Source::Nothing,
        }
    }

    /// A request that is refused, with one of the codes of its API.
    pub(crate) fn bad(
        code: i64,
        title: &'static str,
        source: Source,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            source,
            ..Self::new(StatusCode::BAD_REQUEST, code, title, detail)
        }
    }

    pub(crate) fn date(source: Source, detail: &str) -> Self {
        Self::bad(425, "INVALID DATE", source, detail)
    }

    pub(crate) fn format(source: Source, detail: &str) -> Self {
        Self::bad(477, "INVALID FORMAT", source, detail)
    }

    pub(crate) fn combination(source: Source, detail: &str) -> Self {
        let title = "PARAMETER COMBINATION INVALID/RESTRICTED";
        Self::bad(2668, title, source, detail)
    }

    pub(crate) fn data(source: Source, detail: &str) -> Self {
        Self::bad(4926, "INVALID DATA RECEIVED", source, detail)
    }

    pub(crate) fn too_many(source: Source, detail: &str) -> Self {
        let title = "MAXIMUM NUMBER OF OCCURRENCES EXCEEDED";
        Self::bad(10661, title, source, detail)
    }

    /// `CHECK … BOOKING FAILURE`: the order may or may not exist.
    pub(crate) fn check_first() -> Self {
        let title = "CHECK VOUCHER RECEPTION AND CALL HELPDESK - BOOKING FAILURE";
        let detail = "Link down between Amadeus and the provider. Please check before retrying that the booking is not created in the provider system.";
        Self::bad(25860, title, Source::Nothing, detail)
    }

    pub(crate) fn missing(source: Source) -> Self {
        let detail = match &source {
            Source::Pointer(pointer) => format!("{pointer} is missing"),
            Source::Parameter(parameter) => format!("{parameter} is missing"),
            Source::Nothing => "mandatory data is missing".to_owned(),
        };
        Self::bad(32171, "MANDATORY DATA MISSING", source, detail)
    }

    pub(crate) fn timeout() -> Self {
        let title = "UNABLE TO PROCESS - TIMEOUT";
        let detail = "a provider did not answer in time";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, 21934, title, detail)
    }

    pub(crate) fn no_fare() -> Self {
        let detail = "the fare is not applicable to this order";
        Self::bad(34107, "NOT APPLICABLE FARE", Source::Nothing, detail)
    }

    pub(crate) fn no_segment(detail: &str) -> Self {
        let source = Source::Pointer("/data/flightOffers/0".to_owned());
        Self::bad(34651, "SEGMENT SELL FAILURE", source, detail)
    }

    pub(crate) fn booking_failed(detail: &str) -> Self {
        Self::bad(36870, "BOOKING FAILED", Source::Nothing, detail)
    }

    pub(crate) fn price(source: Source, detail: &str) -> Self {
        Self::bad(37200, "PRICE DISCREPANCY", source, detail)
    }

    pub(crate) fn internal() -> Self {
        let detail = "An internal error occurred, please contact your administrator";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, 38189, "Internal error", detail)
    }

    pub(crate) fn unavailable() -> Self {
        let detail = "the system is not available";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, 141, "SYSTEM ERROR HAS OCCURRED", detail)
    }

    pub(crate) fn invalid_token() -> Self {
        let detail = "The access token provided in the Authorization header is invalid";
        let status = StatusCode::UNAUTHORIZED;
        Self::new(status, 38190, "Invalid access token", detail)
    }

    pub(crate) fn no_authorization() -> Self {
        let detail = "Missing or invalid format for mandatory Authorization header";
        let status = StatusCode::UNAUTHORIZED;
        Self::new(status, 38191, "Invalid HTTP header", detail)
    }

    pub(crate) fn rate_limit() -> Self {
        let detail = "The network rate limit is exceeded, please try again later";
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, 38194, "Too many requests", detail)
    }

    /// No such path.
    pub(crate) fn no_resource() -> Self {
        let detail = "The targeted resource doesn't exist";
        Self::new(StatusCode::NOT_FOUND, 38196, "Resource not found", detail)
    }

    /// No such order.
    pub(crate) fn not_found() -> Self {
        let detail = "no response found for this query parameter";
        Self::new(StatusCode::NOT_FOUND, 1797, "NOT FOUND", detail)
    }
}
