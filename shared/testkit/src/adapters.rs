//! What the tests of all adapters need: a call, a reference, people, and bodies with each of their fields
//! changed in turn.

use std::time::Duration;

use serde_json::{Value, json};
use service_kit::ApiError;
use supplier_client::CallCx;
use supplier_client::scripted::ScriptedWire;
use tokio::time::Instant;
use travel_types::{Clock, Money, OrderId, Traveller};

/// A call with ten seconds left.
pub fn cx() -> CallCx {
    let deadline = Instant::now() + Duration::from_secs(10);
    CallCx::new(deadline, telemetry::Correlation::new())
}

/// An order of ours of August 2026.
pub fn reference() -> OrderId {
    OrderId::new(&Clock::manual("2026-08-01T00:00:00Z".parse().unwrap()))
}

/// An amount.
pub fn money(amount: &str, currency: &str) -> Money {
    Money::parse(amount, currency).unwrap()
}

/// A traveller with these fields beside a name and a day of birth.
pub fn traveller(fields: Value) -> Traveller {
    let mut person =
        json!({"given_name": "Amelia", "family_name": "Earhart", "born_on": "1987-07-24"});
    for (key, value) in fields.as_object().unwrap() {
        person[key] = value.clone();
    }
    serde_json::from_value(person).unwrap()
}

/// A wire on which nothing is expected.
pub fn silent() -> ScriptedWire {
    ScriptedWire::new(Vec::<(&str, u16, String)>::new())
}

/// The fields that an error of our own interface names, in their order.
pub fn fields(error: &ApiError) -> Vec<String> {
    let entries = error.entries().iter();
    entries.filter_map(|entry| entry.field.clone()).collect()
}

/// JSON pointers of everything in a body.
fn places(body: &Value, at: &str, found: &mut Vec<String>) {
    let mut inside = |key: &str, value: &Value| {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        found.push(at.clone());
        places(value, &at, found);
    };
    match body {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| inside(key, value)),
        Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                inside(&index.to_string(), value);
            }
        }
        _ => {}
    }
}

/// A body with each of its places changed in each of many ways: what was changed, and the text.
pub fn mutants(body: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    places(body, "", &mut found);
    let others = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(99.005),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!("USD"),
        json!("-1.00"),
        json!("NaN"),
        json!("2026-02-30T25:00:00"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"a": {"b": []}}),
        json!("9".repeat(40)),
    ];
    let mut texts = Vec::new();
    for place in found {
        for other in &others {
            let mut mutant = body.clone();
            *mutant.pointer_mut(&place).unwrap() = other.clone();
            texts.push((format!("{place} = {other}"), mutant.to_string()));
        }
        let (parent, key) = place.rsplit_once('/').unwrap();
        let mut mutant = body.clone();
        match mutant.pointer_mut(parent).unwrap() {
            Value::Object(fields) => {
                drop(fields.remove(&key.replace("~1", "/").replace("~0", "~")))
            }
            Value::Array(entries) => drop(entries.remove(key.parse().unwrap())),
            _ => unreachable!("only these have places"),
        }
        texts.push((format!("no {place}"), mutant.to_string()));
    }
    texts
}
