//! The search endpoint's parameters: what every vertical has, and the frame for what each adds.

use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use service_kit::error::codes;
use service_kit::openapi::ErrorBody;
use service_kit::{ApiError, Cx, Params, whole};
use storage::idempotency::fingerprint;
use travel_types::{Clock, Currency};

use crate::arrange::{Comparison, Filter, Grouping, SearchOptions, Sort};
use crate::vertical::Shop;

/// The parameters that every search has beside its own.
const COMMON: [&str; 4] = ["currency", "sort", "limit", "cursor"];

/// Offers per page where `limit` does not say.
const PAGE: u32 = 20;

/// What a cache at the gateway is told, and nobody behind it (RFC 9213).
const FOR_THE_GATEWAY: HeaderName = HeaderName::from_static("interline-cdn-cache-control");
/// A supplier that is missing may be back in a moment (API §8).
const KEEP_PARTIAL: HeaderValue =
    HeaderValue::from_static("max-age=5, stale-while-revalidate=0, stale-if-error=0");

/// A search that was read and can be made.
pub struct Wanted<Q> {
    /// What suppliers are asked.
    pub search: Q,
    /// Which of their offers are wanted.
    pub filter: Option<Filter>,
}

/// How a vertical reads its search.
pub struct Searching<Q> {
    /// The names of its own parameters.
    pub parameters: &'static [&'static str],
    /// Its own values of `sort`, beside `price` and `-price`.
    pub sorts: &'static [(&'static str, Comparison)],
    /// Decides between offers of one price.
    pub tie: Comparison,
    /// The values of `group_by`, if it has that parameter.
    pub groupings: &'static [Grouping],
    /// Reads its own parameters, and adds what is wrong with them to the errors. It answers none only
    /// when there is an error.
    pub read: fn(&mut Params, &Clock, Option<Currency>) -> Option<Wanted<Q>>,
}

impl<Q: Send + Sync + 'static> Shop<Q> {
    /// The whole search handler: reads the query, asks the suppliers or the store, answers a page.
    ///
    /// # Errors
    /// 400 for unknown and repeated parameters, 422 with every one that breaks a rule, and the
    /// errors of [`crate::Desk::search`].
    pub async fn search_offers(
        &self,
        cx: &Cx,
        query: Option<&str>,
        searching: &Searching<Q>,
    ) -> Result<Response, ApiError> {
        let mut known = searching.parameters.to_vec();
        known.extend(COMMON);
        if !searching.groupings.is_empty() {
            known.push("group_by");
        }
        let mut params = Params::read(query, &known)?;
        let limit = params.optional("limit", whole(1, 100)).unwrap_or(PAGE);
        let asked = asked(&params);
        let page = match params.optional("cursor", |text| Ok(text.to_owned())) {
            Some(cursor) => {
                params.finish()?;
                let groupings = searching.groupings;
                let desk = &self.desk;
                desk.search_page(&cursor, asked.as_deref(), limit, groupings)
                    .await?
            }
            None => {
                let (search, options) = read(params, searching, limit, &cx.clock)?;
                let (suppliers, asked) = (&self.suppliers, asked.unwrap_or_default());
                self.desk
                    .search(cx, suppliers, &search, &options, &asked)
                    .await?
            }
        };
        let partial = page.meta.get("partial").and_then(Value::as_bool);
        let mut response = cx.success(StatusCode::OK, page.items, page.meta)?;
        if partial == Some(true) {
            let fields = response.headers_mut();
            fields.insert(FOR_THE_GATEWAY, KEEP_PARTIAL);
        }
        Ok(response)
    }
}

/// A mark of what a search asked for, by which a cursor knows its own search; none if nothing is asked
/// for beside a page.
fn asked(params: &Params) -> Option<String> {
    let asked = params.asked_for(&["cursor", "limit"]);
    let mark = fingerprint("", "", format!("{asked:?}").as_bytes());
    (!asked.is_empty()).then(|| mark.chars().take(8).collect())
}

fn read<Q>(
    mut params: Params,
    searching: &Searching<Q>,
    limit: u32,
    clock: &Clock,
) -> Result<(Q, SearchOptions), ApiError> {
    let currency = params.optional("currency", |text| {
        text.parse::<Currency>()
            .map_err(|_| "must be an ISO 4217 code, e.g. GBP".to_owned())
    });
    let wanted = (searching.read)(&mut params, clock, currency);
    let sort = params.optional("sort", |text| match text {
        "price" => Ok(Sort::Price),
        "-price" => Ok(Sort::PriceDown),
        other => {
            let own = searching.sorts.iter().find(|(name, _)| *name == other);
            own.map(|(_, order)| Sort::By(*order)).ok_or_else(|| {
                let own = searching.sorts.iter().map(|(name, _)| *name);
                one_of(["price", "-price"].into_iter().chain(own))
            })
        }
    });
    let group = params.optional("group_by", |text| {
        let group = searching.groupings.iter().find(|one| one.name == text);
        group
            .cloned()
            .ok_or_else(|| one_of(searching.groupings.iter().map(|one| one.name)))
    });
    params.finish()?;
    let wanted = wanted.ok_or_else(|| ApiError::new(&codes::INVALID_PARAMETER))?;
    let options = SearchOptions {
        sort: sort.unwrap_or(Sort::Price),
        tie: searching.tie,
        filter: wanted.filter,
        limit,
        currency,
        group,
    };
    Ok((wanted.search, options))
}

fn one_of(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<&str> = names.collect();
    format!("must be one of {}", names.join(", "))
}

/// The parameters that every search takes, for the document of a vertical's search.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the question in the OpenAPI document")]
pub struct CommonParams {
    /// Shows prices also in this currency (ISO 4217), at a dated rate; `total` stays what the supplier
    /// charges.
    #[param(pattern = "^[A-Z]{3}$")]
    currency: Option<String>,
    /// Entries per page, 1 to 100, 20 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `meta.next_cursor` of the page before. The search's own parameters need not be repeated beside it.
    #[param(pattern = r"^sea_[0-9a-f]{32}\.[0-9a-f]{8}\.[0-9]{1,12}$")]
    cursor: Option<String>,
}

/// How every search fails, for the document of a vertical's search.
#[derive(utoipa::IntoResponses)]
pub enum SearchErrors {
    /// An unknown or repeated parameter.
    #[response(status = 400)]
    Malformed(ErrorBody),
    /// No valid credentials.
    #[response(status = 401)]
    Unauthenticated(ErrorBody),
    /// The permission offers:read is missing.
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// The search behind the cursor is over.
    #[response(status = 410)]
    CursorExpired(ErrorBody),
    /// A parameter breaks a rule.
    #[response(status = 422)]
    Invalid(ErrorBody),
    /// No supplier gave a usable answer.
    #[response(status = 502)]
    SuppliersFailed(ErrorBody),
    /// A part of the system is down or overloaded.
    #[response(status = 503)]
    Unavailable(ErrorBody),
    /// No supplier answered in time.
    #[response(status = 504)]
    SuppliersTooSlow(ErrorBody),
}
