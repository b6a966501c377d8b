//! Random numbers for choices that nobody must be able to repeat but a test: no lock, no allocation.

use std::sync::atomic::{AtomicU64, Ordering};

/// A sequence shared by all threads: SplitMix64 (Steele, Lea and Flood, 2014) over one counter.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    /// Different each time.
    pub(crate) fn new() -> Self {
        Self::seeded(rand::random())
    }

    /// The same numbers for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `bound`; 0 if that is 0.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.hand().below(bound)
    }

    /// Numbers of one's own, for which the other threads are not asked again.
    pub(crate) fn hand(&self) -> Hand {
        Hand(mix(self.0.fetch_add(STEP, Ordering::Relaxed)))
    }
}

/// A sequence of its own; see [`Dice::hand`].
#[derive(Debug)]
pub(crate) struct Hand(u64);

impl Hand {
    /// As [`Dice::below`].
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.0) * u128::from(bound);
        self.0 = mix(self.0.wrapping_add(STEP));
        u64::try_from(wide >> 64).unwrap_or_default()
    }
}

/// The golden ratio, as SplitMix64 has it.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads a number over all bits.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_of_a_hand_says_nothing_of_the_next() {
        let dice = Dice::seeded(1);
        let mut counts = [[0_u32; 4]; 4];
        for _ in 0..160_000 {
            let mut hand = dice.hand();
            let first = usize::try_from(hand.below(4)).unwrap();
            counts[first][usize::try_from(hand.below(4)).unwrap()] += 1;
        }
        // Chi-squared with 15 degrees of freedom: 37.7 is exceeded once in 1,000 even draws.
        let pairs = counts.iter().flatten();
        let chi: f64 = pairs
            .map(|n| (f64::from(*n) - 10_000.0).powi(2) / 10_000.0)
            .sum();
        assert!(chi < 37.7, "{counts:?}");
    }

    #[test]
    fn every_number_below_the_bound_comes_up_equally_often() {
        let dice = Dice::seeded(1);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            let number = usize::try_from(dice.below(7)).unwrap();
            counts[number] += 1;
        }
        // Chi-squared with 6 degrees of freedom: 22.5 is exceeded once in 1,000 even draws.
        let chi: f64 = counts
            .iter()
            .map(|n| (f64::from(*n) - 10_000.0).powi(2) / 10_000.0)
            .sum();
        assert!(chi < 22.5, "{counts:?}");
        assert_eq!(dice.below(0), 0);
    }
}
