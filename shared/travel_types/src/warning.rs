//! Doubts about a supplier's answer that the traveller's frontend should know of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What kind of doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WarningCode {
    /// Times that cannot all be true, e.g. a duration that is not arrival minus departure.
    TimeInconsistent,
    /// Parts that do not add up to their total.
    SumMismatch,
    /// An amount finer than its currency allows.
    AmountPrecision,
    /// The same thing given twice.
    Duplicate,
    /// Anything else that looks wrong in the supplier's data.
    DataQuality,
}

/// A doubt about a part of an offer or order. The supplier's value is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// What kind of doubt.
    pub code: WarningCode,
    /// The doubt in words.
    pub message: String,
    /// JSON path of the part within the object that carries the warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Warning {
    /// A doubt about one part.
    pub fn new(code: WarningCode, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            path: Some(path.into()),
        }
    }
}
