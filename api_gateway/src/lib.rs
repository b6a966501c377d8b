//! The front door. Routes by the catalogue, authenticates, signs who is calling, and streams requests
//! to the services; knows them by their catalogue rows only. `pipeline.rs` is the order of everything
//! that happens to a request.

mod answers;
mod api_keys;
mod authenticate;
mod catalog;
mod client_address;
mod cors;
mod figures;
mod forward;
mod front;
mod gateway;
mod meters;
mod pages;
mod path;
mod pipeline;
mod rates;
mod revocations;
mod routes;
mod upstream;
mod validate;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use auth::{AccessRules, AccessVerifier, HopSigner, KeySource};
use response_cache::{ResponseCache, Rule};
use service_kit::{
    Access, App, Check, Context, Interface, Need, Observer, Profile, ServiceSpec, StartError,
};

pub use catalog::{Catalog, CatalogError, Class, Route, Service, catalog};

use crate::api_keys::ApiKeys;
use crate::authenticate::{Authenticator, KEYS_PATH, KeysInFile, PublishedKeys};
use crate::client_address::Proxies;
use crate::cors::Cors;
use crate::gateway::{Front, Gateway};
use crate::meters::RouteMeters;
use crate::pages::{OWN, Pages};
use crate::pipeline::Pipeline;
use crate::rates::Rates;
use crate::revocations::{Followed, Follower};
use crate::routes::{Entry, Table, Target};
use crate::upstream::Upstreams;
use crate::validate::Validation;

const CONFIG: &str = include_str!("../config.default.toml");
/// Most signed identities kept for use again.
const SIGNED_CAPACITY: u64 = 10_000;

/// The gateway as the kit runs it.
pub fn service() -> ServiceSpec {
    // A broken catalogue is reported by `build`, where it can be.
    let derived = |make: fn(&Catalog) -> String| catalog().map(make).unwrap_or_default();
    ServiceSpec {
        name: "api_gateway",
        access: Access::Anyone,
        config: vec![
            Cow::Borrowed(CONFIG),
            Cow::Owned(derived(Catalog::default_upstreams)),
            Cow::Owned(derived(Catalog::default_caches)),
            Cow::Owned(rates::defaults()),
        ],
        openapi: || serde_json::json!({}),
        build: |context| Box::pin(build(context)),
    }
}

async fn build(context: Context) -> Result<App, StartError> {
    let catalog = &with_routes_file(&context)?;
    let (settings, metrics) = (&context.settings, &context.metrics);
    let upstreams = Arc::new(Upstreams::new(catalog, settings, metrics)?);
    let identity = catalog
        .upstreams()
        .position(|service| service.routes.iter().any(|route| route.path == KEYS_PATH))
        .ok_or_else(|| {
            StartError::Other(format!("services/catalog.toml: nobody serves {KEYS_PATH}"))
        })?;
    let file: String = settings.get("auth.jwks_file")?;
    let own_issuer = file.is_empty();
    let keys: Arc<dyn KeySource> = if own_issuer {
        Arc::new(PublishedKeys {
            upstreams: Arc::clone(&upstreams),
            service: identity,
        })
    } else {
        Arc::new(KeysInFile(file))
    };
    let rules = AccessRules {
        issuer: settings.get("auth.issuer")?,
        audience: settings.get("auth.audience")?,
    };
    let verifier = AccessVerifier::new(keys, rules, context.clock.clone());
    let outcomes = metrics.counter(
        "interline_gateway_token_verifications_total",
        "Verified credentials, by outcome.",
        &["outcome"],
    )?;
    let signer = signer(&context)?;
    let api_keys = ApiKeys::new(&context, &upstreams, identity, signer.clone())?;
    let revocations = if own_issuer {
        Follower::start(&context, &upstreams, identity, &verifier, &api_keys)?
    } else {
        Followed::none()
    };
    let mut checks = checks(&upstreams);
    let followed = revocations.clone();
    checks.push(Check::required("revocations", move || {
        let followed = followed.clone();
        async move { followed.now() }
    }));
    let origins: Vec<String> = settings.get("cors.origins")?;
    let pipeline = Pipeline {
        table: table(
            catalog,
            &answers::rules(catalog, settings)?,
            &Validation::new(settings)?,
        )?,
        rates: Rates::new(settings, "interline:api_gateway:")?,
        answers: answers(&context)?,
        authenticator: Authenticator {
            verifier,
            api_keys,
            revocations,
            outcomes,
        },
        signer,
        signed: moka::sync::Cache::new(SIGNED_CAPACITY),
        clock: context.clock.clone(),
        proxies: Proxies::new(&settings.get::<Vec<String>>("http.trusted_proxies")?)
            .map_err(StartError::Other)?,
        cors: Cors::new(&origins).map_err(StartError::Other)?,
        pages: Pages::new(&context, checks.clone()),
        max_body: settings.get("http.max_body_bytes")?,
        upstreams: Arc::clone(&upstreams),
    };
    let front = Front {
        pipeline: Arc::new(pipeline),
        observer: Observer::new(&context)?,
        seconds: metrics.seconds(
            "interline_gateway_seconds",
            "Seconds until the answer's header, by catalogue route, class and status.",
            &["route", "class", "status"],
        )?,
    };
    figures::follow(&context, &front.pipeline)?;
    Ok(App {
        interface: Interface::Own(Arc::new(Gateway(Arc::new(front)))),
        checks,
    })
}

/// The catalogue, and what the configured routes file adds to it.
fn with_routes_file(context: &Context) -> Result<Catalog, StartError> {
    let catalog = catalog()
        .map_err(|error| StartError::Other(error.to_string()))?
        .clone()
        .with_configured_caches();
    let file: String = context.settings.get("routes.file")?;
    if file.is_empty() {
        return Ok(catalog);
    }
    let wrong = |problem: String| StartError::Other(format!("routes.file {file}: {problem}"));
    let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
    let added = catalog.with(&text);
    added.map_err(|error| wrong(error.0))
}

/// The memory for answers, shared over Redis where there is one.
fn answers(context: &Context) -> Result<ResponseCache, StartError> {
    let settings = &context.settings;
    let url: String = settings.get("cache.url")?;
    ResponseCache::new(response_cache::Options {
        capacity_bytes: settings.get("cache.answers_bytes")?,
        max_object_bytes: settings.get("cache.answer_bytes")?,
        redis: (!url.starts_with("memory:")).then_some(url),
        prefix: "interline:answers:".to_owned(),
        timeout: std::time::Duration::from_millis(settings.get("cache.timeout_ms")?),
        clock: context.clock.clone(),
    })
    .map_err(|error| StartError::Other(format!("configuration key 'cache.url': {error}")))
}

/// Every upstream by name; a vertical that is down is shown, but takes the gateway out of rotation
/// only where the catalogue says that nothing works without it.
fn checks(upstreams: &Arc<Upstreams>) -> Vec<Check> {
    let services = upstreams.services().iter().enumerate();
    services
        .map(|(position, upstream)| {
            let upstreams = Arc::clone(upstreams);
            let check = Check::required(upstream.name.clone(), move || {
                let upstreams = Arc::clone(&upstreams);
                async move { upstreams.probe(position).await }
            });
            if upstream.required {
                check
            } else {
                check.optional()
            }
        })
        .collect()
}

fn table(
    catalog: &Catalog,
    rules: &HashMap<String, Arc<Rule>>,
    validation: &Validation,
) -> Result<Table, StartError> {
    let mut table = Table::default();
    for (position, service) in catalog.upstreams().enumerate() {
        for route in &service.routes {
            let entry = Entry {
                label: format!("{} {}", route.method, route.path),
                target: Target::Upstream(position),
                need: route.need,
                class: route.class,
                cost: route.cost,
                cache: route
                    .cache
                    .as_ref()
                    .and_then(|name| rules.get(name).cloned()),
                refreshes: route.refreshes.clone(),
                deadline: route.deadline,
                passes: route.passes.clone(),
                meters: RouteMeters::default(),
                checked: validation.of(&route.method, &route.path),
            };
            table
                .add(&route.method, &route.path, entry)
                .map_err(StartError::Other)?;
        }
    }
    for (path, page) in OWN {
        let entry = Entry {
            label: format!("GET {path}"),
            target: Target::Page(page),
            need: Need::Public,
            class: Class::Page,
            cost: 0,
            cache: None,
            refreshes: Vec::new(),
            deadline: std::time::Duration::from_secs(10),
            passes: Vec::new(),
            meters: RouteMeters::default(),
            checked: None,
        };
        table
            .add(&http::Method::GET, path, entry)
            .map_err(StartError::Other)?;
    }
    Ok(table)
}

/// Signs with the configured key, in development with one made on first use.
fn signer(context: &Context) -> Result<HopSigner, StartError> {
    let pem: String = context.settings.get("identity.private_key")?;
    let clock = context.clock.clone();
    let made = if !pem.is_empty() {
        HopSigner::from_pem(&pem, clock)
    } else if context.profile == Profile::Development {
        HopSigner::development(&context.data_dir, clock)
    } else {
        return Err(StartError::Other(
            "identity.private_key is empty: production signs with no key that it made itself; \
             give an Ed25519 key as PEM or as file:/path"
                .to_owned(),
        ));
    };
    made.map_err(|error| StartError::Other(error.to_string()))
}
