//! What the limiter answers.

use std::time::Duration;

/// Whether one request passes, and what its caller should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request passes. One that does not has cost nothing.
    pub allowed: bool,
    /// The policy's quota per window, in units of cost.
    pub quota: u32,
    /// Units of cost that would pass now; for a token bucket up to its burst.
    pub remaining: u32,
    /// Until the whole limit is there again, if nothing more is spent.
    pub reset: Duration,
    /// Until the same request would pass, if nothing more is spent; zero if it passed.
    pub retry_after: Duration,
}

/// Why there is no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// The request costs more than the limit holds when it is full: it can never pass, and the caller
    /// should be told so instead of to wait.
    #[error("the request costs {cost}, and at most {most} can ever pass at once")]
    CostAboveLimit {
        /// What the request costs.
        cost: u32,
        /// The most that one request may cost.
        most: u32,
    },
    /// The id is of another limiter.
    #[error("the limiter has no such policy")]
    UnknownPolicy,
}
