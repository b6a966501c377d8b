//! Cancellations as the contract shows them: first a quote, then carried out.

use serde::{Deserialize, Serialize};
use travel_types::jiff::Timestamp;
use travel_types::{CancellationId, Money, OrderId};
use utoipa::ToSchema;

/// How a cancellation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancellationStatus {
    /// A quote: nothing is cancelled yet.
    Quoted,
    /// Asked for; the outcome is being found out. It settles by itself.
    Pending,
    /// Carried out.
    Confirmed,
    /// Not carried out; the order stands.
    Failed,
}

impl CancellationStatus {
    /// The name in answers and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quoted => "quoted",
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }

    /// Reads the name back.
    pub(crate) fn read(name: &str) -> Option<Self> {
        [Self::Quoted, Self::Pending, Self::Confirmed, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// What cancelling an order brings. `refund + penalty` is what was paid.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cancellation {
    /// Its id; what a confirmation names.
    pub id: CancellationId,
    /// The order.
    pub order_id: OrderId,
    /// How it stands.
    pub status: CancellationStatus,
    /// What comes back.
    pub refund: Money,
    /// What is lost.
    pub penalty: Money,
    /// Where the refund goes, in the supplier's words.
    #[schema(example = "balance")]
    pub refund_to: Option<String>,
    /// Until when the quote can be confirmed.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was quoted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was carried out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub confirmed_at: Option<Timestamp>,
}
