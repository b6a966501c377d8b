//! What was revoked before its time, as a verifier keeps it: log-ins and single tokens by their ids,
//! each until no token of it can be alive any more.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use travel_types::Clock;

use crate::Verified;

/// The most entries that are kept: more than a thousand revocations a second, all the time.
const MOST: usize = 1_000_000;

/// A set of revoked log-ins and tokens. Clones share it.
#[derive(Clone)]
pub struct Revocations {
    set: Arc<RwLock<Set>>,
    clock: Clock,
    most: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Session,
    Token,
}

struct Set {
    /// Until when each is revoked.
    sessions: HashMap<Arc<str>, Timestamp>,
    tokens: HashMap<Arc<str>, Timestamp>,
    by_end: BTreeSet<(Timestamp, Kind, Arc<str>)>,
    /// Tokens that end no later than this are refused whatever they are: entries that could have been
    /// about them were given up for want of room.
    given_up: Timestamp,
}

impl Set {
    fn of(&mut self, kind: Kind) -> &mut HashMap<Arc<str>, Timestamp> {
        match kind {
            Kind::Session => &mut self.sessions,
            Kind::Token => &mut self.tokens,
        }
    }

    /// Takes the entry out that ends first, if `wanted` says so.
    fn forget_first(&mut self, wanted: impl FnOnce(Timestamp) -> bool) -> Option<Timestamp> {
        let (end, _, _) = self.by_end.first()?;
        if !wanted(*end) {
            return None;
        }
        let (end, kind, value) = self.by_end.pop_first()?;
        self.of(kind).remove(&value);
        Some(end)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revocations({})", self.len())
    }
}

impl Revocations {
    /// Nothing is revoked yet.
    pub fn new(clock: Clock) -> Self {
        Self::with_room(clock, MOST)
    }

    fn with_room(clock: Clock, most: usize) -> Self {
        Self {
            set: Arc::new(RwLock::new(Set {
                sessions: HashMap::new(),
                tokens: HashMap::new(),
                by_end: BTreeSet::new(),
                given_up: Timestamp::MIN,
            })),
            clock,
            most,
        }
    }

    /// Every token of this log-in (`sid`) is worth nothing. `until` is when the last of them has ended
    /// by itself.
    pub fn revoke_session(&self, session: &str, until: Timestamp) {
        self.add(Kind::Session, session, until);
    }

    /// The token of this id (`jti`) is worth nothing. `until` is when it has ended by itself.
    pub fn revoke_token(&self, token: &str, until: Timestamp) {
        self.add(Kind::Token, token, until);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.read(|set| set.by_end.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn refuses(&self, verified: &Verified) -> bool {
        let session = verified.identity.session();
        self.read(|set| {
            session.is_some_and(|session| set.sessions.contains_key(session))
                || set.tokens.contains_key(verified.token_id.as_str())
                || verified.expires_at <= set.given_up
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Set) -> T) -> T {
        look(&self.set.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, kind: Kind, value: &str, until: Timestamp) {
        let now = self.clock.now();
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let set = &mut *set;
        while set.forget_first(|end| end <= now).is_some() {}
        let value: Arc<str> = value.into();
        let known = set.of(kind).get(&value).copied();
        if until <= now || known.is_some_and(|known| known >= until) {
            return;
        }
        if let Some(known) = known {
            set.by_end.remove(&(known, kind, Arc::clone(&value)));
        }
        set.of(kind).insert(Arc::clone(&value), until);
        set.by_end.insert((until, kind, value));
        while set.by_end.len() > self.most {
            // Refused too often rather than accepted once too often.
            let end = set.forget_first(|_| true);
            set.given_up = end.map_or(set.given_up, |end| set.given_up.max(end));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Identity, Role};

    fn token(id: &str, session: Option<&str>, expires_at: Timestamp) -> Verified {
        let identity = Identity::new("usr_1".into(), Role::Agent, Vec::new());
        Verified {
            identity: match session {
                Some(session) => identity.within(session.to_owned()),
                None => identity,
            },
            expires_at,
            token_id: id.to_owned(),
        }
    }

    fn clock() -> Clock {
        Clock::manual("2026-12-01T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn an_entry_is_about_its_own_kind_and_forgotten_at_its_end() {
        let clock = clock();
        let revoked = Revocations::new(clock.clone());
        let (soon, later) = (
            clock.after(Duration::from_secs(60)),
            clock.after(Duration::from_secs(900)),
        );
        revoked.revoke_session("a", soon);
        revoked.revoke_token("b", later);
        assert!(revoked.refuses(&token("x", Some("a"), later)));
        assert!(revoked.refuses(&token("b", Some("x"), later)));
        assert!(!revoked.refuses(&token("a", Some("b"), later)));
        assert!(!revoked.refuses(&token("x", None, later)));
        // Told again with another end, it stays until the later one.
        revoked.revoke_session("a", later);
        revoked.revoke_session("a", soon);
        assert_eq!(revoked.len(), 2);
        clock.advance(Duration::from_secs(61));
        revoked.revoke_token("c", later);
        assert_eq!(revoked.len(), 3);
        clock.advance(Duration::from_secs(900));
        revoked.revoke_token("d", clock.now());
        assert!(revoked.is_empty());
    }

    #[test]
    fn without_room_tokens_are_refused_that_might_have_been_revoked_and_no_others() {
        let clock = clock();
        let revoked = Revocations::with_room(clock.clone(), 100);
        for n in 1..=150 {
            revoked.revoke_token(&format!("t{n}"), clock.after(Duration::from_secs(n)));
        }
        assert_eq!(revoked.len(), 100);
        for n in 1..=150 {
            let end = clock.after(Duration::from_secs(n));
            assert!(revoked.refuses(&token(&format!("t{n}"), None, end)), "{n}");
            let innocent = token(&format!("i{n}"), None, end);
            assert_eq!(revoked.refuses(&innocent), n <= 50, "{n}");
        }
    }
}
