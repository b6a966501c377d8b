//! Which statuses are good.

use std::str::FromStr;

/// Allowed statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expect(Vec<(u16, u16)>);

impl Default for Expect {
    /// Everything that is no error (RFC 9110 §15).
    fn default() -> Self {
        Self(vec![(200, 399)])
    }
}

impl Expect {
    pub(crate) fn allows(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(low, high)| (*low..=*high).contains(&status))
    }
}

impl FromStr for Expect {
    type Err = String;

    /// Reads a list such as `200,404` or `2xx,304`.
    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = text.split(',').map(str::trim).map(|part| {
            let range = match part
                .strip_suffix("xx")
                .and_then(|class| class.parse::<u16>().ok())
            {
                Some(class @ 1..=5) => Some((class * 100, class * 100 + 99)),
                Some(_) => None,
                None => part.parse().ok().map(|status| (status, status)),
            };
            range
                .filter(|(low, _)| (100..600).contains(low))
                .ok_or_else(|| format!("'{part}' is no status; write 200, or 2xx, or 200,404"))
        });
        allowed.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_statuses_and_classes_are_allowed() {
        let expect: Expect = "2xx, 404".parse().unwrap();
        assert!(expect.allows(204) && expect.allows(404));
        assert!(!expect.allows(301) && !expect.allows(403));
    }

    #[test]
    fn what_is_no_status_is_named() {
        for wrong in ["", "2x", "9xx", "99", "200,ok"] {
            let told = wrong.parse::<Expect>().unwrap_err();
            assert!(told.contains("is no status"), "{told}");
        }
    }
}
