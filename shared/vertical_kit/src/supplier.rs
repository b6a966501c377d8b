//! What an adapter is to the kit. An adapter translates: it builds requests and reads answers; time,
//! retries, persistence and unknown outcomes are the kit's.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use supplier_client::{CallCx, SupplierError};
use travel_types::jiff::Timestamp;
use travel_types::{Contact, Money, OrderId, Traveller};

use crate::SupplierOffer;

/// How long a supplier takes to be sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A finished order may be absent from the supplier's look-up for this long.
    pub visibility_lag: Duration,
    /// A request whose answer was lost may still be worked on for this long.
    pub longest_processing: Duration,
}

/// An order to be placed.
#[derive(Clone, Debug)]
pub struct OrderRequest {
    /// Our order's id: the reference that the supplier is given and can be asked by.
    pub reference: OrderId,
    /// What the adapter remembered of the offer.
    pub handle: Value,
    /// The price that is agreed to.
    pub total: Money,
    /// Who travels.
    pub travellers: Vec<Traveller>,
    /// Whom to reach.
    pub contact: Contact,
}

/// An order to be asked about or cancelled.
#[derive(Clone, Debug)]
pub struct OrderLookup {
    /// Our order's id, as the supplier was given it.
    pub reference: OrderId,
    /// What the adapter remembered: of the order if it was placed, else of the offer.
    pub handle: Value,
    /// What was paid.
    pub total: Money,
}

/// How an order stands with the supplier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacedStatus {
    /// It is made.
    Confirmed,
    /// It was made and has been cancelled.
    Cancelled,
    /// The supplier has taken it and will decide later.
    Pending,
}

/// An order that the supplier has.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedOrder {
    /// How it stands.
    pub status: PlacedStatus,
    /// The supplier's reference for people: the PNR, the confirmation number.
    pub supplier_reference: String,
    /// What the supplier charges.
    pub total: Money,
    /// The vertical's own part, in its public shape; none keeps the offer's. Nothing personal: it stays
    /// when the order's owner is erased.
    pub details: Option<Value>,
    /// The adapter's own memory of the order. Nothing personal either.
    pub handle: Value,
}

/// What cancelling would bring.
#[derive(Clone, Debug, PartialEq)]
pub struct CancellationQuote {
    /// What comes back.
    pub refund: Money,
    /// Where it goes, in the supplier's words, e.g. `balance`.
    pub refund_to: Option<String>,
    /// Until when it holds, if the supplier says.
    pub expires_at: Option<Timestamp>,
    /// The adapter's own memory of the quote.
    pub handle: Value,
}

/// How a cancellation stands with the supplier.
#[derive(Clone, Debug, PartialEq)]
pub enum CancellationOutcome {
    /// It is carried out.
    Cancelled {
        /// What comes back in the end.
        refund: Money,
    },
    /// It is not carried out.
    NotCancelled,
}

/// What a search found with one supplier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The offers.
    pub offers: Vec<SupplierOffer>,
    /// Offers that were left out because they cannot be shown truthfully, each with its reason.
    pub rejected: Vec<String>,
}

/// A supplier whose offers can be priced, ordered and cancelled.
#[async_trait]
pub trait Supplier: Send + Sync {
    /// The configuration key, e.g. `duffel`.
    fn name(&self) -> &str;

    /// How long it takes to be sure.
    fn timing(&self) -> Timing;

    /// Asks for the offer at its present price.
    async fn price(&self, cx: &CallCx, handle: &Value) -> Result<SupplierOffer, SupplierError>;

    /// Places the order at exactly the stated total.
    async fn order(&self, cx: &CallCx, order: &OrderRequest) -> Result<PlacedOrder, SupplierError>;

    /// Looks for an order by our own reference. `None`: the supplier says that it has none.
    async fn find_order(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<Option<PlacedOrder>, SupplierError>;

    /// Asks what cancelling would bring. Cancels nothing.
    async fn quote_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
    ) -> Result<CancellationQuote, SupplierError>;

    /// Carries a quoted cancellation out.
    async fn confirm_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError>;

    /// Asks whether a quoted cancellation was carried out.
    async fn find_cancellation(
        &self,
        cx: &CallCx,
        order: &OrderLookup,
        quote: &Value,
    ) -> Result<CancellationOutcome, SupplierError>;
}

/// A supplier that can be searched with a vertical's search.
#[async_trait]
pub trait Searcher<Q>: Supplier {
    /// Asks for offers.
    async fn search(&self, cx: &CallCx, search: &Q) -> Result<Found, SupplierError>;
}
