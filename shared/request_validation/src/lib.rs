//! Checks requests, and answers, against an OpenAPI 3.1 document that was compiled once.
//!
//! A request is read once and nothing is built of it: the document's schemas are walked along with the
//! text. Whatever of the document is not understood is an error when it is compiled, with the operation
//! and the JSON pointer, so that no rule is silently left out. Of a rule that can only be told by whoever
//! serves the operation (whether a date lies in the future) nothing is known here.

mod compile;
mod document;
mod json;
mod problem;
mod query;
mod schema;
mod text;
mod walk;

pub use compile::CompileError;
pub use document::{Body, Operation, Validator};
pub use problem::{Kind, Problem};
