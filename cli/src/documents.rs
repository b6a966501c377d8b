//! `interline openapi`: the documents of the public interface, from the code.

use std::path::PathBuf;

use serde_json::Value;
use service_kit::StartError;

use crate::screen::Screen;

#[derive(clap::Args)]
pub(crate) struct OpenapiOptions {
    /// Folder to write to; without it, the merged document goes to standard output.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Writes nothing; fails if the files in --out differ from the code.
    #[arg(long, requires = "out")]
    check: bool,
}

/// The document of each service that has a part in the public interface, by name.
fn documents() -> Result<Vec<(String, Value)>, StartError> {
    crate::services()
        .into_iter()
        .filter(|spec| !matches!(spec.name, "api_gateway" | "sandbox"))
        .map(|spec| Ok((spec.name.to_owned(), (spec.openapi)())))
        .collect()
}

/// The one document that describes the gateway.
///
/// # Errors
/// [`StartError::Other`] names what two services describe differently.
pub fn merged_document() -> Result<Value, StartError> {
    service_kit::openapi::merge(&documents()?, env!("CARGO_PKG_VERSION"))
        .map_err(|error| StartError::Other(error.to_string()))
}

pub(crate) fn openapi(options: &OpenapiOptions) -> Result<(), StartError> {
    let mut files = documents()?;
    files.push(("interline".to_owned(), merged_document()?));
    let screen = Screen::new();
    for (name, document) in files {
        let mut text = serde_json::to_string_pretty(&document)
            .map_err(|error| StartError::Other(error.to_string()))?;
        text.push('\n');
        let Some(folder) = &options.out else {
            if name == "interline" {
                screen.line(text.trim_end());
            }
            continue;
        };
        let path = folder.join(format!("{name}.json"));
        if options.check {
            if std::fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
                return Err(StartError::Other(format!(
                    "{} is not what the code says; write it anew with `interline openapi --out {}`",
                    path.display(),
                    folder.display()
                )));
            }
        } else {
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, text))
                .map_err(|error| StartError::Other(format!("{}: {error}", path.display())))?;
            screen.line(&format!("wrote {}", path.display()));
        }
    }
    Ok(())
}
