//! Hotelbeds' errors as two tables: by what the message says, and by the class that the code begins with.
//! Products that cannot be had are answered with status 500, a quota that is used up with 403, so the
//! adapter brings its own classifier. Source: the responses of the vendor's OpenAPI document, its page
//! "Hotel API errors", and the messages listed in hotelbeds-go `errors.go`.

use std::time::Duration;

use http::StatusCode;
use serde::de::DeserializeOwned;
use supplier_client::{
    Blame, Retry, Sent, SupplierError, SupplierErrorKind as Kind, Verdict, WireRequest,
    WireResponse, by_status,
};

use super::wire::{ErrorItem, Failure};

/// What a message says, in lower case, and what it means. The first that fits holds; those that leave
/// open whether a booking was made come first. No kind: the outcome is open if something was to change,
/// unless class and status both say that nothing was booked.
const MESSAGES: [(&str, Option<Kind>); 32] = [
    ("booking confirmation error", None),
    ("do not retry", None),
    ("no healthy upstream", None),
    ("allotment exceeded", Some(Kind::SoldOut)),
    ("insufficient allotment", Some(Kind::SoldOut)),
    ("stop sale", Some(Kind::SoldOut)),
    ("price has increased", Some(Kind::PriceChanged)),
    ("price has changed", Some(Kind::PriceChanged)),
    ("price difference exceeds", Some(Kind::PriceChanged)),
    ("minimum stay violated", Some(Kind::Refused)),
    ("release violated", Some(Kind::Refused)),
    ("contract is closed", Some(Kind::Refused)),
    ("cannot find channel quotation", Some(Kind::Refused)),
    ("office or branch not active", Some(Kind::Refused)),
    ("cannot cancel a booking after", Some(Kind::Refused)),
    ("check-in date in the past", Some(Kind::Refused)),
    ("cannot be amended", Some(Kind::Refused)),
    ("does not allow cancellation", Some(Kind::Refused)),
    ("already cancelled", Some(Kind::Refused)),
    ("already been cancelled", Some(Kind::Refused)),
    ("booking does not exist", Some(Kind::NotFound)),
    ("reservation does not exist", Some(Kind::NotFound)),
    ("rate limit", Some(Kind::RateLimited)),
    ("quota", Some(Kind::RateLimited)),
    ("over qps", Some(Kind::RateLimited)),
    ("queries per second", Some(Kind::RateLimited)),
    ("over rate", Some(Kind::RateLimited)),
    ("payment data", Some(Kind::PaymentRefused)),
    ("ratekey", Some(Kind::OfferExpired)),
    ("rate key", Some(Kind::OfferExpired)),
    ("signature verification failed", Some(Kind::NotAuthorised)),
    ("has been disallowed", Some(Kind::NotAuthorised)),
];

/// What a class means whose message says nothing known. No kind: as above.
const CLASSES: [(&str, Option<Kind>); 5] = [
    ("INVALID_REQUEST", Some(Kind::InvalidRequest)),
    ("INVALID_DATA", Some(Kind::InvalidRequest)),
    ("CONFIGURATION_ERROR", Some(Kind::NotAuthorised)),
    // "In all cases, the end result is that the booking cannot be confirmed."
    ("PRODUCT_ERROR", Some(Kind::Refused)),
    ("SYSTEM_ERROR", None),
];

/// What an answer states instead of a result.
struct Stated {
    /// The code without the token of the one request that it ends with.
    class: Option<String>,
    message: String,
}

fn stated(body: &[u8]) -> Option<Stated> {
    let failure: Failure = serde_json::from_slice(body).ok()?;
    let error = failure.error?;
    if let Ok(message) = serde_json::from_str::<String>(error.get()) {
        return Some(Stated {
            class: None,
            message,
        });
    }
    let item: ErrorItem = serde_json::from_str(error.get()).ok()?;
    let class = item.code.as_deref().and_then(|code| code.split('-').next());
    Some(Stated {
        class: class.map(str::to_owned),
        message: item.message.unwrap_or_default(),
    })
}

fn by_message(message: &str) -> Option<Option<Kind>> {
    let message = message.to_lowercase();
    let row = MESSAGES.iter().find(|(words, _)| message.contains(words))?;
    Some(row.1)
}

/// Judges an answer: a product that cannot be had is an answer of the supplier's whatever its status, and
/// a quota that is used up holds back further calls.
pub(super) fn classify(request: &WireRequest, response: &WireResponse) -> Verdict {
    match response.status {
        StatusCode::FORBIDDEN => {
            let over = |text: &str| by_message(text) == Some(Some(Kind::RateLimited));
            let gateway = response.header("x-mashery-error-code").unwrap_or_default();
            let text = String::from_utf8_lossy(&response.body);
            if over(&text) || over(&gateway.replace('_', " ")) {
                return Verdict::Throttled;
            }
            Verdict::Answer
        }
        StatusCode::INTERNAL_SERVER_ERROR => match stated(&response.body) {
            // Only what is known to be a "no": whatever else a 500 says leaves the outcome open.
            Some(stated)
                if stated.class.as_deref() == Some("PRODUCT_ERROR")
                    && by_message(&stated.message).flatten().is_some() =>
            {
                Verdict::Answer
            }
            _ => by_status(request, response),
        },
        _ => by_status(request, response),
    }
}

/// What an answer means by its status alone.
fn of_status(status: StatusCode) -> Option<Kind> {
    match status.as_u16() {
        401 | 403 => Some(Kind::NotAuthorised),
        402 => Some(Kind::PaymentRefused),
        404 => Some(Kind::NotFound),
        // There may be a booking with our reference already.
        409 => None,
        // "Repeating a failed request": the first one's error is repeated.
        410 => Some(Kind::Refused),
        429 => Some(Kind::RateLimited),
        400..=499 => Some(Kind::InvalidRequest),
        _ => None,
    }
}

/// The error that an answer states. `changes`: the request was to change something, so that an error
/// which is not clearly a "no" leaves the outcome open.
pub(super) fn failure(response: &WireResponse, changes: bool) -> SupplierError {
    let status = response.status;
    let stated = stated(&response.body);
    let class = stated.as_ref().and_then(|stated| stated.class.as_deref());
    let by_class = || {
        let row = CLASSES.iter().find(|(name, _)| Some(*name) == class)?;
        Some(row.1)
    };
    let known = match &stated {
        Some(stated) => by_message(&stated.message).or_else(by_class),
        None => None,
    };
    // A product that cannot be sold is never booked, whatever the words, where the status says so too.
    let refused = class == Some("PRODUCT_ERROR") && status.is_client_error();
    let kind = match known.unwrap_or_else(|| of_status(status)) {
        Some(kind) => kind,
        None if refused && status != StatusCode::CONFLICT => Kind::Refused,
        None if changes => Kind::OutcomeUnknown,
        None => Kind::Unavailable,
    };
    let what = if stated.is_some() {
        class.unwrap_or("an error without a code")
    } else {
        "no error as Hotelbeds describes it"
    };
    let mut error = SupplierError::new(kind, format!("HTTP {}: {what}", status.as_u16()));
    error = match kind {
        Kind::OutcomeUnknown => error,
        Kind::RateLimited | Kind::Unavailable => error
            .with_retry(Retry::After(Duration::from_secs(1)))
            .with_sent(Sent::Answered),
        _ => error.with_retry(Retry::Never).with_sent(Sent::Answered),
    };
    if kind == Kind::PaymentRefused {
        error = error.with_blame(Blame::Us);
    }
    match class {
        Some(class) => error.with_code(class),
        None => error,
    }
}

/// Reads an answer's result, unless it states an error with a status of success.
pub(super) fn read<T: DeserializeOwned>(
    response: &WireResponse,
    changes: bool,
) -> Result<T, SupplierError> {
    if stated(&response.body).is_some() {
        return Err(failure(response, changes));
    }
    response.json()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_words_stand_twice_or_behind_words_that_hide_them() {
        for (index, (words, _)) in MESSAGES.iter().enumerate() {
            for (earlier, _) in &MESSAGES[..index] {
                assert!(!words.contains(earlier), "{words} is hidden by {earlier}");
            }
            assert_eq!(*words, words.to_lowercase());
        }
    }
}
