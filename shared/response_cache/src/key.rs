//! What tells requests apart before their fields do: the path and query, and the caller.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use http::Uri;

use crate::{Audience, Rule};

/// Keyed at random, so that nobody outside can choose keys that collide.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The primary key of a stored answer (RFC 9111 §2). `GET` and `HEAD` share one. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Arc<Parts>);

#[derive(PartialEq, Eq)]
struct Parts {
    hash: u64,
    target: Box<str>,
    caller: Box<str>,
}

impl Key {
    /// The key of a request, or `None` when it must not be cached: the rule is off, or the answer is for
    /// one caller and it is not known which. The authority does not count, for the gateway answers alike under all its names.
    ///
    /// `caller` is any text that no other caller has; it is left out where all share. Query parameters
    /// are sorted by name, those of one name keep their order.
    pub fn new(uri: &Uri, rule: &Rule, caller: &str) -> Option<Self> {
        let caller = match rule.audience {
            _ if !rule.enabled => return None,
            Audience::Caller if caller.is_empty() => return None,
            Audience::Caller => caller,
            Audience::Public | Audience::Everyone => "",
        };
        let target = canonical_target(uri, &rule.ignored_query);
        Some(Self::from_parts(target.into(), caller.into()))
    }

    pub(crate) fn from_parts(target: Box<str>, caller: Box<str>) -> Self {
        let hash = HASHER.hash_one((&target, &caller));
        Self(Arc::new(Parts {
            hash,
            target,
            caller,
        }))
    }

    /// Path and sorted query.
    pub fn target(&self) -> &str {
        &self.0.target
    }

    /// Whose answer it is; empty when all share.
    pub fn caller(&self) -> &str {
        &self.0.caller
    }

    pub(crate) fn hash(&self) -> u64 {
        self.0.hash
    }

    /// The bytes that it occupies, roughly.
    pub(crate) fn bytes(&self) -> usize {
        64 + self.0.target.len() + self.0.caller.len()
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Paths and queries hold what people search for.
        write!(f, "Key({:016x})", self.0.hash)
    }
}

/// Path and sorted query of a URI, as purges name them too.
pub(crate) fn canonical_target(uri: &Uri, ignored: &[&str]) -> String {
    let path = match uri.path() {
        "" => "/",
        path => path,
    };
    let query = uri.query();
    let mut target = String::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
    target.push_str(path);
    let Some(query) = query else {
        return target;
    };
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| (pair.split_once('=').map_or(pair, |(name, _)| name), pair))
        .filter(|(name, _)| !ignored.contains(name))
        .collect();
    pairs.sort_by_key(|(name, _)| *name);
    if query.is_empty() {
        // "/a?" and "/a" are two resources, "/a?ignored=1" and "/a" are one.
        target.push('?');
    }
    let mut separator = '?';
    for (_, pair) in pairs {
        target.push(separator);
        target.push_str(pair);
        separator = '&';
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> String {
        canonical_target(&uri.parse().unwrap(), &["utm"])
    }

    #[test]
    fn the_order_of_parameters_counts_only_within_a_name() {
        assert_eq!(target("/a?b=2&a=1&b=1"), "/a?a=1&b=2&b=1");
        assert_ne!(target("/a?b=1&b=2"), target("/a?b=2&b=1"));
        assert_eq!(
            target("http://one.example/a?x"),
            target("http://two.example/a?x")
        );
    }

    #[test]
    fn only_what_is_named_is_ignored() {
        assert_eq!(target("/a?utm=1&b"), "/a?b");
        assert_eq!(target("/a?utm=1"), "/a");
        assert_eq!(target("/a?Utm=1"), "/a?Utm=1");
        assert_eq!(target("/a?"), "/a?");
    }

    #[test]
    fn a_key_needs_a_rule_that_is_on_and_for_one_caller_a_caller() {
        let uri: Uri = "/a".parse().unwrap();
        let mut rule = Rule::default();
        assert!(Key::new(&uri, &rule, "x").is_none());
        rule.enabled = true;
        assert!(Key::new(&uri, &rule, "").is_none());
        assert_ne!(Key::new(&uri, &rule, "x"), Key::new(&uri, &rule, "y"));
        rule.audience = Audience::Everyone;
        assert_eq!(Key::new(&uri, &rule, "x"), Key::new(&uri, &rule, ""));
    }
}
