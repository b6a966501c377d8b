//! Search: every supplier is asked at once under one deadline; what came in time is merged, ranked,
//! kept and answered, and every supplier is accounted for.

use std::cmp::Ordering;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service_kit::error::codes;
use service_kit::{ApiError, Cx};
use supplier_client::{SupplierError, SupplierErrorKind};
use tokio::time::{Instant, timeout_at};
use travel_types::{Currency, Id, Kind, OfferId};
use utoipa::ToSchema;

use crate::answers::supplier_failure;
use crate::desk::{Desk, call_within};
use crate::offer_store::{self, StoredOffer};
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
    /// The offers, best first.
    pub offers: Vec<Offer>,
    /// For the answer's `meta`: `suppliers`, `partial`, `total_offers`, `next_cursor`.
    pub meta: Map<String, Value>,
}

/// How a search is answered.
pub struct SearchOptions {
    /// Best first.
    pub order: fn(&Offer, &Offer) -> Ordering,
    /// Offers per page.
    pub limit: u32,
    /// Only offers in this currency.
    pub currency: Option<Currency>,
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
        let asked = join_all(suppliers.iter().map(|supplier| {
            let call = &call;
            async move {
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
        }))
        .await;
        if let Some(failure) = all_failed(&asked) {
            return Err(failure);
        }
        let (mut offers, accounts) = self.merge(asked, options.currency);
        offers.sort_by(|a, b| (options.order)(&a.offer, &b.offer));
        offers.truncate(self.0.numbers.keep);
        let mut meta = Map::new();
        let partial = accounts.iter().any(|account| account.status != "ok");
        meta.insert("suppliers".to_owned(), serde_json::json!(accounts));
        meta.insert("partial".to_owned(), partial.into());
        let id = SearchId::new(&self.0.clock);
        let until = self.in_future(self.0.numbers.offer_life);
        offer_store::keep(&self.0.db, &id.to_string(), &meta, &offers, until).await?;
        let total = i64::try_from(offers.len()).unwrap_or(i64::MAX);
        let first: Vec<Offer> = offers
            .into_iter()
            .map(|stored| stored.offer)
            .take(usize::try_from(options.limit).unwrap_or(usize::MAX))
            .collect();
        Ok(page(id, 0, first, meta, total))
    }

    /// A later page of a search, from the store; suppliers are not asked again.
    ///
    /// # Errors
    /// 422 for a cursor that is none, 410 when the search is over.
    pub async fn search_page(&self, cursor: &str, limit: u32) -> Result<SearchPage, ApiError> {
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
        let found = offer_store::page(&self.0.db, &id.to_string(), position, limit, now).await?;
        let (offers, meta, total) = found.ok_or_else(|| {
            ApiError::new(&codes::OFFER_EXPIRED)
                .message("The search behind this cursor is over. Search again.")
        })?;
        Ok(page(id, position, offers, meta, total))
    }

    fn merge(
        &self,
        asked: Vec<Asked>,
        currency: Option<Currency>,
    ) -> (Vec<StoredOffer>, Vec<SupplierAccount>) {
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
            let mut found = result.unwrap_or_default();
            if let Some(currency) = currency {
                let all = found.offers.len();
                found
                    .offers
                    .retain(|offer| offer.total.currency() == currency);
                let left_out = all - found.offers.len();
                let reason = format!("is not priced in {currency}");
                found.rejected.extend(std::iter::repeat_n(reason, left_out));
            }
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
    offers: Vec<Offer>,
    mut meta: Map<String, Value>,
    total: i64,
) -> SearchPage {
    let next = from + i64::try_from(offers.len()).unwrap_or(i64::MAX);
    let cursor = (next < total && !offers.is_empty()).then(|| format!("{id}.{next}"));
    meta.insert("total_offers".to_owned(), total.into());
    meta.insert("next_cursor".to_owned(), cursor.into());
    SearchPage { offers, meta }
}

fn read_cursor(cursor: &str) -> Option<(SearchId, i64)> {
    let (id, position) = cursor.split_once('.')?;
    let position = Some(position)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()?;
    Some((id.parse().ok()?, position))
}
