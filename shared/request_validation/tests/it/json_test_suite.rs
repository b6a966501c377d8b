//! Every text of JSONTestSuite.

use http::Method;
use request_validation::{Kind, Validator};
use serde_json::json;

/// Whether a text was read as JSON, by an operation that takes any.
fn is_json(validator: &Validator, text: &[u8]) -> bool {
    let operation = validator.operation(&Method::POST, "/any").unwrap();
    match operation.check_body(Some("application/json"), text) {
        Ok(()) => true,
        Err(problems) => problems.iter().all(|problem| problem.kind != Kind::Json),
    }
}

#[test]
fn every_text_is_read_or_refused_as_its_name_says() {
    let validator = Validator::compile(&json!({"paths": {"/any": {"post": {
        "requestBody": {"required": true, "content": {"application/json": {"schema": {}}}},
        "responses": {},
    }}}}))
    .unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/json_test_suite");
    let (mut accepted, mut refused, mut either) = (0, 0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".json") {
            continue;
        }
        let read = is_json(&validator, &std::fs::read(&path).unwrap());
        match name.split('_').next().unwrap() {
            "y" => {
                assert!(read, "{name} must be read");
                accepted += 1;
            }
            "n" => {
                assert!(!read, "{name} must be refused");
                refused += 1;
            }
            _ => either += 1,
        }
    }
    assert_eq!((accepted, refused, either), (95, 188, 35));
}

/// Where the grammar leaves it open, the gateway decides as the services do.
#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let validator = Validator::compile(&json!({"paths": {"/any": {"post": {
        "requestBody": {"required": true, "content": {"application/json": {"schema": {}}}},
        "responses": {},
    }}}}))
    .unwrap();
    for text in [
        &br#"["\ud800"]"#[..],
        br#"{"\udc00":1}"#,
        b"[\"\xff\"]",
        b"\xef\xbb\xbf{}",
        b"{}\0",
    ] {
        assert!(
            !is_json(&validator, text),
            "{}",
            String::from_utf8_lossy(text)
        );
    }
    for text in [&b"[1e400, -1e400, 1e-400]"[..], br#"["\u0000"]"#] {
        assert!(
            is_json(&validator, text),
            "{}",
            String::from_utf8_lossy(text)
        );
    }
}
