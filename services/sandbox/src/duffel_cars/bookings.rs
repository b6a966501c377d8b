//! Bookings: made from a quote, listed, looked up and cancelled. Cars are taken in one step and the
//! journal line is on disk before a booking is answered or can be seen.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::state::{Booking, Cars, Outcome, Quote};
use super::{problems, text, wire};
use crate::answer::{Answer, Twist};
use crate::cars::Payment;
use crate::chance::booking_reference;
use crate::duffel::platform::{self, Answered, Params, Problem, ok, page};
use crate::journal::Kind;
use crate::scenario::{self, Name};

/// By how much the scenario PRICECHANGE raises a rate's price, in hundredths.
const RAISE: i64 = 1_000;

/// `POST /cars/bookings`.
pub(crate) async fn create(cars: &Cars, data: &Map<String, Value>) -> Answered {
    let (booking, name) = reserve(cars, data)?;
    let record = serde_json::to_value(&booking).map_err(|_| Problem::internal())?;
    if let Err(error) = cars
        .record(Kind::Order, &booking, booking.total, record)
        .await
    {
        tracing::error!(%error, "the journal cannot be written; the booking is undone");
        cars.office.inventory.give_back(&booking.units);
        return Err(Problem::internal());
    }
    let shown = booking.shown.clone();
    cars.store().add(booking);
    Ok(ok(shown).committed(Twist::of(name, cars.office.slow)))
}

/// Checks a booking and takes its car, in one step: no other booking comes in between.
fn reserve(cars: &Cars, data: &Map<String, Value>) -> Result<(Booking, Option<Name>), Problem> {
    let quote_id = text(data, "quote_id", "")?;
    let driver = data.get("driver").and_then(Value::as_object);
    let driver = driver.ok_or_else(|| Problem::required("/driver"))?;
    let metadata = platform::metadata(data)?;
    let users = data.get("users").cloned().unwrap_or_else(|| json!([]));
    let now = cars.office.clock.now();

    let mut store = cars.store();
    let quote = store.quotes.get(quote_id).cloned();
    let quote = quote.ok_or_else(Problem::not_found)?;
    let rate = &quote.rate;
    let shown_driver = check_driver(&quote, driver)?;
    check_payment(rate.rental.payment, data.get("payment"))?;
    if now >= quote.expires_at {
        return Err(problems::quote_expired());
    }
    let name = scenario::of_name(text(driver, "family_name", "/driver")?);
    match name {
        Some(Name::SoldOut) => return Err(problems::rate_unavailable()),
        Some(Name::Refused) => return Err(problems::refused()),
        Some(Name::PriceChange) => {
            let raise = store.raises.entry(rate.id.clone()).or_default();
            if !raise.refused_once {
                raise.refused_once = true;
                raise.by += RAISE;
            }
        }
        _ => {}
    }
    if quote.raised != store.raised(&rate.id) + wire::dearer(rate) {
        return Err(problems::price_changed());
    }
    match rate.test {
        Some((_, Outcome::Fails)) => return Err(problems::refused()),
        Some((_, Outcome::Declined)) => return Err(problems::payment_declined()),
        _ => {}
    }
    let units = rate.rental.units();
    if !cars.office.inventory.take(&units) {
        return Err(problems::rate_unavailable());
    }
    let id = cars.ids.next("boo", now);
    let reference = (0..)
        .map(|attempt| {
            format!(
                "{}-{}",
                rate.rental.company.code,
                booking_reference(&id, attempt)
            )
        })
        .find(|reference| store.references.insert(reference.clone()))
        .unwrap_or_default();
    let currency = &cars.office.currency;
    let shown = wire::booking(
        wire::quote(&quote, currency),
        &id,
        &reference,
        now,
        [shown_driver, metadata.clone(), users],
    );
    let pickup_at = pickup_at(&quote);
    let booking = Booking {
        id,
        shown,
        reference,
        units,
        total: wire::total(rate, quote.raised),
        currency: currency.clone(),
        client_reference: platform::client_reference(&metadata),
        free_until: free_until(rate.rental.payment, pickup_at),
        pickup_at,
        created_at: now,
        visible_at: cars.office.visible_at(),
        cancelled: false,
    };
    Ok((booking, name))
}

/// The driver as the booking shows them.
fn check_driver(quote: &Quote, driver: &Map<String, Value>) -> Result<Value, Problem> {
    let rental = &quote.rate.rental;
    let mut shown = Map::new();
    for name in ["given_name", "family_name", "email", "phone_number"] {
        shown.insert(name.to_owned(), json!(text(driver, name, "/driver")?));
    }
    let born_on = text(driver, "date_of_birth", "/driver")?;
    let pointer = "/driver/date_of_birth";
    let born: Date = born_on
        .parse()
        .map_err(|_| Problem::format(pointer, "must be a date such as 1990-01-01"))?;
    let phone = text(driver, "phone_number", "/driver")?;
    let digits = phone.strip_prefix('+').unwrap_or_default();
    if digits.len() < 7 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::format(
            "/driver/phone_number",
            "must be in E.164 format",
        ));
    }
    if !text(driver, "email", "/driver")?.contains('@') {
        return Err(Problem::format(
            "/driver/email",
            "must be an e-mail address",
        ));
    }
    // The price was made for the age that the search named: who pays the surcharge may not change.
    let at_pickup = rental.from.date();
    let age = i32::from(at_pickup.year() - born.year())
        - i32::from((at_pickup.month(), at_pickup.day()) < (born.month(), born.day()));
    let age = u8::try_from(age).map_err(|_| problems::driver_age())?;
    let young = |age: u8| age < crate::cars::FULL_AGE;
    if !rental.company.accepts(age) || (young(age) && !young(rental.driver_age)) {
        return Err(problems::driver_age());
    }
    shown.insert("date_of_birth".to_owned(), json!(born_on));
    shown.insert(
        "user_id".to_owned(),
        driver.get("user_id").cloned().unwrap_or_default(),
    );
    Ok(Value::Object(shown))
}

/// A guarantee needs a card; what is paid now without one is paid from the balance.
fn check_payment(payment: Payment, given: Option<&Value>) -> Result<(), Problem> {
    match given.filter(|given| !given.is_null()) {
        None if payment == Payment::Guarantee => Err(problems::card_required()),
        None => Ok(()),
        Some(given) => {
            if given.get("method").and_then(Value::as_str) != Some("card") {
                return Err(Problem::inclusion("/payment/method", &["card"]));
            }
            let card = given.get("card_id").and_then(Value::as_str);
            card.map(|_| ())
                .ok_or_else(|| Problem::required("/payment/card_id"))
        }
    }
}

fn pickup_at(quote: &Quote) -> Timestamp {
    let rental = &quote.rate.rental;
    let zone = TimeZone::get(rental.pickup.zone).unwrap_or(TimeZone::UTC);
    let at = rental.from.to_zoned(zone);
    at.map_or(Timestamp::MAX, |at| at.timestamp())
}

fn free_until(payment: Payment, pickup_at: Timestamp) -> Option<Timestamp> {
    let hours = match payment {
        Payment::Postpaid | Payment::Prepaid => 24,
        Payment::Guarantee => 48,
        Payment::PrepaidFinal => return None,
    };
    pickup_at
        .checked_sub(SignedDuration::from_hours(hours))
        .ok()
}

/// `GET /cars/bookings`.
pub(crate) fn list(cars: &Cars, query: Option<&str>) -> Answered {
    let params = Params::parse(query);
    let seen = cars.office.sight();
    let store = cars.store();
    let bookings: Vec<&Booking> = store
        .booking_ids
        .iter()
        .rev()
        .filter_map(|id| store.bookings.get(id))
        .filter(|booking| seen(booking.created_at, booking.visible_at))
        .collect();
    let (shown, meta) = page(&params, &bookings, |booking| &booking.id)?;
    let data: Vec<&Value> = shown.iter().map(|booking| &booking.shown).collect();
    Ok(Answer::json(
        http::StatusCode::OK,
        json!({ "data": data, "meta": meta }),
    ))
}

/// `GET /cars/bookings/{id}`.
pub(crate) fn show(cars: &Cars, id: &str) -> Answered {
    let seen = cars.office.sight();
    let store = cars.store();
    let booking = store.bookings.get(id);
    let booking = booking.filter(|booking| seen(booking.created_at, booking.visible_at));
    Ok(ok(booking.ok_or_else(Problem::not_found)?.shown.clone()))
}

/// `POST /cars/bookings/{id}/actions/cancel`. After the free time the money is lost; after the pickup
/// there is nothing to cancel.
pub(crate) async fn cancel(cars: &Cars, id: &str) -> Answered {
    let now = cars.office.clock.now();
    let (before, refund, units) = {
        let mut store = cars.store();
        let booking = store.bookings.get(id).cloned();
        let booking = booking.ok_or_else(Problem::not_found)?;
        if booking.cancelled {
            return Err(problems::already_cancelled());
        }
        if now >= booking.pickup_at {
            return Err(problems::not_cancellable());
        }
        let free = booking.free_until.is_some_and(|until| now < until);
        let refund = if free { booking.total } else { 0 };
        let units = store.cancel(id, now);
        (booking, refund, units)
    };
    if let Err(error) = cars.record(Kind::Cancel, &before, refund, json!(id)).await {
        tracing::error!(%error, "the journal cannot be written; the cancellation is undone");
        cars.store().bookings.insert(id.to_owned(), before);
        return Err(Problem::internal());
    }
    cars.office.inventory.give_back(&units);
    let shown = cars
        .store()
        .bookings
        .get(id)
        .map(|booking| booking.shown.clone());
    Ok(ok(shown.unwrap_or_default()).committed(None))
}
