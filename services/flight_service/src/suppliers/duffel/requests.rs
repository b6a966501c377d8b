//! What is sent to Duffel: the bodies of an offer request and of an order, from our shapes. Pure
//! functions; what does not fit the offer is refused before anything is sent.

use travel_types::{Gender, Title, Traveller};
use vertical_kit::OrderRequest;

use super::wire;
use crate::mapping::{gender, seats};
use crate::model::{Cabin, FlightSearch, PassengerKind};
use vertical_kit::mapping::text;

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
    let mut passengers = Vec::with_capacity(order.travellers.len());
    let mut infants = Vec::new();
    for seat in seats(&order.handle, &order.travellers)? {
        if seat.kind == PassengerKind::Infant {
            infants.push(seat.id.clone());
        }
        let person = order_passenger(seat.id, seat.traveller, order);
        passengers.push((seat.kind, person));
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
        metadata: wire::Metadata::of(order.reference),
    })
}

fn order_passenger(
    id: String,
    traveller: &Traveller,
    order: &OrderRequest,
) -> wire::OrderPassenger {
    // Duffel knows title and gender; where only one was given, it tells the other.
    let gender = gender(traveller);
    let title = match (traveller.title, gender) {
        (Some(Title::Mr), _) | (None, Some(Gender::Male)) => Some("mr"),
        (Some(Title::Ms), _) | (None, Some(Gender::Female)) => Some("ms"),
        (Some(Title::Mrs), _) => Some("mrs"),
        (Some(Title::Miss), _) => Some("miss"),
        (Some(Title::Dr), _) => Some("dr"),
        (None, None) => None,
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
