//! What is known of each instance: from discovery, from active checks, from how requests ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::endpoint::{Endpoint, EndpointId, Target, Targets};
use crate::policy::EjectionPolicy;

/// Whether an instance is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is.
    Well,
    /// Not for a while: requests to it failed.
    Ejected,
    /// Not until active checks succeed again.
    Unwell,
    /// Never again: discovery knows it no more, but it has requests in hand.
    Draining,
}

impl Health {
    /// The name in metrics and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Ejected => "ejected",
            Self::Unwell => "unwell",
            Self::Draining => "draining",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Roster {
    pub(crate) members: Vec<Member>,
    /// Those that discovery no longer knows, until they have nothing in hand.
    pub(crate) leaving: Vec<Arc<Endpoint>>,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) target: Target,
    /// What active checks say; true until they say otherwise.
    checks_pass: bool,
    ejected_until: Option<Instant>,
    /// How often it was ejected, and when the last time ended.
    ejections: u32,
    returned: Option<Instant>,
    /// Since when it has been picked, if it came later than the first.
    pub(crate) warm_since: Option<Instant>,
}

impl Roster {
    pub(crate) fn replace(&mut self, targets: &Targets, now: Instant) {
        self.forget_idle();
        let mut old = std::mem::take(&mut self.members);
        // Who is there from the start has nobody to be spared by.
        let warm_since = (!old.is_empty()).then_some(now);
        for target in targets.iter() {
            let known = old.iter().position(|m| m.endpoint.id == target.id);
            let left = self.leaving.iter().position(|e| e.id == target.id);
            self.members.push(match (known, left) {
                (Some(index), _) => Member {
                    target: target.clone(),
                    ..old.swap_remove(index)
                },
                (None, Some(index)) => {
                    Member::new(self.leaving.swap_remove(index), target, warm_since)
                }
                (None, None) => Member::new(Endpoint::new(target.id.clone()), target, warm_since),
            });
        }
        self.leaving
            .extend(old.into_iter().map(|member| member.endpoint));
        self.forget_idle();
    }

    pub(crate) fn forget_idle(&mut self) {
        self.leaving.retain(|endpoint| endpoint.in_flight() > 0);
    }

    pub(crate) fn member(&mut self, endpoint: &Arc<Endpoint>) -> Option<&mut Member> {
        self.members
            .iter_mut()
            .find(|member| Arc::ptr_eq(&member.endpoint, endpoint))
    }

    pub(crate) fn ejected(&self, now: Instant) -> usize {
        let ejected = |member: &&Member| member.ejected_for(now).is_some();
        self.members.iter().filter(ejected).count()
    }

    /// Whether that is news.
    pub(crate) fn checked(&mut self, id: &EndpointId, well: bool, now: Instant) -> bool {
        let mut members = self.members.iter_mut();
        let Some(member) = members.find(|member| member.endpoint.id == *id) else {
            return false;
        };
        let news = member.checks_pass != well;
        member.checks_pass = well;
        if news && well {
            member.warm_since = Some(now);
        }
        news
    }

    /// Ends the ejections whose time is over.
    pub(crate) fn let_back(&mut self, now: Instant) {
        for member in &mut self.members {
            if member.ejected_until.is_some_and(|until| until <= now) {
                member.ejected_until = None;
                member.returned = Some(now);
                member.warm_since = Some(now);
                member.endpoint.succeeded();
            }
        }
    }
}

impl Member {
    fn new(endpoint: Arc<Endpoint>, target: &Target, warm_since: Option<Instant>) -> Self {
        Self {
            endpoint,
            target: target.clone(),
            checks_pass: true,
            ejected_until: None,
            ejections: 0,
            returned: None,
            warm_since,
        }
    }

    pub(crate) fn health(&self, now: Instant) -> Health {
        if !self.checks_pass {
            Health::Unwell
        } else if self.ejected_for(now).is_some() {
            Health::Ejected
        } else {
            Health::Well
        }
    }

    pub(crate) fn ejected_for(&self, now: Instant) -> Option<Duration> {
        let left = self.ejected_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// When the pool must be made anew for its sake.
    pub(crate) fn ejected_until(&self) -> Option<Instant> {
        self.ejected_until
    }

    /// Ejects it, each time for twice as long; who has behaved for the longest such time starts again.
    pub(crate) fn eject(&mut self, policy: &EjectionPolicy, now: Instant) -> Duration {
        let longest = Duration::from_millis(policy.max_ms.max(policy.base_ms));
        if self.returned.is_none_or(|at| at + longest <= now) {
            self.ejections = 0;
        }
        let doublings = 1_u32.checked_shl(self.ejections).unwrap_or(u32::MAX);
        let time = Duration::from_millis(policy.base_ms)
            .saturating_mul(doublings)
            .min(longest);
        self.ejections = self.ejections.saturating_add(1);
        self.ejected_until = Some(now + time);
        time
    }
}
