//! From Rapid's itineraries to orders, and what cancelling them brings.

use http::Method;
use jiff::Timestamp;
use serde_json::value::RawValue;
use supplier_client::{Safety, WireRequest};
use travel_types::{Money, Warning};
use vertical_kit::{PlacedOrder, PlacedStatus};

use super::links;
use super::memory::Memory;
use super::penalties::{self, Rules, Stay};
use super::pricing;
use super::wire::{self, BookedRate, BookedRoom, Itinerary};

/// How all rooms together stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Rapid has the itinerary, but does not tell yet; or some rooms are not decided.
    Pending,
    /// At least one room is booked, and none is undecided.
    Booked {
        /// Some rooms are cancelled.
        partly_cancelled: bool,
    },
    /// Every room is cancelled.
    Cancelled,
}

/// How an itinerary stands.
pub(super) fn standing(itinerary: &Itinerary) -> Result<Standing, String> {
    let rooms = itinerary.rooms.as_deref().unwrap_or_default();
    let (mut booked, mut cancelled) = (0, 0);
    for room in rooms {
        let status = room.status.as_deref().map(str::to_ascii_lowercase);
        match status.as_deref() {
            Some("booked") => booked += 1,
            Some("canceled" | "cancelled") => cancelled += 1,
            // Rapid may leave a status out as long as it does not know it.
            Some("pending") | None => {}
            Some(_) => return Err("a room has a status that Rapid does not document".to_owned()),
        }
    }
    Ok(match (booked, cancelled) {
        (0, 0) => Standing::Pending,
        (booked, cancelled) if booked + cancelled < rooms.len() => Standing::Pending,
        (0, _) => Standing::Cancelled,
        (_, cancelled) => Standing::Booked {
            partly_cancelled: cancelled > 0,
        },
    })
}

/// Whether it is held and waits to be resumed.
pub(super) fn resume_link(itinerary: &Itinerary) -> Option<String> {
    wire::link(itinerary.links.as_ref(), "resume")?.href
}

/// The order. `agreed` is what was agreed to; it stands where Rapid does not tell what it charges.
pub(super) fn order(
    itinerary: &Itinerary,
    memory: &Memory,
    agreed: Money,
) -> Result<PlacedOrder, String> {
    let rooms = itinerary.rooms.as_deref().unwrap_or_default();
    let standing = standing(itinerary)?;
    let mut memory = memory.clone();
    memory.itinerary_id = Some(itinerary.itinerary_id.0.clone());
    let mut warnings = Vec::new();
    let total = match standing {
        Standing::Booked {
            partly_cancelled: false,
        } => charged(rooms, &mut warnings).unwrap_or(agreed),
        _ => agreed,
    };
    for (number, room) in (1_usize..).zip(rooms) {
        if let Some(remark) = confirmation(number, room) {
            memory.details.remarks.push(remark);
        }
    }
    let (check_in, check_out) = memory.days();
    let (check_in, check_out) = (check_in.to_string(), check_out.to_string());
    let moved = rooms.iter().any(|room| {
        room.checkin.as_ref().is_some_and(|day| *day != check_in)
            || room.checkout.as_ref().is_some_and(|day| *day != check_out)
    });
    if moved {
        let remark = "The supplier books other days than were ordered.";
        memory.details.remarks.push(remark.to_owned());
    }
    let details = serde_json::to_value(&memory.details).map_err(|error| error.to_string())?;
    Ok(PlacedOrder {
        status: match standing {
            Standing::Pending => PlacedStatus::Pending,
            Standing::Booked { .. } => PlacedStatus::Confirmed,
            Standing::Cancelled => PlacedStatus::Cancelled,
        },
        supplier_reference: itinerary.itinerary_id.0.clone(),
        total,
        details: Some(details),
        handle: memory.handle()?,
    })
}

/// The numbers by which Expedia and the property know a room.
fn confirmation(number: usize, room: &BookedRoom) -> Option<String> {
    let ids = room.confirmation_id.as_ref()?;
    let by = |id: &Option<_>, who: &str| {
        let id: &supplier_client::tolerant::Literal = id.as_ref()?;
        (!id.as_str().is_empty()).then(|| format!("{} ({who})", id.as_str()))
    };
    let told: Vec<String> = [
        by(&ids.expedia, "Expedia"),
        by(&ids.property, "the property"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!told.is_empty()).then(|| format!("Confirmation of room {number}: {}.", told.join(", ")))
}

/// What all rooms cost; none if one of them does not tell.
fn charged(rooms: &[BookedRoom], warnings: &mut Vec<Warning>) -> Option<Money> {
    let mut total: Option<Money> = None;
    for room in rooms {
        let pricing = wire::part::<BookedRate>(room.rate.as_ref()?)?.pricing?;
        let price = pricing::room_price(&pricing, warnings).ok()?;
        total = Some(match total {
            Some(total) => total.plus(price.total).ok()?,
            None => price.total,
        });
    }
    total
}

/// What comes back if every room that is still booked is cancelled now, and until when that holds.
#[derive(Debug, PartialEq)]
pub(super) struct Refund {
    pub(super) amount: Money,
    pub(super) until: Option<Timestamp>,
}

/// Rapid states a refund, or the penalties of each room. What is not told is not guessed.
pub(super) fn refund(
    itinerary: &Itinerary,
    memory: &Memory,
    paid: Money,
    now: Timestamp,
) -> Result<Refund, String> {
    let rooms = itinerary.rooms.as_deref().unwrap_or_default();
    let mut shares = Vec::with_capacity(rooms.len());
    for room in rooms {
        let rate = room.rate.as_ref();
        shares.push(rate.and_then(|rate| by_penalties(rate, memory, now)));
    }
    let until = shares.iter().flatten().map(|share| share.until).min();
    if let Some(amount) = stated_refund(itinerary, paid) {
        return Ok(Refund { amount, until });
    }
    let mut amount = Money::zero(paid.currency());
    for share in shares {
        let share = share.ok_or("the supplier does not say what comes back")?;
        amount = amount
            .plus(share.amount)
            .map_err(|error| error.to_string())?;
    }
    if rooms.is_empty() || amount.minor() > paid.minor() {
        return Err("the supplier does not say what comes back".to_owned());
    }
    Ok(Refund { amount, until })
}

/// The sum of `cancel_refund`. Rapid writes it as a movement of the account, so usually below zero. None
/// if a room does not state it, or if more would come back than was paid.
pub(super) fn stated_refund(itinerary: &Itinerary, paid: Money) -> Option<Money> {
    let rooms = itinerary.rooms.as_deref().unwrap_or_default();
    let mut sum: Option<Money> = None;
    for room in rooms {
        let refund = wire::part::<BookedRate>(room.rate.as_ref()?)?.cancel_refund?;
        let amount = Money::parse(refund.amount?.as_str(), &refund.currency?).ok()?;
        let amount = Money::new(amount.minor().checked_abs()?, amount.currency());
        sum = Some(match sum {
            Some(sum) => sum.plus(amount).ok()?,
            None => amount,
        });
    }
    sum.filter(|sum| sum.currency() == paid.currency() && sum.minor() <= paid.minor())
}

struct Share {
    amount: Money,
    until: Timestamp,
}

/// What comes back of one room by its penalties at the present instant.
fn by_penalties(rate: &RawValue, memory: &Memory, now: Timestamp) -> Option<Share> {
    let pricing = wire::part::<BookedRate>(rate)?.pricing?;
    let mut doubts = Vec::new();
    let price = pricing::room_price(&pricing, &mut doubts).ok()?;
    let (check_in, check_out) = memory.days();
    let stay = Stay {
        total: price.total,
        nights: price.nights.as_deref(),
        rooms: 1,
        check_in,
        check_out,
        zone: memory.zone.as_deref(),
        now,
    };
    let terms = penalties::schedule(&Rules::read(rate), &stay, &mut doubts)?;
    let term = terms.into_iter().find(|term| term.until >= now)?;
    Some(Share {
        amount: term.refund,
        until: term.until,
    })
}

/// The requests that cancel the whole itinerary: one, or one for each room that is still booked.
pub(super) fn cancel_links(itinerary: &Itinerary) -> Option<Vec<String>> {
    if let Some(link) = wire::link(itinerary.links.as_ref(), "cancel") {
        return Some(vec![link.href?]);
    }
    let rooms = itinerary.rooms.as_deref().unwrap_or_default();
    let booked = rooms.iter().filter(|room| {
        let status = room.status.as_deref().unwrap_or_default();
        !status.to_ascii_lowercase().starts_with("cancel")
    });
    let links: Option<Vec<String>> = booked
        .map(|room| wire::link(room.links.as_ref(), "cancel")?.href)
        .collect();
    links.filter(|links| !links.is_empty())
}

/// The request that reads an itinerary: by the link that came with it, else by id and address of mail.
pub(super) fn retrieval(memory: &Memory, email: &str) -> Option<WireRequest> {
    let by_link = memory
        .retrieve
        .as_ref()
        .and_then(|href| links::follow("retrieve", Method::GET, href, Safety::Safe));
    by_link.or_else(|| {
        let id = supplier_client::path_segment(memory.itinerary_id.as_ref()?);
        Some(WireRequest::get("retrieve", format!("/v3/itineraries/{id}")).query("email", email))
    })
}
