//! Different limits for different callers.

use crate::limiter::PolicyId;
use crate::template::Facts;

/// A policy, and others in its place for callers with certain values of one claim.
#[derive(Clone, Debug)]
pub struct PolicySet {
    claim: String,
    default: PolicyId,
    overrides: Vec<(String, PolicyId)>,
}

impl PolicySet {
    /// One policy for all.
    pub fn new(default: PolicyId, claim: impl Into<String>) -> Self {
        Self {
            claim: claim.into(),
            default,
            overrides: Vec::new(),
        }
    }

    /// Another policy for callers whose claim has this value. Who has several values gets the policy
    /// that was named first.
    #[must_use]
    pub fn with(mut self, value: impl Into<String>, policy: PolicyId) -> Self {
        self.overrides.push((value.into(), policy));
        self
    }

    /// The policy of this caller.
    pub fn policy_for(&self, facts: &Facts<'_>) -> PolicyId {
        let holds = |value: &str| facts.claims.contains(&(self.claim.as_str(), value));
        let found = self.overrides.iter().find(|(value, _)| holds(value));
        found.map_or(self.default, |(_, policy)| *policy)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Algorithm, Limiter, LimiterOptions, Mode, OnOutage, Policy};

    #[test]
    fn a_caller_has_the_policy_of_its_role_and_all_others_have_the_default() {
        let policy = |name: &str, quota| Policy {
            name: name.to_owned(),
            algorithm: Algorithm::SlidingWindow,
            quota,
            window: Duration::from_secs(60),
            mode: Mode::LocalFirst,
            on_outage: OnOutage::Local,
        };
        let options = LimiterOptions::new("memory:", "test");
        let policies = vec![
            policy("all", 10),
            policy("agents", 100),
            policy("staff", 50),
        ];
        let limiter = Limiter::open(&options, policies).unwrap();
        let id = |name| limiter.policy_id(name).unwrap();
        let set = PolicySet::new(id("all"), "role")
            .with("agent", id("agents"))
            .with("staff", id("staff"));
        let quota = |claims: &[(&str, &str)]| {
            let facts = Facts {
                claims,
                ..Facts::default()
            };
            limiter.policy(set.policy_for(&facts)).unwrap().quota
        };
        assert_eq!(quota(&[]), 10);
        assert_eq!(quota(&[("role", "agent")]), 100);
        assert_eq!(quota(&[("role", "staff"), ("role", "agent")]), 100);
        assert_eq!(quota(&[("plan", "agent")]), 10);
        assert_eq!(quota(&[("role", "guest")]), 10);
    }
}
