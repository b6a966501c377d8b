//! Services that a buyer adds to an offer: read from a request and written into an order.

use serde_json::{Value, json};

use super::offer::{Offer, Service};
use super::platform::Problem;
use crate::supplier::decimal;

/// The services named by `asked` (`[{"id","quantity"}]`), each at most once.
///
/// # Errors
/// An id that the offer does not sell, or a quantity other than 1.
pub(crate) fn chosen(
    offer: &Offer,
    asked: Option<&Value>,
    pointer: &str,
) -> Result<Vec<Service>, Problem> {
    let Some(asked) = asked.filter(|asked| !asked.is_null()) else {
        return Ok(Vec::new());
    };
    let asked = asked
        .as_array()
        .ok_or_else(|| Problem::format(pointer, "must be a list"))?;
    let mut sold = offer.services();
    let mut chosen = Vec::with_capacity(asked.len());
    for (index, service) in asked.iter().enumerate() {
        let id = service.get("id").and_then(Value::as_str);
        let at = format!("{pointer}/{index}");
        let found = sold.iter().position(|one| Some(one.id.as_str()) == id);
        let found = found.ok_or_else(|| {
            Problem::format(
                &format!("{at}/id"),
                "must be an available service of the offer",
            )
        })?;
        if service.get("quantity").and_then(Value::as_u64) != Some(1) {
            return Err(Problem::format(&format!("{at}/quantity"), "must be 1"));
        }
        chosen.push(sold.swap_remove(found));
    }
    Ok(chosen)
}

/// The services of an order as Duffel shows them.
pub(crate) fn shown(services: &[Service], currency: &str) -> Value {
    services
        .iter()
        .map(|service| {
            json!({
                "id": service.id,
                "type": "baggage",
                "quantity": 1,
                "passenger_ids": [service.passenger_id],
                "segment_ids": service.segment_ids,
                "total_amount": decimal(service.amount),
                "total_currency": currency,
                "metadata": { "type": "checked", "maximum_weight_kg": 23 },
            })
        })
        .collect()
}
