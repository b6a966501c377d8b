//! Duffel: the token and the headers of every call, the error body with its table of codes, the wrapping
//! of objects and lists, and the look-up of an order by our own reference in its metadata.
//!
//! Source: duffel-api-javascript `src/Client.ts`, `src/types/*.ts`, and the recorded bodies beside the
//! adapters. Duffel has no idempotency keys; it states that a request takes 120 seconds at most.

mod answers;
pub mod errors;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;
use serde_json::Value;
use serde_json::value::RawValue;
use service_kit::{Context, StartError};
use supplier_client::{
    Auth, CallCx, Safety, SupplierError, SupplierErrorKind as Kind, SupplierMetrics, Transport,
    WireRequest, WireResponse,
};
use travel_types::OrderId;
use travel_types::jiff::{SignedDuration, Timestamp};
use vertical_kit::supplier_settings::SupplierSettings;
use vertical_kit::{OrderRequest, PlacedOrder, PlacedStatus, Timing};

pub use answers::{Data, Metadata, Page, PageMeta, read};

use crate::age::{made_at, newest_first_down_to};

/// The keys that production must set: the sandbox's stand in the default documents.
pub const MUST_BE_SET: [&str; 2] = ["base_url", "token"];

/// How long Duffel takes to be sure.
pub const TIMING: Timing = Timing {
    visibility_lag: Duration::from_secs(5),
    longest_processing: Duration::from_secs(120),
};

/// Entries per page: the most that Duffel gives.
pub const PAGE: u32 = 200;

/// How far Duffel's clock and ours may lie apart.
const CLOCKS: SignedDuration = SignedDuration::from_hours(1);

/// The platform as one adapter calls it.
pub struct Duffel {
    wire: Arc<dyn Transport>,
    /// Pages that are read of one list at most.
    pub max_pages: u32,
}

impl Duffel {
    /// The platform behind a wire that has its credentials already.
    pub fn new(wire: Arc<dyn Transport>, max_pages: u32) -> Self {
        Self { wire, max_pages }
    }

    /// The platform as configured for the supplier `name`: beside the keys of every supplier,
    /// `suppliers.<name>.token`, `.version` and `.max_pages`.
    ///
    /// # Errors
    /// [`StartError`] for a value that cannot be used.
    pub fn connect(
        context: &Context,
        metrics: &SupplierMetrics,
        settings: &SupplierSettings,
        name: &str,
    ) -> Result<Self, StartError> {
        let key = |key: &str| format!("suppliers.{name}.{key}");
        let token: SecretString = context.settings.get(&key("token"))?;
        let version: String = context.settings.get(&key("version"))?;
        let headers = [
            ("Duffel-Version", version.as_str()),
            ("Accept", "application/json"),
        ];
        let client = settings.client(
            context,
            metrics,
            &headers,
            errors::verdict,
            Auth::Bearer(token),
        )?;
        let max_pages = context.settings.get(&key("max_pages"))?;
        Ok(Self::new(Arc::new(client), max_pages))
    }

    /// Sends a request and gives back a success.
    ///
    /// # Errors
    /// Whatever the call failed with, or what the answer's code means ([`errors::failure`]).
    pub async fn call(
        &self,
        cx: &CallCx,
        request: WireRequest,
    ) -> Result<WireResponse, SupplierError> {
        let changes = *request.safety() != Safety::Safe;
        let response = self.wire.call(cx, request).await?;
        if response.status.is_success() {
            return Ok(response);
        }
        Err(errors::failure(&response, changes))
    }

    /// The entry of a list whose metadata carry our reference, with the answer that held it. `list` is
    /// asked page by page. `None`: it is on none of them, or those that are not read are older than our order.
    ///
    /// # Errors
    /// Whatever leaves it open: a page or an entry that cannot be read, more pages than are read.
    pub async fn find_ours(
        &self,
        cx: &CallCx,
        list: &WireRequest,
        order: OrderId,
    ) -> Result<Option<(WireResponse, Box<RawValue>)>, SupplierError> {
        let reference = order.to_string();
        let since = made_at(order)
            .saturating_sub(CLOCKS)
            .unwrap_or(Timestamp::MIN);
        let mut dates = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..self.max_pages {
            let mut request = list.clone().query("limit", PAGE);
            if let Some(after) = &after {
                request = request.query("after", after);
            }
            let response = self.call(cx, request).await?;
            let page = Page::read(&response)?;
            for raw in &page.data {
                let entry: answers::Tagged = serde_json::from_str(raw.get())
                    .map_err(|_| response.unreadable("an entry of a list cannot be read"))?;
                let named = entry.metadata.and_then(|named| named.interline_order_id);
                if named.as_ref() == Some(&reference) {
                    let raw = raw.clone();
                    return Ok(Some((response, raw)));
                }
                let made = entry.created_at.or(entry.confirmed_at);
                dates.push(made.and_then(|at| at.as_str().parse().ok()));
            }
            after = page.after();
            if after.is_none() || newest_first_down_to(&dates, since) {
                return Ok(None);
            }
        }
        // An order that is on a page not read must not be told to be absent.
        Err(SupplierError::new(
            Kind::Protocol,
            "more pages of orders than are read",
        ))
    }
}

/// What an order comes to that is answered with 202, or with 200 and without an id: Duffel has taken it
/// and will decide later. None for any other answer.
pub fn taken(response: &WireResponse, order: &OrderRequest) -> Option<PlacedOrder> {
    let is_nameless = || {
        let body: Option<Data<Value>> = serde_json::from_slice(&response.body).ok();
        body.is_some_and(|body| match body.data {
            Value::Object(order) => order.get("id").is_none_or(Value::is_null),
            other => other.is_null(),
        })
    };
    let is_taken = response.status == StatusCode::ACCEPTED
        || (response.status == StatusCode::OK && is_nameless());
    is_taken.then(|| PlacedOrder {
        status: PlacedStatus::Pending,
        supplier_reference: String::new(),
        total: order.total,
        details: None,
        handle: order.handle.clone(),
    })
}

/// Refuses the answer to an order that carries another order's reference.
///
/// # Errors
/// The answer is unreadable, which leaves the outcome open.
pub fn check_ours(
    response: &WireResponse,
    metadata: Option<&Metadata>,
    order: OrderId,
) -> Result<(), SupplierError> {
    let named = metadata.and_then(|metadata| metadata.interline_order_id.as_ref());
    if named.is_some_and(|named| *named != order.to_string()) {
        return Err(response.unreadable("the order carries another reference than ours"));
    }
    Ok(())
}

/// On reading an offer this is an old offer; on ordering it, somebody was faster.
pub fn sold_out(error: SupplierError) -> SupplierError {
    match error.code.as_deref() {
        Some("offer_no_longer_available") => SupplierError {
            kind: Kind::SoldOut,
            ..error
        },
        _ => error,
    }
}

/// A handle that remembers one more id.
pub fn remember(handle: &Value, key: &str, id: &str) -> Value {
    let mut handle = handle.clone();
    if let Some(fields) = handle.as_object_mut() {
        fields.insert(key.to_owned(), Value::String(id.to_owned()));
    }
    handle
}
