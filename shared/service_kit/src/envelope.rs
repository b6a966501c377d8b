//! The shape of every success: `{"status":"success","data":…,"errors":[],"meta":{…}}`.

use serde::{Deserialize, Serialize, Serializer};
use telemetry::Correlation;
use travel_types::Clock;
use travel_types::jiff::Timestamp;
use utoipa::ToSchema;

/// What is said about an answer beside its data. Operations add keys of their own.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Meta {
    /// The request's id, as in `X-Request-Id`.
    pub request_id: String,
    /// When the answer was made, RFC 3339 in UTC.
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "fixed_width")]
    pub timestamp: Timestamp,
    /// What the operation adds.
    #[serde(flatten)]
    #[schema(ignore)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

impl Meta {
    /// The facts that every answer has.
    pub fn new(correlation: &Correlation, clock: &Clock) -> Self {
        Self {
            request_id: correlation.request_id().to_owned(),
            timestamp: clock.now(),
            more: serde_json::Map::new(),
        }
    }
}

/// Always six digits of a second: equal answers then have equal lengths.
fn fixed_width<S: Serializer>(timestamp: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{timestamp:.6}"))
}

/// A successful answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Envelope<T> {
    /// Always `success`.
    #[schema(example = "success")]
    pub status: String,
    /// What was asked for.
    pub data: T,
    /// Always empty here.
    pub errors: Vec<crate::ErrorEntry>,
    /// About the answer.
    pub meta: Meta,
}
