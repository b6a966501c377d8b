//! Default, file and environment laid over each other, with the source of every value remembered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::schema::{Schema, flatten};

/// What every variable of the product begins with.
const PREFIX: &str = "INTERLINE__";
/// Stands in place of a service's name for keys that all services share.
const ALL: &str = "all";

/// Why the configuration cannot be used. Each message names the key and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The embedded default is broken: a mistake in the program.
    #[error("the embedded default configuration is not valid: {0}")]
    Default(String),
    /// The file cannot be read or is not TOML.
    #[error("configuration file {path}: {problem}")]
    File {
        /// The file as it was named.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A key that the service does not have.
    #[error("unknown configuration key '{key}' in {origin}{}; `interline config {service}` lists all keys", .nearest.as_ref().map(|n| format!("; '{n}' may be meant")).unwrap_or_default())]
    UnknownKey {
        /// The key as given.
        key: String,
        /// The file or variable that has it.
        origin: String,
        /// The service that was asked.
        service: String,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// A value of the wrong type or outside what the key allows.
    #[error("configuration key '{key}' in {origin}: {problem}")]
    Value {
        /// The key.
        key: String,
        /// The file or variable that has it.
        origin: String,
        /// What is wrong and what would be right. Never the value of a secret.
        problem: String,
    },
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded document.
    Default,
    /// The configuration file.
    File(String),
    /// An environment variable, by name.
    Environment(String),
    /// A command-line option or the program itself.
    Option(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Option(name) => write!(f, "option {name}"),
        }
    }
}

/// Everything that can override a default, weakest first: file, environment, options.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A TOML file with one table per service, and `[all]` for keys that all services share.
    pub file: Option<PathBuf>,
    /// Environment variables; those that do not begin with `INTERLINE__` are ignored.
    pub environment: Vec<(String, String)>,
    /// `(option's name, key, value)`, e.g. `("--port", "listen.port", 8000)`.
    pub options: Vec<(String, String, Value)>,
}

impl Sources {
    /// The process's own environment and the file named by `INTERLINE_CONFIG`, if it is set.
    pub fn from_process() -> Self {
        Self {
            file: std::env::var_os("INTERLINE_CONFIG").map(PathBuf::from),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .filter(|(name, _)| name.starts_with(PREFIX))
                .collect(),
            options: Vec::new(),
        }
    }

    /// Adds an option, the strongest layer.
    #[must_use]
    pub fn with(mut self, name: &str, key: &str, value: impl Into<Value>) -> Self {
        self.options
            .push((name.to_owned(), key.to_owned(), value.into()));
        self
    }

    /// The names of services that variables and the file speak of, for a check against the services
    /// that exist. `all` is not among them.
    ///
    /// # Errors
    /// [`SettingsError::File`] when the file cannot be read.
    pub fn services(&self) -> Result<Vec<(String, String)>, SettingsError> {
        let mut names: Vec<(String, String)> = self
            .environment
            .iter()
            .filter_map(|(name, _)| {
                let service = name.strip_prefix(PREFIX)?.split("__").next()?;
                Some((service.to_lowercase(), name.clone()))
            })
            .collect();
        if let Some((path, table)) = self.read_file()? {
            names.extend(table.keys().map(|key| (key.clone(), path.clone())));
        }
        names.retain(|(service, _)| service != ALL);
        Ok(names)
    }

    fn read_file(&self) -> Result<Option<(String, Table)>, SettingsError> {
        let Some(path) = &self.file else {
            return Ok(None);
        };
        let shown = path.display().to_string();
        let problem = |problem: String| SettingsError::File {
            path: shown.clone(),
            problem,
        };
        let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
        let table = text
            .parse()
            .map_err(|error: toml::de::Error| problem(error.to_string().trim().to_owned()))?;
        Ok(Some((shown, table)))
    }
}

/// A key with its present value, for people.
#[derive(Clone, Debug)]
pub struct KeyReport {
    /// Dotted path.
    pub key: String,
    /// The default as TOML.
    pub default: String,
    /// The present value as TOML; `"***"` for a secret that is set.
    pub value: String,
    /// Where the present value comes from.
    pub source: Source,
    /// What it means.
    pub meaning: String,
    /// The variable that sets it.
    pub variable: String,
}

/// The configuration of one service.
#[derive(Clone)]
pub struct Settings {
    service: String,
    schema: Schema,
    values: BTreeMap<String, (Value, Source)>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settings({})", self.service)
    }
}

impl Settings {
    /// Lays the sources over the default documents of a service.
    ///
    /// # Errors
    /// [`SettingsError`] for the first key that is unknown or does not fit.
    pub fn load<T: AsRef<str>>(
        service: &str,
        defaults: &[T],
        sources: &Sources,
    ) -> Result<Self, SettingsError> {
        let schema = Schema::read(defaults)?;
        let values = schema
            .iter()
            .map(|(path, key)| (path.to_owned(), (key.default.clone(), Source::Default)))
            .collect();
        let mut settings = Self {
            service: service.to_owned(),
            schema,
            values,
        };
        if let Some((path, table)) = sources.read_file()? {
            for section in [ALL, service] {
                let Some(Value::Table(table)) = table.get(section) else {
                    continue;
                };
                let mut leaves = Vec::new();
                flatten("", table, &mut leaves);
                for (key, value) in leaves {
                    settings.set(&key, value, Source::File(path.clone()))?;
                }
            }
        }
        for section in [ALL, service] {
            let prefix = format!("{PREFIX}{}__", section.to_uppercase());
            for (name, text) in &sources.environment {
                let Some(rest) = name.strip_prefix(&prefix) else {
                    continue;
                };
                let key = rest.to_lowercase().replace("__", ".");
                let value = settings.read_variable(&key, name, text)?;
                settings.set(&key, value, Source::Environment(name.clone()))?;
            }
        }
        for (name, key, value) in &sources.options {
            settings.set(key, value.clone(), Source::Option(name.clone()))?;
        }
        Ok(settings)
    }

    /// Reads a variable's text as the type of the key's default. Lists are TOML or comma-separated.
    fn read_variable(&self, key: &str, name: &str, text: &str) -> Result<Value, SettingsError> {
        let origin = Source::Environment(name.to_owned());
        let known = self
            .schema
            .get(key)
            .ok_or_else(|| self.unknown(key, &origin))?;
        let wrong = |problem: String| SettingsError::Value {
            key: key.to_owned(),
            origin: origin.to_string(),
            problem,
        };
        match &known.default {
            Value::String(_) => Ok(Value::String(text.to_owned())),
            Value::Array(_) if !text.trim_start().starts_with('[') => Ok(Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(|item| Value::String(item.to_owned()))
                    .collect(),
            )),
            default => format!("value = {text}")
                .parse::<Table>()
                .ok()
                .and_then(|mut table| table.remove("value"))
                .ok_or_else(|| wrong(format!("must be {}", kind(default)))),
        }
    }

    fn set(&mut self, key: &str, value: Value, source: Source) -> Result<(), SettingsError> {
        let known = self
            .schema
            .get(key)
            .ok_or_else(|| self.unknown(key, &source))?;
        let value = match (&known.default, value) {
            (Value::Float(_), Value::Integer(whole)) => whole
                .to_string()
                .parse()
                .map(Value::Float)
                .unwrap_or(Value::Integer(whole)),
            (_, value) => value,
        };
        let wrong = |problem: String| SettingsError::Value {
            key: key.to_owned(),
            origin: source.to_string(),
            problem,
        };
        if !known.default.same_type(&value) {
            return Err(wrong(format!(
                "must be {}, is {}",
                kind(&known.default),
                kind(&value)
            )));
        }
        if let (Some(least), Value::Integer(number)) = (known.least, &value)
            && *number < least
        {
            return Err(wrong(format!("must be at least {least}, is {number}")));
        }
        let value = match value {
            Value::String(text) if known.secret && text.starts_with("file:") => {
                let path = text.trim_start_matches("file:");
                let secret = std::fs::read_to_string(path)
                    .map_err(|error| wrong(format!("cannot read {path}: {error}")))?;
                Value::String(secret.trim_end_matches(['\r', '\n']).to_owned())
            }
            value => value,
        };
        self.values.insert(key.to_owned(), (value, source));
        Ok(())
    }

    fn unknown(&self, key: &str, source: &Source) -> SettingsError {
        SettingsError::UnknownKey {
            key: key.to_owned(),
            origin: source.to_string(),
            service: self.service.clone(),
            nearest: self.schema.nearest(key).map(str::to_owned),
        }
    }

    /// The name of the service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// One key's value as the program's own type.
    ///
    /// # Errors
    /// [`SettingsError::Value`] when the value does not fit the type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<T, SettingsError> {
        let (value, source) = self
            .values
            .get(key)
            .ok_or_else(|| self.unknown(key, &Source::Option("the program".to_owned())))?;
        value
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| SettingsError::Value {
                key: key.to_owned(),
                origin: source.to_string(),
                problem: error.message().to_owned(),
            })
    }

    /// Whether nothing but the embedded document sets this key.
    pub fn is_default(&self, key: &str) -> bool {
        let source = self.values.get(key).map(|(_, source)| source);
        source == Some(&Source::Default)
    }

    /// All keys below a dotted path as one struct; the empty path is everything.
    ///
    /// # Errors
    /// [`SettingsError::Value`] when a value does not fit its field. Deserialisation stops at the
    /// first such key.
    pub fn section<T: DeserializeOwned>(&self, path: &str) -> Result<T, SettingsError> {
        let mut table = Table::new();
        for (key, (value, _)) in &self.values {
            let rest = if path.is_empty() {
                Some(key.as_str())
            } else {
                key.strip_prefix(path).and_then(|k| k.strip_prefix('.'))
            };
            if let Some(rest) = rest {
                insert(&mut table, rest, value.clone());
            }
        }
        Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| SettingsError::Value {
                key: format!("{path}.*"),
                origin: "the configuration".to_owned(),
                problem: error.message().to_owned(),
            })
    }

    /// The names directly below a dotted path, e.g. the suppliers below `suppliers`.
    pub fn names_below(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .values
            .keys()
            .filter_map(|key| key.strip_prefix(path)?.strip_prefix('.')?.split('.').next())
            .map(str::to_owned)
            .collect();
        names.dedup();
        names
    }

    /// Every key with default, present value, source and meaning. Secrets are masked.
    pub fn report(&self) -> Vec<KeyReport> {
        self.schema
            .iter()
            .filter_map(|(path, key)| {
                let (value, source) = self.values.get(path)?;
                // A default stands in the repository: it is no secret.
                let masked = key.secret && *value != key.default;
                Some(KeyReport {
                    key: path.to_owned(),
                    default: key.default.to_string(),
                    value: if masked {
                        "\"***\"".to_owned()
                    } else {
                        value.to_string()
                    },
                    source: source.clone(),
                    meaning: key.meaning.clone(),
                    variable: format!(
                        "{PREFIX}{}__{}",
                        self.service.to_uppercase(),
                        path.to_uppercase().replace('.', "__")
                    ),
                })
            })
            .collect()
    }
}

/// A value's type in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

fn insert(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table
                .entry(first)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str = r#"
# Profile.
profile = "development"
[search]
# Deadline in milliseconds (at least 1).
deadline_ms = 5000
# Share of calls.
ratio = 0.5
# Origins.
origins = ["http://localhost"]
[suppliers.duffel]
# Whether it is used.
enabled = true
# Token (secret).
token = "duffel_test_sandbox"
"#;

    fn load(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let sources = Sources {
            environment: environment
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
            ..Sources::default()
        };
        Settings::load("flight_service", &[DEFAULTS], &sources)
    }

    #[test]
    fn the_environment_overrides_the_default_in_the_keys_own_type() {
        let settings = load(&[
            ("INTERLINE__FLIGHT_SERVICE__SEARCH__DEADLINE_MS", "900"),
            ("INTERLINE__FLIGHT_SERVICE__SEARCH__RATIO", "1"),
            (
                "INTERLINE__FLIGHT_SERVICE__SEARCH__ORIGINS",
                "http://a, http://b",
            ),
            (
                "INTERLINE__FLIGHT_SERVICE__SUPPLIERS__DUFFEL__ENABLED",
                "false",
            ),
            ("INTERLINE__ALL__PROFILE", "production"),
            (
                "INTERLINE__HOTEL_SERVICE__NO_SUCH_KEY",
                "is not ours to judge",
            ),
        ])
        .unwrap();
        assert_eq!(settings.get::<u64>("search.deadline_ms").unwrap(), 900);
        assert_eq!(settings.get::<f64>("search.ratio").unwrap(), 1.0);
        assert_eq!(
            settings.get::<Vec<String>>("search.origins").unwrap(),
            ["http://a", "http://b"]
        );
        assert!(!settings.get::<bool>("suppliers.duffel.enabled").unwrap());
        assert_eq!(settings.get::<String>("profile").unwrap(), "production");
        assert_eq!(settings.names_below("suppliers"), ["duffel"]);
    }

    #[test]
    fn a_mistyped_key_is_an_error_that_names_the_right_one() {
        let error = load(&[("INTERLINE__FLIGHT_SERVICE__SEARCH__DEADLINE", "1")]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("search.deadline_ms"), "{text}");
        assert!(
            text.contains("INTERLINE__FLIGHT_SERVICE__SEARCH__DEADLINE"),
            "{text}"
        );
    }

    #[test]
    fn a_value_of_another_type_is_an_error_that_says_which() {
        let error =
            load(&[("INTERLINE__FLIGHT_SERVICE__SEARCH__DEADLINE_MS", "soon")]).unwrap_err();
        assert!(
            error.to_string().contains("must be a whole number"),
            "{error}"
        );
    }

    #[test]
    fn a_value_below_the_bound_of_its_key_is_an_error_that_names_all_three() {
        let name = "INTERLINE__FLIGHT_SERVICE__SEARCH__DEADLINE_MS";
        for value in ["0", "-1"] {
            let error = load(&[(name, value)]).unwrap_err().to_string();
            let expected = format!("must be at least 1, is {value}");
            for part in ["'search.deadline_ms'", name, &expected] {
                assert!(error.contains(part), "{error}");
            }
        }
        load(&[(name, "1")]).unwrap();
    }

    #[test]
    fn secrets_are_never_shown() {
        let settings = load(&[(
            "INTERLINE__FLIGHT_SERVICE__SUPPLIERS__DUFFEL__TOKEN",
            "s3cret",
        )])
        .unwrap();
        let shown = format!("{settings:?} {:?}", settings.report());
        assert!(!shown.contains("s3cret") && shown.contains("***"));
        assert_eq!(
            settings.get::<String>("suppliers.duffel.token").unwrap(),
            "s3cret"
        );
    }

    #[test]
    fn a_secret_can_come_from_a_file() {
        let path = std::env::temp_dir().join(format!("interline-secret-{}", std::process::id()));
        std::fs::write(&path, "from-file\n").unwrap();
        let settings = load(&[(
            "INTERLINE__FLIGHT_SERVICE__SUPPLIERS__DUFFEL__TOKEN",
            &format!("file:{}", path.display()),
        )])
        .unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            settings.get::<String>("suppliers.duffel.token").unwrap(),
            "from-file"
        );
    }
}
