//! `interline services`: what a deployment has to know of each service, from the code. The Helm chart
//! and the compose file are made of these files, so a new service or supplier needs no second list.

use std::fmt::Write as _;
use std::path::PathBuf;

use service_kit::{Access, ServiceSpec, StartError};
use settings::Schema;

use crate::screen::Screen;

const GATEWAY: &str = "api_gateway";
const NOTE: &str = "# Written by `interline services --out deploy` from services/catalog.toml and \
                    the services' own\n# keys. Not to be edited.\n";

#[derive(clap::Args)]
pub(crate) struct ServicesOptions {
    /// The folder `deploy` to write to; without it, the chart's file goes to standard output.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Writes nothing; fails if the files in --out differ from the code.
    #[arg(long, requires = "out")]
    check: bool,
}

/// A key that holds the address of another service.
struct Address {
    key: String,
    service: &'static str,
    port: i64,
    /// What follows host and port; empty or begins with a slash.
    path: String,
}

/// What a deployment has to know of a service.
struct Described {
    name: &'static str,
    title: String,
    port: i64,
    /// Only a gateway may call it, and it keeps a store.
    inner: bool,
    addresses: Vec<Address>,
    /// Keys whose values are secrets.
    secrets: Vec<String>,
}

/// The files below `deploy/` that follow from the code: path and text.
///
/// # Errors
/// [`StartError`] when a default document or the catalogue is broken: a mistake in the program.
pub fn deployment_files() -> Result<[(&'static str, String); 2], StartError> {
    let services = described()?;
    Ok([
        ("helm/interline/services.yaml", chart(&services)),
        ("compose/interline.toml", compose(&services)),
    ])
}

pub(crate) fn services(options: &ServicesOptions) -> Result<(), StartError> {
    let screen = Screen::new();
    let Some(folder) = &options.out else {
        screen.line(chart(&described()?).trim_end());
        return Ok(());
    };
    for (name, text) in deployment_files()? {
        let path = folder.join(name);
        let wrong = |problem: &dyn std::fmt::Display| {
            StartError::Other(format!("{}: {problem}", path.display()))
        };
        if options.check {
            if std::fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
                return Err(wrong(
                    &"is not what the code says; write it anew with `interline services --out deploy`",
                ));
            }
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| wrong(&error))?;
        }
        std::fs::write(&path, text).map_err(|error| wrong(&error))?;
        screen.line(&format!("wrote {}", path.display()));
    }
    Ok(())
}

fn described() -> Result<Vec<Described>, StartError> {
    let catalog = api_gateway::catalog().map_err(|error| StartError::Other(error.to_string()))?;
    let specs = crate::services();
    let schemas = specs
        .iter()
        .map(|spec| Ok((spec, Schema::read(&spec.defaults())?)))
        .collect::<Result<Vec<_>, StartError>>()?;
    let ports: Vec<(&'static str, i64)> = schemas
        .iter()
        .map(|(spec, schema)| (spec.name, port(schema)))
        .collect();
    let describe = |(spec, schema): &(&ServiceSpec, Schema)| {
        let listed = catalog.services.iter().find(|row| row.name == spec.name);
        Described {
            name: spec.name,
            title: listed.map_or_else(|| "Gateway".to_owned(), |row| row.title.clone()),
            port: port(schema),
            inner: spec.access == Access::Gateway,
            addresses: addresses(schema, &ports),
            secrets: schema
                .iter()
                .filter(|(_, key)| key.secret)
                .map(|(path, _)| path.to_owned())
                .collect(),
        }
    };
    let mut all: Vec<Described> = schemas.iter().map(describe).collect();
    // As everywhere that people read: the gateway first.
    all.sort_by_key(|service| service.name != GATEWAY);
    Ok(all)
}

fn port(schema: &Schema) -> i64 {
    let key = schema.get("listen.port");
    key.and_then(|key| key.default.as_integer())
        .unwrap_or_default()
}

/// The keys whose defaults are addresses of the services on one machine.
fn addresses(schema: &Schema, ports: &[(&'static str, i64)]) -> Vec<Address> {
    let mut found = Vec::new();
    for (key, value) in schema.iter() {
        let Some(text) = value.default.as_str() else {
            continue;
        };
        for (service, port) in ports {
            let rest = text.strip_prefix(&format!("http://127.0.0.1:{port}"));
            if let Some(path) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                found.push(Address {
                    key: key.to_owned(),
                    service,
                    port: *port,
                    path: path.to_owned(),
                });
            }
        }
    }
    found
}

/// `services.yaml` of the Helm chart. Writing to a String cannot fail. Names, keys and paths are of
/// letters, digits and `._/-`; titles are quoted as YAML quotes like JSON.
fn chart(services: &[Described]) -> String {
    let mut text = format!("{NOTE}services:\n");
    for service in services {
        let title = serde_json::Value::from(service.title.as_str());
        let _ = write!(
            text,
            "  - name: {}\n    title: {title}\n    port: {}\n    inner: {}\n",
            service.name, service.port, service.inner
        );
        if service.addresses.is_empty() {
            text.push_str("    addresses: []\n");
        } else {
            text.push_str("    addresses:\n");
        }
        for Address {
            key, service, path, ..
        } in &service.addresses
        {
            let _ = writeln!(
                text,
                "      - {{ key: {key}, service: {service}, path: \"{path}\" }}"
            );
        }
        text.push_str("    secrets:\n");
        for key in &service.secrets {
            let _ = writeln!(text, "      - {key}");
        }
    }
    text
}

/// The configuration file of the compose file: where everybody is on its network.
fn compose(services: &[Described]) -> String {
    let mut text = NOTE.to_owned();
    for service in services.iter().filter(|one| !one.addresses.is_empty()) {
        let _ = write!(text, "\n[{}]\n", service.name);
        for address in &service.addresses {
            let _ = writeln!(
                text,
                "{} = \"http://{}:{}{}\"",
                address.key,
                host(address.service),
                address.port,
                address.path
            );
        }
    }
    text
}

/// A service's name as a host's (RFC 1123 §2.1: no underscores).
fn host(service: &str) -> String {
    service.replace('_', "-")
}
