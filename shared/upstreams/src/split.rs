//! Which of several services gets a request, by shares; and which request a shadow gets too.

use crate::dice::{Dice, mix};
use crate::outcome::Repeat;

/// Shares of requests between services, such as 90 and 10.
#[derive(Debug)]
pub struct Split {
    /// The sums of the shares up to and with each.
    upto: Vec<u64>,
    dice: Dice,
}

impl Split {
    /// Of the shares of each, in their order. `None` if they are all 0 or there is none.
    pub fn new(shares: &[u32]) -> Option<Self> {
        let mut sum = 0;
        let upto: Vec<u64> = shares
            .iter()
            .map(|share| {
                sum += u64::from(*share);
                sum
            })
            .collect();
        (sum > 0).then_some(Self {
            upto,
            dice: Dice::new(),
        })
    }

    /// The position of the one that gets this request.
    pub fn any(&self) -> usize {
        self.at(self.dice.below(self.total()))
    }

    /// The position of the one that gets the requests with this key: always the same. When a later
    /// share grows at the cost of the first, whoever was in it stays in it.
    pub fn of(&self, key: &str) -> usize {
        // FNV-1a, spread: the same in every process and every version.
        let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3_u64)
        });
        let wide = u128::from(mix(hash)) * u128::from(self.total());
        self.at(u64::try_from(wide >> 64).unwrap_or_default())
    }

    fn at(&self, point: u64) -> usize {
        self.upto.partition_point(|upto| *upto <= point)
    }

    fn total(&self) -> u64 {
        self.upto.last().copied().unwrap_or_default()
    }
}

/// Sends a share of requests to a second service as well, whose answers nobody sees.
#[derive(Debug)]
pub struct Shadow {
    per_10_000: u32,
    dice: Dice,
}

impl Shadow {
    /// Of so many of ten thousand requests.
    pub fn new(per_10_000: u32) -> Self {
        Self {
            per_10_000,
            dice: Dice::new(),
        }
    }

    /// Whether this request is among them. Only one with a safe method ever is: a shadow that books,
    /// books twice.
    pub fn takes(&self, repeat: Repeat) -> bool {
        repeat == Repeat::Safe && self.dice.below(10_000) < u64::from(self.per_10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_share() {
        let split = Split::new(&[90, 0, 10]).unwrap();
        let mut counts = [0_u32; 3];
        for _ in 0..100_000 {
            counts[split.any()] += 1;
        }
        assert!((9_500..=10_500).contains(&counts[2]), "{counts:?}");
        assert_eq!(counts[1], 0);
        assert!(Split::new(&[]).is_none() && Split::new(&[0, 0]).is_none());
    }

    #[test]
    fn who_was_among_the_first_ten_percent_is_among_the_fifty() {
        let (few, half) = (
            Split::new(&[90, 10]).unwrap(),
            Split::new(&[50, 50]).unwrap(),
        );
        let keys: Vec<String> = (0..10_000).map(|n| format!("acct_{n}")).collect();
        let new: Vec<&String> = keys.iter().filter(|key| few.of(key) == 1).collect();
        assert!((900..=1_100).contains(&new.len()), "{}", new.len());
        assert!(new.iter().all(|key| few.of(key) == 1 && half.of(key) == 1));
        let in_half = keys.iter().filter(|key| half.of(key) == 1).count();
        assert!((4_800..=5_200).contains(&in_half), "{in_half}");
    }

    #[test]
    fn a_key_goes_to_the_same_one_in_every_version() {
        let split = Split::new(&[1, 1, 1, 1]).unwrap();
        let places: Vec<usize> = ["", "a", "b", "acct_1", "acct_2"]
            .iter()
            .map(|key| split.of(key))
            .collect();
        assert_eq!(places, [3, 0, 0, 2, 3]);
    }

    #[test]
    fn a_shadow_gets_its_sample_and_never_what_changes_something() {
        let shadow = Shadow::new(500);
        let taken = |repeat| (0..100_000).filter(|_| shadow.takes(repeat)).count();
        assert!((4_700..=5_300).contains(&taken(Repeat::Safe)));
        assert_eq!((taken(Repeat::Unseen), taken(Repeat::Never)), (0, 0));
        assert!(!Shadow::new(0).takes(Repeat::Safe));
        assert!(Shadow::new(10_000).takes(Repeat::Safe));
    }
}
