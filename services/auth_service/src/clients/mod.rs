//! OAuth clients (RFC 6749 §2): applications that administrators register, with what each may do.

mod model;
mod routes;
mod store;

pub(crate) use model::{Client, ClientId, GrantType, Type};
pub(crate) use routes::routes;
pub(crate) use store::by_id;
