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
use supplier_client::{CallCx, SupplierError, SupplierErrorKind};
use tokio::time::{Instant, timeout_at};
use travel_types::{Id, Kind, OfferId};
use utoipa::ToSchema;

use crate::answers::supplier_failure;
use crate::arrange::{self, Grouping, SearchOptions, place};
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
    /// `ok`, `timeout`, `error` or `skipped`.
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
    /// Asks all suppliers and answers the first page.
    ///
    /// # Errors
    /// 502 or 504 when no supplier answered; 503 when none is switched on.
    pub async fn search<Q: Send + Sync>(
        &self,
        cx: &Cx,
        suppliers: &[Arc<dyn Searcher<Q>>],
        search: &Q,
        options: &SearchOptions,
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
        Ok(page(id, 0, items, meta, arranged.total))
    }

    /// A later page of a search, from the store; suppliers are not asked again.
    ///
    /// # Errors
    /// 422 for a cursor that is none, 410 when the search is over.
    pub async fn search_page(
        &self,
        cursor: &str,
        limit: u32,
        groupings: &[Grouping],
    ) -> Result<SearchPage, ApiError> {
        let (id, position) = read_cursor(cursor).ok_or_else(|| {
            let mut fields = travel_types::FieldErrors::new();
            fields.add(
                "cursor",
                "INVALID_PARAMETER",
                "must be a next_cursor of an earlier answer",
            );
            ApiError::invalid(fields)
        })?;
        let now = self.0.clock.now();
        let range = place(position)..place(position.saturating_add(i64::from(limit)));
        let found = offer_store::page(&self.0.db, &id.to_string(), range, now).await?;
        let (offers, meta, total) = found.ok_or_else(|| {
            ApiError::new(&codes::OFFER_EXPIRED)
                .message("The search behind this cursor is over. Search again.")
        })?;
        let group = meta.get("group_by").and_then(Value::as_str);
        let group = groupings.iter().find(|one| Some(one.name) == group);
        Ok(page(id, position, show(offers, group), meta, total))
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
        self.0.assortment.align(&self.0.db, &mut [offer]).await
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
                Ok(_) => "ok",
                Err(failure) if failure.kind == SupplierErrorKind::Timeout => "timeout",
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

fn page(
    id: SearchId,
    from: i64,
    items: Items,
    mut meta: Map<String, Value>,
    total: i64,
) -> SearchPage {
    let next = from + i64::try_from(items.count()).unwrap_or(i64::MAX);
    let cursor = (next < total && items.count() > 0).then(|| format!("{id}.{next}"));
    meta.insert("total_offers".to_owned(), total.into());
    meta.insert("next_cursor".to_owned(), cursor.into());
    SearchPage { items, meta }
}

fn read_cursor(cursor: &str) -> Option<(SearchId, i64)> {
    let (id, position) = cursor.split_once('.')?;
    let position = Some(position)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()?;
    Some((id.parse().ok()?, position))
}
