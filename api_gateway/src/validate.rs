//! Requests, and in tests and staging answers, against the published document. What a service could not
//! even read is refused here, before it has any work with it, in the words and with the codes that the
//! services have for it. What can be read is the service's to judge: it names all that breaks a rule in
//! one answer, with a code for each.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use http_engine::{Incoming, Outgoing};
use request_validation::{Body, Kind, Operation, Problem, Validator};
use service_kit::error::codes;
use service_kit::{ApiError, StartError};
use settings::Settings;
use tokio::time::{Instant, timeout_at};
use travel_types::FieldErrors;

use crate::front::was_too_large;
use crate::pages::OPENAPI;

/// The largest answer that is checked, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// A body on its way to a service: read and checked, or as it arrives.
pub(crate) type Forwarded = Either<Full<Bytes>, Limited<Incoming>>;

/// What is checked at all.
pub(crate) struct Validation {
    validator: Option<Validator>,
    requests: bool,
    responses: bool,
}

/// What is checked of one operation.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    operation: Arc<Operation>,
    requests: bool,
    responses: bool,
}

impl Validation {
    /// Compiles the published document, if anything is to be checked against it.
    ///
    /// # Errors
    /// [`StartError`] when something in the document is not understood.
    pub(crate) fn new(settings: &Settings) -> Result<Self, StartError> {
        let (requests, responses) = (
            settings.get("validation.requests")?,
            settings.get("validation.responses")?,
        );
        let compiled = || {
            let document = serde_json::from_str(OPENAPI).map_err(|error| error.to_string())?;
            Validator::compile(&document).map_err(|error| error.to_string())
        };
        let validator = (requests || responses).then(compiled).transpose();
        let validator =
            validator.map_err(|problem| StartError::Other(format!("openapi: {problem}")))?;
        Ok(Self {
            validator,
            requests,
            responses,
        })
    }

    /// What is checked of an operation of the catalogue. Nothing of one that is not in the document, a
    /// routes file's, nor of one that refuses in a form of its own: OAuth (RFC 6749 §5.2) and pages.
    pub(crate) fn of(&self, method: &Method, path: &str) -> Option<Checked> {
        let operation = self.validator.as_ref()?.operation(method, path)?;
        let ours = operation.documents(StatusCode::BAD_REQUEST, "application/problem+json");
        ours.then(|| Checked {
            operation: Arc::clone(operation),
            requests: self.requests,
            responses: self.responses,
        })
    }
}

/// Checks a request. Its body goes on byte for byte.
///
/// # Errors
/// What its service would answer; 408 for a body that has not arrived at the deadline.
pub(crate) async fn request(
    checked: Option<&Checked>,
    request: &Parts,
    body: Limited<Incoming>,
    deadline: Instant,
) -> Result<Forwarded, ApiError> {
    let Some(checked) = checked.filter(|checked| checked.requests) else {
        return Ok(Either::Right(body));
    };
    let operation = &checked.operation;
    let queried = operation.check_query(request.uri.query());
    // Its service names all bad parameters at once, those too that only it can tell.
    queried.or_else(|problems| malformed(&problems).map_or(Ok(()), Err))?;
    let is_read = match operation.wants_body() {
        // That a key is missing is told before anything of what is ordered.
        Body::Json => operation.has_headers(&request.headers),
        Body::None => !body.is_end_stream(),
        Body::Form | Body::Unknown => false,
    };
    if !is_read {
        return Ok(Either::Right(body));
    }
    let content_type = content_type(&request.headers);
    let media_type = operation.check_media_type(content_type);
    media_type.map_err(|_| ApiError::new(&codes::UNSUPPORTED_MEDIA_TYPE))?;
    // Boxed, so that requests without a body do not carry its size about.
    let whole = Box::pin(timeout_at(deadline, body.collect())).await;
    let whole = whole.map_err(|_| ApiError::new(&codes::REQUEST_TIMEOUT))?;
    let whole = whole.map_err(|error| match was_too_large(&*error) {
        true => ApiError::new(&codes::BODY_TOO_LARGE),
        false => ApiError::new(&codes::BAD_REQUEST).because(error),
    })?;
    let whole = whole.to_bytes();
    let checked = operation.check_body(content_type, &whole);
    checked.or_else(unfit)?;
    Ok(Either::Left(Full::new(whole)))
}

/// Checks an answer.
///
/// # Errors
/// 500 for one that the document does not know; the log says what is wrong with it.
pub(crate) async fn response(
    checked: Option<&Checked>,
    response: Response<Outgoing>,
) -> Result<Response<Outgoing>, ApiError> {
    let Some(checked) = checked.filter(|checked| checked.responses) else {
        return Ok(response);
    };
    let fault = |cause: String| ApiError::new(&codes::INTERNAL_ERROR).because(cause);
    let (parts, body) = response.into_parts();
    let whole = Box::pin(Limited::new(body, LARGEST_ANSWER).collect()).await;
    let whole = whole.map_err(|error| fault(error.to_string()))?.to_bytes();
    let content_type = content_type(&parts.headers);
    let checked = checked
        .operation
        .check_response(parts.status, content_type, &whole);
    checked.map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        fault(format!("not as documented: {}", problems.join("; ")))
    })?;
    Ok(Response::from_parts(parts, Outgoing::from(whole)))
}

/// The one `Content-Type`.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

/// The refusal of what cannot be read in one way, which is told alone.
fn malformed(problems: &[Problem]) -> Option<ApiError> {
    problems.iter().find_map(|problem| {
        let field = problem.field.clone().unwrap_or_default();
        let message = problem.message.clone();
        Some(match problem.kind {
            Kind::Encoding => ApiError::new(&codes::BAD_REQUEST).message(message),
            Kind::Json => ApiError::new(&codes::INVALID_JSON).message(message),
            Kind::MediaType => ApiError::new(&codes::UNSUPPORTED_MEDIA_TYPE),
            Kind::UnknownParameter => ApiError::new(&codes::UNKNOWN_PARAMETER)
                .message(message)
                .field(field),
            Kind::RepeatedParameter => ApiError::new(&codes::REPEATED_PARAMETER).field(field),
            Kind::UnknownField => ApiError::new(&codes::UNKNOWN_FIELD).field(field),
            Kind::DuplicateField => ApiError::new(&codes::DUPLICATE_FIELD).field(field),
            Kind::Required | Kind::Type | Kind::Rule | Kind::Undocumented => return None,
        })
    })
}

/// Refuses a body that its service could not read, with all that does not fit. One that can be read and
/// only breaks rules passes.
fn unfit(problems: Vec<Problem>) -> Result<(), ApiError> {
    if let Some(refusal) = malformed(&problems) {
        return Err(refusal);
    }
    let unreadable = |problem: &Problem| matches!(problem.kind, Kind::Required | Kind::Type);
    if !problems.iter().any(unreadable) {
        return Ok(());
    }
    let mut fields = FieldErrors::new();
    for problem in problems {
        let code = match problem.kind {
            Kind::Required => "REQUIRED",
            _ => "INVALID",
        };
        fields.add(problem.field.unwrap_or_default(), code, problem.message);
    }
    Err(ApiError::invalid(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_catalogue_is_checked_except_those_with_a_form_of_their_own() {
        let document = serde_json::from_str(OPENAPI).unwrap();
        let validation = Validation {
            validator: Some(Validator::compile(&document).unwrap()),
            requests: true,
            responses: false,
        };
        let catalog = crate::catalog().unwrap();
        let routes = catalog.services.iter().flat_map(|service| &service.routes);
        let unchecked: Vec<String> = routes
            .filter(|route| validation.of(&route.method, &route.path).is_none())
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        let mut unchecked: Vec<&str> = unchecked.iter().map(String::as_str).collect();
        unchecked.sort_unstable();
        assert_eq!(
            unchecked,
            [
                "GET /oauth/authorize",
                "POST /oauth/authorize",
                "POST /oauth/introspect",
                "POST /oauth/revoke",
                "POST /oauth/token",
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_alone_and_a_broken_rule_is_the_services_to_tell() {
        let problem = |kind: Kind, field: &str| Problem {
            kind,
            field: Some(field.to_owned()),
            message: "is wrong".to_owned(),
        };
        let told = |problems: &[Problem]| {
            let error = unfit(problems.to_vec()).unwrap_err();
            let entries = error.entries().iter();
            let entries = entries.map(|entry| (entry.code.clone(), entry.field.clone().unwrap()));
            (error.status().as_u16(), entries.collect::<Vec<_>>())
        };
        let (required, rule) = (problem(Kind::Required, "a"), problem(Kind::Rule, "b"));
        let expected = |code: &str, field: &str| (code.to_owned(), field.to_owned());
        assert_eq!(
            told(&[required.clone(), rule.clone()]),
            (
                422,
                vec![expected("REQUIRED", "a"), expected("INVALID", "b")]
            )
        );
        assert_eq!(
            told(&[required, rule.clone(), problem(Kind::UnknownField, "c")]),
            (400, vec![expected("UNKNOWN_FIELD", "c")])
        );
        assert!(unfit(vec![rule]).is_ok());
    }
}
