//! The life of an offer and an order, for every vertical.
