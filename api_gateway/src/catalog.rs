//! The catalogue of services, `services/catalog.toml`: what exists, where it listens by default, and
//! which of its operations the outside may reach under which rule. It is part of the program, parsed
//! once, and refused as a whole if anything in it contradicts itself.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, Method, header};
use response_cache::Audience;
use serde::Deserialize;
use service_kit::Need;

const TEXT: &str = include_str!("../../services/catalog.toml");

static CATALOG: LazyLock<Result<Catalog, CatalogError>> = LazyLock::new(|| Catalog::parse(TEXT));

/// The catalogue that this program was built with.
///
/// # Errors
/// [`CatalogError`] names the service and the rule that it breaks.
pub fn catalog() -> Result<&'static Catalog, &'static CatalogError> {
    CATALOG.as_ref()
}

/// A mistake in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("services/catalog.toml: {0}")]
pub struct CatalogError(pub(crate) String);

/// All services.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// In the order of the file.
    pub services: Vec<Service>,
    caches: Vec<CacheRow>,
    prefixes: Vec<String>,
}

/// One service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Folder and package, e.g. `flight_service`.
    pub name: String,
    /// For people, e.g. `Flights`.
    pub title: String,
    /// Where it listens unless configured otherwise.
    pub port: u16,
    /// Whether the gateway is not ready while this service is not.
    pub required: bool,
    /// Where it is, for one of a routes file; the others' addresses are configured.
    pub url: Option<String>,
    /// Whether it is somebody else's: it gets the client's own end-to-end header fields except
    /// credentials, and no identity that the gateway signed.
    pub foreign: bool,
    /// What the outside may reach. Empty for a service that is not behind the gateway.
    pub routes: Vec<Route>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path; `{name}` stands for exactly one segment, `{*name}` at the end for one or more.
    pub path: String,
    /// Who may call it. Of a public one credentials are not looked at.
    pub need: Need,
    /// What kind of work it is.
    pub class: Class,
    /// What one request counts in the caller's limit.
    pub cost: u32,
    /// The rule by which answers are kept.
    pub cache: Option<String>,
    /// The rules whose answers a success may have made old.
    pub refreshes: Vec<String>,
    /// How long it may take in all.
    pub deadline: Duration,
    /// Header fields of the client that reach the service beside those that always do.
    pub passes: Vec<HeaderName>,
}

/// What a route may pass: credentials of OAuth clients, and what pages protect their forms with.
const PASSABLE: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::ORIGIN,
    HeaderName::from_static("sec-fetch-site"),
];

/// What kind of work an operation is; limits and metrics go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Asks suppliers for offers.
    Search,
    /// Reads.
    Read,
    /// Changes something, or costs money.
    Write,
    /// Tries credentials.
    Login,
    /// Pages and documents for people, which bring a content security policy of their own.
    Page,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Search,
        Self::Read,
        Self::Write,
        Self::Login,
        Self::Page,
    ];

    /// Its place among [`Class::ALL`].
    pub(crate) fn position(self) -> usize {
        match self {
            Self::Search => 0,
            Self::Read => 1,
            Self::Write => 2,
            Self::Login => 3,
            Self::Page => 4,
        }
    }

    /// The name in the catalogue and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Read => "read",
            Self::Write => "write",
            Self::Login => "login",
            Self::Page => "page",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    vertical_route: Vec<RouteRow>,
    #[serde(default)]
    service: Vec<ServiceRow>,
    #[serde(default)]
    cache: Vec<CacheRow>,
}

/// A rule by which answers are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CacheRow {
    pub(crate) name: String,
    pub(crate) audience: AudienceRow,
    /// 0: what the origin says.
    #[serde(default)]
    pub(crate) fresh_seconds: u64,
    #[serde(default)]
    pub(crate) stale_while_revalidate_seconds: u64,
    #[serde(default)]
    pub(crate) stale_if_error_seconds: u64,
    #[serde(default)]
    pub(crate) heuristic: bool,
    /// Whether errors are kept, too, where the origin says for how long.
    #[serde(default)]
    pub(crate) errors: bool,
    /// Whether answers that set cookies are kept although others get them.
    #[serde(default)]
    pub(crate) shares_cookies: bool,
    /// Whether the times stand in the configuration, where they can be changed.
    #[serde(skip)]
    pub(crate) configured: bool,
}

impl CacheRow {
    /// What every answer of the rule is marked with.
    pub(crate) fn tag(&self) -> &'static str {
        interned(&self.name)
    }
}

/// The name for as long as the program runs. There are as many as rules in all files that were loaded.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.into());
    names.insert(kept);
    kept
}

/// Who shares answers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AudienceRow {
    Caller,
    Public,
    Everyone,
}

impl From<AudienceRow> for Audience {
    fn from(row: AudienceRow) -> Self {
        match row {
            AudienceRow::Caller => Self::Caller,
            AudienceRow::Public => Self::Public,
            AudienceRow::Everyone => Self::Everyone,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceRow {
    name: String,
    title: String,
    port: Option<u16>,
    url: Option<String>,
    #[serde(default)]
    foreign: bool,
    prefixes: Vec<String>,
    deadline_ms: u64,
    #[serde(default)]
    required: bool,
    vertical: Option<String>,
    #[serde(default)]
    route: Vec<RouteRow>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteRow {
    method: String,
    path: String,
    access: Option<AccessRow>,
    permission: Option<String>,
    class: Class,
    cost: Option<u32>,
    cache: Option<String>,
    #[serde(default)]
    refreshes: Vec<String>,
    deadline_ms: Option<u64>,
    #[serde(default)]
    passes: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AccessRow {
    Public,
    Authenticated,
    Login,
}

impl Catalog {
    /// Reads and checks a catalogue.
    ///
    /// # Errors
    /// [`CatalogError`] for the first contradiction.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        Self::default().with(text)
    }

    /// This catalogue and the services of another document, a routes file, which may add services but
    /// not change those that are there.
    ///
    /// # Errors
    /// [`CatalogError`] for the first contradiction.
    pub fn with(mut self, text: &str) -> Result<Self, CatalogError> {
        let document: Document =
            toml::from_str(text).map_err(|error| CatalogError(error.to_string()))?;
        let mut names: HashSet<String> = self.services.iter().map(|s| s.name.clone()).collect();
        let mut ports: HashSet<u16> = self.services.iter().map(|s| s.port).collect();
        let mut prefixes: HashSet<String> = self.prefixes.iter().cloned().collect();
        for row in &document.service {
            let wrong = |problem: String| CatalogError(format!("{}: {problem}", row.name));
            if !is_name(&row.name) || !names.insert(row.name.clone()) {
                return Err(wrong("the name is taken, or not of [a-z0-9_]".to_owned()));
            }
            match (row.port, &row.url) {
                (Some(port), None) if port > 0 && ports.insert(port) => {}
                (None, Some(_)) => {}
                (Some(port), None) => {
                    return Err(wrong(format!("port {port} is zero or taken")));
                }
                _ => return Err(wrong("needs either a port or a url".to_owned())),
            }
            for prefix in &row.prefixes {
                if !is_pattern(prefix) || !prefixes.insert(prefix.clone()) {
                    return Err(wrong(format!("prefix {prefix} is taken or not a path")));
                }
            }
            let standard = row.vertical.iter().flat_map(|vertical| {
                let named = |text: &String| text.replace("{vertical}", vertical);
                document.vertical_route.iter().map(move |route| RouteRow {
                    path: named(&route.path),
                    cache: route.cache.as_ref().map(named),
                    refreshes: route.refreshes.iter().map(named).collect(),
                    ..route.clone()
                })
            });
            let routes = standard
                .chain(row.route.iter().cloned())
                .map(|route| route.check(row).map_err(wrong))
                .collect::<Result<Vec<_>, _>>()?;
            self.services.push(Service {
                name: row.name.clone(),
                title: row.title.clone(),
                port: row.port.unwrap_or_default(),
                required: row.required,
                url: row.url.clone(),
                foreign: row.foreign,
                routes,
            });
        }
        self.prefixes = prefixes.into_iter().collect();
        for row in document.cache {
            if !is_name(&row.name) || self.caches.iter().any(|known| known.name == row.name) {
                let problem = format!("cache {}: the name is taken, or not of [a-z0-9_]", row.name);
                return Err(CatalogError(problem));
            }
            self.caches.push(row);
        }
        let named = |name: &String| self.caches.iter().any(|cache| cache.name == *name);
        for route in self.services.iter().flat_map(|service| &service.routes) {
            let shown = format!("{} {}", route.method, route.path);
            if let Some(name) = route
                .cache
                .iter()
                .chain(&route.refreshes)
                .find(|name| !named(name))
            {
                return Err(CatalogError(format!("{shown}: there is no cache '{name}'")));
            }
            if route.cache.is_some() && route.method != Method::GET {
                return Err(CatalogError(format!(
                    "{shown}: only answers to GET are kept"
                )));
            }
        }
        Ok(self)
    }

    /// The rules by which answers are kept.
    pub(crate) fn caches(&self) -> &[CacheRow] {
        &self.caches
    }

    /// Says that the times of the present rules stand in the configuration.
    #[must_use]
    pub(crate) fn with_configured_caches(mut self) -> Self {
        for cache in &mut self.caches {
            cache.configured = true;
        }
        self
    }

    /// The default configuration of the rules by which answers are kept.
    pub fn default_caches(&self) -> String {
        self.caches.iter().fold(String::new(), |mut text, cache| {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "[cache.{name}]\n\
                 # Answers are fresh for so many seconds unless the service says otherwise; 0 keeps none.\n\
                 fresh_seconds = {fresh}\n\
                 # For so many seconds more they are served while they are fetched anew.\n\
                 stale_while_revalidate_seconds = {revalidate}\n\
                 # For so many seconds more they are served when the service fails.\n\
                 stale_if_error_seconds = {error}\n\n",
                name = cache.name,
                fresh = cache.fresh_seconds,
                revalidate = cache.stale_while_revalidate_seconds,
                error = cache.stale_if_error_seconds,
            );
            text
        })
    }

    /// The services that the gateway forwards to.
    pub fn upstreams(&self) -> impl Iterator<Item = &Service> {
        self.services
            .iter()
            .filter(|service| !service.routes.is_empty())
    }

    /// The default configuration of the upstreams: one URL each, on the default port of the service.
    pub fn default_upstreams(&self) -> String {
        self.upstreams().fold(String::new(), |mut text, service| {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "[upstreams.{name}]\n# Base URL of {name} ({title}): http, host and port.\nurl = \"http://127.0.0.1:{port}\"\n\n",
                name = service.name,
                title = service.title,
                port = service.port,
            );
            text
        })
    }
}

impl RouteRow {
    fn check(self, service: &ServiceRow) -> Result<Route, String> {
        let shown = format!("{} {}", self.method, self.path);
        let method = match self.method.as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => return Err(format!("{shown}: not a method that the gateway forwards")),
        };
        if !is_pattern(&self.path) {
            return Err(format!(
                "{shown}: not a path of plain segments and {{name}}s"
            ));
        }
        let below = |prefix: &String| {
            self.path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !service.prefixes.iter().any(below) {
            return Err(format!("{shown}: outside the service's prefixes"));
        }
        let need = match (self.access, self.permission) {
            (Some(AccessRow::Public), None) => Need::Public,
            (Some(AccessRow::Authenticated), None) => Need::Authenticated,
            (Some(AccessRow::Login), None) => Need::Login,
            (None, Some(name)) => name
                .parse()
                .map(Need::Permission)
                .map_err(|error| format!("{shown}: {error}"))?,
            _ => return Err(format!("{shown}: needs either access or permission")),
        };
        let deadline = self.deadline_ms.unwrap_or(service.deadline_ms);
        if deadline == 0 {
            return Err(format!("{shown}: a deadline of zero lets nothing through"));
        }
        let passable = |name: &String| PASSABLE.into_iter().find(|known| known == name.as_str());
        let passes = self.passes.iter().map(|name| {
            passable(name).ok_or_else(|| format!("{shown}: passes '{name}', which no route may"))
        });
        let passes: Vec<HeaderName> = passes.collect::<Result<_, _>>()?;
        if passes.contains(&header::AUTHORIZATION) && need != Need::Public {
            return Err(format!(
                "{shown}: passes authorization, which is the gateway's to look at"
            ));
        }
        Ok(Route {
            method,
            path: self.path,
            need,
            class: self.class,
            cost: self.cost.unwrap_or(1),
            cache: self.cache,
            refreshes: self.refreshes,
            deadline: Duration::from_millis(deadline),
            passes,
        })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether every segment is either plain or one `{name}`, the last one perhaps a `{*name}`.
fn is_pattern(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let last = rest.split('/').count();
    rest.split('/').enumerate().all(|(at, segment)| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        match segment.strip_prefix('{') {
            Some(name) => {
                let name = name.strip_suffix('}').unwrap_or_default();
                let many = name.strip_prefix('*').filter(|_| at + 1 == last);
                is_name(many.unwrap_or(name))
            }
            None => !matches!(segment, "" | "." | "..") && segment.bytes().all(plain),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sound_and_a_vertical_has_the_seven_operations() {
        let catalog = catalog().unwrap();
        let flights = catalog
            .services
            .iter()
            .find(|service| service.name == "flight_service")
            .unwrap();
        let shown: Vec<String> = flights
            .routes
            .iter()
            .map(|r| format!("{} {} {}", r.method, r.path, r.deadline.as_millis()))
            .collect();
        assert_eq!(
            shown,
            [
                "GET /api/v1/flights/offers 6000",
                "GET /api/v1/flights/offers/{id} 10000",
                "POST /api/v1/flights/orders 35000",
                "GET /api/v1/flights/orders 10000",
                "GET /api/v1/flights/orders/{id} 10000",
                "POST /api/v1/flights/orders/{id}/cancellations 10000",
                "POST /api/v1/flights/cancellations/{id}/confirm 10000",
                "GET /api/v1/places 10000",
            ]
        );
        assert!(
            flights
                .routes
                .iter()
                .all(|route| matches!(route.need, Need::Permission(_)))
        );
        let defaults = catalog.default_upstreams();
        assert!(defaults.contains("[upstreams.flight_service]"));
        assert!(defaults.contains("url = \"http://127.0.0.1:8011\""));
        assert!(!defaults.contains("sandbox"));
    }

    fn one(route: &str) -> Result<Catalog, CatalogError> {
        Catalog::parse(&format!(
            "vertical_route = []\n[[service]]\nname = \"a\"\ntitle = \"A\"\nport = 1\n\
             prefixes = [\"/api/v1/a\"]\ndeadline_ms = 1\n[[service.route]]\nclass = \"read\"\n{route}"
        ))
    }

    #[test]
    fn a_contradiction_is_named_with_its_service_and_route() {
        let good = "method = \"GET\"\npath = \"/api/v1/a/{id}\"\naccess = \"public\"";
        assert!(one(good).is_ok());
        for (from, to, problem) in [
            ("GET", "TRACE", "not a method"),
            ("/a/{id}", "/ab", "outside the service's prefixes"),
            ("{id}", "..", "not a path"),
            ("access = \"public\"", "", "either access or permission"),
            (
                "access = \"public\"",
                "permission = \"all\"",
                "'all' is not a permission",
            ),
            (
                "access",
                "passes = [\"x-api-key\"]\naccess",
                "passes 'x-api-key', which no route may",
            ),
            (
                "access = \"public\"",
                "passes = [\"authorization\"]\naccess = \"login\"",
                "the gateway's to look at",
            ),
        ] {
            let error = one(&good.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains("a: ") && error.contains(problem), "{error}");
        }
        assert!(one(&format!("{good}\nowner = 1")).is_err());
    }
}
