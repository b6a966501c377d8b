//! When a key does what. A key is published from the moment it is made, signs from `signs_from` until
//! the next one does, and stays published until the last token that it signed is dead.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Beyond the life of a token: the verifiers' clocks, and a request that was under way.
const MARGIN: Duration = Duration::from_secs(120);

/// A key's place in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyTimes {
    pub(super) kid: String,
    pub(super) generation: i64,
    pub(super) made_at: Timestamp,
    pub(super) signs_from: Timestamp,
    pub(super) withdrawn_at: Option<Timestamp>,
}

/// What a key does at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Published, and will sign.
    Next,
    /// Signs.
    Signing,
    /// Signs no more; tokens that it signed are alive.
    Verifying,
    /// Its last token is dead; it is not published any more.
    Retired,
    /// Compromised: not published, whatever it signed is refused.
    Withdrawn,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Signing => "signing",
            Self::Verifying => "verifying",
            Self::Retired => "retired",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub(super) fn is_published(self) -> bool {
        matches!(self, Self::Next | Self::Signing | Self::Verifying)
    }
}

/// The instant `by` later; the far future if that overflows.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

/// The key that signs now, of keys in the order of their generations. Where none has begun, because this
/// machine's clock is behind that of the one that made them, the oldest.
pub(super) fn signing(keys: &[KeyTimes], now: Timestamp) -> Option<&KeyTimes> {
    let mut usable = keys.iter().filter(|key| key.withdrawn_at.is_none());
    let begun = usable.clone().rfind(|key| key.signs_from <= now);
    begun.or_else(|| usable.next())
}

/// When a key stops signing: when the next one begins. None while there is no next one.
pub(super) fn signs_until(keys: &[KeyTimes], key: &KeyTimes) -> Option<Timestamp> {
    let after = keys
        .iter()
        .filter(|other| other.generation > key.generation);
    after.map(|other| other.signs_from).min()
}

/// Until when a key is published; `life` is that of a token.
pub(super) fn published_until(
    keys: &[KeyTimes],
    key: &KeyTimes,
    life: Duration,
) -> Option<Timestamp> {
    let until = signs_until(keys, key)?;
    Some(later(until, life.saturating_add(MARGIN)))
}

/// What a key does now.
pub(super) fn state(keys: &[KeyTimes], key: &KeyTimes, life: Duration, now: Timestamp) -> State {
    if key.withdrawn_at.is_some() {
        return State::Withdrawn;
    }
    match signing(keys, now) {
        Some(signer) if signer.kid == key.kid => State::Signing,
        Some(signer) if key.generation > signer.generation => State::Next,
        _ => match published_until(keys, key, life) {
            Some(until) if until <= now => State::Retired,
            _ => State::Verifying,
        },
    }
}

/// From when on the next key is to be made: so long before the newest has signed for `every` as a key is
/// published before it signs.
pub(super) fn next_due(
    keys: &[KeyTimes],
    every: Duration,
    publish_ahead: Duration,
) -> Option<Timestamp> {
    let newest = keys.last()?;
    Some(later(
        newest.signs_from,
        every.saturating_sub(publish_ahead),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(900);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key(generation: i64, made: i64, signs: i64) -> KeyTimes {
        KeyTimes {
            kid: format!("k{generation}"),
            generation,
            made_at: at(made),
            signs_from: at(signs),
            withdrawn_at: None,
        }
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_until_its_last_token_is_dead() {
        let keys = [key(1, 0, 0), key(2, 1000, 1600)];
        let states = |second: i64| {
            let state = |key| state(&keys, key, LIFE, at(second));
            (state(&keys[0]), state(&keys[1]))
        };
        assert_eq!(states(1000), (State::Signing, State::Next));
        assert_eq!(states(1599), (State::Signing, State::Next));
        assert_eq!(states(1600), (State::Verifying, State::Signing));
        assert_eq!(states(1600 + 900 + 119), (State::Verifying, State::Signing));
        assert_eq!(states(1600 + 900 + 120), (State::Retired, State::Signing));
        assert!(State::Next.is_published() && !State::Retired.is_published());
    }

    #[test]
    fn a_withdrawn_key_neither_signs_nor_is_published_and_a_slow_clock_still_has_a_signer() {
        let mut keys = [key(1, 0, 0), key(2, 1000, 1000)];
        keys[0].withdrawn_at = Some(at(1000));
        assert_eq!(signing(&keys, at(999)).unwrap().kid, "k2");
        assert_eq!(state(&keys, &keys[0], LIFE, at(1001)), State::Withdrawn);
        assert_eq!(state(&keys, &keys[1], LIFE, at(999)), State::Signing);
    }

    #[test]
    fn the_next_key_is_made_so_early_that_it_signs_on_time() {
        let keys = [key(1, 0, 0)];
        let day = Duration::from_secs(86_400);
        let due = next_due(&keys, day, Duration::from_secs(600)).unwrap();
        assert_eq!(due, at(86_400 - 600));
    }
}
