//! Requests for an operation of the OpenAPI document, good and bad, with canaries in every place where a
//! client can put something.

use serde_json::{Map, Value, json};

use super::planted::{Canaries, url_encoded};

/// An operation of the document.
pub(crate) struct Operation<'d> {
    pub(crate) method: String,
    pub(crate) path: &'d str,
    document: &'d Value,
    described: &'d Value,
}

/// One request, apart from who sends it.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: Option<String>,
}

/// Every operation that the document describes.
pub(crate) fn operations(document: &Value) -> Vec<Operation<'_>> {
    let methods = ["get", "put", "post", "delete", "patch", "head", "options"];
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in methods {
            if let Some(described) = item.get(method) {
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path,
                    document,
                    described,
                });
            }
        }
    }
    operations
}

impl Operation<'_> {
    /// The plans, the good one first.
    pub(crate) fn plans(&self, canaries: &Canaries) -> Vec<Plan> {
        let mut plans = Vec::new();
        let good = self.path_with(&["usr_019a6b2c3d4e7f8091a2b3c4d5e6f708"]);
        let bodies = self.bodies(canaries);
        for (content_type, body) in &bodies {
            plans.push(Plan {
                path: good.clone(),
                content_type,
                body: body.clone(),
            });
        }
        let (content_type, body) = bodies[0].clone();
        let plain = |path: String| Plan {
            path,
            content_type,
            body: body.clone(),
        };
        for (_, value) in canaries.all() {
            let value = url_encoded(value, true, false);
            let inside = self.path_with(&[&value]);
            if inside != good {
                plans.push(plain(inside));
            }
        }
        let all = canaries.all();
        let mut known = String::new();
        for (place, name) in self.query_names().iter().enumerate() {
            let (_, value) = all[place % all.len()];
            known.push_str(&format!("&{name}={}", url_encoded(value, true, true)));
        }
        let mut unknown = String::new();
        for (what, value) in all {
            let value = url_encoded(value, true, true);
            unknown.push_str(&format!("&{}={value}&{value}=1", what.replace(' ', "_")));
        }
        for query in [known, unknown] {
            plans.push(plain(format!("{good}?{}", query.trim_start_matches('&'))));
        }
        let below = url_encoded(&canaries.password, true, false);
        plans.push(plain(format!("{good}/{below}")));
        plans
    }

    fn path_with(&self, values: &[&str]) -> String {
        let mut values = values.iter().cycle();
        let parts: Vec<&str> = self
            .path
            .split('/')
            .map(|part| match part.starts_with('{') {
                true => values.next().unwrap(),
                false => part,
            })
            .collect();
        parts.join("/")
    }

    fn query_names(&self) -> Vec<&str> {
        let parameters = self.described["parameters"].as_array();
        let parameters = parameters.map(Vec::as_slice).unwrap_or_default();
        let query = parameters.iter().filter(|one| one["in"] == "query");
        query.filter_map(|one| one["name"].as_str()).collect()
    }

    /// Bodies with their content type: as it should be, and in every way in which it should not.
    fn bodies(&self, canaries: &Canaries) -> Vec<(&'static str, Option<String>)> {
        let content = &self.described["requestBody"]["content"];
        let everything = json!({
            "password": canaries.password, "email": canaries.email, "phone": canaries.phone,
            "api_key": canaries.api_key, "client_secret": canaries.client_secret,
            "documents": [{"number": canaries.passport}], "token": canaries.access_token,
        });
        let json = "application/json";
        let form = "application/x-www-form-urlencoded";
        let (kind, schema) = match content
            .as_object()
            .and_then(|content| content.iter().next())
        {
            // It takes none: what happens if one comes all the same?
            None => return vec![(json, None), (json, Some(everything.to_string()))],
            Some((kind, one)) => (kind.as_str(), &one["schema"]),
        };
        let good = self.filled(schema, "", canaries, 0);
        let fields = good.as_object().cloned().unwrap_or_default();
        if kind == form {
            let encoded: Vec<String> = fields.iter().map(pair).collect();
            let more: Vec<String> = everything.as_object().unwrap().iter().map(pair).collect();
            return vec![
                (form, Some(encoded.join("&"))),
                (
                    form,
                    Some(format!("{}&{}", encoded.join("&"), encoded.join("&"))),
                ),
                (form, Some(more.join("&"))),
                (form, Some(format!("{}&bad=%zz%", more.join("&")))),
                (json, Some(good.to_string())),
            ];
        }
        let text = good.to_string();
        let mut unknown = fields.clone();
        unknown.insert("extra".to_owned(), everything.clone());
        unknown.insert(
            canaries.password.clone(),
            Value::from(canaries.email.clone()),
        );
        let wrong_types: Map<String, Value> = fields
            .iter()
            .map(|(name, value)| (name.clone(), json!({"value": [value]})))
            .collect();
        let too_long: Map<String, Value> = fields
            .iter()
            .map(|(name, value)| {
                let value = value.as_str().unwrap_or(&canaries.family_name);
                (
                    name.clone(),
                    Value::from(value.repeat(1 + 9_000 / value.len().max(1))),
                )
            })
            .collect();
        let twice = text.replacen('{', &format!("{{\"email\":{},", json!(canaries.email)), 1);
        vec![
            (json, Some(text.clone())),
            (json, None),
            (json, Some(text[..text.len() - 1].to_owned())),
            (json, Some(text.replace("\":", "\" "))),
            (json, Some(Value::from(unknown).to_string())),
            (json, Some(Value::from(wrong_types).to_string())),
            (json, Some(Value::from(too_long).to_string())),
            (json, Some(twice)),
            (json, Some(json!([everything]).to_string())),
            (json, Some(json!(canaries.password).to_string())),
            (json, Some(canaries.password.clone())),
            ("text/plain", Some(text.clone())),
            (
                form,
                Some(fields.iter().map(pair).collect::<Vec<_>>().join("&")),
            ),
        ]
    }

    /// A value that fits a schema, with canaries where the names ask for them.
    fn filled(&self, schema: &Value, name: &str, canaries: &Canaries, depth: usize) -> Value {
        if depth > 12 {
            return Value::Null;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let path = reference.trim_start_matches('#');
            let schema = self.document.pointer(path).unwrap();
            return self.filled(schema, name, canaries, depth + 1);
        }
        for choice in ["oneOf", "anyOf", "allOf"] {
            if let Some(first) = schema[choice].as_array().and_then(|all| all.first()) {
                return self.filled(first, name, canaries, depth + 1);
            }
        }
        if let Some(properties) = schema["properties"].as_object() {
            let filled = properties.iter().map(|(name, schema)| {
                (name.clone(), self.filled(schema, name, canaries, depth + 1))
            });
            return Value::from(filled.collect::<Map<_, _>>());
        }
        let is = |kind: &str| match &schema["type"] {
            Value::String(only) => only == kind,
            Value::Array(several) => several.iter().any(|one| one == kind),
            _ => false,
        };
        if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
            return first.clone();
        }
        if is("array") {
            return json!([self.filled(&schema["items"], name, canaries, depth + 1)]);
        }
        if is("integer") || is("number") {
            return json!(1);
        }
        if is("boolean") {
            return json!(true);
        }
        let fits = |value: &str| Value::from(value);
        match name {
            "email" => fits(&canaries.email),
            "password" | "current_password" => fits(&canaries.password),
            "new_password" => fits(&canaries.new_password),
            "full_name" => fits(&format!("{} {}", canaries.given_name, canaries.family_name)),
            "given_name" => fits(&canaries.given_name),
            "family_name" | "name" | "reference" => fits(&canaries.family_name),
            "phone" => fits(&canaries.phone),
            "number" => fits(&canaries.passport),
            "refresh_token" => fits(&canaries.refresh_token),
            "client_secret" => fits(&canaries.client_secret),
            "token" | "code" | "code_verifier" => fits(&canaries.link_token),
            _ if schema.get("example").is_some() => schema["example"].clone(),
            _ if schema["format"] == "date" => fits("2031-05-01"),
            _ => fits(&canaries.given_name),
        }
    }
}

fn pair((name, value): (&String, &Value)) -> String {
    let value = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    format!(
        "{}={}",
        url_encoded(name, true, true),
        url_encoded(&value, true, true)
    )
}
