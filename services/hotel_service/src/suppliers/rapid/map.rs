//! From Rapid's rates to offers. Pure functions: what cannot be shown truthfully is refused with a
//! reason, what looks wrong is kept and flagged.

use jiff::Timestamp;
use serde_json::value::RawValue;
use supplier_client::tolerant::Literal;
use travel_types::{Money, Warning, WarningCode};
use vertical_kit::{Conditions, Found, SupplierOffer};

use super::hotel::{self, Hotel};
use super::memory::{BookLink, Memory, occupancy};
use super::penalties::{self, Rules, Stay};
use super::pricing::{self, Price};
use super::wire::{
    self, BedGroup, Deposit, Described, Extras, Link, PriceCheck, Property, Rate, Room,
};
use crate::model::{self, HotelDetails, HotelSearch, PaymentTime};

/// Rapid's word for "more than can be told".
const UNTOLD_ROOMS: u32 = 2_147_483_647;

/// What a search's answers are read with.
pub(super) struct Reading<'a> {
    pub(super) search: &'a HotelSearch,
    pub(super) zone: Option<String>,
    pub(super) now: Timestamp,
    /// The most rates that are shown of one room type; the cheapest are.
    pub(super) rates_per_room: usize,
}

impl Reading<'_> {
    /// Adds the offers of one property, or the reasons why they are left out.
    pub(super) fn add(
        &self,
        raw: &RawValue,
        hotel: impl Fn(&str) -> Option<Hotel>,
        found: &mut Found,
    ) {
        let property: Option<Property> = wire::part(raw);
        let Some((code, property)) = property.and_then(|property| {
            let code = property.property_id.clone()?;
            Some((code.0, property))
        }) else {
            let reason = "a property is not as Rapid describes it";
            return found.rejected.push(reason.to_owned());
        };
        // A property without rooms is one that says why it has none.
        let Some(rooms) = wire::parts(property.rooms.as_ref()) else {
            return;
        };
        let hotel = hotel(&code);
        for raw in rooms {
            let Some(room) = wire::part::<Room>(&raw) else {
                found
                    .rejected
                    .push("a room is not as Rapid describes it".to_owned());
                continue;
            };
            let mut offers: Vec<Vec<SupplierOffer>> = Vec::new();
            for raw in wire::parts(room.rates.as_ref()).unwrap_or_default() {
                match self.rate(&raw, &room, &code, hotel.as_ref(), &mut found.rejected) {
                    Ok(of_rate) => offers.push(of_rate),
                    Err(reason) => found.rejected.push(reason),
                }
            }
            offers.retain(|offers| !offers.is_empty());
            offers.sort_by_key(|offers| offers.first().map(|offer| offer.total.minor()));
            let cheapest = offers.into_iter().take(self.rates_per_room);
            found.offers.extend(cheapest.flatten());
        }
    }

    /// The offers of a rate: one for each choice of beds, since each is booked by its own link. Choices
    /// that cannot be shown beside others are `rejected`.
    fn rate(
        &self,
        raw: &RawValue,
        room: &Room,
        code: &str,
        hotel: Option<&Hotel>,
        rejected: &mut Vec<String>,
    ) -> Result<Vec<SupplierOffer>, String> {
        let rate: Rate = wire::part(raw).ok_or("a rate is not as Rapid describes it")?;
        if rate
            .status
            .as_deref()
            .is_some_and(|status| status != "available")
        {
            return Ok(Vec::new());
        }
        let mut warnings = Vec::new();
        let rules = Rules::read(raw);
        let by_occupancy = rate
            .occupancy_pricing
            .as_ref()
            .ok_or("a rate without prices")?;
        let rooms = &self.search.rooms;
        let occupancies: Vec<String> = rooms.iter().map(occupancy).collect();
        let price = pricing::price(by_occupancy, &occupancies, &mut warnings)?;
        if hotel.is_none() {
            let message = "the supplier's description of the property is missing";
            let path = "details.property";
            warnings.push(Warning::new(WarningCode::DataQuality, path, message));
        }
        let unknown = Hotel::default();
        let hotel = hotel.unwrap_or(&unknown);
        let area = &self.search.area;
        let amenities = hotel::names(rate.amenities.as_ref(), usize::MAX);
        let extras: Extras = wire::part(raw).unwrap_or_default();
        let mut remarks = promised(&rate);
        remarks.extend(deposits(&extras));
        let details = HotelDetails {
            property: hotel.shown(code, area),
            check_in: self.search.check_in,
            check_in_from: hotel.check_in_from,
            check_out: self.search.check_out,
            check_out_until: hotel.check_out_until,
            nights: self.search.nights(),
            rooms: Vec::new(),
            board: hotel::board(&amenities, hotel.all_inclusive),
            rate_name: rate.promotions.as_ref().and_then(|promotions| {
                let deal = promotions.deal.as_ref()?;
                deal.description.clone()
            }),
            rooms_left: rate
                .available_rooms
                .as_ref()
                .and_then(|count| count.as_str().parse().ok())
                .filter(|count| *count != UNTOLD_ROOMS),
            payment: match rate.merchant_of_record.as_deref() {
                Some("property") => PaymentTime::AtProperty,
                _ => PaymentTime::Now,
            },
            due_at_property: price.due.clone(),
            remarks,
        };
        let groups = rate.bed_groups.unwrap_or_default();
        let of_beds = |raw: &wire::Raw| -> Result<SupplierOffer, String> {
            let group: BedGroup = wire::part(raw).ok_or("beds are not as Rapid describes them")?;
            let link = wire::link(group.links.as_ref(), "price_check");
            let link = link.ok_or("beds without a link to check their price")?;
            let mut details = details.clone();
            let named = room.room_name.clone().unwrap_or_default();
            details.rooms = rooms
                .iter()
                .map(|guests| model::Room {
                    name: named.clone(),
                    code: room.id.as_ref().map(|id| id.0.clone()),
                    beds: group.description.clone(),
                    guests: guests.clone(),
                })
                .collect();
            let expires_at = expiry(&link)?;
            let memory = Memory {
                price_check: link.href.unwrap_or_default(),
                book: None,
                rules: rules.clone(),
                zone: self.zone.clone(),
                details,
                itinerary_id: None,
                retrieve: None,
            };
            offer(&memory, &price, expires_at, warnings.clone(), self.now)
        };
        let mut offers = Vec::with_capacity(groups.len());
        let mut odd = Vec::new();
        for raw in groups.values() {
            match of_beds(raw) {
                Ok(offer) => offers.push(offer),
                Err(reason) => odd.push(reason),
            }
        }
        if offers.is_empty() {
            let none = || "a rate without a link to check its price".to_owned();
            return Err(odd.into_iter().next().unwrap_or_else(none));
        }
        rejected.append(&mut odd);
        Ok(offers)
    }
}

/// The offer at the price that a price check states.
pub(super) fn repriced(
    checked: &PriceCheck,
    extras: &Extras,
    mut memory: Memory,
    now: Timestamp,
) -> Result<SupplierOffer, String> {
    let mut warnings = Vec::new();
    let by_occupancy = checked.occupancy_pricing.as_ref().ok_or("no prices")?;
    let price = pricing::price(by_occupancy, &memory.occupancies(), &mut warnings)?;
    memory.details.due_at_property.clone_from(&price.due);
    for remark in deposits(extras) {
        if !memory.details.remarks.contains(&remark) {
            memory.details.remarks.push(remark);
        }
    }
    let link = wire::link(checked.links.as_ref(), "book");
    let expires_at = link.as_ref().map(expiry).transpose()?.flatten();
    if link.is_none() {
        let message = "the supplier gives no way to book this price";
        warnings.push(Warning::new(
            WarningCode::DataQuality,
            "expires_at",
            message,
        ));
    }
    memory.book = link.and_then(|link| {
        Some(BookLink {
            href: link.href?,
            expires: expires_at,
        })
    });
    offer(&memory, &price, expires_at, warnings, now)
}

fn offer(
    memory: &Memory,
    price: &Price,
    expires_at: Option<Timestamp>,
    mut warnings: Vec<Warning>,
    now: Timestamp,
) -> Result<SupplierOffer, String> {
    let (check_in, check_out) = memory.days();
    let stay = Stay {
        total: price.total,
        nights: price.nights.as_deref(),
        rooms: u32::try_from(memory.details.rooms.len()).unwrap_or(u32::MAX),
        check_in,
        check_out,
        zone: memory.zone.as_deref(),
        now,
    };
    let stated = price.nights.as_ref().map(Vec::len);
    if stated.is_some_and(|stated| u32::try_from(stated) != Ok(memory.details.nights)) {
        let message = "the supplier prices another number of nights than the stay has";
        warnings.push(Warning::new(WarningCode::DataQuality, "total", message));
    }
    let cancellation = penalties::schedule(&memory.rules, &stay, &mut warnings);
    let mut told = Vec::with_capacity(warnings.len());
    for warning in warnings {
        if !told.contains(&warning) {
            told.push(warning);
        }
    }
    Ok(SupplierOffer {
        total: price.total,
        base: price.base,
        taxes: price.taxes,
        expires_at,
        conditions: Conditions {
            cancellation,
            changeable: None,
        },
        warnings: told,
        details: serde_json::to_value(&memory.details).map_err(|error| error.to_string())?,
        handle: memory.handle()?,
    })
}

/// Until when a link can be followed.
fn expiry(link: &Link) -> Result<Option<Timestamp>, String> {
    let read = link.expires.as_ref().map(|at| at.as_str().parse());
    read.transpose()
        .map_err(|_| "the expiry of a link is not an instant".to_owned())
}

/// What the rate adds without a change of the price.
fn promised(rate: &Rate) -> Vec<String> {
    let adds = rate.promotions.as_ref().and_then(|promotions| {
        let adds = wire::parts(promotions.value_adds.as_ref())?;
        let described = |raw: &wire::Raw| wire::part::<Described>(raw)?.description;
        Some(adds.iter().filter_map(described).collect())
    });
    adds.unwrap_or_default()
}

/// Money that is wanted beside the price, in words.
fn deposits(extras: &Extras) -> Vec<String> {
    let sum = |value: &Option<Literal>, currency: &Option<String>| {
        Money::parse(value.as_ref()?.as_str(), currency.as_deref()?).ok()
    };
    let mut remarks = Vec::new();
    let limit = extras.card_on_file_limit.as_ref();
    if let Some(sum) = limit.and_then(|limit| sum(&limit.value, &limit.currency)) {
        remarks.push(format!(
            "The property may charge up to {sum} to a card for damage."
        ));
    }
    let damage = extras.refundable_damage_deposit.as_ref();
    if let Some(sum) = damage.and_then(|damage| sum(&damage.value, &damage.currency)) {
        remarks.push(format!(
            "A refundable deposit of {sum} for damage is asked for."
        ));
    }
    for Deposit {
        value,
        currency,
        due,
    } in extras.deposits.iter().flatten()
    {
        let due = due.as_ref().map(|due| format!(", due {}", due.as_str()));
        if let Some(sum) = sum(value, currency) {
            let due = due.unwrap_or_default();
            remarks.push(format!("A deposit of {sum} is asked for{due}."));
        }
    }
    remarks
}
