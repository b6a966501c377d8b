//! What adapters of all verticals share when they map a supplier's answer: amounts beside a total, doubts
//! about an order, and what they kept in a handle. What looks wrong is kept and flagged, never fixed.

use serde::Serialize;
use serde_json::{Value, json};
use supplier_client::{Sent, SupplierError, SupplierErrorKind};
use travel_types::{Money, MoneyError, Warning, WarningCode};

/// One part of a price: kept if it can be, else left out with a warning at `path`.
pub fn part(
    amount: Option<&str>,
    currency: Option<&str>,
    total: Money,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Option<Money> {
    let read = Money::parse(amount?, currency.unwrap_or(total.currency().code()));
    let (code, message) = match read {
        Ok(money) if money.currency() == total.currency() => return Some(money),
        Ok(_) => (
            WarningCode::DataQuality,
            "is in another currency than the total".to_owned(),
        ),
        Err(error) => doubt(&error),
    };
    warnings.push(Warning::new(code, path, message));
    None
}

/// What is said of an amount that is left out because it cannot be read.
pub fn doubt(error: &MoneyError) -> (WarningCode, String) {
    match error {
        MoneyError::Precision { .. } => (
            WarningCode::AmountPrecision,
            "is finer than its currency allows and is left out".to_owned(),
        ),
        error => (WarningCode::DataQuality, error.to_string()),
    }
}

/// The details of an order, with the doubts about them: an order has no list of its own for those.
///
/// # Errors
/// When the details cannot be written as JSON.
pub fn order_details(details: &impl Serialize, warnings: &[Warning]) -> Result<Value, String> {
    let mut details = serde_json::to_value(details).map_err(|error| error.to_string())?;
    if let Some(object) = details.as_object_mut()
        && !warnings.is_empty()
    {
        object.insert("warnings".to_owned(), json!(warnings));
    }
    Ok(details)
}

/// A text that an adapter put into a handle.
///
/// # Errors
/// When it is not there.
pub fn text(handle: &Value, key: &str) -> Result<String, String> {
    handle
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("the handle has no {key}"))
}

/// A mistake of ours, before anything was sent: what was kept, or what we were given, cannot be made into
/// a request.
pub fn ours(detail: impl Into<String>) -> SupplierError {
    SupplierError::new(SupplierErrorKind::InvalidRequest, detail).with_sent(Sent::No)
}
