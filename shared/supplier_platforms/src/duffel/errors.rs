//! Duffel's error codes as one table: what each means for the caller, whose fault it is, and whether the
//! same request may be made again. Codes and types: Duffel's API reference "Errors", and outcomes
//! recorded by others (the notes in the flight adapter's `fixtures/README.md`).

use supplier_client::{
    Blame, Retry, SupplierError, SupplierErrorKind as Kind, Verdict, WireRequest, WireResponse,
};

use super::answers::Errors;

/// One row.
struct Row {
    code: &'static str,
    kind: Kind,
    blame: Blame,
    retry: Again,
}

/// Whether to repeat, as a table can say it.
#[derive(Clone, Copy)]
enum Again {
    Never,
    Soon,
}

const fn row(code: &'static str, kind: Kind, blame: Blame, retry: Again) -> Row {
    Row {
        code,
        kind,
        blame,
        retry,
    }
}

/// Sent with a 502, and certain all the same.
const NOT_CREATED: &str = "order_not_created";

const TABLE: [Row; 47] = [
    // The offer is no longer what it was.
    row(
        "offer_no_longer_available",
        Kind::OfferExpired,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "offer_expired",
        Kind::OfferExpired,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "offer_request_already_booked",
        Kind::SoldOut,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "price_changed",
        Kind::PriceChanged,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "payment_amount_does_not_match_order_amount",
        Kind::PriceChanged,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "payment_currency_does_not_match_order_currency",
        Kind::PriceChanged,
        Blame::Supplier,
        Again::Never,
    ),
    // "The request to create an order was not successful": nothing was made, although it comes as a 502.
    row(NOT_CREATED, Kind::Refused, Blame::Supplier, Again::Never),
    row("already_cancelled", Kind::Refused, Blame::Us, Again::Never),
    row(
        "order_not_changeable",
        Kind::Refused,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "order_not_cancellable",
        Kind::Refused,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "order_cancellation_expired",
        Kind::OfferExpired,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "stale_airline_initiated_change_accept",
        Kind::Refused,
        Blame::Us,
        Again::Never,
    ),
    // Cars. Duffel documents no codes of their own for them: these follow the words of its flights.
    row(
        "rate_unavailable",
        Kind::SoldOut,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "quote_expired",
        Kind::OfferExpired,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "booking_refused",
        Kind::Refused,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "payment_declined",
        Kind::PaymentRefused,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "booking_not_cancellable",
        Kind::Refused,
        Blame::Supplier,
        Again::Never,
    ),
    // Money.
    row(
        "insufficient_balance",
        Kind::PaymentRefused,
        Blame::Us,
        Again::Never,
    ),
    row(
        "pay_later_order_no_payment_for_ancillaries",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "invalid_order_create_type",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    // What we sent.
    row(
        "validation_required",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "validation_format",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "validation_inclusion",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "validation_length",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "validation_type",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "emails_not_unique",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "unsafe_unique",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "missing_version_header",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "unsupported_version",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "unsupported_format",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "malformed_json",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row(
        "webhook_client_error",
        Kind::InvalidRequest,
        Blame::Us,
        Again::Never,
    ),
    row("not_found", Kind::NotFound, Blame::Us, Again::Never),
    // Who we are.
    row(
        "missing_authorization_header",
        Kind::NotAuthorised,
        Blame::Us,
        Again::Never,
    ),
    row(
        "access_token_not_found",
        Kind::NotAuthorised,
        Blame::Us,
        Again::Never,
    ),
    row(
        "expired_access_token",
        Kind::NotAuthorised,
        Blame::Us,
        Again::Never,
    ),
    row(
        "insufficient_permissions",
        Kind::NotAuthorised,
        Blame::Us,
        Again::Never,
    ),
    row(
        "unavailable_feature",
        Kind::NotSupported,
        Blame::Us,
        Again::Never,
    ),
    row(
        "unsupported_action",
        Kind::NotSupported,
        Blame::Us,
        Again::Never,
    ),
    row("400", Kind::NotSupported, Blame::Us, Again::Never),
    row(
        "rate_limit_exceeded",
        Kind::RateLimited,
        Blame::Us,
        Again::Soon,
    ),
    // Nobody knows whether it took place, if it was to change anything: see `failure`. An attempt that was
    // made already is one of ours, and may have succeeded.
    row(
        "order_creation_already_attempted",
        Kind::Unavailable,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "booking_already_attempted",
        Kind::Unavailable,
        Blame::Supplier,
        Again::Never,
    ),
    row(
        "airline_internal",
        Kind::Unavailable,
        Blame::Supplier,
        Again::Soon,
    ),
    row(
        "airline_unknown",
        Kind::Unavailable,
        Blame::Supplier,
        Again::Soon,
    ),
    row(
        "gateway_timeout_error",
        Kind::Timeout,
        Blame::Supplier,
        Again::Soon,
    ),
    row(
        "internal_server_error",
        Kind::Unavailable,
        Blame::Supplier,
        Again::Soon,
    ),
];

/// What an answer without a known code is, by Duffel's type of error.
const TYPES: [(&str, Kind, Blame); 7] = [
    ("airline_error", Kind::Refused, Blame::Supplier),
    ("api_error", Kind::Unavailable, Blame::Supplier),
    ("authentication_error", Kind::NotAuthorised, Blame::Us),
    ("invalid_request_error", Kind::InvalidRequest, Blame::Us),
    ("invalid_state_error", Kind::Refused, Blame::Us),
    ("rate_limit_error", Kind::RateLimited, Blame::Us),
    ("validation_error", Kind::InvalidRequest, Blame::Us),
];

/// What an answer without a readable body is, by status.
fn by_status(status: u16) -> (Kind, Blame) {
    match status {
        401 | 403 => (Kind::NotAuthorised, Blame::Us),
        404 | 410 => (Kind::NotFound, Blame::Us),
        400..=499 => (Kind::InvalidRequest, Blame::Us),
        _ => (Kind::Protocol, Blame::Supplier),
    }
}

/// How an answer counts: by its status, but a 5xx that says that nothing was made is a plain answer.
pub fn verdict(request: &WireRequest, response: &WireResponse) -> Verdict {
    let says_so = |body: Errors| {
        let mut codes = body.errors.into_iter().filter_map(|item| item.code);
        codes.any(|code| code.as_str() == NOT_CREATED)
    };
    let body = || serde_json::from_slice::<Errors>(&response.body).ok();
    if response.status.is_server_error() && body().is_some_and(says_so) {
        return Verdict::Answer;
    }
    supplier_client::by_status(request, response)
}

/// The error that an answer other than a success states. `changes`: the request was to change something, so that an
/// error of the airline's or of Duffel's own leaves the outcome open ("the order may still have been
/// created on the airline's side").
pub fn failure(response: &WireResponse, changes: bool) -> SupplierError {
    let status = response.status.as_u16();
    let body: Option<Errors> = serde_json::from_slice(&response.body).ok();
    let Some(item) = body.and_then(|body| body.errors.into_iter().next()) else {
        let (mut kind, blame) = by_status(status);
        if changes && (status == 409 || !response.status.is_client_error()) {
            kind = Kind::OutcomeUnknown;
        }
        return SupplierError::new(kind, format!("HTTP {status} without Duffel's error body"))
            .with_blame(blame);
    };
    let code = item.code.map(|literal| literal.0);
    let known = TABLE.iter().find(|row| Some(row.code) == code.as_deref());
    let by_type = || {
        TYPES
            .iter()
            .find(|(name, ..)| Some(*name) == item.kind.as_deref())
            .map_or_else(|| by_status(status), |(_, kind, blame)| (*kind, *blame))
    };
    let (mut kind, blame) = known.map_or_else(by_type, |row| (row.kind, row.blame));
    // An airline's error that nobody has described may have come after the airline acted, except where
    // the status says that the request was refused (422).
    let by_airline = item.kind.as_deref() == Some("airline_error") && status != 422;
    // A conflict that nobody has described may be one with an order that is there.
    let undescribed = known.is_none() && (by_airline || status == 409);
    if changes && (undescribed || matches!(kind, Kind::Unavailable | Kind::Timeout)) {
        kind = Kind::OutcomeUnknown;
    }
    let title = item.title.unwrap_or_default();
    let mut error = SupplierError::new(kind, format!("HTTP {status}: {title}"))
        .with_blame(blame)
        .with_sent(supplier_client::Sent::Answered);
    error = match known.map(|row| row.retry) {
        Some(Again::Never) => error.with_retry(Retry::Never),
        Some(Again::Soon) if kind != Kind::OutcomeUnknown => {
            error.with_retry(Retry::After(std::time::Duration::from_secs(1)))
        }
        _ => error,
    };
    // A validation error is only of use together with the field that it speaks of.
    let field = item
        .source
        .as_ref()
        .and_then(|source| source.get("field")?.as_str());
    match (code.or(item.kind), field) {
        (Some(code), Some(field)) => error.with_code(format!("{code} ({field})")),
        (Some(code), None) => error.with_code(code),
        (None, _) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_twice_in_the_table() {
        let mut codes: Vec<&str> = TABLE.iter().map(|row| row.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), TABLE.len());
    }
}
