//! What a service is to the kit.

use std::borrow::Cow;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use caching::{Cache, CacheOptions};
use settings::Settings;
use storage::{Db, Migration, StoreOptions};
use telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use travel_types::Clock;

use crate::StartError;
use crate::health::Check;
use crate::routes::Routes;

/// A future in a box, as builders return it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Everything that the kit must know to run a service, wherever it runs.
#[derive(Clone)]
pub struct ServiceSpec {
    /// The folder's and package's name, e.g. `flight_service`; also its name in the catalogue.
    pub name: &'static str,
    /// Default documents beyond the kit's own, weakest first.
    pub config: Vec<Cow<'static, str>>,
    /// Who gets in.
    pub access: Access,
    /// Its part of the public interface.
    pub openapi: fn() -> serde_json::Value,
    /// Makes the running parts from the configuration.
    pub build: fn(Context) -> BoxFuture<Result<App, StartError>>,
}

impl ServiceSpec {
    /// All default documents: the kit's, then the service's own.
    pub fn defaults(&self) -> Vec<Cow<'static, str>> {
        let mut documents = vec![Cow::Borrowed(crate::CONFIG)];
        documents.extend(self.config.iter().cloned());
        documents
    }
}

/// The running parts of a service.
pub struct App {
    /// What answers its requests.
    pub interface: Interface,
    /// What it depends on.
    pub checks: Vec<Check>,
}

/// What answers a service's requests.
pub enum Interface {
    /// Its routes and what each needs. The kit adds health, metrics and the OpenAPI document, and the
    /// layers that every service has.
    Routes(Box<Routes>),
    /// The service itself, with all that the kit would have added. For the gateway.
    Own(Arc<dyn http_engine::Service>),
}

impl From<Routes> for Interface {
    fn from(routes: Routes) -> Self {
        Self::Routes(Box::new(routes))
    }
}

/// Who may send requests to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only a gateway: every request must carry an identity that it signed. Health, metrics, the
    /// OpenAPI document and `/.well-known/` are open.
    Gateway,
    /// Anyone; the service decides by itself. For the gateway and the sandbox.
    Anyone,
}

/// How strict the system is with itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Keys are made on first use; sandbox accounts exist.
    Development,
    /// Keys must be given; nothing of the sandbox exists.
    Production,
}

/// What a service is built from.
#[derive(Clone)]
pub struct Context {
    /// The service's name.
    pub name: &'static str,
    /// Its configuration.
    pub settings: Settings,
    /// How strict to be.
    pub profile: Profile,
    /// Where it may keep files.
    pub data_dir: PathBuf,
    /// Where its metrics go.
    pub metrics: Metrics,
    /// Its clock.
    pub clock: Clock,
    /// Ends the service's workers.
    pub shutdown: CancellationToken,
    /// Work that must end before the service does. Workers are spawned here.
    pub tasks: TaskTracker,
}

impl Context {
    /// Opens the service's own database and brings it up to date. `sets` are `(name, migrations)`.
    ///
    /// # Errors
    /// [`StartError`] when it cannot be reached or migrated.
    pub async fn open_store(
        &self,
        sets: &[(&'static str, &'static [Migration])],
    ) -> Result<Db, StartError> {
        let configured: String = self.settings.get("store.url")?;
        let url = if configured.is_empty() {
            let folder = std::path::absolute(&self.data_dir)
                .map_err(|error| StartError::folder(&self.data_dir, error))?;
            std::fs::create_dir_all(&folder).map_err(|error| StartError::folder(&folder, error))?;
            format!(
                "sqlite:{}",
                folder.join(self.name).with_extension("db").display()
            )
        } else {
            configured.replace("{service}", self.name)
        };
        let db = Db::open(&StoreOptions {
            max_connections: self.settings.get("store.max_connections")?,
            acquire_timeout: Duration::from_millis(self.settings.get("store.acquire_ms")?),
            ..StoreOptions::new(url)
        })
        .await?;
        for (set, migrations) in sets {
            db.migrate(set, migrations).await?;
        }
        Ok(db)
    }

    /// Opens the cache under the service's own prefix.
    ///
    /// # Errors
    /// [`StartError`] when its address is not valid. A cache that is down is not an error.
    pub fn open_cache(&self) -> Result<Cache, StartError> {
        let options = CacheOptions {
            url: self.settings.get("cache.url")?,
            prefix: format!("interline:{}:", self.name),
            capacity_bytes: self.settings.get("cache.capacity_bytes")?,
            timeout: Duration::from_millis(self.settings.get("cache.timeout_ms")?),
        };
        Cache::open(&options).map_err(|error| StartError::Other(format!("cache: {error}")))
    }
}
