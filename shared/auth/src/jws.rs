//! JSON Web Signatures (RFC 7515) in the one form that is accepted here: compact, RS256, a header of
//! `alg`, `kid` and `typ` and nothing else. A header that names keys, key addresses or extensions
//! (`jwk`, `jku`, `x5u`, `x5c`, `crit`, `b64`, …) is refused unread: RFC 8725 §3.10, §3.11.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::jwks::PublicKey;

/// The only algorithm (RFC 7518 §3.3).
pub(crate) const ALGORITHM: &str = "RS256";

/// A JSON object without a repeated member (RFC 7515 §4 allows to refuse them).
pub(crate) struct Object(Map<String, Value>);

impl Object {
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// A member that is a text of 1 to 255 visible ASCII characters.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        let text = self.text(name)?;
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        ((1..=255).contains(&text.len()) && visible).then_some(text)
    }

    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A member that is a whole number of at least zero, written without a fraction or an exponent.
    pub(crate) fn whole(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64().filter(|number| *number >= 0)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Object, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    if map.insert(name, value).is_some() {
                        return Err(A::Error::custom("repeated member"));
                    }
                }
                Ok(Object(map))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A signature in compact form that has not been verified yet: its payload is out of reach.
pub(crate) struct Unverified<'a> {
    kid: String,
    typ: Option<String>,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart; none for every other form.
    pub(crate) fn read(token: &'a str) -> Option<Self> {
        let mut segments = token.split('.');
        let (header, payload, signature) = (segments.next()?, segments.next()?, segments.next()?);
        if segments.next().is_some() {
            return None;
        }
        let signed = token.get(..header.len() + 1 + payload.len())?;
        let header = Object::read(&URL_SAFE_NO_PAD.decode(header).ok()?)?;
        let known = |name: &String| matches!(name.as_str(), "alg" | "kid" | "typ");
        if !header.0.keys().all(known) || header.text("alg") != Some(ALGORITHM) {
            return None;
        }
        Some(Self {
            kid: header.word("kid")?.to_owned(),
            typ: match header.0.get("typ") {
                None => None,
                Some(typ) => Some(typ.as_str()?.to_owned()),
            },
            signed,
            payload,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// The name of the key that it claims to be signed with.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// What it claims to be.
    pub(crate) fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// The payload, if the key signed it.
    pub(crate) fn verify(&self, key: &PublicKey) -> Option<Vec<u8>> {
        if !key.verifies(self.signed.as_bytes(), &self.signature) {
            return None;
        }
        URL_SAFE_NO_PAD.decode(self.payload).ok()
    }
}

#[cfg(test)]
mod tests;
