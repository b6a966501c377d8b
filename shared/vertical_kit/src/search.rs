//! Search: every supplier is asked at once under one deadline; what came in time is arranged, kept and
//! answered, and every supplier is accounted for.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use storage::StoreError;
use supplier_client::{Blame, CallCx, Sent, SupplierError, SupplierErrorKind};
use tokio::time::{Instant, timeout_at};
use travel_types::{Id, Kind, OfferId};
use utoipa::ToSchema;

use crate::answers::supplier_failure;
use crate::arrange::{self, Described, Grouping, SearchOptions, place};
use crate::desk::{Desk, call_within};
use crate::offer_store::{self, Kept, StoredOffer};
use crate::{Found, Offer, Searcher};

/// `sea_`: one search, named by cursors.
enum SearchKind {}

impl Kind for SearchKind {
    const PREFIX: &'static str = "sea";
}

type SearchId = Id<SearchKind>;

/// What one supplier contributed to a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SupplierAccount {
    /// The supplier's configuration key.
    pub name: String,
    /// `ok`; `timeout`: no answer within the search's time; `error`: a failure, or an answer of which
    /// nothing can be shown; `skipped`: not asked, since it failed or refused too much of late.
    #[schema(example = "ok")]
    pub status: String,
    /// Offers it gave.
    pub offers: usize,
    /// How long it took.
    pub latency_ms: u64,
    /// Offers that could not be shown truthfully.
    pub rejected: usize,
    /// Why offers were rejected, each reason once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected_because: Vec<String>,
}

/// One page of a search.
#[derive(Clone, Debug)]
pub struct SearchPage {
    /// The offers or groups of offers, best first.
    pub items: Items,
    /// For the answer's `meta`: `suppliers`, `partial`, `total_offers`, `next_cursor`, ….
    pub meta: Map<String, Value>,
}

/// What a page lists.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Items {
    /// Offers.
    Offers(Vec<Offer>),
    /// Groups of offers, in the vertical's words.
    Groups(Vec<Value>),
}

impl Items {
    fn count(&self) -> usize {
        match self {
            Self::Offers(offers) => offers.len(),
            Self::Groups(groups) => groups.len(),
        }
    }
}

struct Asked {
    name: String,
    result: Result<Found, SupplierError>,
    latency: Duration,
}

impl Desk {
    /// Asks all suppliers and answers the first page. `asked_for` marks what was asked for in cursors.
    ///
    /// # Errors
    /// 502 or 504 when no supplier answered; 503 when none is switched on.
    pub async fn search<Q: Send + Sync>(
        &self,
        cx: &Cx,
        suppliers: &[Arc<dyn Searcher<Q>>],
        search: &Q,
        options: &SearchOptions,
        asked_for: &str,
    ) -> Result<SearchPage, ApiError> {
        let call = call_within(cx, self.0.numbers.search_deadline);
        let asking = suppliers
            .iter()
            .map(|supplier| ask(&call, &**supplier, search));
        let (asked, rates) = join(join_all(asking), self.rates(&call)).await;
        if let Some(failure) = all_failed(&asked) {
            return Err(failure);
        }
        let (offers, accounts) = self.account(asked);
        let mut meta = Map::new();
        let partial = accounts.iter().any(|account| account.status != "ok");
        meta.insert("suppliers".to_owned(), serde_json::json!(accounts));
        meta.insert("partial".to_owned(), partial.into());
        let shelf = arrange::Shelf {
            assortment: &*self.0.assortment,
            db: &self.0.db,
            rates: rates.as_deref(),
            keep: self.0.numbers.keep,
        };
        let arranged = shelf.arrange(offers, options, &mut meta).await?;
        let id = SearchId::new(&self.0.clock);
        let kept = Kept {
            search: &id.to_string(),
            meta: &meta,
            places: &arranged.places,
            alternatives: &arranged.alternatives,
            total: arranged.total,
            until: self.in_future(self.0.numbers.offer_life),
        };
        offer_store::keep(&self.0.db, &kept).await?;
        let end = place(i64::from(options.limit));
        let first = arranged
            .places
            .into_iter()
            .take_while(|(position, _)| *position < end)
            .map(|(position, stored)| (position, stored.offer))
            .collect();
        let items = show(first, options.group.as_ref());
        let cursor = Cursor::new(id, asked_for, 0);
        Ok(page(cursor, items, meta, arranged.total))
    }

    /// A later page of a search, from the store; suppliers are not asked again. `asked_for` marks what
    /// else is asked for, if anything is.
    ///
    /// # Errors
    /// 422 for a cursor that is none, or is of another search; 410 when the search is over.
    pub async fn search_page(
        &self,
        cursor: &str,
        asked_for: Option<&str>,
        limit: u32,
        groupings: &[Grouping],
    ) -> Result<SearchPage, ApiError> {
        let refused = |message: &str| {
            let mut fields = travel_types::FieldErrors::new();
            fields.add("cursor", "INVALID_PARAMETER", message);
            ApiError::invalid(fields)
        };
        let cursor = Cursor::read(cursor)
            .ok_or_else(|| refused("must be a next_cursor of an earlier answer"))?;
        if asked_for.is_some_and(|asked| asked != cursor.asked_for) {
            return Err(refused(
                "belongs to a search with other parameters: send it alone or with the same ones, or \
                 search anew without it",
            ));
        }
        let now = self.0.clock.now();
        let from = cursor.position;
        let range = place(from)..place(from.saturating_add(i64::from(limit)));
        let found = offer_store::page(&self.0.db, &cursor.search.to_string(), range, now).await?;
        let (offers, meta, total) = found.ok_or_else(|| {
            ApiError::new(&codes::OFFER_EXPIRED)
                .field("cursor")
                .message("The search behind this cursor is over. Search again.")
        })?;
        let group = meta.get("group_by").and_then(Value::as_str);
        let group = groupings.iter().find(|one| Some(one.name) == group);
        Ok(page(cursor, show(offers, group), meta, total))
    }

    /// Gives an offer that was priced again what its supplier could not know: what the assortment adds,
    /// the price in the currency that was once asked for, the same thing elsewhere.
    ///
    /// # Errors
    /// The assortment's.
    pub(crate) async fn carry_over(
        &self,
        call: &CallCx,
        before: Offer,
        offer: &mut Offer,
    ) -> Result<(), StoreError> {
        let shown = before.converted.map(|converted| converted.total.currency());
        if let (Some(currency), Some(rates)) = (shown, self.rates(call).await) {
            offer.converted = rates.convert(offer.total, currency);
        }
        offer.also_from = before.also_from;
        self.align(offer.into()).await
    }

    /// Gives one offer or order what its supplier could not know.
    ///
    /// # Errors
    /// The assortment's.
    pub(crate) async fn align(&self, described: Described<'_>) -> Result<(), StoreError> {
        let assortment = &self.0.assortment;
        assortment.align(&self.0.db, &mut [described]).await
    }

    /// What every supplier gave, as offers of ours, and the account of each.
    fn account(&self, asked: Vec<Asked>) -> (Vec<StoredOffer>, Vec<SupplierAccount>) {
        let default_expiry = self.in_future(self.0.numbers.offer_life);
        let mut offers = Vec::new();
        let mut accounts = Vec::new();
        for Asked {
            name,
            result,
            latency,
        } in asked
        {
            let status = match &result {
                // An answer of which nothing can be shown leaves as much out as no answer.
                Ok(found) if found.offers.is_empty() && !found.rejected.is_empty() => "error",
                Ok(_) => "ok",
                Err(failure) if failure.kind == SupplierErrorKind::Timeout => "timeout",
                Err(failure) if was_left_alone(failure) => "skipped",
                Err(_) => "error",
            };
            if let Err(failure) = &result {
                tracing::warn!(supplier = name, %failure, "supplier left out of a search");
            }
            let found = result.unwrap_or_default();
            let mut reasons = found.rejected.clone();
            reasons.sort_unstable();
            reasons.dedup();
            reasons.truncate(10);
            accounts.push(SupplierAccount {
                name: name.clone(),
                status: status.to_owned(),
                offers: found.offers.len(),
                latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
                rejected: found.rejected.len(),
                rejected_because: reasons,
            });
            offers.extend(found.offers.into_iter().map(|offer| {
                let id = OfferId::new(&self.0.clock);
                let (offer, handle) = offer.into_offer(id, self.0.vertical, &name, default_expiry);
                StoredOffer { offer, handle }
            }));
        }
        (offers, accounts)
    }
}

/// Whether a supplier was kept out of a search by its circuit breaker or by a limit on calls to it.
fn was_left_alone(failure: &SupplierError) -> bool {
    use SupplierErrorKind::{RateLimited, Unavailable};
    let kept_away = matches!(failure.kind, RateLimited | Unavailable);
    kept_away && failure.sent == Sent::No && failure.blame != Blame::Network
}

/// One supplier's part of a search; it never lasts longer than the search.
async fn ask<Q: Send + Sync>(call: &CallCx, supplier: &dyn Searcher<Q>, search: &Q) -> Asked {
    let started = Instant::now();
    // An adapter that panics over one answer is left out like one that fails.
    let asked = AssertUnwindSafe(supplier.search(call, search)).catch_unwind();
    let result = match timeout_at(call.deadline, asked).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => {
            let broken = "the adapter panicked";
            Err(SupplierError::new(SupplierErrorKind::Protocol, broken))
        }
        Err(_) => {
            let late = "no answer by the search's deadline";
            Err(SupplierError::new(SupplierErrorKind::Timeout, late))
        }
    };
    Asked {
        name: supplier.name().to_owned(),
        result,
        latency: started.elapsed(),
    }
}

/// The offers of a page, or their groups.
fn show(offers: Vec<(i64, Offer)>, group: Option<&Grouping>) -> Items {
    let Some(group) = group else {
        return Items::Offers(offers.into_iter().map(|(_, offer)| offer).collect());
    };
    let mut groups: Vec<(i64, Vec<Offer>)> = Vec::new();
    for (position, offer) in offers {
        let index = arrange::index(position);
        match groups.last_mut() {
            Some((last, members)) if *last == index => members.push(offer),
            _ => groups.push((index, vec![offer])),
        }
    }
    let shown = groups.into_iter().map(|(_, members)| (group.show)(members));
    Items::Groups(shown.collect())
}

/// The answer when nobody gave anything: that of the supplier that got furthest.
fn all_failed(asked: &[Asked]) -> Option<ApiError> {
    if asked.is_empty() {
        return Some(
            ApiError::new(&codes::SERVICE_UNAVAILABLE)
                .message("No supplier is switched on for this search.")
                .retry_after(Duration::from_secs(30)),
        );
    }
    let mut first = None;
    for Asked { name, result, .. } in asked {
        match result {
            Ok(_) => return None,
            Err(failure) => first = first.or(Some((name, failure))),
        }
    }
    first.map(|(name, failure)| match failure.kind {
        // A search that a supplier refuses is no fault of the caller's: it was checked before.
        SupplierErrorKind::InvalidRequest
        | SupplierErrorKind::Refused
        | SupplierErrorKind::NotFound
        | SupplierErrorKind::RateLimited => ApiError::new(&codes::SUPPLIER_ERROR)
            .because(failure)
            .details(serde_json::json!({ "supplier": name })),
        _ => supplier_failure(name, failure),
    })
}

fn page(cursor: Cursor, items: Items, mut meta: Map<String, Value>, total: i64) -> SearchPage {
    let next = cursor.position + i64::try_from(items.count()).unwrap_or(i64::MAX);
    let more = next < total && items.count() > 0;
    let next = more.then(|| {
        Cursor {
            position: next,
            ..cursor
        }
        .to_string()
    });
    meta.insert("total_offers".to_owned(), total.into());
    meta.insert("next_cursor".to_owned(), next.into());
    SearchPage { items, meta }
}

/// A place in a search, as `meta.next_cursor` writes it: the search, the mark of what it asked for, and
/// how many items come before.
struct Cursor {
    search: SearchId,
    asked_for: String,
    position: i64,
}

impl Cursor {
    fn new(search: SearchId, asked_for: &str, position: i64) -> Self {
        Self {
            search,
            asked_for: asked_for.to_owned(),
            position,
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (search, asked_for, position) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = position.bytes().all(|byte| byte.is_ascii_digit());
        (digits && parts.next().is_none()).then_some(())?;
        Some(Self::new(
            search.parse().ok()?,
            asked_for,
            position.parse().ok()?,
        ))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.search, self.asked_for, self.position)
    }
}
