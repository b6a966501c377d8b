//! Answers against the document.

use http::{Method, StatusCode};
use request_validation::{Kind, Problem};
use serde_json::{Value, json};

use crate::sample::VALIDATOR;

fn check(status: u16, media: &str, body: &Value) -> Result<(), Vec<Problem>> {
    let operation = VALIDATOR.operation(&Method::GET, "/api/v1/places").unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    operation.check_response(status, Some(media), body.to_string().as_bytes())
}

fn places() -> Value {
    json!({
        "status": "success",
        "data": [{
            "iata_code": "LON", "type": "city", "name": "London", "city": "London", "country": "GB",
            "latitude": 51.5, "longitude": -0.1, "time_zone": "Europe/London",
        }],
        "errors": [],
        "meta": {"request_id": "r", "timestamp": "2026-12-01T10:30:00Z"},
    })
}

#[test]
fn an_answer_as_documented_passes_and_any_other_is_told() {
    assert_eq!(check(200, "application/json", &places()), Ok(()));
    let error = json!({
        "status": "error",
        "data": null,
        "errors": [{"code": "INVALID_PARAMETER", "message": "query is required", "field": "query",
            "retryable": false, "may_have_booked": false}],
        "meta": {"request_id": "r", "timestamp": "2026-12-01T10:30:00Z"},
    });
    assert_eq!(
        check(422, "application/json; charset=utf-8", &error),
        Ok(())
    );
    let kinds = |result: Result<(), Vec<Problem>>| {
        let problems = result.unwrap_err().into_iter();
        problems
            .map(|one| (one.kind, one.field.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let undocumented = [(Kind::Undocumented, String::new())];
    assert_eq!(
        kinds(check(418, "application/json", &places())),
        undocumented
    );
    assert_eq!(kinds(check(200, "text/html", &places())), undocumented);
    let mut wrong = places();
    wrong["data"][0]["latitude"] = json!("51.5");
    let field = "data[0].latitude".to_owned();
    assert_eq!(
        kinds(check(200, "application/json", &wrong)),
        [(Kind::Type, field)]
    );
    let mut wrong = places();
    wrong["data"][0].as_object_mut().unwrap().remove("country");
    let field = "data[0].country".to_owned();
    assert_eq!(
        kinds(check(200, "application/json", &wrong)),
        [(Kind::Required, field)]
    );
}

#[test]
fn who_answers_in_a_form_of_his_own_can_be_told() {
    let documents = |method: Method, path: &str| {
        let operation = VALIDATOR.operation(&method, path).unwrap();
        operation.documents(StatusCode::BAD_REQUEST, "application/problem+json")
    };
    assert!(documents(Method::GET, "/api/v1/flights/offers"));
    assert!(documents(Method::POST, "/api/v1/auth/login"));
    // RFC 6749 §5.2, and pages.
    assert!(!documents(Method::POST, "/oauth/token"));
    assert!(!documents(Method::GET, "/oauth/authorize"));
}
