//! Who may be picked now, in a form in which a pick is cheap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::dice::{Dice, Hand};
use crate::endpoint::{Endpoint, EndpointId};
use crate::roster::{Health, Member};

/// How often a draw that was no good is made again before the best of it is made.
const DRAWS: usize = 4;
/// What a weight of 1 is while all of it counts; a joining instance begins with a tenth.
const FULL: u64 = 1_000;
const FIRST: u64 = FULL / 10;

/// An immutable choice of instances.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    slots: Vec<Slot>,
    /// The sum of all weights.
    total: u64,
    /// Whether health is not looked at.
    pub(crate) panic: bool,
    /// When somebody's ejection ends.
    stale_at: Option<Instant>,
}

#[derive(Debug)]
struct Slot {
    endpoint: Arc<Endpoint>,
    weight: u64,
    /// The sum of the weights up to and with this one.
    upto: u64,
    warm_since: Option<Instant>,
}

impl Pool {
    /// The instances of the lowest priority number of which enough are well; if there is no such number,
    /// all of the lowest, well or not: what is unwell may serve, what is overrun will not.
    ///
    /// RFC 2782 lets a client try the next number only when a lower one cannot be reached. Here that is
    /// so once less than `panic_percent` of it can be: the rest would not stand the requests of all.
    pub(crate) fn of(members: &[Member], panic_percent: u8, now: Instant) -> Self {
        let mut tiers: BTreeMap<u16, Vec<&Member>> = BTreeMap::new();
        for member in members {
            tiers
                .entry(member.target.priority)
                .or_default()
                .push(member);
        }
        let mut pool = Self {
            stale_at: members.iter().filter_map(Member::ejected_until).min(),
            ..Self::default()
        };
        for tier in tiers.values() {
            let is_well = |member: &&&Member| member.health(now) == Health::Well;
            let well: Vec<&Member> = tier.iter().filter(is_well).copied().collect();
            if !well.is_empty() && well.len() * 100 >= tier.len() * usize::from(panic_percent) {
                pool.fill(&well);
                return pool;
            }
        }
        if let Some(first) = tiers.values().next() {
            pool.panic = true;
            pool.fill(first);
        }
        pool
    }

    fn fill(&mut self, members: &[&Member]) {
        for member in members {
            let weight = u64::from(member.target.weight.max(1));
            self.total += weight;
            self.slots.push(Slot {
                endpoint: member.endpoint.clone(),
                weight,
                upto: self.total,
                warm_since: member.warm_since,
            });
        }
    }

    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        self.stale_at.is_some_and(|at| at <= now)
    }

    /// The less busy one, for its weight, of two drawn by weight.
    pub(crate) fn choose(
        &self,
        dice: &Dice,
        now: Instant,
        slow_start: Duration,
        except: Option<&EndpointId>,
    ) -> Option<&Arc<Endpoint>> {
        if let [only] = self.slots.as_slice() {
            return (Some(&only.endpoint.id) != except).then_some(&only.endpoint);
        }
        let mut hand = dice.hand();
        let first = self.draw(&mut hand, now, slow_start, except, None)?;
        let Some(second) = self.draw(&mut hand, now, slow_start, except, Some(first)) else {
            return Some(&first.endpoint);
        };
        let load = |slot: &Slot, other: &Slot| {
            u64::from(slot.endpoint.in_flight())
                .saturating_mul(other.weight)
                .saturating_mul(other.warmth(now, slow_start))
        };
        // On equal terms the first stays: it was drawn by weight alone.
        let chosen = if load(second, first) < load(first, second) {
            second
        } else {
            first
        };
        Some(&chosen.endpoint)
    }

    fn draw(
        &self,
        hand: &mut Hand,
        now: Instant,
        slow_start: Duration,
        except: Option<&EndpointId>,
        other_than: Option<&Slot>,
    ) -> Option<&Slot> {
        let fits = |slot: &Slot| {
            other_than.is_none_or(|other| !std::ptr::eq(other, slot))
                && except.is_none_or(|id| slot.endpoint.id != *id)
        };
        let mut last = None;
        for _ in 0..DRAWS {
            let point = hand.below(self.total);
            let index = self.slots.partition_point(|slot| slot.upto <= point);
            let Some(slot) = self.slots.get(index).filter(|slot| fits(slot)) else {
                continue;
            };
            last = Some(slot);
            let warmth = slot.warmth(now, slow_start);
            if warmth == FULL || hand.below(FULL) < warmth {
                return last;
            }
        }
        last.or_else(|| self.slots.iter().find(|slot| fits(slot)))
    }
}

impl Slot {
    /// How much of its weight counts by now, out of [`FULL`].
    fn warmth(&self, now: Instant, slow_start: Duration) -> u64 {
        let Some(since) = self.warm_since else {
            return FULL;
        };
        let for_now = now.saturating_duration_since(since);
        if for_now >= slow_start {
            return FULL;
        }
        let part = for_now.as_micros().saturating_mul(u128::from(FULL - FIRST))
            / slow_start.as_micros().max(1);
        FIRST + u64::try_from(part).unwrap_or(FULL - FIRST)
    }
}
