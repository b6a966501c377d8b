//! Parameters as OAuth reads them: `application/x-www-form-urlencoded`, none twice, an empty one as if
//! it were absent, unknown ones ignored (RFC 6749 §3.1, §3.2).

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::{StatusCode, header};

use super::error::OAuthError;

/// The parameters of a request. They may be secrets: no `Debug`.
pub(crate) struct Form {
    values: BTreeMap<String, String>,
    repeated: BTreeSet<String>,
}

impl Form {
    /// Reads an encoded text. Repeated parameters are noted, and worth nothing.
    pub(crate) fn lenient(text: &str) -> Self {
        let mut form = Self {
            values: BTreeMap::new(),
            repeated: BTreeSet::new(),
        };
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let name = name.into_owned();
            if form.values.contains_key(&name) || form.repeated.contains(&name) {
                form.values.remove(&name);
                form.repeated.insert(name);
            } else {
                form.values.insert(name, value.into_owned());
            }
        }
        form.values.retain(|_, value| !value.is_empty());
        form
    }

    /// Whether a parameter was there more than once.
    pub(crate) fn has_repeated(&self) -> bool {
        !self.repeated.is_empty()
    }

    /// A parameter that may be absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request` names it.
    pub(crate) fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name)
            .ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing.")))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
        let media_type = types
            .next()
            .filter(|_| types.next().is_none())
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map(|value| value.trim().to_ascii_lowercase());
        if media_type.as_deref() != Some("application/x-www-form-urlencoded") {
            return Err(OAuthError::invalid_request(
                "Send the parameters as application/x-www-form-urlencoded in the body.",
            ));
        }
        if request.uri().query().is_some() {
            return Err(OAuthError::invalid_request(
                "Send the parameters in the body, none in the query.",
            ));
        }
        let body =
            Bytes::from_request(request, state)
                .await
                .map_err(|rejection| match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => OAuthError::too_large(),
                    _ => OAuthError::invalid_request("The body cannot be read."),
                })?;
        let text = str::from_utf8(&body)
            .map_err(|_| OAuthError::invalid_request("The body is not UTF-8."))?;
        let form = Self::lenient(text);
        if form.has_repeated() {
            return Err(OAuthError::invalid_request("A parameter stands twice."));
        }
        Ok(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_worth_nothing_and_an_empty_one_is_absent() {
        let form = Form::lenient("a=1&b=&c=2&c=3&c=4&d=%C3%A9+x");
        assert_eq!(form.get("a"), Some("1"));
        assert_eq!(form.get("b"), None);
        assert_eq!(form.get("c"), None);
        assert_eq!(form.get("d"), Some("é x"));
        assert!(form.has_repeated());
        assert!(!Form::lenient("a=1&b=2").has_repeated());
    }
}
