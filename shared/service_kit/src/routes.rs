//! Routes that say who may call them. A service behind the gateway hands its routes to the kit in no
//! other form, so a route that names no need does not compile. The need is enforced before the handler
//! and stands in the OpenAPI document.

use auth::{Credential, Identity, Permission};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use utoipa::openapi::OpenApi;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::error::{ApiError, codes};

/// The name of a permission that an operation needs, in its OpenAPI description.
pub(crate) const X_PERMISSION: &str = "x-permission";
/// Who else may call it: `public`, `authenticated` or `login`.
pub(crate) const X_ACCESS: &str = "x-access";

/// Who may call an operation. The gateway's catalogue says the same of it, and a test compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Anyone; the handler does with credentials what it likes.
    Public,
    /// Whoever has valid credentials of any kind.
    Authenticated,
    /// A person by its own log-in: no API key and no token of an OAuth client.
    Login,
    /// Whose credentials have this permission.
    Permission(Permission),
}

impl Need {
    /// Lets pass who may.
    ///
    /// # Errors
    /// 401 for nobody, 403 `LOGIN_REQUIRED`, or 403 `FORBIDDEN` that names the permission.
    pub fn admit(self, caller: &Identity) -> Result<(), ApiError> {
        match self {
            Self::Public => Ok(()),
            _ if caller.is_anonymous() => Err(ApiError::new(&codes::UNAUTHENTICATED)),
            Self::Login if caller.credential() != Credential::Login => {
                Err(ApiError::new(&codes::LOGIN_REQUIRED))
            }
            Self::Permission(permission) if !caller.may(permission) => Err(forbidden(permission)),
            Self::Authenticated | Self::Login | Self::Permission(_) => Ok(()),
        }
    }

    /// Writes it into the description of an operation.
    fn describe(self, operation: &mut Operation) {
        let (name, value) = match self {
            Self::Public => (X_ACCESS, "public"),
            Self::Authenticated => (X_ACCESS, "authenticated"),
            Self::Login => (X_ACCESS, "login"),
            Self::Permission(permission) => (X_PERMISSION, permission.as_str()),
        };
        let said = Extensions::builder().add(name, value).build();
        match &mut operation.extensions {
            Some(extensions) => extensions.merge(said),
            none => *none = Some(said),
        }
        operation.security = (self == Self::Public).then(|| vec![SecurityRequirement::default()]);
    }
}

/// The answer to a caller who lacks a permission.
pub(crate) fn forbidden(permission: Permission) -> ApiError {
    ApiError::new(&codes::FORBIDDEN)
        .message(format!(
            "This needs the permission {}, which your role or your credentials do not have.",
            permission.as_str()
        ))
        .details(serde_json::json!({"permission": permission.as_str()}))
}

async fn enforce(State(need): State<Need>, request: Request, next: Next) -> Response {
    let nobody = Identity::anonymous();
    let caller = request.extensions().get::<Identity>().unwrap_or(&nobody);
    match need.admit(caller) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Routes, their needs and their documentation. `S` is the state that their handlers still want.
pub struct Routes<S = ()> {
    router: OpenApiRouter<S>,
    unguarded: bool,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet, with a document to describe them in.
    pub fn new(document: OpenApi) -> Self {
        Self {
            router: OpenApiRouter::with_openapi(document),
            unguarded: false,
        }
    }

    /// Adds handlers of one path that need the same, as `routes!(read, write)`.
    #[must_use]
    pub fn route(self, need: Need, handlers: UtoipaMethodRouter<S>) -> Self {
        let (schemas, mut paths, methods) = handlers;
        for item in paths.paths.values_mut() {
            let operations = [
                &mut item.get,
                &mut item.put,
                &mut item.post,
                &mut item.delete,
                &mut item.patch,
                &mut item.head,
                &mut item.options,
                &mut item.trace,
            ];
            for operation in operations.into_iter().flatten() {
                need.describe(operation);
            }
        }
        let methods = guarded(need, methods);
        Self {
            router: self.router.routes((schemas, paths, methods)),
            ..self
        }
    }

    /// Adds a route for other services alone: it is not described and never stands in the catalogue.
    #[must_use]
    pub fn internal(self, need: Need, path: &str, methods: MethodRouter<S>) -> Self {
        Self {
            router: self.router.route(path, guarded(need, methods)),
            ..self
        }
    }

    /// Adds other routes, all below a path.
    #[must_use]
    pub fn nest(self, path: &str, other: Self) -> Self {
        Self {
            router: self.router.nest(path, other.router),
            unguarded: self.unguarded || other.unguarded,
        }
    }

    /// Adds other routes as they are.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            router: self.router.merge(other.router),
            unguarded: self.unguarded || other.unguarded,
        }
    }

    /// Gives the handlers their state.
    pub fn with_state<S2: Clone + Send + Sync + 'static>(self, state: S) -> Routes<S2> {
        Routes {
            router: self.router.with_state(state),
            unguarded: self.unguarded,
        }
    }

    /// The document that describes them.
    pub fn into_openapi(self) -> OpenApi {
        self.router.into_openapi()
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    /// None yet, for a part of a service: the whole has the document.
    fn default() -> Self {
        Self::new(OpenApi::default())
    }
}

impl Routes {
    /// Routes that decide by themselves whom they serve, for [`crate::Access::Anyone`]. A service
    /// behind the gateway that has any does not start.
    pub fn unguarded(router: Router) -> Self {
        Self {
            router: router.into(),
            unguarded: true,
        }
    }

    /// The router, and whether something in it names no need.
    pub(crate) fn into_parts(self) -> (Router, bool) {
        (self.router.into(), self.unguarded)
    }
}

fn guarded<S: Clone + Send + Sync + 'static>(
    need: Need,
    methods: MethodRouter<S>,
) -> MethodRouter<S> {
    methods.route_layer(middleware::from_fn_with_state(need, enforce))
}
