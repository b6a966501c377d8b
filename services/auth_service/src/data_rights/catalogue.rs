//! The services that keep something about people: those of verticals, from the catalogue of services.

use std::fmt::Write as _;

use serde::Deserialize;
use service_kit::StartError;

/// The catalogue as it is built in.
const CATALOGUE: &str = include_str!("../../../catalog.toml");

#[derive(Deserialize)]
struct Catalogue {
    service: Vec<Row>,
}

/// Of a service's row, what is needed here.
#[derive(Deserialize)]
struct Row {
    name: String,
    title: String,
    port: u16,
    vertical: Option<String>,
}

/// A service that keeps orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keeper {
    /// The service's name, e.g. `flight_service`.
    pub(super) service: String,
    /// The vertical's name in paths, e.g. `flights`.
    pub(super) vertical: String,
}

fn rows() -> Result<Vec<Row>, toml::de::Error> {
    toml::from_str::<Catalogue>(CATALOGUE).map(|catalogue| catalogue.service)
}

/// Every service of a vertical.
///
/// # Errors
/// [`StartError`] when the catalogue cannot be read: a mistake in the program.
pub(super) fn keepers() -> Result<Vec<Keeper>, StartError> {
    let rows = rows().map_err(|error| StartError::Other(format!("catalog.toml: {error}")))?;
    let keepers = rows.into_iter().filter_map(|row| {
        Some(Keeper {
            service: row.name,
            vertical: row.vertical?,
        })
    });
    Ok(keepers.collect())
}

/// The default configuration of where they are: one URL each, on the service's default port.
pub(crate) fn config() -> String {
    // A broken catalogue is reported at the start, where it can be.
    let rows = rows().unwrap_or_default();
    let verticals = rows.iter().filter(|row| row.vertical.is_some());
    verticals.fold(String::new(), |mut text, row| {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[colleagues.{name}]\n# Base URL of {name} ({title}), which is told of erasures and asked for exports.\nurl = \"http://127.0.0.1:{port}\"\n\n",
            name = row.name,
            title = row.title,
            port = row.port,
        );
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vertical_of_the_catalogue_keeps_orders() {
        let keepers = keepers().unwrap();
        let flights = Keeper {
            service: "flight_service".to_owned(),
            vertical: "flights".to_owned(),
        };
        assert!(keepers.contains(&flights));
        assert!(
            keepers
                .iter()
                .all(|keeper| keeper.service != "auth_service")
        );
        assert_eq!(config().matches("[colleagues.").count(), keepers.len());
    }
}
