//! Booking the rooms behind a link, at once or on hold, and resuming a hold. Rooms are taken in one
//! step and the journal line is on disk before a booking is answered or can be seen.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{Answered, Problem, field, wrong};
use super::query::Query;
use super::rates::{self, Price};
use super::shop::{self, RAISE, linked, sold, unknown_test};
use super::state::{BookedRoom, Itinerary, Rapid, Record};
use super::token::{self, Use};
use crate::answer::{Answer, Twist};
use crate::journal::Kind;
use crate::scenario::{self, Name};
use crate::supplier::decimal;

/// How long a booking on hold waits to be resumed.
const HOLD: Duration = Duration::from_secs(24 * 3600);

/// `POST /v3/itineraries`.
pub(crate) async fn create(
    rapid: &Rapid,
    query: Option<&str>,
    test: Option<&str>,
    body: &Value,
) -> Answered {
    let itinerary = reserve(rapid, query, test, body)?;
    let hold = itinerary.held_until.is_some();
    let kind = if hold { Kind::Hold } else { Kind::Order };
    let units = itinerary.units(itinerary.count());
    let record = Record::Booked(Box::new(itinerary.clone()));
    let recorded = rapid.record(kind, &itinerary, itinerary.total(), &units, &record);
    if let Err(error) = recorded.await {
        tracing::error!(%error, "the journal cannot be written; the booking is undone");
        rapid.office.inventory.give_back(&units);
        if let Some(reference) = &itinerary.affiliate_reference_id {
            rapid.store().references.remove(reference);
        }
        return Err(Problem::internal());
    }
    let link = |method: &str| link(rapid, &itinerary.id, method);
    let mut links = Map::new();
    links.insert("retrieve".to_owned(), link("GET"));
    if hold {
        links.insert("resume".to_owned(), link("PUT"));
        links.insert("cancel".to_owned(), link("DELETE"));
    }
    let answer = json!({ "itinerary_id": itinerary.id, "links": links });
    let name = first_name(&itinerary);
    rapid.store().add(itinerary);
    let twist = Twist::of(
        name.as_deref().and_then(scenario::of_name),
        rapid.office.slow,
    );
    Ok(Answer::json(StatusCode::CREATED, answer).committed(twist))
}

/// The family name of the first traveller.
pub(crate) fn first_name(itinerary: &Itinerary) -> Option<String> {
    itinerary.rooms.first().map(|room| room.family_name.clone())
}

/// A link to an itinerary.
pub(crate) fn link(rapid: &Rapid, id: &str, method: &str) -> Value {
    let token = token::of_itinerary(rapid.office.seed, id);
    json!({ "method": method, "href": format!("/v3/itineraries/{id}?token={token}") })
}

/// Checks a booking and takes its rooms, in one step: no other booking comes in between.
fn reserve(
    rapid: &Rapid,
    query: Option<&str>,
    test: Option<&str>,
    body: &Value,
) -> Result<Itinerary, Problem> {
    let offer = linked(rapid, query, Use::Book)?;
    let (property, room) = sold(rapid, &offer)?;
    let guests = guests(body, offer.stay.occupancies.len())?;
    let currency = rapid.office.currency.clone();
    let now = rapid.office.clock.now();
    let bases = rates::bases(&property, &room, &offer.stay);
    let rooms: Vec<BookedRoom> = guests
        .iter()
        .zip(&offer.stay.occupancies)
        .map(|(guest, people)| {
            let price = Price::of(&property, &bases, offer.plan, people, offer.raise);
            let text = |name: &str| guest.get(name)?.as_str().map(str::to_owned);
            BookedRoom {
                id: (100_000_000 + rapid.nonce() % 899_999_999).to_string(),
                occupancy: people.text(),
                given_name: text("given_name").unwrap_or_default(),
                family_name: text("family_name").unwrap_or_default(),
                special_request: text("special_request"),
                smoking: guest.get("smoking").and_then(Value::as_bool) == Some(true),
                loyalty_id: text("loyalty_id"),
                total: price.inclusive(),
                pricing: price.shown(&currency, None, false),
                cancelled: None,
            }
        })
        .collect();
    let name = rooms.first().map(|room| room.family_name.as_str());
    let scenario = name.and_then(scenario::of_name);
    let half_seen = name.is_some_and(|name| name.eq_ignore_ascii_case("HALFSEEN"));
    let hold = body.get("hold").and_then(Value::as_bool) == Some(true);
    let text = |key: &str| body.get(key)?.as_str().map(str::to_owned);
    let mut itinerary = Itinerary {
        id: String::new(),
        property: property.number,
        room_type: room.code.to_owned(),
        plan: offer.plan.digit().to_owned(),
        beds: offer.beds,
        checkin: offer.stay.checkin,
        checkout: offer.stay.checkout,
        rooms,
        email: text("email").unwrap_or_default(),
        phone: body.get("phone").cloned().unwrap_or_default(),
        billing_contact: body.pointer("/payments/0/billing_contact").cloned(),
        affiliate_reference_id: text("affiliate_reference_id"),
        affiliate_metadata: text("affiliate_metadata"),
        currency,
        created_at: now,
        visible_at: rapid.office.visible_at(),
        whole_at: if half_seen {
            rapid.office.clock.after(rapid.office.slow)
        } else {
            now
        },
        held_until: hold.then(|| rapid.office.clock.after(HOLD)),
        cancel_lost: false,
    };
    let shown_price = decimal(itinerary.total());

    let mut store = rapid.store();
    if let Some(reference) = &itinerary.affiliate_reference_id
        && store.references.contains_key(reference)
    {
        return Err(Problem::duplicate(reference));
    }
    let mismatch = |raise: i64| {
        let price = itinerary.total() + (raise - offer.raise) * i64::from(offer.stay.rooms());
        Problem::price_mismatch(&shown_price, &decimal(price))
    };
    let raised = store.raised(&offer);
    match test {
        None | Some("standard" | "") => {}
        Some("service_unavailable") => return Err(Problem::unavailable()),
        Some("internal_server_error") => return Err(Problem::internal()),
        Some("rooms_unavailable") => return Err(Problem::rooms_unavailable()),
        Some("cc_declined") => return Err(Problem::card_declined()),
        Some("price_mismatch") => {
            store.raise(&offer, RAISE, now);
            return Err(mismatch(offer.raise + RAISE));
        }
        Some(other) => return Err(unknown_test(other)),
    }
    match scenario {
        Some(Name::SoldOut) => return Err(Problem::rooms_unavailable()),
        Some(Name::Refused) => return Err(Problem::card_declined()),
        Some(Name::PriceChange) if raised == 0 => {
            store.raise(&offer, RAISE, now);
            return Err(mismatch(RAISE));
        }
        _ => {}
    }
    if raised != offer.raise {
        return Err(mismatch(raised));
    }
    if !rapid
        .office
        .inventory
        .take(&itinerary.units(itinerary.count()))
    {
        return Err(Problem::rooms_unavailable());
    }
    itinerary.id = (0..)
        .map(|_| (8_000_000_000_000 + rapid.nonce() % 999_999_999_999).to_string())
        .find(|id| !store.itineraries.contains_key(id))
        .unwrap_or_default();
    if let Some(reference) = &itinerary.affiliate_reference_id {
        let id = itinerary.id.clone();
        store.references.insert(reference.clone(), id);
    }
    Ok(itinerary)
}

/// The travellers of a booking, one for each room, everything else of the body checked with them.
fn guests(body: &Value, rooms: usize) -> Result<Vec<Value>, Problem> {
    let mut errors = Vec::new();
    let mut need = |pointer: &str, holder: &Value, name: &str| {
        let text = holder.get(name).and_then(Value::as_str);
        if text.is_none_or(|text| text.trim().is_empty()) {
            let kind = format!("{pointer}{name}.required");
            let message = format!("{name} is required.");
            errors.push(wrong(
                &kind,
                &message,
                vec![field(name, "body", Value::Null)],
            ));
        }
    };
    need("", body, "email");
    let phone = body.get("phone").cloned().unwrap_or_default();
    need("phone.", &phone, "country_code");
    need("phone.", &phone, "number");
    let list = |name: &str| body.get(name).and_then(Value::as_array);
    let guests = list("rooms").cloned().unwrap_or_default();
    for guest in &guests {
        need("room.", guest, "given_name");
        need("room.", guest, "family_name");
    }
    for payment in list("payments").into_iter().flatten() {
        let contact = payment.get("billing_contact").cloned().unwrap_or_default();
        need("payment.", payment, "type");
        need("payment.contact.", &contact, "given_name");
        need("payment.contact.", &contact, "family_name");
        let address = contact.get("address").cloned().unwrap_or_default();
        need("payment.contact.address.", &address, "country_code");
        if payment.get("type").and_then(Value::as_str) != Some("affiliate_collect") {
            need("payment.", payment, "number");
        }
    }
    if list("payments").is_none_or(Vec::is_empty) {
        let fields = vec![field("payments", "body", Value::Null)];
        errors.push(wrong("payments.required", "Payments is required.", fields));
    }
    let email = body
        .get("email")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !email.is_empty() && !plausible(email) {
        let fields = vec![field("email", "body", email)];
        errors.push(wrong(
            "email.invalid",
            "Customer email address is invalid.",
            fields,
        ));
    }
    if guests.len() != rooms {
        let message = "The number of rooms must match the number of rooms of the rate.";
        let fields = vec![field("rooms", "body", guests.len().to_string())];
        errors.push(wrong("number_of_rooms.invalid", message, fields));
    }
    let reference = body.get("affiliate_reference_id").and_then(Value::as_str);
    if let Some(reference) = reference.filter(|text| text.contains(['<', '>', '(', ')', '&'])) {
        let message = "Affiliate reference id is invalid.";
        let fields = vec![field("affiliate_reference_id", "body", reference)];
        errors.push(wrong("affiliate_reference_id.invalid", message, fields));
    }
    if errors.is_empty() {
        Ok(guests)
    } else {
        Err(Problem::invalid(errors))
    }
}

/// Whether a text can be an e-mail address.
pub(crate) fn plausible(email: &str) -> bool {
    email
        .split_once('@')
        .is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'))
}

/// `PUT /v3/itineraries/{itinerary_id}`: a booking on hold becomes a booking.
pub(crate) async fn resume(
    rapid: &Rapid,
    id: &str,
    query: Option<&str>,
    test: Option<&str>,
) -> Answered {
    let query = Query::parse(query);
    let opened = query
        .get("token")
        .is_some_and(|token| token::opens(rapid.office.seed, token, id));
    if !opened {
        return Err(Problem::link());
    }
    let unknown = match test {
        None | Some("standard" | "") => false,
        // The specification: "returns the HTTP 202 response caused by partial service unavailability".
        Some("service_unavailable") => true,
        Some("internal_server_error") => return Err(Problem::internal()),
        Some(other) => return Err(unknown_test(other)),
    };
    let now = rapid.office.clock.now();
    let (itinerary, held_until) = {
        let mut store = rapid.store();
        let itinerary = store
            .itineraries
            .get_mut(id)
            .ok_or_else(Problem::no_itinerary)?;
        let alive = itinerary.rooms.iter().any(|room| room.cancelled.is_none());
        // Taken away under the lock: a second resumption finds nothing to resume.
        let held_until = itinerary.held_until.filter(|until| now < *until && alive);
        let held_until = held_until.ok_or_else(Problem::link)?;
        itinerary.held_until = None;
        (itinerary.clone(), held_until)
    };
    let units = itinerary.units(itinerary.count());
    let record = Record::Resumed { id: id.to_owned() };
    let recorded = rapid.record(Kind::Order, &itinerary, itinerary.total(), &units, &record);
    if let Err(error) = recorded.await {
        tracing::error!(%error, "the journal cannot be written; the hold stays");
        if let Some(itinerary) = rapid.store().itineraries.get_mut(id) {
            itinerary.held_until = Some(held_until);
        }
        return Err(Problem::internal());
    }
    let status = if unknown {
        StatusCode::ACCEPTED
    } else {
        StatusCode::NO_CONTENT
    };
    Ok(Answer::empty(status).committed(None))
}

/// The choice of beds of a booking: id and description.
pub(crate) fn bed_group(rapid: &Rapid, itinerary: &Itinerary) -> Option<String> {
    let property = crate::hotels::property(rapid.office.seed, itinerary.property)?;
    let room = property.room(&itinerary.room_type)?;
    let groups = shop::beds(&property, room);
    groups.into_iter().nth(itinerary.beds).map(|(id, _)| id)
}
