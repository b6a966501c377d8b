//! What every service shares: listener, envelope, extractors, health, metrics, OpenAPI, shutdown.
