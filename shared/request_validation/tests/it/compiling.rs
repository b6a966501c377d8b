//! What is not understood is an error that says where it stands.

use http::Method;
use request_validation::{Body, Kind, Validator};
use serde_json::{Value, json};

fn with_body(schema: Value, components: Value) -> Value {
    json!({
        "components": {"schemas": components},
        "paths": {"/things/{id}": {"post": {
            "requestBody": {"required": true, "content": {"application/json": {"schema": schema}}},
            "responses": {},
        }}},
    })
}

fn error(document: &Value) -> String {
    Validator::compile(document).unwrap_err().to_string()
}

const AT: &str = "POST /things/{id}: /paths/~1things~1{id}/post";

#[test]
fn an_unknown_keyword_names_the_operation_and_the_pointer() {
    let body = format!("{AT}/requestBody/content/application~1json/schema");
    for (schema, pointer, problem) in [
        (json!({"if": {}}), "/if", "the keyword if is not understood"),
        (json!({"type": "text"}), "/type", "no type: text"),
        (
            json!({"format": "roman"}),
            "/format",
            "roman is not understood",
        ),
        (
            json!({"minLength": -1}),
            "/minLength",
            "must be a whole number",
        ),
        (json!({"$ref": "#/nowhere"}), "", "leads nowhere: #/nowhere"),
        (
            json!({"$ref": "#/paths", "type": "null"}),
            "",
            "type beside $ref is not understood",
        ),
        (
            json!({"properties": {"a/b": {"items": {"uniqueItems": true}}}}),
            "/properties/a~1b/items/uniqueItems",
            "the keyword uniqueItems is not understood",
        ),
        (json!({"enum": [1]}), "/enum", "must be a string"),
    ] {
        let expected = format!("{body}{pointer}: {problem}");
        assert_eq!(error(&with_body(schema, json!({}))), expected);
    }
    let wrong = json!({"pattern": "(?<=a)b"});
    assert!(error(&with_body(wrong, json!({}))).starts_with(&format!("{body}/pattern: ")));
}

#[test]
fn a_component_is_named_where_it_stands_and_must_end() {
    let thing = json!({"$ref": "#/components/schemas/Thing"});
    let unknown = with_body(thing.clone(), json!({"Thing": {"not": {}}}));
    assert_eq!(
        error(&unknown),
        "POST /things/{id}: /components/schemas/Thing/not: the keyword not is not understood"
    );
    let endless = with_body(thing.clone(), json!({"Thing": {"items": thing}}));
    assert_eq!(
        error(&endless),
        "POST /things/{id}: /components/schemas/Thing/items: \
         #/components/schemas/Thing is a part of itself"
    );
}

#[test]
fn what_surrounds_schemas_must_be_understood_too() {
    let operation = |value: Value| json!({"paths": {"/things/{id}": {"post": value}}});
    let parameter = |value: Value| operation(json!({"parameters": [value], "responses": {}}));
    for (document, expected) in [
        (
            operation(json!({"callbacks": {}})),
            ": callbacks is not understood",
        ),
        (
            parameter(json!({"name": "a", "in": "query", "style": "form", "schema": {}})),
            "/parameters/0: style is not understood",
        ),
        (
            parameter(json!({"name": "a", "in": "query", "schema": {"type": "array"}})),
            "/parameters/0/schema: must be a text, a number or a truth value",
        ),
        (
            parameter(json!({"name": "a", "in": "cookie", "schema": {"type": "string"}})),
            "/parameters/0: 'in: cookie' is not understood",
        ),
        (
            operation(json!({"requestBody": {"content": {}}, "responses": {}})),
            "/requestBody: a body that may be left out is not understood",
        ),
        (
            operation(json!({"responses": {"2XX": {}}})),
            "/responses/2XX: no status: 2XX",
        ),
    ] {
        assert_eq!(error(&document), format!("{AT}{expected}"));
    }
}

#[test]
fn alternatives_and_parts_are_all_looked_at() {
    let schema = json!({
        "allOf": [
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
            {"type": "object", "properties": {"b": {"oneOf": [{"type": "string"}, {"type": "integer"}]}}},
        ],
    });
    let validator = Validator::compile(&with_body(schema, json!({}))).unwrap();
    let operation = validator
        .operation(&Method::POST, "/things/{thing}")
        .unwrap();
    assert_eq!(operation.wants_body(), Body::Json);
    let found = |body: &str| {
        let result = operation.check_body(Some("application/json"), body.as_bytes());
        let problems = result.err().unwrap_or_default().into_iter();
        problems
            .map(|one| (one.kind, one.field.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    assert_eq!(found(r#"{"a":"x","b":"y","c":1}"#), []);
    assert_eq!(found(r#"{"a":"x","b":2}"#), []);
    assert_eq!(
        found(r#"{"a":1,"b":2.5}"#),
        [(Kind::Type, "a".to_owned()), (Kind::Type, "b".to_owned())]
    );
    assert_eq!(
        found(r#"{"a":"x","a":"x"}"#),
        [(Kind::DuplicateField, "a".to_owned())]
    );
    assert_eq!(found("7"), [(Kind::Type, "(body)".to_owned())]);
    assert!(validator.operation(&Method::GET, "/things/{id}").is_none());
    assert!(validator.operation(&Method::POST, "/things").is_none());
}
