//! Cars: what a search for a rental car or a transfer means, what an offer shows, which rules hold for
//! its driver, and the suppliers that sell it. The life of offers and orders is the vertical kit's.

mod model;
pub mod suppliers;

pub use model::*;
