//! What is left to sell of one supplier. Items are named by the supplier's simulator; an item that
//! nobody has touched has the number of units that the world gives it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A number of units of one item, as sold together in one order.
pub(crate) type Units = (String, u32);

/// The remaining units by item.
pub(crate) struct Inventory {
    seed: u64,
    capacity: fn(u64, &str) -> u32,
    remaining: Mutex<BTreeMap<String, u32>>,
}

impl Inventory {
    /// An untouched inventory; `capacity` tells how many units an item has at first.
    pub(crate) fn new(seed: u64, capacity: fn(u64, &str) -> u32) -> Self {
        Self {
            seed,
            capacity,
            remaining: Mutex::new(BTreeMap::new()),
        }
    }

    /// How many units of `item` there are before any sale; 0 means that no such item can exist.
    pub(crate) fn capacity(&self, item: &str) -> u32 {
        (self.capacity)(self.seed, item)
    }

    /// Units left of `item`; from now on the item is listed.
    pub(crate) fn show(&self, item: &str) -> u32 {
        let mut remaining = self.lock();
        if let Some(units) = remaining.get(item) {
            return *units;
        }
        let units = self.capacity(item);
        remaining.insert(item.to_owned(), units);
        units
    }

    /// Units left of `item` if it was shown, sold or set; none if it is as the world made it.
    pub(crate) fn touched(&self, item: &str) -> Option<u32> {
        self.lock().get(item).copied()
    }

    /// Takes all of `wanted` or nothing; `false` when anything is short.
    pub(crate) fn take(&self, wanted: &[Units]) -> bool {
        let mut remaining = self.lock();
        let mut after = BTreeMap::new();
        for (item, units) in wanted {
            let left = after
                .get(item)
                .or_else(|| remaining.get(item))
                .copied()
                .unwrap_or_else(|| self.capacity(item));
            match left.checked_sub(*units) {
                Some(left) => after.insert(item.clone(), left),
                None => return false,
            };
        }
        remaining.extend(after);
        true
    }

    /// Puts `units` back on sale.
    pub(crate) fn give_back(&self, units: &[Units]) {
        let mut remaining = self.lock();
        for (item, count) in units {
            let left = remaining
                .entry(item.clone())
                .or_insert_with(|| self.capacity(item));
            *left = left.saturating_add(*count);
        }
    }

    /// Says how many units of `item` are left from now on.
    pub(crate) fn set(&self, item: &str, units: u32) {
        self.lock().insert(item.to_owned(), units);
    }

    /// Every item that was shown, sold or set, with what is left of it.
    pub(crate) fn list(&self) -> Vec<Units> {
        self.lock()
            .iter()
            .map(|(item, units)| (item.clone(), *units))
            .collect()
    }

    /// Forgets every sale and setting.
    pub(crate) fn reset(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.remaining
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_of_two_items_takes_both_or_neither() {
        let inventory = Inventory::new(0, |_, _| 2);
        let both = |n| vec![("a".to_owned(), 1), ("b".to_owned(), n)];
        assert!(!inventory.take(&both(3)));
        assert_eq!(inventory.show("a"), 2);
        assert!(inventory.take(&both(2)));
        assert_eq!((inventory.show("a"), inventory.show("b")), (1, 0));
        inventory.give_back(&both(2));
        assert_eq!((inventory.show("a"), inventory.show("b")), (2, 2));
    }
}
