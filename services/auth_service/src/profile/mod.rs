//! One's own account.

mod routes;

pub(crate) use routes::routes;
