//! `interline config <service>`: every key with its value, default, source and meaning.

use std::path::PathBuf;

use service_kit::StartError;
use settings::{Settings, Sources};

use crate::screen::Screen;

#[derive(clap::Args)]
pub(crate) struct ConfigOptions {
    /// The service's name, e.g. flight_service.
    service: String,
    /// Configuration file that is taken into account.
    #[arg(long, value_name = "FILE", env = "INTERLINE_CONFIG")]
    config: Option<PathBuf>,
}

pub(crate) fn config(options: &ConfigOptions) -> Result<(), StartError> {
    let spec = crate::find(&options.service)?;
    let mut sources = Sources::from_process();
    sources.file.clone_from(&options.config);
    let settings = Settings::load(spec.name, &spec.defaults(), &sources)?;
    let screen = Screen::new();
    for key in settings.report() {
        screen.line(&format!("{} = {}", screen.bold(&key.key), key.value));
        let mut about = key.meaning;
        about.push_str(&format!(
            " [default {}; source: {}; {}]",
            key.default, key.source, key.variable
        ));
        screen.line(&screen.dim(&format!("    {}", about.trim())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_nothing_is_refused_by_the_service_that_would_wait_for_it() {
        for (service, key) in [
            ("flight_service", "search.deadline_ms"),
            ("hotel_service", "order.deadline_ms"),
            ("car_service", "settle.poll_ms"),
            ("car_service", "http.deadline_ms"),
            ("api_gateway", "http.deadline_ms"),
            ("auth_service", "store.acquire_ms"),
        ] {
            let spec = crate::find(service).unwrap();
            let load = |value: i64| {
                let sources = Sources::default().with("--test", key, value);
                Settings::load(spec.name, &spec.defaults(), &sources)
            };
            let error = load(0).unwrap_err().to_string();
            assert!(
                error.contains(key) && error.contains("must be at least 1, is 0"),
                "{error}"
            );
            load(1).unwrap();
        }
    }
}
