//! The life of an offer and an order, the same for every vertical: search by fan-out, offers kept until
//! they expire, orders in a ledger with the intent written before the call and the result after it,
//! unknown outcomes settled by asking, cancellation by quote and confirmation. A vertical adds what it
//! means: its search, its details, its rules, its suppliers.

mod answers;
mod arrange;
mod cancellation_ledger;
mod cancelling;
mod desk;
mod keyed;
mod ledger;
mod ledger_reads;
pub mod mapping;
mod offer_store;
mod offers;
mod ordering;
mod orders;
mod owned;
mod personal;
mod quotes;
pub mod rates;
pub mod routes;
mod search;
mod searching;
mod settle;
mod supplier;
pub mod supplier_settings;
mod vertical;

pub use arrange::{
    Alternative, Assortment, Comparison, Described, Filter, Grouping, SearchOptions, Sort,
};
pub use desk::{Desk, DeskParts, Rules};
pub use offers::{CancellationTerm, Conditions, Offer, PriceChange, RepricedOffer, SupplierOffer};
pub use orders::{HistoryEntry, NewOrder, Order, OrderStatus};
pub use quotes::{Cancellation, CancellationStatus};
pub use search::{Items, SearchPage, SupplierAccount};
pub use searching::{CommonParams, SearchErrors, Searching, Wanted};
pub use supplier::{
    CancellationOutcome, CancellationQuote, Found, OrderLookup, OrderRequest, PlacedOrder,
    PlacedStatus, Searcher, Supplier, Timing,
};
pub use vertical::{Make, Registration, Shop, VerticalParts, config, document};

/// The keys that every vertical has, with their defaults and meanings.
pub const CONFIG: &str = include_str!("../config.default.toml");
