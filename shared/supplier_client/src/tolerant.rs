//! Reading what suppliers really send: numbers as text and the reverse, null for an absent list, a
//! description of another kind than documented. Amounts and times keep the literal that they came as;
//! the functions are for serde's `deserialize_with`.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Text or a number, exactly as it was written: a number never passes through a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal(pub String);

impl Literal {
    /// As it was written, without the quotes of a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A number that is not money; none if it is not a finite one.
    pub fn number(&self) -> Option<f64> {
        self.0
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get())
                .map(Self)
                .map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(raw.get().to_owned())),
            _ => Err(D::Error::custom("invalid type, expected text or a number")),
        }
    }
}

/// What merely describes: null, absent and of another kind than documented are the same.
///
/// # Errors
/// Only what is not JSON.
pub fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

/// A list that may be null.
///
/// # Errors
/// What is neither null nor a list of such entries.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
