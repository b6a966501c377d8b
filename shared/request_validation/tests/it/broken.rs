//! Every operation of the published document: what is right passes, and each thing that is wrong is
//! found where it is.

use request_validation::{Body, Kind, Problem};
use serde_json::{Value, json};

use crate::sample::{Described, operations, pair, resolved, type_of, value};

const JSON: Option<&str> = Some("application/json");

/// The kinds and fields of what is wrong.
fn found(result: Result<(), Vec<Problem>>) -> Vec<(Kind, String)> {
    let problems = result.err().unwrap_or_default().into_iter();
    problems
        .map(|problem| (problem.kind, problem.field.unwrap_or_default()))
        .collect()
}

#[test]
fn a_right_query_passes_and_each_wrong_parameter_is_named() {
    let mut searches = 0;
    let mut broken = 0;
    for operation in operations() {
        let parameters = operation.query();
        if parameters.is_empty() {
            assert_eq!(found(operation.compiled.check_query(Some("any=1"))), []);
            continue;
        }
        searches += 1;
        let own = |without: &str| {
            let rest = parameters
                .iter()
                .filter(|one| one["name"] != without && one["name"] != "cursor");
            rest.map(|one| pair(one)).collect::<Vec<_>>().join("&")
        };
        let check = |query: &str| found(operation.compiled.check_query(Some(query)));
        assert_eq!(check(&own("")), [], "{}", operation.label);
        assert_eq!(check(&format!("&{}&&", own(""))), [], "{}", operation.label);
        let unknown = (Kind::UnknownParameter, "unknown".to_owned());
        assert_eq!(check(&format!("{}&unknown=1", own(""))), [unknown]);
        for parameter in &parameters {
            let name = parameter["name"].as_str().unwrap().to_owned();
            let twice = format!("{}&{}&{}", own(&name), pair(parameter), pair(parameter));
            assert_eq!(check(&twice), [(Kind::RepeatedParameter, name.clone())]);
            let missing = match parameter["required"] == true {
                true => vec![(Kind::Required, name.clone())],
                false => Vec::new(),
            };
            assert_eq!(check(&own(&name)), missing, "{} {name}", operation.label);
            for wrong in wrong_texts(&parameter["schema"]) {
                broken += 1;
                let query = format!("{}&{name}={wrong}", own(&name));
                let expected = (judge(&parameter["schema"]), name.clone());
                assert_eq!(check(&query), [expected], "{} {query}", operation.label);
            }
        }
    }
    assert!(searches >= 12, "only {searches} operations have a query");
    assert!(broken >= 100, "only {broken} parameters were broken");
}

/// Whether a wrong text is of another type or breaks a rule.
fn judge(schema: &'static Value) -> Kind {
    let schema = resolved(schema);
    let pattern = schema["pattern"].as_str().unwrap_or("^(");
    let listed = pattern.starts_with("^(") && !pattern.contains('[')
        || ["^-created_at$", "^property$"].contains(&pattern);
    match listed && schema.get("maxLength").is_none() {
        true => Kind::Type,
        false => Kind::Rule,
    }
}

/// Texts that a parameter cannot have.
fn wrong_texts(schema: &'static Value) -> Vec<String> {
    let schema = resolved(schema);
    let mut wrong = Vec::new();
    match type_of(schema) {
        "integer" => wrong.extend(["", "x", "1.5", "1e1", "+1", "0x1", "%201"].map(str::to_owned)),
        "number" => wrong.extend(["", "x", "nan", "inf", "1,5"].map(str::to_owned)),
        "boolean" => wrong.extend(["", "1", "True", "yes"].map(str::to_owned)),
        _ => {
            let ruled = ["enum", "pattern", "format", "maxLength"];
            if ruled.iter().any(|rule| schema.get(rule).is_some()) {
                wrong.extend(["%07".to_owned(), "x%0A".to_owned()]);
            }
        }
    }
    for (bound, beyond) in [("minimum", -1.0), ("maximum", 1.0)] {
        if let Some(bound) = schema[bound].as_f64() {
            wrong.push(format!("{}", bound + beyond));
        }
    }
    wrong
}

#[test]
fn a_cursor_stands_for_the_search_that_it_came_from() {
    let all = operations();
    let search = all
        .iter()
        .find(|one| one.label == "GET /api/v1/flights/offers");
    let check = |query: &str| found(search.unwrap().compiled.check_query(Some(query)));
    let cursor = "cursor=sea_0193f0c0a1b27c3d8e4f5a6b7c8d9e0f.0a1b2c3d.20";
    assert_eq!(check(cursor), []);
    let limit = [(Kind::Type, "limit".to_owned())];
    assert_eq!(check(&format!("{cursor}&limit=0")), limit);
}

#[test]
fn a_query_that_is_not_percent_encoded_utf_8_is_refused() {
    let all = operations();
    let places = all.iter().find(|one| one.label == "GET /api/v1/places");
    let check = |query: &str| found(places.unwrap().compiled.check_query(Some(query)));
    for query in [
        "query=%",
        "query=%zz",
        "query=%4",
        "query=%ff",
        "query=%c0%af",
        "%f0%9f=1",
    ] {
        assert_eq!(check(query), [(Kind::Encoding, String::new())], "{query}");
    }
    assert_eq!(check("qu%65ry=%C3%A9+%25&limit=007"), []);
}

/// One way to break a body: what to do at which place, and what must be found.
fn each_break(
    schema: &'static Value,
    at: &str,
    pointer: &str,
    into: &mut Vec<(String, Value, Kind, String)>,
) {
    let schema = resolved(schema);
    let name = |field: &str| match at {
        "" => field.to_owned(),
        at => format!("{at}.{field}"),
    };
    let here = match at {
        "" => "(body)".to_owned(),
        at => at.to_owned(),
    };
    let other_type = match type_of(schema) {
        "string" => json!(7),
        _ => json!("text"),
    };
    into.push((pointer.to_owned(), other_type, Kind::Type, here.clone()));
    match type_of(schema) {
        "object" => {
            for (field, inner) in schema["properties"].as_object().unwrap() {
                each_break(inner, &name(field), &format!("{pointer}/{field}"), into);
            }
            for field in schema["required"].as_array().into_iter().flatten() {
                let field = field.as_str().unwrap();
                let mut without = value(schema);
                without.as_object_mut().unwrap().remove(field);
                into.push((pointer.to_owned(), without, Kind::Required, name(field)));
            }
            let mut with = value(schema);
            with["unknown"] = json!([{"deep": 1}]);
            into.push((
                pointer.to_owned(),
                with,
                Kind::UnknownField,
                name("unknown"),
            ));
        }
        "array" => {
            each_break(
                &schema["items"],
                &format!("{at}[0]"),
                &format!("{pointer}/0"),
                into,
            );
            if schema["minItems"] == 1 {
                into.push((pointer.to_owned(), json!([]), Kind::Rule, here.clone()));
            }
            if let Some(most) = schema["maxItems"].as_u64() {
                let many = (0..=most).map(|_| value(&schema["items"]));
                into.push((pointer.to_owned(), many.collect(), Kind::Rule, here));
            }
        }
        "string" => {
            if schema.get("enum").is_some() {
                into.push((
                    pointer.to_owned(),
                    json!("nobody"),
                    Kind::Type,
                    here.clone(),
                ));
            }
            if schema["minLength"] == 1 {
                into.push((pointer.to_owned(), json!(""), Kind::Rule, here.clone()));
            }
            if let Some(most) = schema["maxLength"].as_u64() {
                let long = "é".repeat(usize::try_from(most).unwrap() + 1);
                into.push((pointer.to_owned(), json!(long), Kind::Rule, here.clone()));
            }
            if schema["format"] == "date" {
                into.push((pointer.to_owned(), json!("2026-02-30"), Kind::Type, here));
            }
        }
        _ => {}
    }
}

fn bodies() -> Vec<(Described, &'static Value)> {
    let all = operations().into_iter();
    let with_body = all.filter_map(|one| one.body().map(|schema| (one, schema)));
    with_body.collect()
}

#[test]
fn a_right_body_passes_and_each_wrong_field_is_named_by_its_path() {
    let mut broken = 0;
    for (operation, schema) in bodies() {
        let right = value(schema);
        let check = |body: &Value| {
            found(
                operation
                    .compiled
                    .check_body(JSON, body.to_string().as_bytes()),
            )
        };
        assert_eq!(check(&right), [], "{} {right}", operation.label);
        let mut breaks = Vec::new();
        each_break(schema, "", "", &mut breaks);
        for (pointer, wrong, kind, field) in breaks {
            broken += 1;
            let mut body = right.clone();
            *body.pointer_mut(&pointer).unwrap() = wrong;
            let label = format!("{} {body}", operation.label);
            assert_eq!(check(&body), [(kind, field)], "{label}");
        }
    }
    assert!(broken > 150, "only {broken} bodies were broken");
}

#[test]
fn only_required_fields_are_needed_and_null_is_no_value_where_that_may_be() {
    for (operation, schema) in bodies() {
        let schema = resolved(schema);
        let required: Vec<&str> = schema["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap())
            .collect();
        let mut body = value(schema);
        body.as_object_mut()
            .unwrap()
            .retain(|name, _| required.contains(&name.as_str()));
        let text = body.to_string();
        assert_eq!(
            found(operation.compiled.check_body(JSON, text.as_bytes())),
            []
        );
        for (name, inner) in schema["properties"].as_object().unwrap() {
            let types = inner["type"]
                .as_array()
                .into_iter()
                .chain(inner["oneOf"].as_array());
            let nullable = types
                .flatten()
                .any(|one| one == "null" || one["type"] == "null");
            let mut with = body.clone();
            with[name] = Value::Null;
            let found = found(
                operation
                    .compiled
                    .check_body(JSON, with.to_string().as_bytes()),
            );
            assert_eq!(found.is_empty(), nullable, "{} {name}", operation.label);
        }
    }
}

#[test]
fn every_field_that_stands_twice_is_found() {
    let mut doubled = 0;
    for (operation, schema) in bodies() {
        let body = value(schema).to_string();
        for (at, _) in body.match_indices("\":") {
            let from = body[..at].rfind('"').unwrap();
            let name = &body[from..=at];
            let twice = format!("{}{name}:{name},{}", &body[..from], &body[from..]);
            let found = found(operation.compiled.check_body(JSON, twice.as_bytes()));
            let kinds: Vec<Kind> = found.iter().map(|(kind, _)| *kind).collect();
            assert!(kinds.contains(&Kind::DuplicateField), "{twice}: {found:?}");
            doubled += 1;
        }
    }
    assert!(doubled > 40, "only {doubled} fields were doubled");
}

#[test]
fn what_is_no_json_or_another_media_type_is_that_alone() {
    for (operation, schema) in bodies() {
        let check =
            |media, body: &str| found(operation.compiled.check_body(media, body.as_bytes()));
        let right = value(schema).to_string();
        for media in [
            None,
            Some("text/plain"),
            Some("application/jsonx"),
            Some(""),
        ] {
            assert_eq!(check(media, &right), [(Kind::MediaType, String::new())]);
        }
        for media in ["application/json; charset=utf-8", "Application/JSON ;x=y"] {
            assert_eq!(check(Some(media), &right), []);
        }
        let no_json = [(Kind::Json, String::new())];
        let cut = &right[..right.len() - 1];
        for wrong in [
            "",
            " ",
            cut,
            &format!("{right}x"),
            "{\"unknown\":1,}",
            "\u{feff}{}",
        ] {
            assert_eq!(check(JSON, wrong), no_json, "{wrong}");
        }
        for scalar in ["[]", "7", "null", "\"text\""] {
            assert_eq!(check(JSON, scalar), [(Kind::Type, "(body)".to_owned())]);
        }
    }
}

#[test]
fn an_operation_without_a_body_takes_none_or_an_empty_object() {
    let mut without = 0;
    for operation in operations() {
        if operation.compiled.wants_body() != Body::None {
            continue;
        }
        without += 1;
        let check = |body: &str| found(operation.compiled.check_body(None, body.as_bytes()));
        assert_eq!(check(""), []);
        assert_eq!(check("{}"), []);
        assert_eq!(check("{\"a\":1}"), [(Kind::UnknownField, "a".to_owned())]);
        assert_eq!(check("[]"), [(Kind::Type, "(body)".to_owned())]);
        assert_eq!(check("x"), [(Kind::Json, String::new())]);
    }
    assert_eq!(without, 8);
}

#[test]
fn a_required_header_must_be_there_once_and_right() {
    let all = operations();
    let orders = all
        .iter()
        .find(|one| one.label == "POST /api/v1/hotels/orders");
    let fit = |values: &[&'static str]| {
        let mut headers = http::HeaderMap::new();
        for value in values {
            headers.append("idempotency-key", http::HeaderValue::from_static(value));
        }
        orders.unwrap().compiled.has_headers(&headers)
    };
    assert!(fit(&["a-key"]));
    for wrong in [&[][..], &["a key"], &[""], &["a", "b"]] {
        assert!(!fit(wrong), "{wrong:?}");
    }
}
