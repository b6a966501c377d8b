//! Taking answers out of the cache before their time, and remembering it: an answer that was asked for
//! before a purge and arrives after it must not come back in.

use std::collections::VecDeque;

use http::Uri;

use crate::key::{Key, canonical_target};

/// The most purges that are remembered. An answer that has not seen those before counts as purged.
const MOST_REMEMBERED: usize = 10_000;

/// Which answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of one path and query in canonical form: all variants, for all callers. Made by
    /// [`Scope::uri`].
    Target(String),
    /// Those whose path and query begin so.
    Prefix(String),
    /// Those with this tag.
    Tag(String),
    /// All.
    Everything,
}

impl Scope {
    /// The answers for a URI, under a rule that ignores these parameters of the query.
    pub fn uri(uri: &Uri, ignored_query: &[&str]) -> Self {
        Self::Target(canonical_target(uri, ignored_query))
    }

    fn covers(&self, key: &Key, tags: &[Box<str>]) -> bool {
        match self {
            Self::Target(target) => key.target() == target,
            Self::Prefix(prefix) => key.target().starts_with(prefix.as_str()),
            Self::Tag(tag) => tags.iter().any(|own| **own == **tag),
            Self::Everything => true,
        }
    }
}

/// What is taken out, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Which answers.
    pub scope: Scope,
    /// Only ends the lifetime: the answer may still be served stale where its stale times allow it.
    /// Otherwise it is removed.
    pub soft: bool,
}

impl Purge {
    pub(crate) fn everything() -> Self {
        Self {
            scope: Scope::Everything,
            soft: false,
        }
    }

    pub(crate) fn covers(&self, key: &Key, tags: &[Box<str>]) -> bool {
        self.scope.covers(key, tags)
    }

    /// Whether it may cover an answer whose tags are not known.
    pub(crate) fn may_cover(&self, key: &Key) -> bool {
        matches!(self.scope, Scope::Tag(_)) || self.covers(key, &[])
    }

    /// A line of text, as other instances read it.
    pub(crate) fn to_text(&self) -> String {
        let how = if self.soft { 's' } else { 'h' };
        match &self.scope {
            Scope::Target(target) => format!("{how}u{target}"),
            Scope::Prefix(prefix) => format!("{how}p{prefix}"),
            Scope::Tag(tag) => format!("{how}t{tag}"),
            Scope::Everything => format!("{how}*"),
        }
    }

    /// What is not understood, from a newer version perhaps, is taken for the most: everything.
    pub(crate) fn from_text(text: &str) -> Self {
        let (how, rest) = text.split_at_checked(1).unwrap_or_default();
        let (scope, rest) = rest.split_at_checked(1).unwrap_or_default();
        let scope = match scope {
            "u" => Scope::Target(rest.to_owned()),
            "p" => Scope::Prefix(rest.to_owned()),
            "t" => Scope::Tag(rest.to_owned()),
            "*" => Scope::Everything,
            _ => return Self::everything(),
        };
        Self {
            soft: how == "s",
            scope,
        }
    }
}

/// What later purges mean for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Untouched,
    Expired,
    Removed,
}

/// The last purges in their order.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<(u64, Purge)>,
    last: u64,
}

impl Log {
    /// The number of the last purge.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn append(&mut self, number: u64, purge: Purge) {
        self.entries.push_back((number, purge));
        self.last = number;
        if self.entries.len() > MOST_REMEMBERED {
            self.entries.pop_front();
        }
    }

    /// Begins anew after this number: what has not seen it counts as purged.
    pub(crate) fn restart(&mut self, last: u64) {
        self.entries.clear();
        self.last = last;
    }

    /// What the purges after `seen` mean for an answer.
    pub(crate) fn verdict(&self, seen: u64, key: &Key, tags: &[Box<str>]) -> Verdict {
        if seen >= self.last {
            return Verdict::Untouched;
        }
        let oldest = self.entries.front().map_or(self.last + 1, |entry| entry.0);
        if oldest > seen + 1 {
            return Verdict::Removed;
        }
        let mut verdict = Verdict::Untouched;
        for (_, purge) in self.entries.iter().filter(|entry| entry.0 > seen) {
            if purge.covers(key, tags) {
                if !purge.soft {
                    return Verdict::Removed;
                }
                verdict = Verdict::Expired;
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purge(scope: Scope, soft: bool) -> Purge {
        Purge { scope, soft }
    }

    fn tag(name: &str) -> Scope {
        Scope::Tag(name.into())
    }

    #[test]
    fn a_purge_survives_the_way_to_other_instances_and_the_unknown_is_everything() {
        for scope in [
            Scope::Target("/a?b=1".into()),
            Scope::Prefix(String::new()),
            tag("x y"),
            Scope::Everything,
        ] {
            for soft in [true, false] {
                let sent = purge(scope.clone(), soft);
                assert_eq!(Purge::from_text(&sent.to_text()), sent);
            }
        }
        for odd in ["", "h", "h?x", "\u{e9}"] {
            assert_eq!(
                Purge::from_text(odd),
                purge(Scope::Everything, false),
                "{odd}"
            );
        }
    }

    #[test]
    fn an_answer_is_judged_by_the_purges_that_it_has_not_seen() {
        let key = Key::from_parts("/a".into(), "".into());
        let tags = ["x".into()];
        let mut log = Log::default();
        log.append(1, purge(tag("x"), true));
        log.append(2, purge(tag("y"), false));
        log.append(3, purge(Scope::Prefix("/a".into()), false));
        assert_eq!(log.verdict(3, &key, &tags), Verdict::Untouched);
        assert_eq!(log.verdict(2, &key, &tags), Verdict::Removed);
        let other = Key::from_parts("/b".into(), "".into());
        assert_eq!(log.verdict(0, &other, &tags), Verdict::Expired);
        assert_eq!(log.verdict(1, &other, &tags), Verdict::Untouched);
    }

    #[test]
    fn what_was_forgotten_counts_as_purged() {
        let key = Key::from_parts("/a".into(), "".into());
        let mut log = Log::default();
        for number in 1..=10_100 {
            log.append(number, purge(tag("none"), true));
        }
        assert_eq!(log.verdict(99, &key, &[]), Verdict::Removed);
        assert_eq!(log.verdict(100, &key, &[]), Verdict::Untouched);
        log.restart(20_000);
        assert_eq!(log.verdict(10_100, &key, &[]), Verdict::Removed);
        assert_eq!(log.verdict(20_000, &key, &[]), Verdict::Untouched);
    }
}
