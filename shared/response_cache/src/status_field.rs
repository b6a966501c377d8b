//! The field `Cache-Status` (RFC 9211).

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request was forwarded (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The rule does not let it be cached.
    Bypass,
    /// The method's answers are not stored.
    Method,
    /// Nothing is stored for the URI.
    UriMiss,
    /// Something is, but none that these fields select.
    VaryMiss,
    /// The request's own directives did not allow what is stored.
    Request,
    /// What is stored is stale.
    Stale,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
        })
    }
}

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    /// From the cache alone, with the seconds that its lifetime lasts.
    Hit { ttl: i64 },
    /// Through the origin.
    Forwarded {
        reason: Reason,
        /// What the origin answered, where that is not what the client gets.
        status: Option<u16>,
        stored: bool,
        /// Another request's answer.
        collapsed: bool,
    },
    /// `only-if-cached`, and nothing to give.
    Refused,
}

impl Handling {
    pub(crate) fn forwarded(reason: Reason) -> Self {
        Self::Forwarded {
            reason,
            status: None,
            stored: false,
            collapsed: false,
        }
    }

    pub(crate) fn collapsed(self) -> Self {
        match self {
            Self::Forwarded {
                reason,
                status,
                stored,
                ..
            } => Self::Forwarded {
                reason,
                status,
                stored,
                collapsed: true,
            },
            other => other,
        }
    }

    /// Adds this cache's member after those of the caches nearer to the origin.
    pub(crate) fn add_to(self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(self.to_string()) {
            headers.append(CACHE_STATUS, value);
        }
    }
}

impl fmt::Display for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interline")?;
        match self {
            Self::Hit { ttl } => write!(f, "; hit; ttl={ttl}"),
            Self::Refused => f.write_str("; detail=only-if-cached"),
            Self::Forwarded {
                reason,
                status,
                stored,
                collapsed,
            } => {
                write!(f, "; fwd={reason}")?;
                if let Some(status) = status {
                    write!(f, "; fwd-status={status}")?;
                }
                if *stored {
                    f.write_str("; stored")?;
                }
                if *collapsed {
                    f.write_str("; collapsed")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_reads_as_the_rfc_has_it() {
        assert_eq!(
            Handling::Hit { ttl: 376 }.to_string(),
            "interline; hit; ttl=376"
        );
        let validated = Handling::Forwarded {
            reason: Reason::Stale,
            status: Some(304),
            stored: true,
            collapsed: false,
        };
        let text = "interline; fwd=stale; fwd-status=304; stored";
        assert_eq!(validated.to_string(), text);
        assert_eq!(
            validated.collapsed().to_string(),
            format!("{text}; collapsed")
        );
        assert_eq!(
            Handling::forwarded(Reason::Bypass).to_string(),
            "interline; fwd=bypass"
        );
    }
}
