//! OpenAPI documents: what all have in common, and many services' documents as one.

use auth::Permission;
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::routes::{X_ACCESS, X_PERMISSION};

/// Why documents cannot be merged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Two services describe different things under one component name.
    #[error("{kind} '{name}' of {service} differs from that of another service: rename one")]
    Component {
        /// `schemas`, `responses`, …
        kind: String,
        /// The component's name.
        name: String,
        /// The service whose document came second.
        service: String,
    },
    /// Two services have the same path and method.
    #[error("{method} {path} of {service} is another service's already")]
    Operation {
        /// The path.
        path: String,
        /// The method.
        method: String,
        /// The service whose document came second.
        service: String,
    },
}

/// What the gateway or the kit may answer to every operation, whatever the operation says itself:
/// status, component, description.
const EVERYWHERE: [(&str, &str, &str); 7] = [
    (
        "400",
        "BadRequest",
        "The request is not well-formed: its path, query, headers or body can be read in no way or in two.",
    ),
    ("413", "BodyTooLarge", "The body is larger than allowed."),
    (
        "415",
        "UnsupportedMediaType",
        "The body is not plain application/json.",
    ),
    (
        "429",
        "RateLimited",
        "Too many requests; Retry-After says how long to wait.",
    ),
    ("500", "InternalError", "A fault of ours."),
    (
        "503",
        "ServiceUnavailable",
        "A part of the system is down or overloaded.",
    ),
    (
        "504",
        "DeadlineExceeded",
        "There was no answer in time. Where `may_have_booked` is true, read before trying again.",
    ),
];
/// The same for operations that want credentials.
const UNAUTHENTICATED: (&str, &str, &str) =
    ("401", "Unauthenticated", "There are no valid credentials.");
/// The same for operations that not all valid credentials are enough for.
const FORBIDDEN: (&str, &str, &str) = (
    "403",
    "Forbidden",
    "The caller is known, but its role or its credentials do not allow this.",
);
/// Refused before it is read, hence without a body.
const HEADERS_TOO_LARGE: (&str, &str, &str) = (
    "431",
    "HeadersTooLarge",
    "The header fields are larger than allowed.",
);

/// A document as JSON.
pub fn written(document: &utoipa::openapi::OpenApi) -> Value {
    serde_json::to_value(document).unwrap_or_default()
}

/// Merges the documents of several services into one that describes the gateway. Components of one
/// name must be equal; operation ids get the service's name in front, so that they are unique; every
/// operation gets the answers that the gateway may give in its place.
///
/// # Errors
/// [`MergeError`] names what two services describe differently.
pub fn merge(documents: &[(String, Value)], version: &str) -> Result<Value, MergeError> {
    let mut paths = Map::new();
    let mut components = Map::new();
    let mut tags = Vec::new();
    for (service, document) in documents {
        for (path, item) in entries(document.get("paths")) {
            let into = object(paths.entry(path.clone()).or_insert_with(empty));
            for (method, operation) in entries(Some(item)) {
                let mut operation = operation.clone();
                name_uniquely(&mut operation, service.trim_end_matches("_service"));
                secure(&mut operation);
                complete(&mut operation);
                if into.insert(method.clone(), operation).is_some() {
                    return Err(MergeError::Operation {
                        path: path.clone(),
                        method: method.clone(),
                        service: service.clone(),
                    });
                }
            }
        }
        for (kind, named) in entries(document.get("components")) {
            let into = object(components.entry(kind.clone()).or_insert_with(empty));
            for (name, component) in entries(Some(named)) {
                let before = into.insert(name.clone(), component.clone());
                if before.is_some_and(|before| before != *component) {
                    return Err(MergeError::Component {
                        kind: kind.clone(),
                        name: name.clone(),
                        service: service.clone(),
                    });
                }
            }
        }
        if let Some(Value::Array(of_service)) = document.get("tags") {
            tags.extend(of_service.iter().cloned());
        }
    }
    add_common(&mut components);
    let used = json!(paths).to_string();
    object(components.entry("responses").or_insert_with(empty))
        .retain(|name, _| used.contains(&format!("#/components/responses/{name}\"")));
    components.insert("securitySchemes".to_owned(), security_schemes());
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Interline",
            "version": version,
            "description": "One REST API over everything a trip is made of.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}, {"oauth2": []}],
        "tags": tags,
        "paths": paths,
        "components": components,
    }))
}

/// Puts the service in front of the operation's id, there and where links lead to it.
fn name_uniquely(value: &mut Value, prefix: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(id) if key == "operationId" => *id = format!("{prefix}_{id}"),
                    other => name_uniquely(other, prefix),
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| name_uniquely(item, prefix)),
        _ => {}
    }
}

/// The ways to show who one is.
fn security_schemes() -> Value {
    let scopes: Map<String, Value> = Permission::ALL
        .into_iter()
        .map(|permission| (permission.as_str().to_owned(), permission.meaning().into()))
        .collect();
    json!({
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                   "description": "The access_token of POST /api/v1/auth/login."},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key",
                   "description": "An API key of POST /api/v1/auth/api-keys. Not together with a token."},
        "oauth2": {
            "type": "oauth2",
            "description": "An access token of POST /oauth/token (RFC 6749), sent as a bearer token.",
            "flows": {
                "clientCredentials": {"tokenUrl": "/oauth/token", "scopes": scopes},
                "authorizationCode": {
                    "authorizationUrl": "/oauth/authorize", "tokenUrl": "/oauth/token",
                    "refreshUrl": "/oauth/token", "scopes": scopes,
                },
            },
        },
    })
}

/// Says with which credentials an operation can be called, by the need that its route names.
fn secure(operation: &mut Value) {
    let permission = operation.get(X_PERMISSION).cloned();
    let login = operation
        .get(X_ACCESS)
        .is_some_and(|access| access == "login");
    let security = match permission {
        Some(permission) => {
            json!([{"bearer": []}, {"apiKey": []}, {"oauth2": [permission]}])
        }
        None if login => json!([{"bearer": []}]),
        None => return,
    };
    object(operation).insert("security".to_owned(), security);
}

/// Adds the answers that every operation may get, and to every error its second form.
fn complete(operation: &mut Value) {
    let open = operation
        .get("security")
        .is_some_and(|security| *security == json!([{}]) || *security == json!([]));
    let map = object(operation);
    let secured = (!open).then_some(UNAUTHENTICATED);
    let chosen = map.contains_key(X_PERMISSION) || map.get(X_ACCESS) == Some(&json!("login"));
    let choosy = chosen.then_some(FORBIDDEN);
    let responses = object(map.entry("responses").or_insert_with(empty));
    for (status, name, description) in EVERYWHERE
        .into_iter()
        .chain([HEADERS_TOO_LARGE])
        .chain(secured)
        .chain(choosy)
    {
        responses.entry(status).or_insert_with(|| {
            json!({"$ref": format!("#/components/responses/{name}"), "description": description})
        });
    }
    for (status, response) in responses {
        complete_error(status, response);
    }
}

/// An error in the envelope can be had as RFC 9457 too, and some come with a header of their own.
fn complete_error(status: &str, response: &mut Value) {
    let error = json!({"$ref": "#/components/schemas/Error"});
    if response.pointer("/content/application~1json/schema") != Some(&error) {
        return;
    }
    let response = object(response);
    let content = object(response.entry("content").or_insert_with(empty));
    content.insert(
        "application/problem+json".to_owned(),
        json!({"schema": {"$ref": "#/components/schemas/Problem"}}),
    );
    let header = match status {
        "401" => {
            json!({"WWW-Authenticate": {"description": "How to authenticate (RFC 9110).", "schema": {"type": "string"}}})
        }
        "429" | "503" => {
            json!({"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}})
        }
        _ => return,
    };
    response.insert("headers".to_owned(), header);
}

/// The components that all operations refer to, and references in place of copies: generic envelopes
/// come with a copy of what they hold.
fn add_common(components: &mut Map<String, Value>) {
    let responses = object(components.entry("responses").or_insert_with(empty));
    let with_body = EVERYWHERE.into_iter().chain([UNAUTHENTICATED, FORBIDDEN]);
    for (status, name, description) in with_body {
        let mut response = json!({
            "description": description,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        });
        complete_error(status, &mut response);
        responses.insert(name.to_owned(), response);
    }
    let (_, name, description) = HEADERS_TOO_LARGE;
    responses.insert(name.to_owned(), json!({"description": description}));
    let schemas = object(components.entry("schemas").or_insert_with(empty));
    let mut of_errors = vec![
        (ErrorBody::name().into_owned(), ErrorBody::schema()),
        (ProblemBody::name().into_owned(), ProblemBody::schema()),
    ];
    ErrorBody::schemas(&mut of_errors);
    ProblemBody::schemas(&mut of_errors);
    for (name, schema) in of_errors {
        schemas.insert(name, json!(schema));
    }
    let named: Vec<(String, Value)> = schemas.clone().into_iter().collect();
    for (name, schema) in schemas.iter_mut() {
        let Some(held) = name.strip_prefix("Envelope_") else {
            continue;
        };
        let (held, place) = match held.strip_prefix("Vec_") {
            Some(held) => (held, "/properties/data/items"),
            None => (held, "/properties/data"),
        };
        let original = named.iter().find(|(name, _)| name == held);
        if let (Some((_, original)), Some(copy)) = (original, schema.pointer_mut(place))
            && copy == original
        {
            *copy = json!({"$ref": format!("#/components/schemas/{held}")});
        }
    }
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// The object in a value; whatever else it was is replaced by an empty one.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = empty();
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was just made an object"),
    }
}

/// The answer to every error, for `responses(...)` of operations.
#[derive(utoipa::ToSchema)]
#[schema(as = Error)]
#[allow(dead_code, reason = "describes what ApiError::render writes")]
pub struct ErrorBody {
    /// Always `error`.
    #[schema(example = "error")]
    status: String,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    data: Option<String>,
    /// What is wrong, one entry per bad field.
    errors: Vec<crate::ErrorEntry>,
    /// About the answer.
    meta: crate::Meta,
}

/// The answer to every error for who accepts `application/problem+json` (RFC 9457).
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "describes what ApiError::render writes")]
struct ProblemBody {
    /// Always `about:blank`: `code` says what it is.
    #[schema(rename = "type", example = "about:blank")]
    kind: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong and how to right it, for people.
    detail: String,
    /// The path that was asked for.
    instance: String,
    /// Stable `UPPER_SNAKE` code of the first entry.
    code: String,
    /// The request's id, as in `X-Request-Id`.
    request_id: String,
    /// What is wrong, one entry per bad field.
    errors: Vec<crate::ErrorEntry>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operation_says_itself_stays_and_its_errors_come_in_two_forms() {
        let error = json!({"schema": {"$ref": "#/components/schemas/Error"}});
        let documents = json!({
            "paths": {"/a": {"get": {
                "operationId": "list", "security": [{}],
                "responses": {
                    "200": {"links": {"next": {"operationId": "other"}}},
                    "503": {"description": "own", "content": {"application/json": error}},
                },
            }}},
            "components": {"schemas": {
                "Thing": {"type": "string"},
                "Envelope_Vec_Thing": {"properties": {"data": {"type": "array", "items": {"type": "string"}}}},
            }},
        });
        let merged = merge(&[("a_service".into(), documents)], "1").unwrap();
        let responses = &merged["paths"]["/a"]["get"]["responses"];
        assert!(responses.get("401").is_none());
        assert_eq!(responses["200"]["links"]["next"]["operationId"], "a_other");
        assert_eq!(responses["503"]["description"], "own");
        let problem = &responses["503"]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(problem, "#/components/schemas/Problem");
        assert!(responses["503"]["headers"]["Retry-After"].is_object());
        let held =
            &merged["components"]["schemas"]["Envelope_Vec_Thing"]["properties"]["data"]["items"];
        assert_eq!(held["$ref"], "#/components/schemas/Thing");
    }

    fn document(schema: &str) -> Value {
        json!({"paths": {"/a": {"get": {"operationId": "list"}}},
               "components": {"schemas": {"Thing": {"type": schema}}}})
    }

    #[test]
    fn operations_become_unique_and_different_things_of_one_name_are_refused() {
        let merged = merge(&[("flight_service".into(), document("string"))], "1").unwrap();
        assert_eq!(merged["paths"]["/a"]["get"]["operationId"], "flight_list");
        let responses = &merged["paths"]["/a"]["get"]["responses"];
        for status in [
            "400", "401", "413", "415", "429", "431", "500", "503", "504",
        ] {
            let name = responses[status]["$ref"].as_str().unwrap();
            let pointer = name.strip_prefix('#').unwrap();
            assert!(merged.pointer(pointer).is_some(), "{status}");
        }
        let mut other = document("integer");
        other["paths"] = json!({});
        let error = merge(
            &[("a".into(), document("string")), ("b".into(), other)],
            "1",
        )
        .unwrap_err();
        assert!(matches!(error, MergeError::Component { ref name, .. } if name == "Thing"));
        let error = merge(
            &[
                ("a".into(), document("string")),
                ("b".into(), document("string")),
            ],
            "1",
        )
        .unwrap_err();
        assert!(matches!(error, MergeError::Operation { .. }));
    }
}
