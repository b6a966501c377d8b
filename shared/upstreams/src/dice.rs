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
        let wide = u128::from(self.roll()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    fn roll(&self) -> u64 {
        mix(self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }
}

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
