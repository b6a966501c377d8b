//! Offers as the contract shows them, and as adapters make them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use travel_types::jiff::Timestamp;
use travel_types::{Money, OfferId, Warning};
use utoipa::ToSchema;

use crate::Alternative;
use crate::rates::Converted;

/// What may be done with an order made from an offer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Conditions {
    /// What comes back when the order is cancelled, by time: the first term whose `until` has not
    /// passed holds. Null when the supplier does not say.
    pub cancellation: Option<Vec<CancellationTerm>>,
    /// Whether the order can be changed. Null when the supplier does not say.
    pub changeable: Option<bool>,
}

/// What comes back when the order is cancelled in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CancellationTerm {
    /// Until when the term holds.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// What comes back.
    pub refund: Money,
}

/// A priced proposal of a supplier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Its id; what an order names.
    pub id: OfferId,
    /// The vertical, e.g. `flights`.
    #[schema(example = "flights")]
    pub vertical: String,
    /// The supplier's configuration key.
    #[schema(example = "duffel")]
    pub supplier: String,
    /// What is paid for everything.
    pub total: Money,
    /// The part without taxes, where the supplier splits.
    pub base: Option<Money>,
    /// The taxes, where the supplier splits.
    pub taxes: Option<Money>,
    /// Until when it can be ordered.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Cancelling and changing.
    pub conditions: Conditions,
    /// Doubts about the supplier's data.
    pub warnings: Vec<Warning>,
    /// The total in the currency that was asked for, at a stated rate. `total` is what is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converted: Option<Converted>,
    /// The same thing from other suppliers, at no better price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_from: Vec<Alternative>,
    /// What the vertical adds.
    #[schema(value_type = Object)]
    pub details: Value,
}

impl Offer {
    /// The terms of cancelling as they compare with those of an offer of another price: until when, and
    /// how many percent of the total come back. Nothing where the supplier does not say.
    pub fn terms_in_percent(&self) -> Option<Vec<(Timestamp, i64)>> {
        let terms = self.conditions.cancellation.as_ref()?;
        let total = i128::from(self.total.minor().max(1));
        let step = |term: &CancellationTerm| {
            let percent = i128::from(term.refund.minor()) * 100 / total;
            (term.until, i64::try_from(percent).unwrap_or(i64::MAX))
        };
        Some(terms.iter().map(step).collect())
    }
}

/// An offer as its supplier sees it now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RepricedOffer {
    /// The offer at its present price.
    #[serde(flatten)]
    pub offer: Offer,
    /// Present when the price is another than before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_change: Option<PriceChange>,
}

/// An old and a new price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct PriceChange {
    /// What was shown before.
    pub old: Money,
    /// What it costs now.
    pub new: Money,
}

/// An offer as an adapter makes it: without our id, with whatever the adapter needs to order it later.
#[derive(Clone, Debug, PartialEq)]
pub struct SupplierOffer {
    /// What is paid for everything.
    pub total: Money,
    /// The part without taxes.
    pub base: Option<Money>,
    /// The taxes.
    pub taxes: Option<Money>,
    /// Until when, if the supplier says.
    pub expires_at: Option<Timestamp>,
    /// Cancelling and changing.
    pub conditions: Conditions,
    /// Doubts about the supplier's data.
    pub warnings: Vec<Warning>,
    /// The vertical's own part, already in its public shape.
    pub details: Value,
    /// The adapter's own memory: its offer's id, its passengers' ids. Never shown.
    pub handle: Value,
}

impl SupplierOffer {
    /// The public offer.
    pub(crate) fn into_offer(
        self,
        id: OfferId,
        vertical: &str,
        supplier: &str,
        default_expiry: Timestamp,
    ) -> (Offer, Value) {
        let offer = Offer {
            id,
            vertical: vertical.to_owned(),
            supplier: supplier.to_owned(),
            total: self.total,
            base: self.base,
            taxes: self.taxes,
            expires_at: self.expires_at.unwrap_or(default_expiry),
            conditions: self.conditions,
            warnings: self.warnings,
            converted: None,
            also_from: Vec::new(),
            details: self.details,
        };
        (offer, self.handle)
    }
}
