//! The audit record of an action, while the action takes place.

use audit::Record;
use service_kit::{Caller, Cx};

use crate::trail;

/// Who does what to whom.
#[derive(Clone)]
pub(crate) struct Action(Record);

impl Action {
    /// An action of a caller.
    pub(crate) fn of(caller: &Caller, cx: &Cx, action: &'static str) -> Self {
        Self::by(Some(caller.subject()), cx, action)
    }

    /// An action of an account, a client or nobody that is known.
    pub(crate) fn by(actor: Option<&str>, cx: &Cx, action: &'static str) -> Self {
        Self(Record {
            actor: actor.map(str::to_owned),
            ..trail::record(cx, action, false)
        })
    }

    /// The id of what it is done to.
    #[must_use]
    pub(crate) fn on(mut self, target: impl Into<String>) -> Self {
        self.0.target = Some(target.into());
        self
    }

    /// More about it: an object without anything personal or secret.
    #[must_use]
    pub(crate) fn with(mut self, details: serde_json::Value) -> Self {
        self.0.details = details.as_object().cloned().unwrap_or_default();
        self
    }

    /// The record of its success.
    pub(crate) fn succeeded(mut self) -> Record {
        self.0.succeeded = true;
        self.0
    }

    /// The record of its failure.
    pub(crate) fn failed(self) -> Record {
        self.0
    }
}
