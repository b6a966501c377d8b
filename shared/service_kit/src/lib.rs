//! What every service shares, so that a service is left with its own meaning: the listener, the
//! envelope and its errors, extractors, health, metrics, OpenAPI and shutdown. A service crate exposes
//! `service() -> ServiceSpec`; [`start`] runs it, alone or beside others in one process.

mod access;
mod answering;
mod colleagues;
mod context;
mod envelope;
pub mod error;
mod extract;
mod health;
mod launch;
mod observe;
pub mod openapi;
mod params;
mod program;
mod routes;
mod spec;

pub use answering::refused;
pub use colleagues::Colleagues;
pub use context::{Cx, Deadline, wants_problem_json};
pub use envelope::{Envelope, Meta};
pub use error::{ApiError, ErrorCode, ErrorEntry};
pub use extract::{Caller, IdempotencyKeyHeader, NoBody, StrictJson};
pub use health::{Check, Health, health_of};
pub use http_engine::bind;
pub use launch::{Running, StartError, start};
pub use observe::{Answered, Observer, after_panic};
pub use params::{Params, date, one_of, place, whole};
pub use program::{Options, exit_with, main, run_alone, shutdown_signal, start_logging};
pub use routes::{Need, Routes};
pub use spec::{Access, App, BoxFuture, Context, Interface, Profile, ServiceSpec};

pub use utoipa_axum::routes;

/// The keys that every service has, with their defaults and meanings.
pub const CONFIG: &str = include_str!("../config.default.toml");
/// The header that says how many milliseconds the caller still waits.
pub const DEADLINE_HEADER: http::HeaderName =
    http::HeaderName::from_static("x-interline-deadline-ms");
