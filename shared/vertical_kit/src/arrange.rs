//! What several suppliers gave, arranged for one reader: aligned by the vertical, filtered, shown in the
//! wanted currency, the same thing from several suppliers merged, ranked and grouped.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::{Db, Migration, StoreError};
use travel_types::{Currency, Money, OfferId};
use utoipa::ToSchema;

use crate::Offer;
use crate::offer_store::StoredOffer;
use crate::rates::RateTable;

/// How offers of several suppliers lie side by side in a vertical.
#[async_trait]
pub trait Assortment: Send + Sync {
    /// The tables that it keeps beside the kit's, as a named set.
    fn migrations(&self) -> Option<(&'static str, &'static [Migration])>;

    /// Gives things what can only be said with all suppliers in view, e.g. one id to the same hotel.
    /// Also called with a single offer that was priced again, and with an order.
    ///
    /// # Errors
    /// When its tables cannot be read or written.
    async fn align(&self, db: &Db, described: &mut [Described<'_>]) -> Result<(), StoreError>;

    /// What makes two offers of different suppliers the same thing: equal texts. The cheaper is shown,
    /// the other is named in its `also_from`. None: this offer is like no other.
    fn same(&self, offer: &Offer) -> Option<String>;
}

/// What a supplier says of an offer or an order.
pub struct Described<'a> {
    /// The supplier's configuration key.
    pub supplier: &'a str,
    /// The vertical's own part, in its public shape.
    pub details: &'a mut Value,
}

impl<'a> From<&'a mut Offer> for Described<'a> {
    fn from(offer: &'a mut Offer) -> Self {
        Self {
            supplier: &offer.supplier,
            details: &mut offer.details,
        }
    }
}

/// Whether an offer is wanted.
pub type Filter = Arc<dyn Fn(&Offer) -> bool + Send + Sync>;

/// An order of offers: best first.
pub type Comparison = fn(&Offer, &Offer) -> Ordering;

/// How offers are ranked.
#[derive(Clone, Copy)]
pub enum Sort {
    /// Cheapest first, whatever their currencies.
    Price,
    /// Dearest first.
    PriceDown,
    /// By the vertical's own order, then cheapest first.
    By(Comparison),
}

/// Offers that are shown together.
#[derive(Clone)]
pub struct Grouping {
    /// Its name as the value of `group_by`.
    pub name: &'static str,
    /// What the members of a group share; offers without it stand alone.
    pub key: fn(&Offer) -> Option<String>,
    /// The group as it is answered, from its members, best first.
    pub show: fn(Vec<Offer>) -> Value,
}

/// How a search is answered.
pub struct SearchOptions {
    /// How offers are ranked.
    pub sort: Sort,
    /// Decides between equals.
    pub tie: Comparison,
    /// Which offers are wanted.
    pub filter: Option<Filter>,
    /// Offers, or groups, per page.
    pub limit: u32,
    /// The currency in which prices are shown beside the supplier's own.
    pub currency: Option<Currency>,
    /// Which offers are shown together.
    pub group: Option<Grouping>,
}

/// The same thing from another supplier. It can be priced and ordered like any offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alternative {
    /// The other supplier's configuration key.
    #[schema(example = "amadeus")]
    pub supplier: String,
    /// Its offer.
    pub offer_id: OfferId,
    /// What it costs there.
    pub total: Money,
}

/// Positions of one group: more than any group has members.
const STRIDE: i64 = 1_000_000;

/// The first position of the item at `index`.
pub(crate) fn place(index: i64) -> i64 {
    index.saturating_mul(STRIDE)
}

/// The item that a position belongs to.
pub(crate) fn index(position: i64) -> i64 {
    position / STRIDE
}

/// What arranging works with.
pub(crate) struct Shelf<'a> {
    pub(crate) assortment: &'a dyn Assortment,
    pub(crate) db: &'a Db,
    pub(crate) rates: Option<&'a RateTable>,
    /// The most offers that are kept.
    pub(crate) keep: usize,
}

/// Offers in their places.
pub(crate) struct Arranged {
    /// By position, ascending. Offers of one group share the item's index.
    pub(crate) places: Vec<(i64, StoredOffer)>,
    /// Merged into others; kept, so that they can be ordered, but not listed.
    pub(crate) alternatives: Vec<StoredOffer>,
    /// How many items there are: groups, or offers.
    pub(crate) total: i64,
}

impl Shelf<'_> {
    /// Arranges what was found, and says in `meta` what was done to it.
    ///
    /// # Errors
    /// The assortment's.
    pub(crate) async fn arrange(
        &self,
        mut offers: Vec<StoredOffer>,
        options: &SearchOptions,
        meta: &mut Map<String, Value>,
    ) -> Result<Arranged, StoreError> {
        let all = offers.iter_mut();
        let mut all: Vec<_> = all.map(|one| Described::from(&mut one.offer)).collect();
        self.assortment.align(self.db, &mut all).await?;
        if let Some(filter) = &options.filter {
            let before = offers.len();
            offers.retain(|stored| filter(&stored.offer));
            meta.insert("filtered".to_owned(), json!(before - offers.len()));
        }
        if let Some(currency) = options.currency {
            for stored in &mut offers {
                let total = stored.offer.total;
                stored.offer.converted =
                    self.rates.and_then(|rates| rates.convert(total, currency));
            }
            meta.insert("currency".to_owned(), self.conversion(currency));
        }
        let mut priced = self.priced(offers, options.currency);
        priced.sort_by(|a, b| by_price(a, b, options.tie));
        let (mut priced, alternatives) = self.merge(priced);
        meta.insert("merged".to_owned(), json!(alternatives.len()));
        match options.sort {
            Sort::Price => {}
            Sort::PriceDown => priced.sort_by(|a, b| by_price(b, a, options.tie)),
            Sort::By(order) => priced.sort_by(|a, b| order(&a.stored.offer, &b.stored.offer)),
        }
        let listed = priced.len();
        let groups = match &options.group {
            None => priced.into_iter().map(|one| vec![one.stored]).collect(),
            Some(group) => {
                meta.insert("group_by".to_owned(), group.name.into());
                grouped(priced, group.key)
            }
        };
        let groups = first_of(groups, self.keep);
        let kept: usize = groups.iter().map(Vec::len).sum();
        if kept < listed {
            meta.insert("left_out".to_owned(), json!(listed - kept));
        }
        let alternatives = keep_named(alternatives, groups.iter().flatten());
        Ok(Arranged {
            total: i64::try_from(groups.len()).unwrap_or(i64::MAX),
            places: (0..)
                .zip(groups)
                .flat_map(|(index, members)| (place(index)..).zip(members))
                .collect(),
            alternatives,
        })
    }

    /// What `meta` says about the wanted currency.
    fn conversion(&self, currency: Currency) -> Value {
        match self.rates {
            Some(rates) if !rates.knows(currency) => json!({
                "shown": null,
                "reason": format!("{} states no rate for {}: prices are in the currencies of the suppliers.", rates.source, currency.code()),
            }),
            Some(rates) => json!({
                "shown": currency.code(),
                "rate_date": rates.date.to_string(),
                "source": rates.source,
            }),
            None => json!({
                "shown": null,
                "reason": "No exchange rates are known at present: prices are in the currencies of the suppliers.",
            }),
        }
    }

    /// Makes prices of several currencies comparable.
    fn priced(&self, offers: Vec<StoredOffer>, wanted: Option<Currency>) -> Vec<Priced> {
        let first = offers.first().map(|stored| stored.offer.total.currency());
        let mixed = offers
            .iter()
            .any(|stored| Some(stored.offer.total.currency()) != first);
        let common = if mixed { wanted.or(first) } else { None };
        offers
            .into_iter()
            .map(|stored| {
                let total = stored.offer.total;
                let common =
                    common.and_then(|currency| Some(self.rates?.convert(total, currency)?.total));
                Priced {
                    price: common.unwrap_or(total),
                    stored,
                }
            })
            .collect()
    }

    /// Merges what is the same thing from several suppliers. The offers come cheapest first.
    fn merge(&self, priced: Vec<Priced>) -> (Vec<Priced>, Vec<StoredOffer>) {
        let mut shown: Vec<Priced> = Vec::with_capacity(priced.len());
        let mut alternatives = Vec::new();
        let mut by_key: HashMap<String, usize> = HashMap::new();
        for one in priced {
            let key = self.assortment.same(&one.stored.offer);
            let cheapest = match key.map(|key| by_key.entry(key)) {
                None => None,
                Some(Entry::Vacant(free)) => {
                    free.insert(shown.len());
                    None
                }
                Some(Entry::Occupied(taken)) => shown.get_mut(*taken.get()),
            };
            match cheapest.map(|cheapest| &mut cheapest.stored.offer) {
                Some(cheapest) if !sells(cheapest, &one.stored.offer.supplier) => {
                    cheapest.also_from.push(Alternative {
                        supplier: one.stored.offer.supplier.clone(),
                        offer_id: one.stored.offer.id,
                        total: one.stored.offer.total,
                    });
                    alternatives.push(one.stored);
                }
                // One supplier that sells the same twice knows a difference that is not shown.
                _ => shown.push(one),
            }
        }
        (shown, alternatives)
    }
}

struct Priced {
    stored: StoredOffer,
    /// The price in a currency that all share, where that can be told.
    price: Money,
}

fn sells(offer: &Offer, supplier: &str) -> bool {
    offer.supplier == supplier || offer.also_from.iter().any(|also| also.supplier == supplier)
}

/// Equals stay in the order of their suppliers: sorts are stable.
fn by_price(a: &Priced, b: &Priced, tie: Comparison) -> Ordering {
    let currency = |priced: &Priced| priced.price.currency().code();
    currency(a)
        .cmp(currency(b))
        .then_with(|| a.price.minor().cmp(&b.price.minor()))
        .then_with(|| tie(&a.stored.offer, &b.stored.offer))
}

/// Alternatives of offers that were kept.
fn keep_named<'a>(
    mut alternatives: Vec<StoredOffer>,
    shown: impl Iterator<Item = &'a StoredOffer>,
) -> Vec<StoredOffer> {
    let named: HashSet<OfferId> = shown
        .flat_map(|stored| &stored.offer.also_from)
        .map(|also| also.offer_id)
        .collect();
    alternatives.retain(|stored| named.contains(&stored.offer.id));
    alternatives
}

/// A group stands where its best member would.
fn grouped(priced: Vec<Priced>, key: fn(&Offer) -> Option<String>) -> Vec<Vec<StoredOffer>> {
    let mut groups: Vec<Vec<StoredOffer>> = Vec::new();
    let mut by_key: HashMap<String, usize> = HashMap::new();
    for one in priced {
        let index = match key(&one.stored.offer) {
            Some(key) => *by_key.entry(key).or_insert(groups.len()),
            None => groups.len(),
        };
        match groups.get_mut(index) {
            Some(members) => members.push(one.stored),
            None => groups.push(vec![one.stored]),
        }
    }
    groups
}

/// The first groups that together have at most `keep` members: a group is kept whole or not at all, but
/// the first is cut rather than nothing kept.
fn first_of(mut groups: Vec<Vec<StoredOffer>>, keep: usize) -> Vec<Vec<StoredOffer>> {
    let mut kept = 0;
    let whole = groups.iter().take_while(|members| {
        kept += members.len();
        kept <= keep
    });
    let whole = whole.count();
    groups.truncate(whole.max(1));
    if let Some(first) = groups.first_mut() {
        first.truncate(keep);
    }
    groups
}
