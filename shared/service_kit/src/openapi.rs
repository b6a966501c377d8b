//! OpenAPI documents: what all have in common, and many services' documents as one.

use serde_json::{Map, Value};

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

/// Merges the documents of several services into one that describes the gateway. Components of one
/// name must be equal; operation ids get the service's name in front, so that they are unique.
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
                if let Some(id) = operation.get("operationId").and_then(Value::as_str) {
                    let prefix = service.trim_end_matches("_service");
                    let unique = Value::String(format!("{prefix}_{id}"));
                    object(&mut operation).insert("operationId".to_owned(), unique);
                }
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
    let security = serde_json::json!({
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                   "description": "The access_token of POST /api/v1/auth/login."}
    });
    components.insert("securitySchemes".to_owned(), security);
    Ok(serde_json::json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Interline",
            "version": version,
            "description": "One REST API over everything a trip is made of.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": tags,
        "paths": paths,
        "components": components,
    }))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(schema: &str) -> Value {
        json!({"paths": {"/a": {"get": {"operationId": "list"}}},
               "components": {"schemas": {"Thing": {"type": schema}}}})
    }

    #[test]
    fn operations_become_unique_and_different_things_of_one_name_are_refused() {
        let merged = merge(&[("flight_service".into(), document("string"))], "1").unwrap();
        assert_eq!(merged["paths"]["/a"]["get"]["operationId"], "flight_list");
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
