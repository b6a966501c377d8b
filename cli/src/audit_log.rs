//! `interline audit verify`: whether the audit log is as it was written. Only reads.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use audit::{AuditKey, AuditLog, Heads, Report};
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{StartError, exit_with};
use settings::{Settings, Sources};
use storage::{Db, StoreOptions};
use tokio::time::Instant;
use travel_types::Clock;

use crate::screen::Screen;

/// The service whose log it is.
const SERVICE: &str = "auth_service";
/// How often a long verification says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(2);

#[derive(clap::Subcommand)]
pub(crate) enum AuditCommand {
    /// Verifies that no record of the audit log was changed, removed, added or moved.
    ///
    /// Reads the store, the key and the file of signed heads that auth_service is configured with, and
    /// changes nothing; the service may be running. Ends with 1 when something is wrong, and names the
    /// first bad record.
    Verify(VerifyOptions),
}

#[derive(clap::Args)]
pub(crate) struct VerifyOptions {
    /// Configuration file (TOML, one table per service and `[all]`).
    #[arg(long, value_name = "FILE", env = "INTERLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Folder for keys and databases.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Another store, such as a copy: sqlite:/path/file.db or postgres://…
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Another file of signed heads; may be given several times, one for each instance of the service.
    #[arg(long, value_name = "FILE")]
    heads: Vec<PathBuf>,
    /// One line of JSON instead of sentences.
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
pub(crate) fn audit(command: &AuditCommand) -> ExitCode {
    let AuditCommand::Verify(options) = command;
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return exit_with(&other(error)),
    };
    let verified = runtime.block_on(verify(options));
    match verified.and_then(|report| tell(&report, options.json).map(|()| report.valid)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => exit_with(&error),
    }
}

async fn verify(options: &VerifyOptions) -> Result<Report, StartError> {
    let spec = crate::find(SERVICE)?;
    let mut sources = Sources::from_process();
    sources.file.clone_from(&options.config);
    if let Some(folder) = &options.data_dir {
        let folder = folder.display().to_string();
        sources = sources.with("--data-dir", "data_dir", folder);
    }
    crate::check_names(&sources)?;
    let settings = Settings::load(spec.name, &spec.defaults(), &sources)?;
    let data_dir: PathBuf = settings.get::<String>("data_dir")?.into();
    let secret: SecretString = settings.get("audit.key")?;
    let key = match secret.expose_secret().is_empty() {
        true => AuditKey::existing(&data_dir),
        false => AuditKey::from_setting(&secret),
    };
    let key = key.map_err(other)?;
    // Heads before the log: what is appended meanwhile is no fault.
    let heads = Heads::read(&heads_files(options, &settings, &data_dir)?).map_err(other)?;
    let url = store_url(options, &settings, &data_dir)?;
    let db = Db::open_read_only(&StoreOptions {
        max_connections: 1,
        statement_timeout: Duration::from_secs(300),
        ..StoreOptions::new(url)
    })
    .await?;
    let log = AuditLog::new(db, key, Clock::system());
    let mut told = Instant::now();
    let report = log
        .verify_telling(&heads, |done, of| {
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                drop(writeln!(
                    std::io::stderr(),
                    "verified {done} of {of} records"
                ));
            }
        })
        .await?;
    Ok(report)
}

fn heads_files(
    options: &VerifyOptions,
    settings: &Settings,
    data_dir: &Path,
) -> Result<Vec<PathBuf>, StartError> {
    if !options.heads.is_empty() {
        return Ok(options.heads.clone());
    }
    let file: String = settings.get("audit.heads_file")?;
    Ok(vec![match file.is_empty() {
        true => audit::default_heads_file(data_dir),
        false => file.into(),
    }])
}

fn store_url(
    options: &VerifyOptions,
    settings: &Settings,
    data_dir: &Path,
) -> Result<String, StartError> {
    if let Some(url) = &options.store {
        return Ok(url.clone());
    }
    let configured: String = settings.get("store.url")?;
    if !configured.is_empty() {
        return Ok(configured.replace("{service}", SERVICE));
    }
    let file = data_dir.join(SERVICE).with_extension("db");
    let file = std::path::absolute(&file).map_err(|error| StartError::folder(&file, error))?;
    Ok(format!("sqlite:{}", file.display()))
}

fn tell(report: &Report, json: bool) -> Result<(), StartError> {
    let screen = Screen::new();
    if json {
        let line = serde_json::json!({
            "valid": report.valid,
            "records": report.records,
            "first_bad_index": report.first_bad_index,
            "problem": report.fault.as_ref().map(ToString::to_string),
            "head": report.head,
        });
        screen.line(&line.to_string());
        return Ok(());
    }
    let records = report.records;
    if let Some(fault) = &report.fault {
        return Err(StartError::Other(format!(
            "the audit log is not valid: {fault}. First bad index: {}. The {records} records before \
             it are good",
            fault.index
        )));
    }
    screen.line(&format!("The audit log is valid: {records} records."));
    screen.line(&match &report.head {
        Some(head) => format!(
            "Its end was last signed at {}, with record {}.",
            head.at, head.seq
        ),
        None => "No head is signed yet, so nothing shows whether its end was cut off.".to_owned(),
    });
    Ok(())
}

fn other(error: impl std::fmt::Display) -> StartError {
    StartError::Other(error.to_string())
}
