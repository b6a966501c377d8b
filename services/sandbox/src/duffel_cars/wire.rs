//! Rates, quotes and bookings as Duffel writes them: every key of the SDK's types, also the nullable ones.

use serde_json::{Map, Value, json};

use super::state::{Outcome, Quote, Rate};
use crate::cars::{self, Access, Branch, Mileage, Payment};
use crate::duffel::platform::instant;
use crate::supplier::decimal;

/// How much the test rate "Price Changed on Quote" goes up by, in hundredths.
const DEARER: i64 = 500;

/// A rate of a search.
pub(crate) fn rate(rate: &Rate, currency: &str) -> Value {
    let mut shown = shared(rate, currency, 0);
    shown.insert("id".to_owned(), json!(rate.id));
    if !rate.rental.company.itemised {
        shown.insert("base_currency".to_owned(), Value::Null);
    }
    Value::Object(shown)
}

/// What a rate costs, in hundredths.
pub(crate) fn total(rate: &Rate, raised: i64) -> i64 {
    rate.price.total() + raised
}

/// What a quote adds to the price that was found.
pub(crate) fn dearer(rate: &Rate) -> i64 {
    match rate.test {
        Some((_, Outcome::Dearer)) => DEARER,
        _ => 0,
    }
}

/// A quote.
pub(crate) fn quote(quote: &Quote, currency: &str) -> Map<String, Value> {
    let rate = &quote.rate;
    let rental = &rate.rental;
    let mut shown = shared(rate, currency, quote.raised);
    let charges = rental.company.itemised.then(|| {
        let parts = rate.price.charges.iter();
        let parts = parts.map(|(amount, what)| {
            json!({ "amount": decimal(*amount), "currency": currency, "description": what })
        });
        parts.collect::<Vec<Value>>()
    });
    let more = json!({
        "id": quote.id,
        "live_mode": false,
        "rate_id": rate.id,
        "search_id": rate.search_id,
        "charges": charges,
        "conditions": conditions(rate),
        "privacy_policies": [{
            "title": "Customer Data Use",
            "text": "Your data may be shared with the supplier to process your booking.",
        }],
        "pickup_date": rental.from.date().to_string(),
        "pickup_time": rental.from.time().strftime("%H:%M").to_string(),
        "dropoff_date": rental.to.date().to_string(),
        "dropoff_time": rental.to.time().strftime("%H:%M").to_string(),
    });
    if let Value::Object(more) = more {
        shown.extend(more);
    }
    shown
}

/// A booking, made now from a quote.
pub(crate) fn booking(
    mut quote: Map<String, Value>,
    id: &str,
    reference: &str,
    now: jiff::Timestamp,
    [driver, metadata, users]: [Value; 3],
) -> Value {
    let quote_id = quote.insert("id".to_owned(), json!(id));
    quote.remove("rate_id");
    quote.remove("search_id");
    let more = json!({
        "reference": reference,
        "confirmed_at": instant(now),
        "cancelled_at": null,
        "status": "confirmed",
        "driver": driver,
        "quote_id": quote_id,
        "metadata": metadata,
        "users": users,
    });
    if let Value::Object(more) = more {
        quote.extend(more);
    }
    Value::Object(quote)
}

/// What rates, quotes and bookings have in common.
fn shared(rate: &Rate, currency: &str, raised: i64) -> Map<String, Value> {
    let rental = &rate.rental;
    let itemised = rental.company.itemised;
    let shown = json!({
        "base_amount": itemised.then(|| decimal(rate.price.base + raised)),
        "base_currency": currency,
        "total_amount": decimal(total(rate, raised)),
        "total_currency": currency,
        "payment_type": match rental.payment {
            Payment::Postpaid => "postpaid",
            Payment::Guarantee => "guarantee",
            Payment::Prepaid | Payment::PrepaidFinal => "prepaid",
        },
        "mileage": mileage(rental.company.mileage, rental.days()),
        "supplier": {
            "name": rental.company.name,
            // Only the test company's logo is known; the others have none.
            "logo_url": rate.test.map(|_| {
                "https://assets.duffel.com/duffel-lockup/Duffel_Logo_Lock-up_Positive_RGB.png"
            }),
        },
        "car": car(rate),
        "pickup_location": location(&rental.pickup),
        "dropoff_location": location(&rental.dropoff),
    });
    match shown {
        Value::Object(shown) => shown,
        _ => Map::new(),
    }
}

fn mileage(mileage: Mileage, days: i64) -> Value {
    match mileage {
        Mileage::Unlimited => json!({ "type": "unlimited" }),
        Mileage::Kilometres(daily) => {
            json!({ "type": "limited", "unit": "kilometres", "limit": i64::from(daily) * days })
        }
        Mileage::Miles(daily) => {
            json!({ "type": "limited", "unit": "miles", "limit": i64::from(daily) * days })
        }
    }
}

fn car(rate: &Rate) -> Value {
    let class = rate.rental.class;
    let decoded = cars::decode(class.code);
    // Kestrel tells neither seats nor bags.
    let tells = rate.rental.company.code != "KST";
    json!({
        "name": rate.test.map_or(class.name, |(name, _)| name),
        "code": class.code,
        "category": decoded.as_ref().map(|decoded| decoded.category),
        "type": decoded.as_ref().map(|decoded| decoded.body),
        "transmission": decoded.as_ref().map(|decoded| {
            if decoded.automatic { "automatic" } else { "manual" }
        }),
        "fuel": decoded.as_ref().map(|decoded| decoded.fuel),
        "air_conditioning": decoded.as_ref().map(|decoded| decoded.air_conditioning),
        "max_passengers": tells.then_some(class.passengers),
        "baggage": tells.then(|| json!({ "large": class.large_bags, "small": class.small_bags })),
        "images": [{ "url": format!("http://{}/pictures/cars/{}.svg", rate.host, class.code) }],
    })
}

fn location(branch: &Branch) -> Value {
    let access = match branch.access {
        Access::InTerminal => Some("in_terminal"),
        Access::Shuttle => Some("shuttle"),
        Access::MeetAndGreet => Some("meet_and_greet"),
        // An office in town is reached by its address.
        Access::Office | Access::Unknown => None,
    };
    let information = match branch.access {
        Access::Shuttle => json!([{
            "title": "Shuttle",
            "text": "A free shuttle leaves every 15 minutes from the ground transport area.",
        }]),
        _ => json!([]),
    };
    let hours: Vec<Value> = (branch.hours.iter())
        .map(|(from, to)| {
            let to = if *to == 24 {
                "23:59".to_owned()
            } else {
                format!("{to:02}:00")
            };
            json!({ "from": format!("{from:02}:00"), "to": to })
        })
        .collect();
    json!({
        "name": branch.name,
        "geographic_coordinates": { "latitude": branch.latitude, "longitude": branch.longitude },
        "address": {
            "line_one": branch.line_one,
            "city_name": branch.city,
            "postal_code": branch.postal_code,
            "region": null,
            "country_code": branch.country,
        },
        "phone_number": branch.phone,
        "access": access,
        "additional_information": information,
        "opening_hours": hours,
    })
}

fn conditions(rate: &Rate) -> Value {
    let rental = &rate.rental;
    let company = rental.company;
    let cancellation = match rental.payment {
        Payment::Postpaid | Payment::Prepaid => "Free cancellation up to 24 hours before pickup.",
        Payment::Guarantee => "Free cancellation up to 48 hours before pickup.",
        Payment::PrepaidFinal => "This rate is non-refundable.",
    };
    json!([
        { "title": "Cancellation Policy", "text": cancellation },
        {
            "title": "Driver Age",
            "text": format!(
                "The driver must be between {} and {} years old. Drivers under 25 pay a surcharge.",
                company.youngest, company.oldest
            ),
        },
        {
            "title": "Driving Licence",
            "text": "A full driving licence, held for at least one year, must be shown at pickup.",
        },
        {
            "title": "Fuel Policy",
            "text": "The car is handed over full and must be returned full.",
        },
    ])
}
