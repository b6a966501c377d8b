//! Starting a service: configuration in, a running listener out.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth::HopVerifier;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use http_engine::{Limits, Service, Tls, TlsOptions, run};
use settings::{Settings, SettingsError};
use storage::StoreError;
use telemetry::{Metrics, MetricsError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use travel_types::Clock;

use crate::access::admit;
use crate::answering::Answering;
use crate::error::{ApiError, codes};
use crate::health::{Check, health_of};
use crate::observe::{Observer, after_panic, observe};
use crate::{Access, Context, Interface, Profile, Routes, ServiceSpec};

/// Why a service cannot start. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database cannot be opened or migrated.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// A metric was declared twice: a mistake in the program.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A folder or file cannot be used.
    #[error("{path} cannot be used: {problem}; choose another folder with --data-dir")]
    Folder {
        /// The folder.
        path: String,
        /// The system's words.
        problem: String,
    },
    /// The port is taken or not allowed.
    #[error("cannot listen on {address}: {problem}; choose another port with --port")]
    Listen {
        /// Host and port.
        address: String,
        /// The system's words.
        problem: String,
    },
    /// Anything else, in words for the operator.
    #[error("{0}")]
    Other(String),
}

impl StartError {
    /// A folder that cannot be used.
    pub fn folder(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Folder {
            path: path.display().to_string(),
            problem: problem.to_string(),
        }
    }
}

/// A service that runs.
#[derive(Debug)]
pub struct Running {
    /// Its name.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    tls: bool,
    shutdown: CancellationToken,
    ended: JoinHandle<()>,
}

impl Running {
    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Stops accepting, lets running requests and workers end within the drain time, and returns when
    /// everything is over.
    pub async fn stop(self) {
        self.shutdown.cancel();
        drop(self.ended.await);
    }
}

/// Starts a service on a listener that is already bound.
///
/// # Errors
/// [`StartError`], before the first request is accepted.
pub async fn start(
    spec: &ServiceSpec,
    settings: Settings,
    clock: Clock,
    listener: TcpListener,
) -> Result<Running, StartError> {
    let address = listener
        .local_addr()
        .map_err(|error| StartError::Other(error.to_string()))?;
    let shutdown = CancellationToken::new();
    let tasks = TaskTracker::new();
    let metrics = Metrics::new();
    let context = Context {
        name: spec.name,
        profile: profile(&settings)?,
        data_dir: settings.get::<String>("data_dir")?.into(),
        settings: settings.clone(),
        metrics: metrics.clone(),
        clock: clock.clone(),
        shutdown: shutdown.clone(),
        tasks: tasks.clone(),
    };
    // Whom to believe is settled before anything is opened or changed.
    let verifier = match spec.access {
        Access::Gateway => Some(verifier(&context)?),
        Access::Anyone => None,
    };
    let app = (spec.build)(context.clone()).await?;
    let service: Arc<dyn Service> = match app.interface {
        Interface::Routes(routes) => {
            let router = assemble(spec, *routes, app.checks, &context, verifier)?;
            Arc::new(Answering::new(router, clock.clone()))
        }
        Interface::Own(service) => service,
    };
    let limits = Limits {
        first_byte: millis(&settings, "http.first_byte_ms")?,
        header: millis(&settings, "http.header_ms")?,
        idle: millis(&settings, "http.idle_ms")?,
        slow: millis(&settings, "http.slow_ms")?,
        least_rate: settings.get("http.least_bytes_per_second")?,
        connections: settings.get("http.max_connections")?,
        connections_per_address: settings.get("http.max_connections_per_address")?,
        drain: millis(&settings, "http.drain_ms")?,
        workers: match settings.get::<i64>("http.workers")? {
            workers if workers < 0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => usize::try_from(workers)
                .unwrap_or_default()
                .min(MOST_WORKERS),
        },
    };
    let certificate = tls(&settings)?;
    let tls = certificate.is_some();
    let token = shutdown.clone();
    let ended = tokio::spawn(async move {
        let end = run(listener, service, limits, certificate, token).await;
        tasks.close();
        drop(tokio::time::timeout_at(end, tasks.wait()).await);
    });
    Ok(Running {
        name: spec.name,
        address,
        tls,
        shutdown,
        ended,
    })
}

/// More threads than this serve nobody.
const MOST_WORKERS: usize = 64;

/// The certificate, where there is to be TLS.
fn tls(settings: &Settings) -> Result<Option<Tls>, StartError> {
    let certificate: String = settings.get("http.tls_certificate")?;
    let key: String = settings.get("http.tls_key")?;
    if certificate.is_empty() && key.is_empty() {
        return Ok(None);
    }
    let options = TlsOptions {
        certificate_file: certificate.into(),
        key_file: key.into(),
        reload: millis(settings, "http.tls_reload_ms")?,
    };
    let loaded = Tls::load(options).map_err(|error| {
        StartError::Other(format!(
            "http.tls_certificate and http.tls_key name no usable certificate: {error}"
        ))
    })?;
    Ok(Some(loaded))
}

fn millis(settings: &Settings, key: &str) -> Result<Duration, SettingsError> {
    settings.get(key).map(Duration::from_millis)
}

fn profile(settings: &Settings) -> Result<Profile, StartError> {
    match settings.get::<String>("profile")?.as_str() {
        "development" => Ok(Profile::Development),
        "production" => Ok(Profile::Production),
        other => Err(StartError::Other(format!(
            "configuration key 'profile' is '{other}'; it must be development or production"
        ))),
    }
}

/// Puts the kit's routes and layers around a service's own.
fn assemble(
    spec: &ServiceSpec,
    routes: Routes,
    checks: Vec<Check>,
    context: &Context,
    verifier: Option<HopVerifier>,
) -> Result<Router, StartError> {
    let settings = &context.settings;
    let metrics = context.metrics.clone();
    let observer = Observer::new(context)?;
    let (mut router, unguarded) = routes.into_parts();
    if unguarded && spec.access == Access::Gateway {
        return Err(StartError::Other(format!(
            "{} has routes that do not say who may call them: add them with Routes::route",
            spec.name
        )));
    }
    if let Some(verifier) = verifier {
        let (name, openapi) = (spec.name, spec.openapi);
        let live = move || async move { health_of(name, &[]).await };
        let ready = move || {
            let checks = checks.clone();
            async move { health_of(name, &checks).await }
        };
        router = router
            .route("/health/live", get(live))
            .route("/health/ready", get(ready.clone()))
            .route("/health", get(ready))
            .route("/metrics", get(move || async move { metrics.render() }))
            .route("/openapi.json", get(move || async move { Json(openapi()) }))
            .fallback(|| async { ApiError::new(&codes::NOT_FOUND) })
            .method_not_allowed_fallback(|| async { ApiError::new(&codes::METHOD_NOT_ALLOWED) })
            .layer(middleware::from_fn_with_state(verifier, admit));
    }
    Ok(router
        .layer(DefaultBodyLimit::max(settings.get("http.max_body_bytes")?))
        .layer(CatchPanicLayer::custom(
            |panic: Box<dyn std::any::Any + Send>| after_panic(&*panic).into_response(),
        ))
        .layer(middleware::from_fn_with_state(observer, observe)))
}

/// Whose identities the service believes.
fn verifier(context: &Context) -> Result<HopVerifier, StartError> {
    let files: Vec<String> = context.settings.get("identity.public_keys")?;
    let clock = context.clock.clone();
    let made = if !files.is_empty() {
        let pems = files
            .iter()
            .map(|file| {
                std::fs::read_to_string(file)
                    .map_err(|error| StartError::folder(Path::new(file), error))
            })
            .collect::<Result<Vec<_>, _>>()?;
        HopVerifier::from_pems(&pems, context.name, clock)
    } else if context.profile == Profile::Development {
        HopVerifier::development(&context.data_dir, context.name, clock)
    } else {
        return Err(StartError::Other(
            "identity.public_keys is empty: production believes no key that it made itself; \
             name the files with the gateways' public keys"
                .to_owned(),
        ));
    };
    made.map_err(|error| StartError::Other(error.to_string()))
}
