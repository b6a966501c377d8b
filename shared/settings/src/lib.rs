//! Configuration in three layers: a default document embedded in the crate that owns the keys, a file,
//! and the environment. The default document is the schema and the manual at once: a key that it does
//! not have is an error, a value of another type is an error, and the comment above a key is its meaning.

mod layers;
mod schema;

pub use layers::{KeyReport, Settings, SettingsError, Source, Sources};
pub use schema::{Key, Schema};
pub use secrecy::{ExposeSecret, SecretString};
