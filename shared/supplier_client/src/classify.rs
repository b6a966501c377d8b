//! What an answer means for the policies: whether it counts against the supplier and whether it may be
//! asked for again. A supplier whose statuses mislead brings its own [`Classifier`].

use std::time::Duration;

use http::StatusCode;

use crate::error::{Blame, Retry, SOON, Sent, SupplierError, SupplierErrorKind};
use crate::wire::{Safety, WireRequest, WireResponse};

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did what was asked. Given back as `Ok`.
    Success,
    /// The supplier answered "no": sold out, not found, invalid. Given back as `Ok`, for the adapter to
    /// read; never trips the breaker.
    Answer,
    /// Too many requests. Never trips the breaker; its `Retry-After` holds back every call to the
    /// supplier.
    Throttled,
    /// The supplier failed. Counts against it; never reaches the adapter.
    Failure {
        /// Whether the same request may succeed a moment later.
        retry: bool,
    },
}

impl Verdict {
    /// The `outcome` label of metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Answer => "answer",
            Self::Throttled => "throttled",
            Self::Failure { .. } => "failure",
        }
    }
}

/// Judges a complete answer. It sees the request too: what a 404 means may depend on the operation.
pub type Classifier = fn(&WireRequest, &WireResponse) -> Verdict;

/// The usual classifier, by status (RFC 9110 §15): 2xx and 304 are successes, 429 is throttled, 408 and
/// 5xx are failures (worth a retry except 501 and 505), other 4xx are answers. Any other status,
/// redirects included, is a failure without retry: nothing here follows them.
pub fn by_status(_: &WireRequest, response: &WireResponse) -> Verdict {
    let status = response.status;
    match status {
        StatusCode::NOT_MODIFIED => Verdict::Success,
        StatusCode::TOO_MANY_REQUESTS => Verdict::Throttled,
        StatusCode::REQUEST_TIMEOUT => Verdict::Failure { retry: true },
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => {
            Verdict::Failure { retry: false }
        }
        _ if status.is_success() => Verdict::Success,
        _ if status.is_client_error() => Verdict::Answer,
        _ => Verdict::Failure {
            retry: status.is_server_error(),
        },
    }
}

/// What the caller gets for an answer once nothing will be repeated. `wait` is what the supplier asked
/// for in `Retry-After`.
pub(crate) fn settle(
    request: &WireRequest,
    response: WireResponse,
    verdict: Verdict,
    wait: Option<Duration>,
) -> Result<WireResponse, SupplierError> {
    let status = response.status;
    let detail = format!("HTTP {}", status.as_u16());
    match verdict {
        Verdict::Success | Verdict::Answer => Ok(response),
        Verdict::Throttled => Err(SupplierError::new(SupplierErrorKind::RateLimited, detail)
            .with_retry(Retry::After(wait.unwrap_or(SOON)))),
        Verdict::Failure { retry } => {
            let kind = match status {
                StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => {
                    SupplierErrorKind::Timeout
                }
                _ if status.is_redirection() => SupplierErrorKind::Protocol,
                _ => SupplierErrorKind::Unavailable,
            };
            let again = match wait {
                _ if !retry => Retry::Never,
                Some(wait) => Retry::After(wait),
                None => Retry::After(SOON),
            };
            Err(unless_unknown(
                request,
                SupplierError::new(kind, detail)
                    .with_blame(Blame::Supplier)
                    .with_retry(again)
                    .with_sent(Sent::Answered),
            ))
        }
    }
}

/// Turns a failure into [`SupplierErrorKind::OutcomeUnknown`] if the request can have reached the
/// supplier and acts there. One with an idempotency key may still be sent again with the same key.
pub(crate) fn unless_unknown(request: &WireRequest, mut error: SupplierError) -> SupplierError {
    if error.sent == Sent::No || *request.safety() == Safety::Safe {
        return error;
    }
    error.kind = SupplierErrorKind::OutcomeUnknown;
    if *request.safety() == Safety::Unsafe {
        error.retry = Retry::Never;
    }
    error
}
