//! Orders as the contract shows them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use travel_types::jiff::Timestamp;
use travel_types::{Contact, Money, OfferId, OrderId, Traveller};
use utoipa::ToSchema;

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// On its way, or its outcome is being found out. It settles by itself.
    Pending,
    /// The supplier has it.
    Confirmed,
    /// It was not made; nothing is owed.
    Failed,
    /// It was made and has been cancelled.
    Cancelled,
}

impl OrderStatus {
    /// The name in answers and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the name back.
    pub(crate) fn read(name: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Confirmed,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|status| status.as_str() == name)
    }
}

/// The body of `POST …/orders`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// The offer to order.
    #[schema(value_type = OfferId)]
    pub offer_id: String,
    /// Who travels, in any order; as many adults, children and infants as were searched for.
    #[schema(min_items = 1, max_items = 9)]
    pub travellers: Vec<Traveller>,
    /// Whom to reach.
    pub contact: Contact,
    /// The most that may be paid. Without it, the offer's last shown price is the most.
    #[serde(default)]
    pub max_total: Option<Money>,
    /// The caller's own reference, 1 to 64 characters, shown again with the order.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$"
    )]
    pub reference: Option<String>,
}

/// One order with one supplier.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// The vertical, e.g. `flights`.
    #[schema(example = "flights")]
    pub vertical: String,
    /// The supplier's configuration key.
    #[schema(example = "duffel")]
    pub supplier: String,
    /// The supplier's reference for people, once it has given one.
    #[schema(example = "GAIRBB")]
    pub supplier_reference: Option<String>,
    /// How it stands.
    pub status: OrderStatus,
    /// The code of what went wrong, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The offer that was ordered.
    pub offer_id: OfferId,
    /// The caller's own reference.
    pub reference: Option<String>,
    /// What is paid.
    pub total: Money,
    /// Who travels. Empty once the owner was erased.
    pub travellers: Vec<Traveller>,
    /// Whom to reach. Null once the owner was erased.
    pub contact: Option<Contact>,
    /// The owner was erased, and with the owner travellers, contact and reference.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub personal_data_erased: bool,
    /// What the vertical adds.
    #[schema(value_type = Object)]
    pub details: Value,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// What happened to it, oldest first.
    pub history: Vec<HistoryEntry>,
}

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What: `requested`, `sent`, `outcome_unknown`, `confirmed`, `failed`, `cancellation_sent`,
    /// `cancelled`, …
    #[schema(example = "confirmed")]
    pub event: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
