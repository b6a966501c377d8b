//! What went wrong with a call, in the terms a caller must tell apart: whose fault it is, whether it may
//! be tried again, and whether the supplier can have acted on it.

use std::fmt;
use std::time::Duration;

/// What went wrong. The first group are answers of the supplier, the second are failures of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SupplierErrorKind {
    /// The supplier calls our request ill-formed or inadmissible, or it could not be built.
    InvalidRequest,
    /// Our credentials are refused or lack a permission.
    NotAuthorised,
    /// The supplier knows no such thing.
    NotFound,
    /// The offer may no longer be bought.
    OfferExpired,
    /// Nothing is left of what was asked for.
    SoldOut,
    /// It can be had, at another price.
    PriceChanged,
    /// The supplier will not do this, by its own rules (a fare that cannot be cancelled, say).
    Refused,
    /// The supplier would not take the payment.
    PaymentRefused,
    /// The supplier, or our adapter for it, has no such operation.
    NotSupported,
    /// Too many requests: refused by the supplier with 429, or held back by our own pacing.
    RateLimited,
    /// No answer in time, and nothing can have come of it.
    Timeout,
    /// The supplier cannot be reached, fails, or is being left alone by the breaker or the bulkhead.
    Unavailable,
    /// The answer cannot be read, and nothing can have come of it.
    Protocol,
    /// The supplier may or may not have acted. Ask it by our own reference; never repeat blindly.
    OutcomeUnknown,
}

impl SupplierErrorKind {
    /// The name used in logs and as the `outcome` label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::NotAuthorised => "not_authorised",
            Self::NotFound => "not_found",
            Self::OfferExpired => "offer_expired",
            Self::SoldOut => "sold_out",
            Self::PriceChanged => "price_changed",
            Self::Refused => "refused",
            Self::PaymentRefused => "payment_refused",
            Self::NotSupported => "not_supported",
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Protocol => "protocol",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }

    /// Blame, retry and sent as [`SupplierError::new`] assumes them. The table of
    /// `docs/integration-layer.md` is this function.
    fn assumed(self) -> (Blame, Retry, Sent) {
        match self {
            Self::InvalidRequest | Self::NotAuthorised | Self::NotFound => {
                (Blame::Us, Retry::Never, Sent::Answered)
            }
            Self::OfferExpired
            | Self::SoldOut
            | Self::PriceChanged
            | Self::Refused
            | Self::PaymentRefused
            | Self::Protocol => (Blame::Supplier, Retry::Never, Sent::Answered),
            Self::NotSupported => (Blame::Us, Retry::Never, Sent::No),
            Self::RateLimited => (Blame::Us, Retry::After(SOON), Sent::Answered),
            Self::Timeout => (Blame::Supplier, Retry::Now, Sent::Maybe),
            Self::Unavailable => (Blame::Supplier, Retry::After(SOON), Sent::Answered),
            Self::OutcomeUnknown => (Blame::Supplier, Retry::Never, Sent::Maybe),
        }
    }
}

/// How long to stay away when nobody said how long.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Ours: the request, the credentials, our own limits.
    Us,
    /// The supplier's.
    Supplier,
    /// What lies between.
    Network,
}

/// Whether the same request may be made again by whoever gets the error. The kit's own retries are over
/// by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It would end the same way, or could happen twice.
    Never,
    /// At any time.
    Now,
    /// Not before this long from now.
    After(Duration),
}

/// How far the request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sent {
    /// It surely never left us.
    No,
    /// It may have arrived; no complete answer came back.
    Maybe,
    /// A complete HTTP answer was received.
    Answered,
}

/// A call that did not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplierError {
    /// What went wrong.
    pub kind: SupplierErrorKind,
    /// Whose fault it is.
    pub blame: Blame,
    /// Whether the caller may make the same request again.
    pub retry: Retry,
    /// The supplier's own code for it, verbatim.
    pub code: Option<String>,
    /// For logs: what happened, without secrets and without personal data. Never shown to a client.
    pub detail: String,
    /// How far the request got.
    pub sent: Sent,
}

impl SupplierError {
    /// An error of this kind with the kind's usual blame, retry and sent (see the table in
    /// `docs/integration-layer.md`); change what differs with the methods below.
    pub fn new(kind: SupplierErrorKind, detail: impl Into<String>) -> Self {
        let (blame, retry, sent) = kind.assumed();
        Self {
            kind,
            blame,
            retry,
            code: None,
            detail: detail.into(),
            sent,
        }
    }

    /// The operation does not exist at this supplier, or its adapter does not have it.
    pub fn not_supported(operation: &str) -> Self {
        Self::new(
            SupplierErrorKind::NotSupported,
            format!("no operation {operation}"),
        )
    }

    /// The same with another blame.
    #[must_use]
    pub fn with_blame(mut self, blame: Blame) -> Self {
        self.blame = blame;
        self
    }

    /// The same with other advice about repeating it.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The same with the supplier's own code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same with another account of how far the request got.
    #[must_use]
    pub fn with_sent(mut self, sent: Sent) -> Self {
        self.sent = sent;
        self
    }
}

impl fmt::Display for SupplierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.as_str())?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        write!(f, ": {}", self.detail)
    }
}

impl std::error::Error for SupplierError {}
