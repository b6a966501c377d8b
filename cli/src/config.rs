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
