//! Looking for a record by our own reference.
//!
//! What is documented: an order takes general remarks and an immediate queue placement, and gives both
//! back (`FlightCreateOrders`, `remarks.general[].text`, `automatedProcess[]`); an order of a transfer
//! takes a note and gives it back (`TransferBook`, `transfers[].note`). What is not: Amadeus
//! publishes no look-up by the buyer's reference. Enterprise offices list their queues
//! (`GET /v1/office/queues/{queue}?category=`) and read a record by its locator
//! (`GET …/by-reference?reference=&originSystemCode=GDS`); the shape of the list is not public. So it is
//! *assumed* that every entry of `data` holds an object with `reference`, itself or among its
//! `associatedRecords`, and that pages are asked for by `page[limit]` and `page[offset]` as in
//! `AirportCitySearch`. Whatever does not fit the assumption is an error, and never "there is no record".
//!
//! Records are read one after the other, each once: what a record says is remembered, so fifty open
//! questions cost fifty lists and as many reads as there are records.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use serde_json::Value;
use supplier_client::{
    CallCx, SupplierError, SupplierErrorKind as Kind, WireRequest, WireResponse, path_segment,
};
use tokio::sync::Mutex;
use tokio::time::Instant;
use travel_types::OrderId;
use travel_types::jiff::civil::DateTime;
use travel_types::jiff::tz::TimeZone;
use travel_types::jiff::{SignedDuration, Timestamp};

use super::Amadeus;
use super::errors::is_gone;
use crate::age::{made_at, newest_first_down_to};

/// Entries per page of the queue.
const PAGE: usize = 100;
/// Pages that one question reads at most.
const MAX_PAGES: usize = 50;
/// Records that are remembered.
const REMEMBERED: u64 = 20_000;
/// A record's `creationDate` has no offset, so it may be as far from UTC as any zone is.
const ZONES: SignedDuration = SignedDuration::from_hours(14);
/// An OrderId's text is `ord_` and these many hexadecimal digits.
const DIGITS: usize = 32;

/// Where records are looked for.
pub struct Records {
    platform: Arc<Amadeus>,
    queue: Queue,
    by_reference: &'static str,
    /// How long a record may be on the queue before it can be read.
    lag: Duration,
    /// Records that need not be read again.
    read: Cache<String, ()>,
    /// The locator of each of our references.
    ours: Cache<String, String>,
    /// Since when a record that is on the queue is answered with "not found".
    missing: Cache<String, Instant>,
    turn: Mutex<()>,
}

/// The queue that our orders are put on.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its number, e.g. `30`.
    pub number: String,
    /// Its category, e.g. `0`.
    pub category: String,
}

/// An entry of the queue.
struct Entry {
    reference: String,
    created: Option<Timestamp>,
}

/// One page of the queue.
struct Page {
    /// Entries of `data`, those without a locator included.
    length: usize,
    /// Of the whole queue, where it is told.
    count: Option<usize>,
    /// An entry without a locator: it may be anybody's.
    nameless: bool,
    entries: Vec<Entry>,
}

fn unknown(detail: &str) -> SupplierError {
    SupplierError::new(Kind::Protocol, detail)
}

/// Our reference in a record's texts: the digits of an order's id, whatever case and separators the
/// record was written in.
fn own_digits(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    plain.match_indices("ord").find_map(|(at, found)| {
        let start = at + found.len();
        let digits = plain.get(start..start + DIGITS)?;
        digits
            .bytes()
            .all(|digit| digit.is_ascii_hexdigit())
            .then(|| digits.to_owned())
    })
}

/// Which of our orders a record belongs to, by its general remarks, or by the note of a transfer.
pub fn own_reference(record: &Value) -> Option<OrderId> {
    let list = |pointer: &str| record.pointer(pointer).and_then(Value::as_array);
    let remarks = list("/remarks/general").into_iter().flatten();
    let transfers = list("/transfers").into_iter().flatten();
    let mut texts = remarks
        .filter_map(|remark| remark.get("text"))
        .chain(transfers.filter_map(|transfer| transfer.get("note")));
    texts.find_map(|text| {
        let digits = own_digits(text.as_str()?)?;
        format!("ord_{digits}").parse().ok()
    })
}

impl Records {
    /// `by_reference`: the path that reads a record by its locator. `lag`: how long a finished record may
    /// be absent from it.
    pub fn new(
        platform: Arc<Amadeus>,
        queue: Queue,
        by_reference: &'static str,
        lag: Duration,
    ) -> Self {
        Self {
            platform,
            queue,
            by_reference,
            lag,
            read: Cache::new(REMEMBERED),
            ours: Cache::new(REMEMBERED),
            missing: Cache::new(REMEMBERED),
            turn: Mutex::new(()),
        }
    }

    /// The record that carries our reference, as it stands now. `None`: there is no such record among
    /// those that can be ours.
    ///
    /// # Errors
    /// Whatever leaves it open: a list or a record that cannot be read, more pages than are read.
    pub async fn find(
        &self,
        cx: &CallCx,
        order: OrderId,
    ) -> Result<Option<WireResponse>, SupplierError> {
        let digits = order.to_string().trim_start_matches("ord_").to_owned();
        // One question after the other, so that each finds what those before it have read.
        let _turn = self.turn.lock().await;
        if let Some(reference) = self.ours.get(&digits) {
            return self.record(cx, &reference).await.map(Some);
        }
        // Whoever changes the order of the queue's entries must not hide a record behind an old one.
        let since = made_at(order)
            .saturating_sub(ZONES)
            .unwrap_or(Timestamp::MIN);
        let mut doubt = None;
        let mut seen = HashSet::new();
        for entry in self.entries(cx, since, &mut doubt).await? {
            let old = entry.created.is_some_and(|created| created < since);
            if old || !seen.insert(entry.reference.clone()) || self.is_read(&entry.reference) {
                continue;
            }
            match self.look_into(cx, &entry.reference).await {
                Ok(Some((found, response))) if found == digits => return Ok(Some(response)),
                Ok(_) => {}
                Err(error) => doubt = Some(error),
            }
        }
        doubt.map_or(Ok(None), Err)
    }

    fn is_read(&self, reference: &str) -> bool {
        self.read.contains_key(reference)
    }

    async fn record(&self, cx: &CallCx, reference: &str) -> Result<WireResponse, SupplierError> {
        let request = WireRequest::get("retrieve", self.by_reference)
            .query("reference", reference)
            .query("originSystemCode", "GDS");
        self.platform.call(cx, request).await
    }

    /// Reads a record and remembers whose it is.
    async fn look_into(
        &self,
        cx: &CallCx,
        reference: &str,
    ) -> Result<Option<(String, WireResponse)>, SupplierError> {
        let response = match self.record(cx, reference).await {
            Ok(response) => response,
            Err(error) if is_gone(&error) => {
                // On the queue, but not to be read: too young, or cancelled since. Which of the two,
                // time tells.
                let key = reference.to_owned();
                let first = self.missing.get_with(key, Instant::now);
                if first.elapsed() <= self.lag {
                    return Err(unknown("a record on the queue cannot be read yet"));
                }
                self.read.insert(reference.to_owned(), ());
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let body: Value = response.json()?;
        let record = match body.get("data") {
            Some(Value::Array(records)) => records.first(),
            other => other,
        };
        let record = record
            .filter(|record| record.is_object())
            .ok_or_else(|| response.unreadable("a record is not as Amadeus describes it"))?;
        let own = own_reference(record);
        self.read.insert(reference.to_owned(), ());
        let Some(own) = own else { return Ok(None) };
        let digits = own.to_string().trim_start_matches("ord_").to_owned();
        self.ours.insert(digits.clone(), reference.to_owned());
        Ok(Some((digits, response)))
    }

    /// The entries of the queue, as far back as `since` if they prove to be in order.
    async fn entries(
        &self,
        cx: &CallCx,
        since: Timestamp,
        doubt: &mut Option<SupplierError>,
    ) -> Result<Vec<Entry>, SupplierError> {
        let mut found: Vec<Entry> = Vec::new();
        let mut offset = 0;
        let mut most = 0;
        for _ in 0..MAX_PAGES {
            let page = self.page(cx, offset).await?;
            if page.nameless {
                *doubt = Some(unknown("an entry of the queue has no reference"));
            }
            offset += page.length;
            found.extend(page.entries);
            if page.count.is_some_and(|count| count < most) {
                // Somebody took entries off meanwhile: others moved up to where we had been already.
                return Err(unknown("the queue became shorter while it was read"));
            }
            most = page.count.unwrap_or(most);
            let more = match page.count {
                Some(count) => offset < count,
                None => page.length >= PAGE,
            };
            let dates: Vec<_> = found.iter().map(|entry| entry.created).collect();
            if !more || newest_first_down_to(&dates, since) {
                return Ok(found);
            }
            if page.length == 0 {
                return Err(unknown("a page of the queue is missing"));
            }
        }
        Err(unknown("more pages of the queue than are read"))
    }

    async fn page(&self, cx: &CallCx, offset: usize) -> Result<Page, SupplierError> {
        let path = format!("/v1/office/queues/{}", path_segment(&self.queue.number));
        let request = WireRequest::get("retrieve", path)
            .query("category", &self.queue.category)
            .query("page[limit]", PAGE)
            .query("page[offset]", offset);
        let response = self.platform.call(cx, request).await?;
        if response.status == http::StatusCode::NO_CONTENT {
            return Ok(Page {
                length: 0,
                count: None,
                nameless: false,
                entries: Vec::new(),
            });
        }
        let body: Value = response.json()?;
        let count = body.pointer("/meta/count").and_then(Value::as_u64);
        let count = count.and_then(|count| usize::try_from(count).ok());
        let listed = match body.get("data").unwrap_or(&body) {
            Value::Array(listed) => listed.as_slice(),
            Value::Null if count == Some(0) => &[],
            _ => return Err(response.unreadable("the queue is not a list")),
        };
        let mut entries = Vec::with_capacity(listed.len());
        let mut nameless = false;
        for item in listed {
            let before = entries.len();
            locators(item, &mut entries);
            nameless |= entries.len() == before;
        }
        Ok(Page {
            length: listed.len(),
            count,
            nameless,
            entries,
        })
    }
}

/// Every object below `item` that names a record.
fn locators(item: &Value, entries: &mut Vec<Entry>) {
    match item {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("reference") {
                let created = fields
                    .get("creationDate")
                    .or_else(|| fields.get("creationDateTime"));
                entries.push(Entry {
                    reference: reference.clone(),
                    created: created.and_then(Value::as_str).and_then(instant),
                });
            }
            for value in fields.values() {
                locators(value, entries);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| locators(value, entries)),
        _ => {}
    }
}

/// `2019-06-27T13:26:00.000`, read as UTC; with an offset where there is one.
fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let local: DateTime = text.parse().ok()?;
    local.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}
