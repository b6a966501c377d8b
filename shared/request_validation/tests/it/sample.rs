//! Requests that are right, made from the published document itself.

use std::sync::LazyLock;

use http::Method;
use request_validation::{Operation, Validator};
use serde_json::{Map, Value};

pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/interline.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
});

pub(crate) static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| Validator::compile(&DOCUMENT).unwrap());

/// An operation as the document has it, and compiled.
pub(crate) struct Described {
    pub(crate) label: String,
    pub(crate) document: &'static Value,
    pub(crate) compiled: &'static Operation,
}

pub(crate) fn operations() -> Vec<Described> {
    let mut all = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, document) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            // The catalogue names its parameters otherwise.
            let template = path.replace("_id}", "}");
            let compiled = VALIDATOR.operation(&method, &template);
            all.push(Described {
                label: format!("{method} {path}"),
                document,
                compiled: compiled.unwrap(),
            });
        }
    }
    all
}

impl Described {
    /// The query parameters.
    pub(crate) fn query(&self) -> Vec<&'static Value> {
        let all = self.document["parameters"].as_array();
        let all = all.into_iter().flatten();
        all.filter(|one| one["in"] == "query").collect()
    }

    /// The schema of the JSON body.
    pub(crate) fn body(&self) -> Option<&'static Value> {
        self.document
            .pointer("/requestBody/content/application~1json/schema")
    }
}

/// The schema itself, behind references and beside null.
pub(crate) fn resolved(schema: &'static Value) -> &'static Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return resolved(DOCUMENT.pointer(&reference[1..]).unwrap());
    }
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    let mut alternatives = alternatives.filter(|one| one["type"] != "null");
    alternatives.next().map_or(schema, resolved)
}

/// The type that is not null.
pub(crate) fn type_of(schema: &'static Value) -> &'static str {
    match &schema["type"] {
        Value::String(name) => name,
        Value::Array(names) => names[0].as_str().unwrap(),
        other => panic!("no type: {other}"),
    }
}

/// A value that the schema allows, with every property.
pub(crate) fn value(schema: &'static Value) -> Value {
    let schema = resolved(schema);
    match type_of(schema) {
        "object" => {
            let properties = schema["properties"].as_object().unwrap().iter();
            let fields = properties.map(|(name, schema)| (name.clone(), value(schema)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        "array" => Value::Array(vec![value(&schema["items"])]),
        "string" => Value::String(text(schema)),
        "boolean" => Value::Bool(true),
        _ => schema.get("minimum").cloned().unwrap_or(Value::from(1)),
    }
}

fn text(schema: &'static Value) -> String {
    if let Some(choice) = schema["enum"].get(0) {
        return choice.as_str().unwrap().to_owned();
    }
    if schema["format"] == "date" {
        return "2026-12-01".to_owned();
    }
    if schema["format"] == "date-time" {
        return "2026-12-01T10:30:00Z".to_owned();
    }
    let Some(pattern) = schema["pattern"].as_str() else {
        return "three kiwis on a tram".to_owned();
    };
    if let Some(choices) = pattern
        .strip_prefix("^(")
        .filter(|rest| rest.ends_with(")$"))
    {
        return choices.split('|').next().unwrap().to_owned();
    }
    let id = "0193f0c0a1b27c3d8e4f5a6b7c8d9e0f";
    match pattern {
        "^[A-Z]{3}$" => "GBP".to_owned(),
        "^[A-Z]{2}$" => "GB".to_owned(),
        "^[A-Z*]{1,4}$" => "C**A".to_owned(),
        "^[!-~]+$" => "visible".to_owned(),
        "^[a-z_]{1,64}$" => "login".to_owned(),
        "^[a-z][a-z0-9_]{0,31}$" => "standard".to_owned(),
        "^[0-9]{1,18}$" => "17".to_owned(),
        "^property$" => "property".to_owned(),
        "^-created_at$" => "-created_at".to_owned(),
        r"^\+[1-9][0-9]{6,14}$" => "+442080160509".to_owned(),
        r"^-?\d+(\.\d+)?$" => "1016.15".to_owned(),
        p if p.starts_with(r"^\d{4}-") => "2026-12-01T10:30".to_owned(),
        p if p.contains("@[^@") => "amelia@example.com".to_owned(),
        p if p.starts_with(r"^[^\u0000") => "Amélie \u{1f600}".to_owned(),
        p if p.contains("1[0-7]") => "4,9,17".to_owned(),
        p if p.contains(r"\.[0-9a-f]{8}") => format!("sea_{id}.0a1b2c3d.20"),
        p if p.ends_with("_[0-9a-f]{32}$") => format!("{}_{id}", &p[1..4]),
        other => panic!("no text is known for {other}"),
    }
}

/// `name=value` for a parameter.
pub(crate) fn pair(parameter: &'static Value) -> String {
    let name = parameter["name"].as_str().unwrap();
    let value = match value(&parameter["schema"]) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    format!("{name}={}", encoded(&value))
}

pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
    let one = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
