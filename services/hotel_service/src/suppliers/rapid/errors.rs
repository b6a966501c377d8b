//! What Rapid's errors mean: whose fault, and what may be tried again. Types: the error examples of the
//! specification and the values of its `Test` header.

use supplier_client::{Blame, Retry, SupplierError, SupplierErrorKind as Kind, WireResponse};

use super::wire::{self, ErrorItem, Errors, Field};

/// Each type of error, with its meaning. A type that ends with a dot is a beginning.
const TABLE: [(&str, Kind, Blame); 20] = [
    ("rooms_unavailable", Kind::SoldOut, Blame::Supplier),
    ("sold_out", Kind::SoldOut, Blame::Supplier),
    ("price_mismatch", Kind::PriceChanged, Blame::Supplier),
    ("price_changed", Kind::PriceChanged, Blame::Supplier),
    ("link.", Kind::OfferExpired, Blame::Supplier),
    ("room_already_cancelled", Kind::Refused, Blame::Us),
    ("cancel.", Kind::Refused, Blame::Supplier),
    ("post_stay_cancel", Kind::Refused, Blame::Supplier),
    ("cc_declined", Kind::PaymentRefused, Blame::Us),
    ("credit_card.", Kind::PaymentRefused, Blame::Us),
    ("payment_declined", Kind::PaymentRefused, Blame::Us),
    ("payments.", Kind::InvalidRequest, Blame::Us),
    ("duplicate_itinerary", Kind::OutcomeUnknown, Blame::Us),
    ("request_unauthenticated", Kind::NotAuthorised, Blame::Us),
    ("request_unauthorized", Kind::NotAuthorised, Blame::Us),
    ("request_forbidden", Kind::NotAuthorised, Blame::Us),
    ("upgrade_required", Kind::InvalidRequest, Blame::Us),
    ("too_many_requests", Kind::RateLimited, Blame::Us),
    ("resource_not_found", Kind::NotFound, Blame::Us),
    ("service_unavailable", Kind::Unavailable, Blame::Supplier),
];

/// What an answer with an unknown type or without a readable body is, by status.
fn by_status(status: u16) -> (Kind, Blame) {
    match status {
        401 | 403 => (Kind::NotAuthorised, Blame::Us),
        404 => (Kind::NotFound, Blame::Us),
        402 => (Kind::PaymentRefused, Blame::Us),
        // Without a type that says more, a conflict may be with what the request itself has made.
        409 => (Kind::OutcomeUnknown, Blame::Supplier),
        410 => (Kind::SoldOut, Blame::Supplier),
        400..=499 => (Kind::InvalidRequest, Blame::Us),
        _ => (Kind::Protocol, Blame::Supplier),
    }
}

fn known(code: &str) -> Option<(Kind, Blame)> {
    let row = TABLE
        .iter()
        .find(|(name, ..)| *name == code || (name.ends_with('.') && code.starts_with(*name)));
    row.map(|(_, kind, blame)| (*kind, *blame))
}

/// Only what was to change something can have an unknown outcome; and if it is not refused, it has.
fn of_request(kind: Kind, response: &WireResponse, changes: bool) -> Kind {
    match kind {
        _ if changes && !response.status.is_client_error() => Kind::OutcomeUnknown,
        Kind::OutcomeUnknown if !changes => Kind::Protocol,
        kind => kind,
    }
}

/// The error that an answer states. `changes`: the request was to change something, so that what is not
/// a refusal leaves the outcome open.
pub(super) fn failure(response: &WireResponse, changes: bool) -> SupplierError {
    let status = response.status.as_u16();
    let body: Option<Errors> = serde_json::from_slice(&response.body).ok();
    let Some(body) = body.filter(|body| body.kind.is_some() || body.errors.is_some()) else {
        let (mut kind, blame) = by_status(status);
        kind = of_request(kind, response, changes);
        let detail = format!("HTTP {status} without Rapid's error body");
        return SupplierError::new(kind, detail).with_blame(blame);
    };
    // `invalid_input` only says that the nested errors are the ones that count. Of several, the one that
    // is known counts.
    let nested = body.errors.iter().flatten();
    let nested: Vec<ErrorItem> = nested.filter_map(|raw| wire::part(raw)).collect();
    let fits = |item: &&ErrorItem| item.kind.as_deref().and_then(known).is_some();
    let item = nested.iter().find(fits).or_else(|| nested.first());
    let code = item
        .and_then(|item| item.kind.clone())
        .or(body.kind)
        .unwrap_or_default();
    let fields = item.map_or(&body.fields, |item| &item.fields);
    let (mut kind, blame) = known(&code).unwrap_or_else(|| by_status(status));
    kind = of_request(kind, response, changes);
    let mut error = SupplierError::new(kind, format!("HTTP {status}"))
        .with_blame(blame)
        .with_sent(supplier_client::Sent::Answered);
    if kind == Kind::NotAuthorised {
        error = error.with_retry(Retry::Never);
    }
    // The error of a request is only of use together with the field that it speaks of.
    let named = |field: &Field| field.name.clone();
    match fields.iter().flatten().find_map(named) {
        Some(field) if kind == Kind::InvalidRequest => error.with_code(format!("{code} ({field})")),
        _ => error.with_code(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_stands_twice_in_the_table() {
        let mut types: Vec<&str> = TABLE.iter().map(|(name, ..)| *name).collect();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), TABLE.len());
    }
}
