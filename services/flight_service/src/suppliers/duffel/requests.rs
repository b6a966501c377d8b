//! What is sent to Duffel: the bodies of an offer request and of an order, from our shapes. Pure
//! functions; what does not fit the offer is refused before anything is sent.

use serde_json::Value;
use travel_types::{Gender, Title, Traveller};
use vertical_kit::OrderRequest;

use super::wire;
use crate::model::{Cabin, FlightSearch, PassengerKind};

/// The body of an offer request.
pub(super) fn offer_request(search: &FlightSearch) -> wire::OfferRequest {
    let slice = |from: &str, to: &str, day: travel_types::jiff::civil::Date| wire::RequestedSlice {
        origin: from.to_owned(),
        destination: to.to_owned(),
        departure_date: day.to_string(),
    };
    let mut slices = vec![slice(
        &search.origin,
        &search.destination,
        search.departure_date,
    )];
    if let Some(day) = search.return_date {
        slices.push(slice(&search.destination, &search.origin, day));
    }
    let people = [
        ("adult", search.adults),
        ("child", search.children),
        ("infant_without_seat", search.infants),
    ];
    let passengers = people
        .into_iter()
        .flat_map(|(kind, count)| (0..count).map(move |_| wire::RequestedPassenger { kind }))
        .collect();
    wire::OfferRequest {
        slices,
        passengers,
        cabin_class: search.cabin.map(|cabin| match cabin {
            Cabin::Economy => "economy",
            Cabin::PremiumEconomy => "premium_economy",
            Cabin::Business => "business",
            Cabin::First => "first",
        }),
        max_connections: search.max_connections,
    }
}

/// The body of an order.
pub(super) fn new_order(order: &OrderRequest) -> Result<wire::NewOrder, String> {
    let offer_id = text(&order.handle, "offer_id")?;
    let empty = Vec::new();
    let places = order
        .handle
        .get("passengers")
        .and_then(Value::as_array)
        .unwrap_or(&empty);
    let mut free: Vec<(String, PassengerKind)> = Vec::new();
    for place in places {
        let kind = place.get("kind").cloned().unwrap_or(Value::Null);
        let kind = serde_json::from_value(kind).map_err(|error| error.to_string())?;
        free.push((text(place, "id")?, kind));
    }
    let day = order
        .handle
        .get("departure_day")
        .and_then(Value::as_str)
        .and_then(|day| day.parse().ok());
    let mut passengers = Vec::with_capacity(order.travellers.len());
    let mut infants = Vec::new();
    // Adults first, so that each infant finds a lap.
    for traveller in &order.travellers {
        let place = free
            .iter()
            .position(|(_, kind)| {
                day.is_none_or(|day| PassengerKind::of_age(traveller.age_on(day)) == *kind)
            })
            .ok_or("more travellers than the offer was made for")?;
        let (id, kind) = free.remove(place);
        if kind == PassengerKind::Infant {
            infants.push(id.clone());
        }
        passengers.push((kind, order_passenger(id, traveller, order)));
    }
    let mut laps = passengers
        .iter_mut()
        .filter(|(kind, _)| *kind == PassengerKind::Adult);
    for infant in infants {
        let (_, adult) = laps.next().ok_or("an infant without an adult")?;
        adult.infant_passenger_id = Some(infant);
    }
    Ok(wire::NewOrder {
        kind: "instant",
        selected_offers: [offer_id],
        passengers: passengers.into_iter().map(|(_, person)| person).collect(),
        payments: [wire::Payment {
            kind: "balance",
            amount: order.total.amount(),
            currency: order.total.currency().code().to_owned(),
        }],
        metadata: wire::Metadata {
            interline_order_id: Some(order.reference.to_string()),
        },
    })
}

fn order_passenger(
    id: String,
    traveller: &Traveller,
    order: &OrderRequest,
) -> wire::OrderPassenger {
    // Duffel knows title and gender; where only one was given, it tells the other.
    let (title, gender) = match (traveller.title, traveller.gender) {
        (Some(title), gender) => (
            Some(match title {
                Title::Mr => "mr",
                Title::Ms => "ms",
                Title::Mrs => "mrs",
                Title::Miss => "miss",
                Title::Dr => "dr",
            }),
            match (gender, title) {
                (Some(gender), _) => Some(gender),
                (None, Title::Mr) => Some(Gender::Male),
                (None, Title::Ms | Title::Mrs | Title::Miss) => Some(Gender::Female),
                (None, Title::Dr) => None,
            },
        ),
        (None, Some(Gender::Male)) => (Some("mr"), Some(Gender::Male)),
        (None, Some(Gender::Female)) => (Some("ms"), Some(Gender::Female)),
        (None, None) => (None, None),
    };
    wire::OrderPassenger {
        id,
        title,
        gender: gender.map(|gender| match gender {
            Gender::Male => "m",
            Gender::Female => "f",
        }),
        given_name: traveller.given_name.clone(),
        family_name: traveller.family_name.clone(),
        born_on: traveller.born_on.to_string(),
        email: traveller
            .email
            .clone()
            .unwrap_or_else(|| order.contact.email.clone()),
        phone_number: traveller
            .phone
            .clone()
            .unwrap_or_else(|| order.contact.phone.clone()),
        infant_passenger_id: None,
        identity_documents: traveller
            .documents
            .iter()
            .map(|document| wire::IdentityDocument {
                kind: document.kind.clone(),
                unique_identifier: document.number.clone(),
                issuing_country_code: document.issuing_country.clone(),
                expires_on: document.expires_on.to_string(),
            })
            .collect(),
    }
}

/// A text that the adapter put into a handle.
pub(super) fn text(handle: &Value, key: &str) -> Result<String, String> {
    handle
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("the handle has no {key}"))
}
