//! What a person is told.

use crate::sample::operations;

fn told(label: &str, query: Option<&str>, body: &str) -> Vec<String> {
    let all = operations();
    let operation = all.iter().find(|one| one.label == label).unwrap().compiled;
    let result = match query {
        Some(query) => operation.check_query(Some(query)),
        None => operation.check_body(Some("application/json"), body.as_bytes()),
    };
    let problems = result.unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_words_say_where_and_what_would_be_right() {
    let query = "origin=lhr&departure_date=tomorrow&adults=0&sort=cheap&cabin=royal";
    assert_eq!(
        told("GET /api/v1/flights/offers", Some(query), ""),
        [
            "origin must match ^[A-Z]{3}$, e.g. LHR",
            "departure_date must be a date such as 2026-12-01",
            "adults must be a whole number from 1 to 9",
            "sort must be one of price, -price, duration, departure",
            "cabin must be one of economy, premium_economy, business, first",
            "destination is required",
        ]
    );
    let query =
        "latitude=91&check_in=2026-12-01&check_out=2026-12-02&rooms=1&adults=1&free_cancellation=1";
    assert_eq!(
        told("GET /api/v1/hotels/offers", Some(query), ""),
        [
            "latitude must be a number from -90 to 90",
            "free_cancellation must be one of true, false",
        ]
    );
    let body = r#"{"offer_id":1,"travellers":[{"given_name":true,"gender":"x","title":"king",
        "documents":{}},7],"contact":"a","max_total":[]}"#;
    assert_eq!(
        told("POST /api/v1/flights/orders", None, body),
        [
            "offer_id must be a string",
            "travellers[0].given_name must be a string",
            "travellers[0].gender must be female or male",
            "travellers[0].title must be one of mr, ms, mrs, miss, dr",
            "travellers[0].documents must be a list",
            "travellers[0].born_on is required",
            "travellers[0].family_name is required",
            "travellers[1] must be an object",
            "contact must be an object",
            "max_total must be an object",
        ]
    );
    let body = r#"{"compromised":"yes"}"#;
    let label = "POST /api/v1/auth/signing-keys/rotations";
    assert_eq!(
        told(label, None, body),
        ["compromised must be true or false"]
    );
}

#[test]
fn nobody_is_told_more_than_can_be_read() {
    let many = vec!["7"; 5000].join(",");
    let body = format!("{{\"travellers\":[{many}]}}");
    assert_eq!(told("POST /api/v1/flights/orders", None, &body).len(), 100);
    let name = "n".repeat(10_000);
    let words = told(
        "POST /api/v1/auth/logout",
        None,
        &format!("{{\"{name}\":1}}"),
    );
    assert!(words[0].len() < 200);
    let words = told("GET /api/v1/places", Some(&format!("{name}=1")), "");
    assert!(words[0].len() < 200);
}
