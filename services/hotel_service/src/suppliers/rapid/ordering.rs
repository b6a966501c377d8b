//! Price check, booking, look-up and cancellation.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use supplier_client::{
    CallCx, Retry, Safety, Sent, SupplierError, SupplierErrorKind as Kind, WireRequest,
    WireResponse,
};
use tokio::time::Instant;
use travel_types::Money;
use vertical_kit::mapping::ours;
use vertical_kit::{
    CancellationOutcome, CancellationQuote, OrderLookup, OrderRequest, PlacedOrder, PlacedStatus,
    SupplierOffer,
};

use super::itinerary::{self, Standing};
use super::memory::Memory;
use super::wire::{self, Extras, Itinerary, ItineraryCreation, PriceCheck};
use super::{Rapid, links, map, requests};

/// When an itinerary that Rapid does not show yet is worth asking for again.
const NOT_YET: Duration = Duration::from_secs(60);
/// Time that must be left for looking at what was just done.
const WORTH_LOOKING: Duration = Duration::from_millis(500);

/// What is remembered of a quoted cancellation.
#[derive(Serialize, Deserialize)]
struct Quote {
    links: Vec<String>,
    refund: Money,
}

/// The supplier may have acted.
fn unknown(detail: impl Into<String>) -> SupplierError {
    SupplierError::new(Kind::OutcomeUnknown, detail)
}

/// Rapid has it, but does not show it yet.
fn not_yet() -> SupplierError {
    SupplierError::new(Kind::Unavailable, "Rapid does not show the itinerary yet")
        .with_retry(Retry::After(NOT_YET))
}

/// Follows a link that came from Rapid.
fn follow(
    operation: &'static str,
    method: Method,
    href: &str,
    safety: Safety,
) -> Result<WireRequest, SupplierError> {
    links::follow(operation, method, href, safety)
        .ok_or_else(|| ours("a link of Rapid's does not lead to its interface"))
}

/// Less time than the caller has, for looking at what was done; none if there is not enough.
fn glance(cx: &CallCx) -> Option<CallCx> {
    let left = cx.deadline.saturating_duration_since(Instant::now());
    (left >= WORTH_LOOKING).then(|| CallCx::new(cx.deadline - left / 4, cx.correlation.clone()))
}

impl Rapid {
    pub(super) async fn check_price(
        &self,
        cx: &CallCx,
        handle: &Value,
    ) -> Result<SupplierOffer, SupplierError> {
        let memory = Memory::read(handle).map_err(ours)?;
        let request = follow("price", Method::GET, &memory.price_check, Safety::Safe)?;
        let response = self.ask(cx, request).await?;
        let checked: PriceCheck = response.json()?;
        let extras: Extras = response.json().unwrap_or_default();
        match checked.status.as_deref() {
            Some("available" | "price_changed") => {
                map::repriced(&checked, &extras, memory, self.clock.now())
                    .map_err(|reason| response.unreadable(&reason))
            }
            Some("sold_out") => {
                let error = SupplierError::new(Kind::SoldOut, "the price check says sold out");
                Err(error.with_code("sold_out"))
            }
            _ => Err(response.unreadable("a price check has no status that Rapid documents")),
        }
    }

    pub(super) async fn book(
        &self,
        cx: &CallCx,
        order: &OrderRequest,
    ) -> Result<PlacedOrder, SupplierError> {
        let mut memory = Memory::read(&order.handle).map_err(ours)?;
        if memory.paid_at_property() {
            let operation = "order of a rate that the property charges to a card";
            return Err(SupplierError::not_supported(operation));
        }
        let now = self.clock.now();
        let alive = memory.book.as_ref();
        let alive = alive.filter(|link| link.expires.is_none_or(|expires| expires > now));
        if alive.is_none() {
            let priced = self.check_price(cx, &order.handle).await?;
            if priced.total != order.total {
                let detail = "the price check states another price";
                return Err(SupplierError::new(Kind::PriceChanged, detail));
            }
            memory = Memory::read(&priced.handle).map_err(ours)?;
        }
        let Some(link) = &memory.book else {
            return Err(SupplierError::not_supported("order without a link to book"));
        };
        let body = requests::new_itinerary(order, &memory, &self.terms).map_err(ours)?;
        let request = follow("order", Method::POST, &link.href, Safety::Unsafe)?.json(&body)?;
        let response = match self.act(cx, request).await {
            Ok(response) => response,
            Err(error) if error.code.as_deref() == Some("duplicate_itinerary") => {
                return self.made_before(cx, order).await;
            }
            Err(error) => return Err(error),
        };
        if response.status == StatusCode::ACCEPTED {
            return Err(unknown("HTTP 202 to an order"));
        }
        let created: ItineraryCreation = response.json()?;
        self.created(cx, order, memory, &created).await
    }

    /// Goes on with an itinerary that is made: resumes it if it is held, and looks at it.
    async fn created(
        &self,
        cx: &CallCx,
        order: &OrderRequest,
        mut memory: Memory,
        created: &ItineraryCreation,
    ) -> Result<PlacedOrder, SupplierError> {
        let links = created.links.as_ref();
        let href = |name: &str| wire::link(links, name).and_then(|link| link.href);
        memory.itinerary_id = Some(created.itinerary_id.0.clone());
        memory.retrieve = href("retrieve");
        let mut placed = PlacedOrder {
            status: PlacedStatus::Confirmed,
            supplier_reference: created.itinerary_id.0.clone(),
            total: order.total,
            details: None,
            handle: memory.handle().map_err(unknown)?,
        };
        if href("complete_payment_session").is_some() {
            // It waits for a challenge that the traveller's bank sets and that we cannot pass on.
            placed.status = PlacedStatus::Pending;
            return Ok(placed);
        }
        if let Some(resume) = href("resume") {
            self.resume(cx, &resume).await?;
        }
        // Looking only adds the numbers of the confirmation: failing at it does not unmake the order.
        let Some(cx) = glance(cx) else {
            return Ok(placed);
        };
        let Ok(found) = self.itinerary(&cx, &memory).await else {
            return Ok(placed);
        };
        if found.rooms.as_ref().is_none_or(Vec::is_empty) || !is_of(&found, order.reference) {
            return Ok(placed);
        }
        Ok(itinerary::order(&found, &memory, order.total).unwrap_or(placed))
    }

    /// Resumes a held itinerary. Whatever goes wrong here, the rooms are held.
    async fn resume(&self, cx: &CallCx, href: &str) -> Result<(), SupplierError> {
        let lost = |error: SupplierError| SupplierError {
            kind: Kind::OutcomeUnknown,
            retry: Retry::Never,
            ..error
        };
        let request = follow("resume", Method::PUT, href, Safety::Unsafe).map_err(lost)?;
        let response = self.act(cx, request).await.map_err(lost)?;
        if response.status == StatusCode::ACCEPTED {
            return Err(unknown("HTTP 202 to resuming a held itinerary"));
        }
        Ok(())
    }

    /// Rapid has an itinerary with our reference already: it is the one that was to be made.
    async fn made_before(
        &self,
        cx: &CallCx,
        order: &OrderRequest,
    ) -> Result<PlacedOrder, SupplierError> {
        let lookup = OrderLookup {
            reference: order.reference,
            handle: order.handle.clone(),
            total: order.total,
        };
        match self.find(cx, &lookup).await {
            Ok(Some(placed)) => Ok(placed),
            _ => Err(unknown("an itinerary with our reference exists already")
                .with_code("duplicate_itinerary")),
        }
    }

    pub(super) async fn find(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError> {
        let memory = Memory::read(&order.handle).map_err(ours)?;
        let request = WireRequest::get("retrieve", "/v3/itineraries")
            .query(
                "affiliate_reference_id",
                order.reference.compact(requests::REFERENCE),
            )
            .query("email", &self.terms.booking_email);
        let response = self.ask(cx, request).await?;
        let mut ours = Vec::new();
        for raw in listed(&response)? {
            let found: Itinerary = wire::part(&raw)
                .ok_or_else(|| response.unreadable("an itinerary is not as Rapid describes it"))?;
            if is_of(&found, order.reference) {
                let standing = itinerary::standing(&found);
                ours.push((
                    standing.map_err(|reason| response.unreadable(&reason))?,
                    found,
                ));
            }
        }
        // Rapid accepts a reference once. Should it show several all the same, one that is alive counts.
        ours.sort_by_key(|(standing, _)| *standing == Standing::Cancelled);
        let Some((standing, found)) = ours.into_iter().next() else {
            return Ok(None);
        };
        let resumed = match itinerary::resume_link(&found) {
            Some(href) if standing == Standing::Pending => {
                self.resume_again(cx, &memory, &found, &href).await
            }
            _ => None,
        };
        let found = resumed.unwrap_or(found);
        itinerary::order(&found, &memory, order.total)
            .map(Some)
            .map_err(|reason| response.unreadable(&reason))
    }

    /// The itinerary is still held although it was to be resumed: resumes it and looks again. None if
    /// that cannot be seen now; it is then still pending, and asked for again.
    async fn resume_again(
        &self,
        cx: &CallCx,
        memory: &Memory,
        found: &Itinerary,
        href: &str,
    ) -> Option<Itinerary> {
        self.resume(cx, href).await.ok()?;
        let mut memory = memory.clone();
        memory.itinerary_id = Some(found.itinerary_id.0.clone());
        self.itinerary(cx, &memory).await.ok()
    }

    /// Reads an order's itinerary.
    async fn itinerary(&self, cx: &CallCx, memory: &Memory) -> Result<Itinerary, SupplierError> {
        let email = &self.terms.booking_email;
        let request = itinerary::retrieval(memory, email)
            .ok_or_else(|| ours("the id of the itinerary was not remembered"))?;
        let response = match self.ask(cx, request).await {
            // The link has grown old; the id and the address of mail have not.
            Err(error) if error.kind == Kind::OfferExpired && memory.retrieve.is_some() => {
                let by_id = Memory {
                    retrieve: None,
                    ..memory.clone()
                };
                match itinerary::retrieval(&by_id, email) {
                    Some(request) => self.ask(cx, request).await?,
                    None => return Err(error),
                }
            }
            other => other?,
        };
        let one = listed(&response)?.into_iter().next();
        one.and_then(|raw| wire::part(&raw))
            .ok_or_else(|| response.unreadable("the answer holds no itinerary"))
    }

    pub(super) async fn quote(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError> {
        let memory = Memory::read(&order.handle).map_err(ours)?;
        let found = self.itinerary(cx, &memory).await;
        let found = found.map_err(|error| match error.kind {
            Kind::NotFound => not_yet(),
            _ => error,
        })?;
        let odd =
            |reason: String| SupplierError::new(Kind::Protocol, reason).with_sent(Sent::Answered);
        match itinerary::standing(&found).map_err(odd)? {
            Standing::Pending => return Err(not_yet()),
            Standing::Cancelled => {
                return Err(SupplierError::new(Kind::Refused, "it is cancelled already"));
            }
            Standing::Booked { .. } => {}
        }
        let now = self.clock.now();
        let refund = itinerary::refund(&found, &memory, order.total, now).map_err(odd)?;
        let links = itinerary::cancel_links(&found).ok_or_else(|| {
            SupplierError::new(Kind::Refused, "Rapid gives no way to cancel the itinerary")
        })?;
        let quote = Quote {
            links,
            refund: refund.amount,
        };
        Ok(CancellationQuote {
            refund: refund.amount,
            refund_to: None,
            expires_at: refund.until,
            handle: serde_json::to_value(quote).map_err(|error| ours(error.to_string()))?,
        })
    }

    pub(super) async fn cancel(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let memory = Memory::read(&order.handle).map_err(ours)?;
        let quote = read_quote(quote)?;
        self.cancel_all(cx, &quote.links).await?;
        let mut refund = quote.refund;
        if let Some(cx) = glance(cx)
            && let Ok(found) = self.itinerary(&cx, &memory).await
            && itinerary::standing(&found) == Ok(Standing::Cancelled)
        {
            refund = itinerary::stated_refund(&found, order.total).unwrap_or(refund);
        }
        Ok(CancellationOutcome::Cancelled { refund })
    }

    /// Sends every request of a cancellation: a room whose answer is unclear does not keep the others
    /// from being cancelled. Only a refusal of the first leaves everything as it was.
    async fn cancel_all(&self, cx: &CallCx, links: &[String]) -> Result<(), SupplierError> {
        let mut unclear = None;
        for (done, href) in links.iter().enumerate() {
            let request = follow("cancel", Method::DELETE, href, Safety::Unsafe)?;
            match self.act(cx, request).await {
                Ok(response) if response.status == StatusCode::ACCEPTED => {
                    unclear = unclear.or(Some(unknown("HTTP 202 to a cancellation")));
                }
                Ok(_) => {}
                Err(error) if error.code.as_deref() == Some("room_already_cancelled") => {}
                Err(error) if error.kind == Kind::OutcomeUnknown => {
                    unclear = unclear.or(Some(error));
                }
                // With some rooms cancelled and some not, only looking tells how it stands.
                Err(error) if done > 0 => unclear = unclear.or(Some(unknown(error.detail))),
                Err(error) => return Err(error),
            }
        }
        unclear.map_or(Ok(()), Err)
    }

    pub(super) async fn cancelled(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError> {
        let memory = Memory::read(&order.handle).map_err(ours)?;
        let quote = read_quote(quote)?;
        let mut found = self.itinerary(cx, &memory).await?;
        let odd = |reason: &str| {
            SupplierError::new(Kind::Protocol, reason.to_owned()).with_sent(Sent::Answered)
        };
        let mut standing = itinerary::standing(&found).map_err(|reason| odd(&reason))?;
        let halfway = Standing::Booked {
            partly_cancelled: true,
        };
        // It was begun room by room. Going on is what was ordered, and safe: a room that is cancelled
        // already is not cancelled twice.
        if standing == halfway
            && let Some(links) = itinerary::cancel_links(&found)
        {
            // However that goes, looking again tells.
            drop(self.cancel_all(cx, &links).await);
            found = self.itinerary(cx, &memory).await?;
            standing = itinerary::standing(&found).map_err(|reason| odd(&reason))?;
        }
        match standing {
            Standing::Pending => Err(not_yet()),
            Standing::Booked {
                partly_cancelled: true,
            } => Err(odd("some rooms are cancelled and some are not")),
            Standing::Booked {
                partly_cancelled: false,
            } => Ok(CancellationOutcome::NotCancelled),
            Standing::Cancelled => Ok(CancellationOutcome::Cancelled {
                refund: itinerary::stated_refund(&found, order.total).unwrap_or(quote.refund),
            }),
        }
    }
}

fn read_quote(quote: &Value) -> Result<Quote, SupplierError> {
    Quote::deserialize(quote).map_err(|error| ours(error.to_string()))
}

/// The entries of a list of itineraries; one that stands alone is a list too.
fn listed(response: &WireResponse) -> Result<Vec<Box<RawValue>>, SupplierError> {
    response
        .json::<Vec<Box<RawValue>>>()
        .or_else(|error| match response.json::<Box<RawValue>>() {
            Ok(one) if one.get().starts_with('{') => Ok(vec![one]),
            _ => Err(error),
        })
}

/// Whether an itinerary carries our reference. One that carries none was asked for by it, or by its id.
fn is_of(found: &Itinerary, reference: travel_types::OrderId) -> bool {
    found.affiliate_reference_id.as_ref().is_none_or(|named| {
        named
            .as_str()
            .eq_ignore_ascii_case(&reference.compact(requests::REFERENCE))
    })
}
