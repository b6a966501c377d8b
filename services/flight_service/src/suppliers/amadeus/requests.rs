//! What is sent to Amadeus: the bodies of a search, a pricing and an order, from our shapes. Pure
//! functions; what does not fit the offer is refused before anything is sent.

use serde_json::Value;
use serde_json::value::RawValue;
use supplier_platforms::amadeus::records::Queue;
use travel_types::{Document, Gender, Traveller};
use vertical_kit::OrderRequest;

use super::wire;
use crate::mapping::{Seat, gender, seats};
use crate::model::{Cabin, FlightSearch};
use vertical_kit::mapping::text;

/// What is fixed about every order.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// The queue that orders are put on.
    pub(super) queue: Queue,
    /// `DELAY_TO_CANCEL`, `DELAY_TO_QUEUE` or `CONFIRM`.
    pub(super) ticketing: String,
    /// When the delayed process takes place, e.g. `6D`.
    pub(super) delay: String,
}

/// The body of a search.
pub(super) fn search(search: &FlightSearch, max_offers: u32) -> wire::Search {
    let direction = |id: &str, from: &str, to: &str, day: travel_types::jiff::civil::Date| {
        wire::OriginDestination {
            id: id.to_owned(),
            origin_location_code: from.to_owned(),
            destination_location_code: to.to_owned(),
            departure_date_time_range: wire::DateTimeRange {
                date: day.to_string(),
            },
        }
    };
    let (from, to) = (&search.origin, &search.destination);
    let mut directions = vec![direction("1", from, to, search.departure_date)];
    if let Some(day) = search.return_date {
        directions.push(direction("2", to, from, day));
    }
    let mut travelers = Vec::new();
    let mut add = |kind: &'static str, adult: Option<u32>| {
        travelers.push(wire::SearchedTraveler {
            id: (travelers.len() + 1).to_string(),
            traveler_type: kind,
            associated_adult_id: adult.map(|adult| adult.to_string()),
        });
    };
    (0..search.adults).for_each(|_| add("ADULT", None));
    (0..search.children).for_each(|_| add("CHILD", None));
    // The adults come first, so the first infant's adult is traveller 1.
    (1..=search.infants).for_each(|adult| add("HELD_INFANT", Some(adult)));
    let cabins = search.cabin.map(|cabin| wire::CabinRestriction {
        cabin: match cabin {
            Cabin::Economy => "ECONOMY",
            Cabin::PremiumEconomy => "PREMIUM_ECONOMY",
            Cabin::Business => "BUSINESS",
            Cabin::First => "FIRST",
        },
        coverage: "MOST_SEGMENTS",
        origin_destination_ids: directions.iter().map(|one| one.id.clone()).collect(),
    });
    let filtered = search.cabin.is_some() || search.max_connections.is_some();
    let filters = wire::FlightFilters {
        cabin_restrictions: cabins.into_iter().collect(),
        connection_restriction: search
            .max_connections
            .map(|most| wire::ConnectionRestriction {
                max_number_of_connections: most,
            }),
    };
    wire::Search {
        origin_destinations: directions,
        travelers,
        sources: ["GDS"],
        search_criteria: wire::SearchCriteria {
            max_flight_offers: max_offers,
            additional_information: wire::AdditionalInformation {
                branded_fares: true,
            },
            flight_filters: filtered.then_some(filters),
        },
    }
}

/// The offer of a handle, as Amadeus wrote it.
fn kept_offer(handle: &Value) -> Result<Box<RawValue>, String> {
    RawValue::from_string(text(handle, "offer")?)
        .map_err(|_| "the handle's offer is not JSON".to_owned())
}

/// The body of a pricing request: the whole offer, echoed.
pub(super) fn pricing(handle: &Value) -> Result<wire::Pricing, String> {
    Ok(wire::Pricing {
        kind: "flight-offers-pricing",
        flight_offers: [kept_offer(handle)?],
    })
}

/// Why a priced offer cannot be ordered by us, if it cannot: what an order would have to hold beside what
/// ours hold.
pub(super) fn unmet(
    demands: &wire::Demands,
    required: Option<&wire::BookingRequirements>,
    terms: &Terms,
) -> Option<&'static str> {
    let address = required.is_some_and(|required| {
        [
            required.invoice_address_required,
            required.mailing_address_required,
            required.postal_code_required,
        ]
        .contains(&Some(true))
    });
    if address {
        Some("the order needs an address, and ours have none")
    } else if demands.payment_card_required == Some(true) {
        Some("the order can only be paid with a card, and none is held")
    } else if demands.instant_ticketing_required == Some(true) && terms.ticketing != "CONFIRM" {
        Some("the order must be ticketed at once, which `ticketing` does not allow")
    } else {
        None
    }
}

/// The body of an order.
pub(super) fn new_order(order: &OrderRequest, terms: &Terms) -> Result<wire::NewOrder, String> {
    let mut seated = seats(&order.handle, &order.travellers)?;
    let payer = order.travellers.first().ok_or("nobody travels")?;
    // In the order of the offer's travellers, as Amadeus shows its examples.
    let place = |seat: &Seat<'_>| seat.id.parse::<u32>().unwrap_or(u32::MAX);
    seated.sort_by_key(place);
    let travelers: Result<_, String> = seated
        .into_iter()
        .map(|seat| traveler(seat, order))
        .collect();
    let delayed = terms.ticketing != "CONFIRM";
    Ok(wire::NewOrder {
        kind: "flight-order",
        flight_offers: [kept_offer(&order.handle)?],
        travelers: travelers?,
        remarks: wire::Remarks {
            general: [wire::GeneralRemark {
                sub_type: "GENERAL_MISCELLANEOUS",
                text: order.reference.to_string(),
            }],
        },
        ticketing_agreement: wire::TicketingAgreement {
            option: terms.ticketing.clone(),
            delay: delayed.then(|| terms.delay.clone()),
        },
        automated_process: [wire::AutomatedProcess {
            code: "IMMEDIATE",
            queue: wire::Queue {
                number: terms.queue.number.clone(),
                category: terms.queue.category.clone(),
            },
        }],
        contacts: [wire::Contact {
            addressee_name: name(payer),
            purpose: "STANDARD",
            phones: [phone(&order.contact.phone)?],
            email_address: order.contact.email.clone(),
        }],
    })
}

fn name(traveller: &Traveller) -> wire::Name {
    wire::Name {
        first_name: traveller.given_name.clone(),
        last_name: traveller.family_name.clone(),
    }
}

fn traveler(seat: Seat<'_>, order: &OrderRequest) -> Result<wire::Traveler, String> {
    let Seat { id, traveller, .. } = seat;
    let contact = &order.contact;
    let email = traveller.email.as_ref().unwrap_or(&contact.email);
    let number = traveller.phone.as_ref().unwrap_or(&contact.phone);
    Ok(wire::Traveler {
        id,
        date_of_birth: traveller.born_on.to_string(),
        gender: gender(traveller).map(|gender| match gender {
            Gender::Male => "MALE",
            Gender::Female => "FEMALE",
        }),
        name: name(traveller),
        contact: wire::TravelerContact {
            email_address: email.clone(),
            phones: [phone(number)?],
        },
        documents: traveller.documents.iter().map(document).collect(),
    })
}

fn document(document: &Document) -> wire::IdentityDocument {
    let kind = document.kind.to_ascii_uppercase();
    // A passport is issued by the state whose national its holder is; other documents do not tell.
    let national = (kind == "PASSPORT").then(|| document.issuing_country.clone());
    wire::IdentityDocument {
        document_type: kind,
        number: document.number.clone(),
        expiry_date: document.expires_on.to_string(),
        issuance_country: document.issuing_country.clone(),
        nationality: national,
        holder: true,
    }
}

/// Country codes of two digits; 1 and 7 have one, all others three (ITU-T E.164, list of assigned country
/// codes).
const TWO_DIGITS: [&str; 44] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65",
    "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// An E.164 number as Amadeus wants it, the country's code apart.
fn phone(number: &str) -> Result<wire::Phone, String> {
    let digits = number
        .strip_prefix('+')
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
        .ok_or("a telephone number is not in the international format")?;
    let length = match digits.get(..2) {
        Some(start) if start.starts_with(['1', '7']) => 1,
        Some(start) if TWO_DIGITS.contains(&start) => 2,
        _ => 3,
    };
    let (country, rest) = digits
        .split_at_checked(length)
        .ok_or("a telephone number is too short")?;
    Ok(wire::Phone {
        device_type: "MOBILE",
        country_calling_code: country.to_owned(),
        number: rest.to_owned(),
    })
}
