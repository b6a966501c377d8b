//! Hotels: what a search for a room means, what a rate shows, which rules hold for its guests, and the
//! suppliers that sell it. The life of offers and orders is the vertical kit's.

mod cancellation;
mod model;
pub mod suppliers;

pub use model::*;
