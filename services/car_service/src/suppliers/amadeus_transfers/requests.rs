//! What is sent to Amadeus: the bodies of a search and of an order, from our shapes. Pure functions.

use supplier_platforms::amadeus::records::Queue;
use travel_types::{Title, Traveller};
use vertical_kit::OrderRequest;

use super::destination::Destination;
use super::wire;
use crate::CarSearch;

/// What every order is told beside the people, from the configuration.
#[derive(Clone, Debug)]
pub(super) struct OrderTerms {
    pub(super) payment_method: String,
    pub(super) payment_reference: String,
    pub(super) queue: Queue,
}

/// The body of a search.
pub(super) fn search(search: &CarSearch, to: &Destination) -> wire::Search {
    let mut body = wire::Search {
        start_location_code: search.pickup.iata_code.clone(),
        start_date_time: search.pickup_at.to_string(),
        passengers: search.passengers,
        end_location_code: None,
        end_address_line: None,
        end_city_name: None,
        end_country_code: None,
        end_geo_code: None,
    };
    match to {
        Destination::Airport(place) => body.end_location_code = Some(place.iata_code.clone()),
        Destination::Centre {
            city,
            country,
            point: (latitude, longitude),
        } => {
            body.end_address_line = Some("City centre");
            body.end_city_name = Some(city.clone());
            body.end_country_code = Some(country.clone());
            body.end_geo_code = Some(format!("{latitude},{longitude}"));
        }
    }
    body
}

/// The body of an order.
pub(super) fn new_order(order: &OrderRequest, terms: &OrderTerms) -> wire::NewOrder {
    let reference = &terms.payment_reference;
    wire::NewOrder {
        note: format!("INTERLINE {}", order.reference),
        passengers: order
            .travellers
            .iter()
            .map(|traveller| passenger(traveller, order))
            .collect(),
        payment: wire::Payment {
            method_of_payment: terms.payment_method.clone(),
            payment_reference: (!reference.is_empty()).then(|| reference.clone()),
        },
        automated_process: [wire::Process {
            code: "IMMEDIATE",
            queue: wire::OfficeQueue {
                number: terms.queue.number.clone(),
                category: terms.queue.category.clone(),
            },
        }],
    }
}

fn passenger(traveller: &Traveller, order: &OrderRequest) -> wire::Passenger {
    let own = |own: &Option<String>, contact: &str| own.clone().unwrap_or(contact.to_owned());
    wire::Passenger {
        first_name: traveller.given_name.clone(),
        last_name: traveller.family_name.clone(),
        title: traveller.title.map(|title| match title {
            Title::Mr => "MR",
            Title::Ms => "MS",
            Title::Mrs => "MRS",
            Title::Miss => "MISS",
            Title::Dr => "DR",
        }),
        contacts: wire::Contact {
            phone_number: own(&traveller.phone, &order.contact.phone),
            email: own(&traveller.email, &order.contact.email),
        },
    }
}
