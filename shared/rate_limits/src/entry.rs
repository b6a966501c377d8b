//! One key: what is known of it, and what of that Redis is still to be told.

use crate::rule::{Rule, Shared, State, Verdict};

/// What all shards of a policy go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) rule: Rule,
    /// The most keys of one shard.
    pub(crate) capacity: usize,
    /// How what is spent is reconciled; none without Redis.
    pub(crate) sharing: Option<Sharing>,
}

/// Spending between two exchanges with Redis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sharing {
    /// Into how many parts the known room is divided.
    pub(crate) parts: u64,
    /// When a request rejected for its part may come again, in microseconds.
    pub(crate) wait: u64,
}

/// What is to be told to Redis of one key.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) hash: u64,
    pub(crate) key: Box<str>,
    pub(crate) news: News,
}

/// What Redis is told.
#[derive(Debug)]
pub(crate) enum News {
    /// Spent since the last exchange.
    Spent(u64),
    /// The whole state, because an earlier exchange failed or Redis forgot.
    Whole(Shared),
}

/// What Redis holds of one key after it was told.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) existed: bool,
    pub(crate) shared: Shared,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) hash: u64,
    pub(crate) key: Box<str>,
    pub(crate) state: State,
    /// How much may be used in all until the next exchange, as [`Rule::full`] counts.
    ceiling: u64,
    /// Spent and not yet told.
    pub(crate) pending: u64,
    /// In the list of what is to be told.
    listed: bool,
    /// Told and not yet answered.
    told: bool,
    /// The whole state is to be told.
    whole: bool,
}

impl Entry {
    pub(crate) fn new(hash: u64, key: &str) -> Self {
        Self {
            hash,
            key: key.into(),
            state: State::default(),
            ceiling: 0,
            pending: 0,
            listed: false,
            told: false,
            whole: false,
        }
    }

    pub(crate) fn spend(
        &mut self,
        terms: &Terms,
        cost: u32,
        now: u64,
        listed: &mut Vec<u64>,
    ) -> Verdict {
        let rule = &terms.rule;
        let full = rule.full();
        let Some(sharing) = terms.sharing else {
            return rule.spend(&mut self.state, cost, full, now);
        };
        // One request may use all the room that is known: it may cost more than a part.
        let limit = if self.pending == 0 && !self.told {
            self.set_ceiling(terms, now);
            full
        } else {
            self.ceiling
        };
        let mut verdict = rule.spend(&mut self.state, cost, limit, now);
        if verdict.allowed {
            self.pending += u64::from(cost);
            if cost > 0 {
                self.list(listed);
            }
        } else if verdict.retry_after == 0 {
            verdict.retry_after = sharing.wait;
            // Its next part comes with the next exchange, so there must be one.
            self.list(listed);
        }
        verdict
    }

    /// Divides the room that is known.
    fn set_ceiling(&mut self, terms: &Terms, now: u64) {
        let full = terms.rule.full();
        let used = terms.rule.used(&mut self.state, now).min(full);
        let parts = terms.sharing.map_or(1, |sharing| sharing.parts);
        self.ceiling = used + (full - used).div_ceil(parts.max(1));
    }

    fn list(&mut self, listed: &mut Vec<u64>) {
        if !self.listed {
            self.listed = true;
            listed.push(self.hash);
        }
    }

    pub(crate) fn change(&mut self, terms: &Terms, now: u64) -> Option<Change> {
        if !std::mem::take(&mut self.listed) {
            return None;
        }
        self.told = true;
        let spent = std::mem::take(&mut self.pending);
        let news = if std::mem::take(&mut self.whole) {
            News::Whole(terms.rule.share(&mut self.state, now))
        } else {
            News::Spent(spent)
        };
        Some(Change {
            hash: self.hash,
            key: self.key.clone(),
            news,
        })
    }

    pub(crate) fn answered(
        &mut self,
        terms: &Terms,
        news: &News,
        answer: Option<&Answer>,
        now: u64,
        listed: &mut Vec<u64>,
    ) {
        self.told = false;
        match answer {
            Some(answer) => {
                if answer.existed || matches!(news, News::Whole(_)) {
                    terms.rule.adopt(&mut self.state, &answer.shared, now);
                    terms.rule.charge(&mut self.state, self.pending, now);
                } else {
                    // Redis has just heard of the key, or has lost it and knows less.
                    self.whole = self.has_more(terms, news, now);
                }
            }
            // Whether it was counted is not known. Told again it might count twice, and again and
            // again with a slow Redis; the whole state counts once.
            None => self.whole = true,
        }
        if self.whole {
            self.list(listed);
        }
        self.set_ceiling(terms, now);
    }

    /// Whether more was used than what Redis was told and will be told anyway.
    fn has_more(&mut self, terms: &Terms, news: &News, now: u64) -> bool {
        let spent = match news {
            News::Spent(spent) => *spent,
            News::Whole(_) => 0,
        };
        let mut told = State::default();
        terms.rule.charge(&mut told, spent + self.pending, now);
        terms.rule.used(&mut self.state, now) > terms.rule.used(&mut told, now)
    }
}
