//! What the tests of all adapters need.

pub(crate) use testkit::adapters::{cx, money, mutants, reference, traveller};
