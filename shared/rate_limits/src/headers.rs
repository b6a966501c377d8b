//! The header fields of draft-ietf-httpapi-ratelimit-headers (`RateLimit-Policy`, `RateLimit`:
//! structured fields, RFC 9651) and `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

use http::header::{InvalidHeaderValue, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::decision::Decision;
use crate::policy::{Algorithm, Policy};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The header fields of one policy. What does not change is written once.
#[derive(Clone, Debug)]
pub(crate) struct HeaderFields {
    policy: HeaderValue,
    /// `"name";r=`
    beginning: Vec<u8>,
}

impl HeaderFields {
    pub(crate) fn new(policy: &Policy) -> Result<Self, InvalidHeaderValue> {
        let Policy { name, quota, .. } = policy;
        let window = seconds(policy.window).max(1);
        let burst = match policy.algorithm {
            Algorithm::TokenBucket { burst } => format!(";burst={burst}"),
            Algorithm::SlidingWindow => String::new(),
        };
        Ok(Self {
            policy: HeaderValue::try_from(format!("\"{name}\";q={quota};w={window}{burst}"))?,
            beginning: format!("\"{name}\";r=").into_bytes(),
        })
    }

    pub(crate) fn write(&self, decision: &Decision, into: &mut HeaderMap) {
        into.append(POLICY, self.policy.clone());
        let mut value = Vec::with_capacity(self.beginning.len() + 34);
        value.extend_from_slice(&self.beginning);
        push_number(&mut value, u64::from(decision.remaining));
        value.extend_from_slice(b";t=");
        push_number(&mut value, seconds(decision.reset));
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            into.append(LIMIT, value);
        }
        if !decision.allowed {
            let wait = seconds(decision.retry_after).max(1);
            into.insert(RETRY_AFTER, HeaderValue::from(wait));
        }
    }
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

fn push_number(into: &mut Vec<u8>, mut number: u64) {
    let start = into.len();
    loop {
        let digit = u8::try_from(number % 10).unwrap_or_default();
        into.push(b'0' + digit);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = into.get_mut(start..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Mode, OnOutage};

    fn policy(algorithm: Algorithm, window: Duration) -> Policy {
        Policy {
            name: "search".to_owned(),
            algorithm,
            quota: 600,
            window,
            mode: Mode::LocalFirst,
            on_outage: OnOutage::Local,
        }
    }

    fn decision(allowed: bool, millis: u64) -> Decision {
        Decision {
            allowed,
            quota: 600,
            remaining: 120,
            reset: Duration::from_millis(millis),
            retry_after: Duration::from_millis(if allowed { 0 } else { millis }),
        }
    }

    fn written(fields: &HeaderFields, decision: &Decision) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        fields.write(decision, &mut headers);
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        headers.iter().map(pair).collect()
    }

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        owned.collect()
    }

    #[test]
    fn a_token_bucket_tells_its_quota_its_burst_and_what_remains() {
        let bucket = Algorithm::TokenBucket { burst: 100 };
        let header = HeaderFields::new(&policy(bucket, Duration::from_secs(60))).unwrap();
        assert_eq!(
            written(&header, &decision(true, 9_001)),
            fields(&[
                ("ratelimit-policy", "\"search\";q=600;w=60;burst=100"),
                ("ratelimit", "\"search\";r=120;t=10"),
            ])
        );
    }

    #[test]
    fn a_rejected_request_is_told_to_wait_at_least_a_second() {
        let window = policy(Algorithm::SlidingWindow, Duration::from_millis(1_500));
        let header = HeaderFields::new(&window).unwrap();
        assert_eq!(
            written(&header, &decision(false, 0)),
            fields(&[
                ("ratelimit-policy", "\"search\";q=600;w=2"),
                ("ratelimit", "\"search\";r=120;t=0"),
                ("retry-after", "1"),
            ])
        );
        let waits = written(&header, &decision(false, 2_000));
        assert_eq!(waits.last().unwrap().1, "2");
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 10, 4_294_967_295, u64::MAX] {
            let mut bytes = Vec::new();
            push_number(&mut bytes, number);
            assert_eq!(bytes, number.to_string().into_bytes());
        }
    }
}
