//! How hotels of several suppliers lie side by side: in which order, which are the same, and how the
//! rates of one hotel are shown together.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use serde_json::{Value, json};
use storage::{Db, Migration, StoreError};
use vertical_kit::{Assortment, Described, Grouping, Offer};

use crate::model::{HotelDetails, PropertyOffers};
use crate::properties;
use crate::same_hotel::{Sighting, words};

/// `group_by=property`.
pub(crate) const BY_PROPERTY: Grouping = Grouping {
    name: "property",
    key: property_id,
    show: property_with_offers,
};

/// Most stars first; hotels without stars last.
pub(crate) fn by_stars(a: &Offer, b: &Offer) -> Ordering {
    let stars = |offer: &Offer| number(&offer.details, "/property/stars").unwrap_or(0.0);
    stars(b).total_cmp(&stars(a))
}

/// Nearest first; hotels without a position last.
pub(crate) fn by_distance(a: &Offer, b: &Offer) -> Ordering {
    let distance =
        |offer: &Offer| number(&offer.details, "/property/distance_km").unwrap_or(f64::MAX);
    distance(a).total_cmp(&distance(b))
}

/// Between rates of one price: the hotel's name.
pub(crate) fn by_name(a: &Offer, b: &Offer) -> Ordering {
    text(&a.details, "/property/name").cmp(&text(&b.details, "/property/name"))
}

fn number(details: &Value, pointer: &str) -> Option<f64> {
    details.pointer(pointer)?.as_f64()
}

fn text<'a>(details: &'a Value, pointer: &str) -> Option<&'a str> {
    details.pointer(pointer)?.as_str()
}

fn property_id(offer: &Offer) -> Option<String> {
    text(&offer.details, "/property/id")
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
}

fn property_with_offers(offers: Vec<Offer>) -> Value {
    let property = offers
        .first()
        .and_then(|offer| offer.details.get("property"))
        .cloned();
    let cheapest = offers.iter().min_by(|a, b| comparable(a, b));
    let suppliers: BTreeSet<&str> = offers.iter().map(|offer| offer.supplier.as_str()).collect();
    json!(PropertyOffers {
        property: property.unwrap_or(Value::Null),
        cheapest: cheapest.map(|offer| offer.id),
        suppliers: suppliers.into_iter().map(str::to_owned).collect(),
        offers,
    })
}

/// Compares prices in the currency that both are shown in, if they are; else the group's own order
/// stands.
fn comparable(a: &Offer, b: &Offer) -> Ordering {
    let shown = |offer: &Offer| {
        offer
            .converted
            .as_ref()
            .map_or(offer.total, |converted| converted.total)
    };
    let (a, b) = (shown(a), shown(b));
    if a.currency() == b.currency() {
        a.minor().cmp(&b.minor())
    } else {
        Ordering::Equal
    }
}

/// Hotels of all suppliers.
pub(crate) struct Hotels;

#[async_trait]
impl Assortment for Hotels {
    fn migrations(&self) -> Option<(&'static str, &'static [Migration])> {
        const MIGRATIONS: &[Migration] = &[Migration {
            version: 1,
            name: "properties",
            sql: include_str!("../migrations/0001_properties.sql"),
        }];
        Some(("hotel_service", MIGRATIONS))
    }

    /// Gives one id to one hotel, whoever sells it ([`crate::same_hotel`]).
    async fn align(&self, db: &Db, described: &mut [Described<'_>]) -> Result<(), StoreError> {
        let mut seen = HashSet::new();
        let sightings: Vec<Sighting> = described
            .iter()
            .filter_map(|one| sighting(one.supplier, one.details))
            .filter(|sighting| seen.insert(properties::key(sighting)))
            .collect();
        let ids = properties::ids(db, &sightings).await?;
        for one in described {
            let code = text(one.details, "/property/supplier_code").unwrap_or_default();
            let key = (one.supplier.to_owned(), code.to_owned());
            if let Some(id) = ids.get(&key)
                && let Some(place) = one.details.pointer_mut("/property/id")
            {
                *place = Value::from(id.as_str());
            }
        }
        Ok(())
    }

    /// The same hotel, rooms of the same names, for the same guests, with the same meals, paid at the
    /// same time, and the same steps of getting money back: then the price is all that differs.
    fn same(&self, offer: &Offer) -> Option<String> {
        let details: HotelDetails = serde_json::from_value(offer.details.clone()).ok()?;
        let rooms: Vec<Value> = details
            .rooms
            .iter()
            .map(|room| json!([words(&room.name), room.guests]))
            .collect();
        let terms = offer.terms_in_percent();
        let property = details.property.id;
        let key = json!([property, rooms, details.board, details.payment, terms]);
        (!property.is_empty()).then(|| key.to_string())
    }
}

fn sighting(supplier: &str, details: &Value) -> Option<Sighting> {
    let latitude = number(details, "/property/latitude");
    let longitude = number(details, "/property/longitude");
    Some(Sighting::new(
        supplier,
        text(details, "/property/supplier_code")?,
        text(details, "/property/name").unwrap_or_default(),
        latitude.zip(longitude),
    ))
}
