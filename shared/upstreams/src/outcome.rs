//! How an attempt ended, and what may be done again.

use std::time::Duration;

use http::StatusCode;

/// How an attempt at an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It answered with what was asked for.
    Served,
    /// It answered with an error of its own making or its caller's. It lives; how long it took says
    /// nothing about how long its work takes.
    Declined,
    /// It answered that it, or something in front of it, cannot serve now.
    GatewayError,
    /// There was no connection; nothing was sent.
    ConnectFailed,
    /// It did not answer in the time that it was given.
    TimedOut,
    /// The connection broke after something may have been sent.
    Reset,
}

impl Ending {
    /// What a status says (RFC 9110 §15). 502, 503 and 504 are taken for the instance's own weakness: an
    /// owner that knows better (the answer carries a supplier's error) says [`Ending::Declined`].
    pub fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            502..=504 => Self::GatewayError,
            100..=399 => Self::Served,
            _ => Self::Declined,
        }
    }

    /// Whether the instance is to blame.
    pub(crate) fn is_failure(self) -> bool {
        !matches!(self, Self::Served | Self::Declined)
    }

    /// Whether the time that it took says how busy the instance is. What fails at once says nothing.
    pub(crate) fn is_measure(self) -> bool {
        matches!(self, Self::Served | Self::TimedOut)
    }
}

/// How an exchange ended and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How.
    pub ending: Ending,
    /// From sending the request to the end of the answer.
    pub latency: Duration,
}

/// Whether a request may be sent a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// No: it cannot be made again.
    Never,
    /// Only if surely nobody has seen it: its method is not safe.
    Unseen,
    /// Whatever happened to the first: its method is safe (RFC 9110 §9.2.1).
    Safe,
}

impl Repeat {
    /// Whether it may be sent again after that. A time-out has used up the time.
    pub(crate) fn allows(self, ending: Ending) -> bool {
        match ending {
            Ending::ConnectFailed => self != Self::Never,
            Ending::Reset | Ending::GatewayError => self == Self::Safe,
            Ending::Served | Ending::Declined | Ending::TimedOut => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_statuses_of_a_gateway_count_against_an_instance() {
        for (status, ending) in [
            (200, Ending::Served),
            (304, Ending::Served),
            (404, Ending::Declined),
            (429, Ending::Declined),
            (500, Ending::Declined),
            (501, Ending::Declined),
            (502, Ending::GatewayError),
            (503, Ending::GatewayError),
            (504, Ending::GatewayError),
        ] {
            assert_eq!(Ending::of(StatusCode::from_u16(status).unwrap()), ending);
        }
    }

    #[test]
    fn what_may_have_been_seen_is_repeated_only_by_a_safe_method() {
        use Ending::{ConnectFailed, Declined, GatewayError, Reset, Served, TimedOut};
        let all = [
            Served,
            Declined,
            GatewayError,
            ConnectFailed,
            TimedOut,
            Reset,
        ];
        let after = |repeat: Repeat| all.into_iter().filter(|e| repeat.allows(*e)).collect();
        let none: Vec<Ending> = after(Repeat::Never);
        assert_eq!(none, []);
        assert_eq!(after(Repeat::Unseen), [ConnectFailed]);
        assert_eq!(after(Repeat::Safe), [GatewayError, ConnectFailed, Reset]);
    }
}
