//! The catalogue of services, `services/catalog.toml`: what exists, where it listens by default, and
//! which of its operations the outside may reach under which rule. It is part of the program, parsed
//! once, and refused as a whole if anything in it contradicts itself.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use http::{HeaderName, Method, header};
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
pub struct CatalogError(String);

/// All services.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// In the order of the file.
    pub services: Vec<Service>,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Folder and package, e.g. `flight_service`.
    pub name: String,
    /// For people, e.g. `Flights`.
    pub title: String,
    /// Where it listens unless configured otherwise.
    pub port: u16,
    /// Whether the gateway is not ready while this service is not.
    pub required: bool,
    /// What the outside may reach. Empty for a service that is not behind the gateway.
    pub routes: Vec<Route>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path; `{name}` stands for exactly one segment.
    pub path: String,
    /// Who may call it. Of a public one credentials are not looked at.
    pub need: Need,
    /// What kind of work it is.
    pub class: Class,
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
    vertical_route: Vec<RouteRow>,
    service: Vec<ServiceRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceRow {
    name: String,
    title: String,
    port: u16,
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
        let document: Document =
            toml::from_str(text).map_err(|error| CatalogError(error.to_string()))?;
        let mut services = Vec::new();
        let (mut names, mut ports, mut prefixes) = (HashSet::new(), HashSet::new(), HashSet::new());
        for row in &document.service {
            let wrong = |problem: String| CatalogError(format!("{}: {problem}", row.name));
            if !is_name(&row.name) || !names.insert(&row.name) {
                return Err(wrong("the name is taken, or not of [a-z0-9_]".to_owned()));
            }
            if row.port == 0 || !ports.insert(row.port) {
                return Err(wrong(format!("port {} is zero or taken", row.port)));
            }
            for prefix in &row.prefixes {
                if !is_pattern(prefix) || !prefixes.insert(prefix) {
                    return Err(wrong(format!("prefix {prefix} is taken or not a path")));
                }
            }
            let standard = row.vertical.iter().flat_map(|vertical| {
                document.vertical_route.iter().map(|route| RouteRow {
                    path: route.path.replace("{vertical}", vertical),
                    ..route.clone()
                })
            });
            let routes = standard
                .chain(row.route.iter().cloned())
                .map(|route| route.check(row).map_err(wrong))
                .collect::<Result<Vec<_>, _>>()?;
            services.push(Service {
                name: row.name.clone(),
                title: row.title.clone(),
                port: row.port,
                required: row.required,
                routes,
            });
        }
        Ok(Self { services })
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

/// Whether every segment is either plain or one `{name}`.
fn is_pattern(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    rest.split('/').all(|segment| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        match segment.strip_prefix('{') {
            Some(name) => name.strip_suffix('}').is_some_and(is_name),
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
