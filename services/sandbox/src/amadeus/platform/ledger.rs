//! The orders of one Amadeus API: by id, by record locator, and by the queue that they asked for.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::inventory::Units;

/// A queue of the office: its number and category.
pub(crate) type Queue = (String, String);

/// An order, as it is also kept in the journal.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    /// The record locator.
    pub(crate) reference: String,
    /// The order as Amadeus shows it.
    pub(crate) shown: Value,
    pub(crate) units: Vec<Units>,
    pub(crate) total: i64,
    pub(crate) currency: String,
    pub(crate) client_reference: Option<String>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) created_at: Timestamp,
    pub(crate) visible_at: Timestamp,
    pub(crate) cancelled: bool,
}

/// What is left of a cancelled order.
#[derive(Clone, Copy)]
pub(crate) enum Cancelled {
    /// Nothing.
    Gone,
    /// The order, changed.
    Shown(fn(&mut Value)),
}

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) orders: HashMap<String, Order>,
    /// Ids, oldest first.
    pub(crate) ids: Vec<String>,
    /// Every record locator that was given out.
    pub(crate) references: HashSet<String>,
    by_reference: HashMap<String, String>,
}

impl Ledger {
    pub(crate) fn add(&mut self, order: Order) {
        self.references.insert(order.reference.clone());
        self.by_reference
            .insert(order.reference.clone(), order.id.clone());
        self.ids.push(order.id.clone());
        self.orders.insert(order.id.clone(), order);
    }

    pub(crate) fn by_reference(&self, reference: &str) -> Option<&Order> {
        self.orders.get(self.by_reference.get(reference)?)
    }
}
