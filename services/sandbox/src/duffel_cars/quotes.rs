//! Quoting a rate: its parts and conditions, at its latest price.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::problems::rate_unavailable;
use super::state::{Cars, Outcome, Quote};
use super::{text, wire};
use crate::duffel::platform::{Answered, Problem, ok};

/// `POST /cars/quotes`.
pub(crate) fn create(cars: &Cars, data: &Map<String, Value>) -> Answered {
    let id = text(data, "rate_id", "")?;
    let now = cars.office.clock.now();
    let mut store = cars.store();
    let rate = store
        .rates
        .get(id)
        .cloned()
        .ok_or_else(Problem::not_found)?;
    if now >= rate.expires_at || matches!(rate.test, Some((_, Outcome::NoQuote))) {
        return Err(rate_unavailable());
    }
    let mut units = rate.rental.units().into_iter();
    if units.any(|(item, wanted)| cars.office.inventory.show(&item) < wanted) {
        return Err(rate_unavailable());
    }
    let raised = store.raised(id) + wire::dearer(&rate);
    let quote = Quote {
        id: cars.ids.next("qut", now),
        rate,
        raised,
        expires_at: cars.office.clock.after(cars.office.offer_life),
    };
    let shown = wire::quote(&quote, &cars.office.currency);
    store.keep_quote(Arc::new(quote), now);
    Ok(ok(Value::Object(shown)))
}
