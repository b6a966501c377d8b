//! What a request is counted under: keys made from who asks, and for what.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};
use std::net::IpAddr;
use std::str::FromStr;

/// A longer value is replaced by its beginning and a digest, so that no caller makes keys large.
const LONGEST: usize = 64;

/// What is known of a request. An empty text is as good as none.
#[derive(Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The id of the user who is logged in.
    pub user: Option<&'a str>,
    /// The id of the API key, never the key itself: it becomes part of keys on Redis.
    pub api_key: Option<&'a str>,
    /// Where the request comes from. An IPv6 address counts as its /64, the least that one site gets
    /// (RFC 6177); an IPv4 address in IPv6 form as what it is.
    pub address: Option<IpAddr>,
    /// The route's template, not the path: the path is chosen by the caller.
    pub route: Option<&'a str>,
    /// Claims of the caller's token by name, such as `role`.
    pub claims: &'a [(&'a str, &'a str)],
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    User,
    ApiKey,
    Address,
    Route,
    Claim(String),
}

/// How a key is made: parts `user`, `api_key`, `address`, `route`, `claim:<name>`, combined by `+`;
/// alternatives by `|`, of which the first counts whose facts are all known: `user|address+route`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    alternatives: Vec<Vec<Part>>,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing before, after or between `+` and `|`.
    #[error("a part is missing in the key {0:?}")]
    Missing(String),
    /// A part of an unknown name.
    #[error("{0:?} is none of user, api_key, address, route, claim:<name>")]
    Unknown(String),
    /// A claim without its name.
    #[error("\"claim:\" names no claim")]
    Claim,
    /// A part that is there twice in one combination.
    #[error("{0:?} stands twice in one combination")]
    Twice(String),
}

impl FromStr for KeyTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let mut alternatives = Vec::new();
        for alternative in text.split('|') {
            let mut parts = Vec::new();
            for word in alternative.split('+').map(str::trim) {
                let part = match word {
                    "" => return Err(TemplateError::Missing(text.to_owned())),
                    "user" => Part::User,
                    "api_key" => Part::ApiKey,
                    "address" => Part::Address,
                    "route" => Part::Route,
                    "claim:" => return Err(TemplateError::Claim),
                    other => match other.strip_prefix("claim:") {
                        Some(name) => Part::Claim(name.to_owned()),
                        None => return Err(TemplateError::Unknown(other.to_owned())),
                    },
                };
                if parts.contains(&part) {
                    return Err(TemplateError::Twice(word.to_owned()));
                }
                parts.push(part);
            }
            alternatives.push(parts);
        }
        Ok(Self { alternatives })
    }
}

impl KeyTemplate {
    /// Writes the key in place of what the buffer holds. Different facts never make the same key.
    /// False, and nothing written, if for each alternative a fact is missing.
    #[must_use]
    pub fn render(&self, facts: &Facts<'_>, into: &mut String) -> bool {
        self.alternatives.iter().any(|parts| {
            into.clear();
            let known = parts.iter().all(|part| part.write(facts, into));
            if !known {
                into.clear();
            }
            known
        })
    }
}

impl Part {
    /// Each part says what it is and how long, so that no value can pass for two.
    fn write(&self, facts: &Facts<'_>, into: &mut String) -> bool {
        match self {
            Self::User => write_text('u', facts.user, into),
            Self::ApiKey => write_text('k', facts.api_key, into),
            Self::Route => write_text('r', facts.route, into),
            Self::Claim(name) => {
                let found = facts.claims.iter().find(|(claim, _)| claim == name);
                write_text('c', Some(name), into)
                    && write_text('=', found.map(|(_, value)| *value), into)
            }
            Self::Address => match facts.address.map(|address| address.to_canonical()) {
                Some(IpAddr::V4(address)) => write!(into, "4:{address};").is_ok(),
                Some(IpAddr::V6(address)) => {
                    let [a, b, c, d, ..] = address.segments();
                    write!(into, "6:{a:x}:{b:x}:{c:x}:{d:x};").is_ok()
                }
                None => false,
            },
        }
    }
}

fn write_text(tag: char, value: Option<&str>, into: &mut String) -> bool {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return false;
    };
    if value.len() <= LONGEST {
        return write!(into, "{tag}{}:{value}", value.len()).is_ok();
    }
    // Instances must agree on the digest, so it has no random key.
    let digest = |half: u8| {
        let mut hasher = DefaultHasher::new();
        (half, value).hash(&mut hasher);
        hasher.finish()
    };
    let beginning = value.get(..value.floor_char_boundary(LONGEST / 2));
    let (beginning, first, second) = (beginning.unwrap_or_default(), digest(0), digest(1));
    write!(
        into,
        "{tag}#{first:016x}{second:016x}{}:{beginning}",
        beginning.len()
    )
    .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(template: &str, facts: &Facts<'_>) -> Option<String> {
        let mut key = "what was there before".to_owned();
        let template: KeyTemplate = template.parse().unwrap();
        template.render(facts, &mut key).then_some(key)
    }

    fn at(address: &str) -> Facts<'_> {
        Facts {
            address: Some(address.parse().unwrap()),
            ..Facts::default()
        }
    }

    #[test]
    fn a_mistake_in_a_template_is_named() {
        let parse = |text: &str| text.parse::<KeyTemplate>().unwrap_err().to_string();
        assert_eq!(parse(""), "a part is missing in the key \"\"");
        assert_eq!(parse("user+"), "a part is missing in the key \"user+\"");
        assert_eq!(
            parse("user||address"),
            "a part is missing in the key \"user||address\""
        );
        assert_eq!(
            parse("user+adress"),
            "\"adress\" is none of user, api_key, address, route, claim:<name>"
        );
        assert_eq!(parse("claim:"), "\"claim:\" names no claim");
        assert_eq!(
            parse("user+user"),
            "\"user\" stands twice in one combination"
        );
    }

    #[test]
    fn the_first_alternative_counts_whose_facts_are_all_known() {
        let known = Facts {
            user: Some("usr_1"),
            route: Some("/v1/flights"),
            claims: &[("role", "agent")],
            ..at("192.0.2.7")
        };
        let unknown = at("192.0.2.7");
        let template = "user+route | claim:role | address";
        assert_eq!(key(template, &known).unwrap(), "u5:usr_1r11:/v1/flights");
        assert_eq!(key(template, &unknown).unwrap(), "4:192.0.2.7;");
        assert_eq!(key("claim:role", &known).unwrap(), "c4:role=5:agent");
        assert_eq!(key("user", &unknown), None);
        assert_eq!(key("address+route", &unknown), None);
        let empty = Facts {
            user: Some(""),
            ..Facts::default()
        };
        assert_eq!(key("user", &empty), None);
    }

    #[test]
    fn the_addresses_of_one_site_are_one_caller_and_those_of_two_are_two() {
        let key = |address: &str| key("address", &at(address)).unwrap();
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
        assert_ne!(key("192.0.2.7"), key("192.0.2.8"));
    }

    #[test]
    fn no_caller_can_write_a_value_that_passes_for_another_key() {
        let facts = |user, route| Facts {
            user: Some(user),
            route: Some(route),
            ..Facts::default()
        };
        let one = key("user+route", &facts("a", "br1:c")).unwrap();
        let other = key("user+route", &facts("ar5:b", "c")).unwrap();
        assert_ne!(one, other);
    }

    #[test]
    fn long_values_stay_apart_in_short_keys() {
        let long = "é".repeat(5_000);
        let longer = "é".repeat(5_001);
        let facts = |user| Facts {
            user: Some(user),
            ..Facts::default()
        };
        let (one, other) = (key("user", &facts(&long)), key("user", &facts(&longer)));
        assert_ne!(one, other);
        assert!(one.unwrap().len() < 100);
    }
}
