//! The door of a service: only requests that a gateway signed get in.

use auth::{HOP_HEADER, HopVerifier};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::{ApiError, codes};

/// What operators and verifiers read without an identity.
fn is_open(path: &str) -> bool {
    matches!(path, "/metrics" | "/openapi.json")
        || path.starts_with("/health")
        || path.starts_with("/.well-known/")
}

/// Verifies the signed identity and hands it to the handler.
pub(crate) async fn admit(
    State(verifier): State<HopVerifier>,
    mut request: Request,
    next: Next,
) -> Response {
    if is_open(request.uri().path()) {
        return next.run(request).await;
    }
    let mut tokens = request.headers().get_all(&HOP_HEADER).iter();
    let token = tokens.next().and_then(|value| value.to_str().ok());
    let identity = match (token, tokens.next()) {
        (Some(token), None) => verifier.verify(token).ok(),
        _ => None,
    };
    let Some(identity) = identity else {
        return ApiError::new(&codes::UNAUTHENTICATED).into_response();
    };
    request.extensions_mut().insert(identity);
    next.run(request).await
}
