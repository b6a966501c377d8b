//! Extractors: who calls, a body that is exactly what it should be, and the key that makes a repeat
//! harmless.

use auth::{Identity, Permission};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http::{StatusCode, header};
use serde::de::{DeserializeOwned, IgnoredAny};
use travel_types::FieldErrors;

use crate::error::{ApiError, codes};
use crate::routes::forbidden;

/// A caller with a verified identity. A handler that takes it is closed to anonymous requests.
#[derive(Clone, Debug)]
pub struct Caller(pub Identity);

impl Caller {
    /// The account's id.
    pub fn subject(&self) -> &str {
        self.0.subject()
    }

    /// Lets pass only who may do this. For what depends on the object; what the whole operation needs
    /// is its [`crate::Need`].
    ///
    /// # Errors
    /// 403 that names the permission.
    pub fn require(&self, permission: Permission) -> Result<(), ApiError> {
        if self.0.may(permission) {
            return Ok(());
        }
        Err(forbidden(permission))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Identity>()
            .filter(|identity| !identity.is_anonymous())
            .map(|identity| Self(identity.clone()))
            .ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))
    }
}

/// A JSON body: the right media type, no unknown field, none twice, each of the right type.
#[derive(Debug)]
pub struct StrictJson<T> {
    /// What was read.
    pub value: T,
    /// The body as it came, for fingerprints.
    pub raw: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for StrictJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let mut media_types = request.headers().get_all(header::CONTENT_TYPE).iter();
        let media_type = media_types
            .next()
            .filter(|_| media_types.next().is_none())
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map(|value| value.trim().to_ascii_lowercase());
        if media_type.as_deref() != Some("application/json") {
            return Err(ApiError::new(&codes::UNSUPPORTED_MEDIA_TYPE));
        }
        let raw = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                let code = match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => &codes::BODY_TOO_LARGE,
                    _ => &codes::BAD_REQUEST,
                };
                ApiError::new(code).because(rejection)
            })?;
        let value = read_json(&raw)?;
        Ok(Self { value, raw })
    }
}

/// Reads a body strictly.
///
/// # Errors
/// 400 for what is not JSON, unknown or repeated; 422 with the field's path for what does not fit.
fn read_json<T: DeserializeOwned>(raw: &[u8]) -> Result<T, ApiError> {
    // serde would read a list as an object whose fields come in their order.
    if raw.trim_ascii_start().first() == Some(&b'[') {
        check_syntax(raw)?;
        let mut fields = FieldErrors::new();
        fields.add("(body)", "INVALID", "must be an object");
        return Err(ApiError::invalid(fields));
    }
    let mut reader = serde_json::Deserializer::from_slice(raw);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        // A field may not fit long before the text stops being JSON: what is no JSON is told first.
        match check_syntax(raw) {
            Ok(()) if error.inner().is_data() => refusal(&path, error.inner()),
            Ok(()) => not_json(error.inner()),
            Err(error) => error,
        }
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// Whether a body is one JSON text in UTF-8, however deep: nothing is built and nothing recurses.
fn check_syntax(raw: &[u8]) -> Result<(), ApiError> {
    let text = str::from_utf8(raw)
        .map_err(|_| ApiError::new(&codes::INVALID_JSON).message("The body is not UTF-8."))?;
    serde_json::from_str::<IgnoredAny>(text)
        .map(drop)
        .map_err(|error| not_json(&error))
}

fn not_json(error: &serde_json::Error) -> ApiError {
    ApiError::new(&codes::INVALID_JSON).message(format!(
        "The body is not valid JSON: line {}, column {}.",
        error.line(),
        error.column()
    ))
}

fn refusal(path: &str, error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    // serde names fields in backquotes; what follows " at line" is a position.
    let words = text.split(" at line ").next().unwrap_or_default();
    let quoted = words.split('`').nth(1).unwrap_or_default();
    let parent = path
        .strip_suffix(quoted)
        .unwrap_or(path)
        .trim_end_matches('.');
    let at = |name: &str| match (parent, name) {
        ("" | "?", name) => name.to_owned(),
        (parent, name) => format!("{parent}.{name}"),
    };
    if words.starts_with("unknown field") {
        let field: String = at(quoted).chars().take(128).collect();
        return ApiError::new(&codes::UNKNOWN_FIELD).field(field);
    }
    if words.starts_with("duplicate field") {
        return ApiError::new(&codes::DUPLICATE_FIELD).field(at(quoted));
    }
    let mut fields = FieldErrors::new();
    if words.starts_with("missing field") {
        fields.add(at(quoted), "REQUIRED", "is required");
    } else {
        let field = match path {
            "." => "(body)".to_owned(),
            _ if words.starts_with('`') => format!("{path}.{quoted}"),
            _ => path.to_owned(),
        };
        fields.add(field, "INVALID", remedy(words));
    }
    ApiError::invalid(fields)
}

/// What a value must be, from serde's words about what it is not. The value itself is not repeated.
fn remedy(words: &str) -> String {
    // Rules of our own types begin so, or with the name of the field that breaks them.
    let named = words
        .strip_prefix('`')
        .and_then(|rest| rest.split_once("` "));
    let rule = named.map_or(words, |(_, rule)| rule);
    if rule.starts_with("must ") {
        return rule.to_owned();
    }
    let wanted = match words.split_once(", expected ") {
        Some((what, names)) if what.starts_with("unknown variant") => names.replace('`', ""),
        Some((_, "a string" | "a borrowed string")) => "a string".to_owned(),
        Some((_, "a boolean")) => "true or false".to_owned(),
        Some((_, "a sequence")) => "a list".to_owned(),
        Some((_, "u8" | "u16" | "u32" | "u64" | "i32" | "i64" | "usize")) => {
            "a whole number".to_owned()
        }
        Some((_, expected)) if expected.starts_with("struct ") => "an object".to_owned(),
        _ => return "does not have the right form; see the documentation of this operation".into(),
    };
    format!("must be {wanted}")
}

/// A request that takes no body: none was sent, or an empty object.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}
        let raw = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| ApiError::new(&codes::BODY_TOO_LARGE).because(rejection))?;
        if raw.is_empty() {
            return Ok(Self);
        }
        read_json::<Empty>(&raw).map(|_| Self)
    }
}

/// The caller's `Idempotency-Key`, which must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKeyHeader(pub String);

impl<S: Sync> FromRequestParts<S> for IdempotencyKeyHeader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else {
            return Err(ApiError::new(&codes::IDEMPOTENCY_KEY_REQUIRED));
        };
        let visible =
            (1..=255).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(key) if visible && values.next().is_none() => Ok(Self(key.to_owned())),
            _ => Err(ApiError::new(&codes::INVALID_IDEMPOTENCY_KEY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its reading is tested")]
    struct Outer {
        offer_id: String,
        people: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its reading is tested")]
    struct Inner {
        born_on: travel_types::jiff::civil::Date,
    }

    fn refused(body: &str) -> (u16, String, Option<String>) {
        let error = read_json::<Outer>(body.as_bytes()).unwrap_err();
        let entry = error.entries().first().unwrap();
        (
            error.status().as_u16(),
            entry.code.clone(),
            entry.field.clone(),
        )
    }

    #[test]
    fn a_bad_body_is_told_what_and_where() {
        let case = |status: u16, code: &str, field: Option<&str>| {
            (status, code.to_owned(), field.map(str::to_owned))
        };
        assert_eq!(refused("{"), case(400, "INVALID_JSON", None));
        assert_eq!(refused("{}"), case(422, "REQUIRED", Some("offer_id")));
        assert_eq!(
            refused(r#"{"offer_id":"a","people":[]} x"#),
            case(400, "INVALID_JSON", None)
        );
        assert_eq!(
            refused(r#"{"offer_id":"a","people":[],"price":1}"#),
            case(400, "UNKNOWN_FIELD", Some("price"))
        );
        assert_eq!(
            refused(r#"{"offer_id":"a","offer_id":"b","people":[]}"#),
            case(400, "DUPLICATE_FIELD", Some("offer_id"))
        );
        assert_eq!(
            refused(r#"{"offer_id":"a","people":[{}]}"#),
            case(422, "REQUIRED", Some("people[0].born_on"))
        );
        assert_eq!(
            refused(r#"{"offer_id":"a","people":[{"born_on":"x"}]}"#),
            case(422, "INVALID", Some("people[0].born_on"))
        );
        assert_eq!(
            refused(r#"{"offer_id":"a","people":[{"born_on":"2000-01-01","x":1}]}"#),
            case(400, "UNKNOWN_FIELD", Some("people[0].x"))
        );
        assert_eq!(
            refused(r#"{"offer_id":7,"people":[]}"#),
            case(422, "INVALID", Some("offer_id"))
        );
        assert_eq!(refused("[]"), case(422, "INVALID", Some("(body)")));
        assert_eq!(refused(" [1"), case(400, "INVALID_JSON", None));
    }

    #[test]
    fn what_does_not_fit_is_told_what_it_must_be() {
        #[derive(Debug, Deserialize)]
        #[allow(dead_code, reason = "only its reading is tested")]
        struct Body {
            name: Option<String>,
            title: Option<Title>,
            limit: Option<travel_types::Money>,
            seats: Option<u32>,
            list: Option<Vec<u8>>,
            inner: Option<Inner>,
        }
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Title {
            Mr,
            Ms,
        }
        let told = |body: &str| {
            let error = read_json::<Body>(body.as_bytes()).unwrap_err();
            let entry = &error.entries()[0];
            (entry.field.clone().unwrap(), entry.message.clone())
        };
        for (body, field, message) in [
            (r#"{"name":1.5}"#, "name", "must be a string"),
            (r#"{"title":"king"}"#, "title", "must be mr or ms"),
            (r#"{"seats":"1"}"#, "seats", "must be a whole number"),
            (r#"{"list":{}}"#, "list", "must be a list"),
            (r#"{"inner":7}"#, "inner", "must be an object"),
            (
                r#"{"limit":{"amount":"9999","currency":"GBP"}}"#,
                "limit.amount",
                "must be a decimal string with exactly the digits of GBP, e.g. 1016.15",
            ),
            (
                r#"{"limit":{"amount":"1","currency":"ZZZ"}}"#,
                "limit.currency",
                "must be an ISO 4217 code, e.g. GBP",
            ),
            (
                r#"{"limit":{"amount":1.5,"currency":"GBP"}}"#,
                "limit.amount",
                "must be a string",
            ),
        ] {
            let (at, words) = told(body);
            assert_eq!(at, field, "{body}");
            assert!(words.contains(message), "{body}: {words}");
        }
        read_json::<Body>(br#"{"limit":{"amount":"9999","currency":"JPY"}}"#).unwrap();
    }

    #[test]
    fn what_is_no_json_is_400_even_where_a_field_was_wrong_before() {
        let deep = "[".repeat(100_000);
        for body in [
            "[1 true]",
            "[1,,2]",
            "[3[4]]",
            "[]]",
            "[-1.0.]",
            "[0x1]",
            "123\u{0}",
            "{}{}",
            "{} x",
            r#"{"offer_id":7,}"#,
            r#"{"offer_id":7,"people":[NaN]}"#,
            r#"{"offer_id":"\ud800","people":[]}"#,
            r#"{"price":1,"#,
            &deep,
            &format!(r#"{{"price":{deep}"#),
        ] {
            assert_eq!(refused(body).0, 400, "{}", body.get(..40).unwrap_or(body));
            assert_eq!(refused(body).1, "INVALID_JSON");
        }
        let error = read_json::<Outer>(b"{\"offer_id\":7,\"people\":\"\xff\"}").unwrap_err();
        assert_eq!(error.code(), "INVALID_JSON");
        let closed = format!("{deep}{}", "]".repeat(100_000));
        assert_eq!(refused(&closed).0, 422);
    }
}
