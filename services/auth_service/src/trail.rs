//! The audit records of this service. Each sensitive action leaves exactly one, in its own transaction.

use audit::Record;
use serde_json::{Map, Value};
use service_kit::Cx;

/// A record of an action of this request, of which nobody is known yet.
pub(crate) fn record(cx: &Cx, action: &'static str, succeeded: bool) -> Record {
    Record {
        action,
        succeeded,
        request_id: Some(cx.correlation.request_id().to_owned()),
        ..Record::default()
    }
}

/// A record's details of one fact.
pub(crate) fn detail(name: &str, value: impl Into<Value>) -> Map<String, Value> {
    std::iter::once((name.to_owned(), value.into())).collect()
}
