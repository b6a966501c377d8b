//! The documents of the public interface agree with the code and with themselves.

use std::collections::BTreeMap;

use serde_json::Value;
use service_kit::Need;

fn checked_in(name: &str) -> Value {
    let path = format!("{}/../openapi/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_documents_are_what_the_code_says() {
    for spec in cli::services() {
        if matches!(spec.name, "api_gateway" | "sandbox") {
            continue;
        }
        let document = (spec.openapi)();
        // Not assert_eq: nobody reads two documents on a screen.
        assert!(
            checked_in(spec.name) == document,
            "openapi/{}.json is stale: cargo run -- openapi --out openapi",
            spec.name
        );
    }
    let merged = cli::merged_document().unwrap();
    assert_eq!(
        checked_in("interline"),
        merged,
        "openapi/interline.json is stale: cargo run -- openapi --out openapi"
    );
}

fn references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get("$ref") {
                into.push(target.clone());
            }
            map.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, into)),
        _ => {}
    }
}

#[test]
fn every_operation_is_named_once_described_and_leads_nowhere_outside() {
    let document = checked_in("interline");
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            ids.push(operation["operationId"].as_str().expect(&name).to_owned());
            assert!(operation["summary"].is_string(), "{name}");
            assert!(operation["tags"].is_array(), "{name}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(response["description"].is_string(), "{name} {status}");
            }
        }
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    let mut targets = Vec::new();
    references(&document, &mut targets);
    for target in targets {
        let pointer = target
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{target}"));
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[test]
fn the_catalogue_and_the_document_name_the_same_operations() {
    let catalog = include_str!("../../services/catalog.toml");
    let document = checked_in("interline");
    for path in document["paths"].as_object().unwrap().keys() {
        let pattern = path
            .split('/')
            .map(|part| match part {
                "flights" | "hotels" | "cars" => "{vertical}",
                part if part.ends_with("_id}") => "{id}",
                part => part,
            })
            .collect::<Vec<_>>()
            .join("/");
        let row = format!("path = \"{pattern}\"");
        assert!(
            catalog.contains(&row),
            "{path} is not in services/catalog.toml"
        );
    }
}

/// What the catalogue says of an operation, in the words of its description.
fn rule(need: Need) -> (&'static str, &'static str) {
    match need {
        Need::Public => ("x-access", "public"),
        Need::Authenticated => ("x-access", "authenticated"),
        Need::Login => ("x-access", "login"),
        Need::Permission(permission) => ("x-permission", permission.as_str()),
    }
}

/// Method and path, with the names of parameters left out.
fn named(method: &str, path: &str) -> String {
    let plain = |segment: &str| match segment.starts_with('{') {
        true => "{}".to_owned(),
        false => segment.to_owned(),
    };
    let segments: Vec<String> = path.split('/').map(plain).collect();
    format!("{} {}", method.to_uppercase(), segments.join("/"))
}

#[test]
fn the_gateway_and_the_services_ask_the_same_of_the_caller_of_every_operation() {
    let mut asked_by_gateway = BTreeMap::new();
    for service in &api_gateway::catalog().unwrap().services {
        for route in &service.routes {
            let name = named(route.method.as_str(), &route.path);
            asked_by_gateway.insert(name, rule(route.need));
        }
    }
    let document = checked_in("interline");
    let mut asked_by_service = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = named(method, path);
            let said = |key| operation.get(key).map(|value| value.as_str().unwrap());
            let need = match (said("x-access"), said("x-permission")) {
                (Some(access), None) => ("x-access", access),
                (None, Some(permission)) => ("x-permission", permission),
                _ => panic!("{name} does not say what it needs"),
            };
            asked_by_service.insert(name, need);
        }
    }
    let rows = asked_by_gateway.len();
    for (name, need) in &asked_by_service {
        assert_eq!(asked_by_gateway.remove(name), Some(*need), "{name}");
    }
    assert!(asked_by_gateway.is_empty(), "{asked_by_gateway:?}");
    println!("{rows} operations ask the same at the gateway and in their service");
}
