//! Requests and answers against the published document.

use serde_json::{Value, json};

use crate::stack::Stack;

async fn checking(requests: bool, responses: bool) -> Stack {
    Stack::with(|sources| {
        sources.with("test", "validation.requests", requests).with(
            "test",
            "validation.responses",
            responses,
        )
    })
    .await
}

fn order() -> Value {
    json!({
        "offer_id": "off_0193f0c0a1b27c3d8e4f5a6b7c8d9e0f",
        "travellers": [{"given_name": "Amelia", "family_name": "Earhart", "born_on": "1987-07-24"}],
        "contact": {"email": "amelia@example.com", "phone": "+442080160509"},
    })
}

/// Status, and code and field of each entry.
async fn told(request: reqwest::RequestBuilder) -> (u16, Vec<(String, Option<String>)>) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let entries = body["errors"].as_array().cloned().unwrap_or_default();
    let entries = entries
        .iter()
        .map(|entry| (text(&entry["code"]).unwrap(), text(&entry["field"])));
    (status, entries.collect())
}

#[tokio::test]
async fn what_a_service_could_not_read_never_reaches_it() {
    let stack = checking(true, false).await;
    let search = |query: &str| {
        let path = format!("/api/v1/flights/offers?{query}");
        told(stack.agent("GET", &path))
    };
    let one = |code: &str, field: &str| vec![(code.to_owned(), Some(field.to_owned()))];
    let right = "origin=LHR&destination=JFK&departure_date=2026-12-24&adults=1";
    let (status, entries) = search(&format!("{right}&colour=red")).await;
    assert_eq!((status, entries), (400, one("UNKNOWN_PARAMETER", "colour")));
    let (status, entries) = search(&format!("{right}&adults=2")).await;
    assert_eq!(
        (status, entries),
        (400, one("REPEATED_PARAMETER", "adults"))
    );
    let (status, entries) = search("origin=%ff").await;
    assert_eq!((status, entries[0].0.as_str()), (400, "BAD_REQUEST"));

    let orders = |body: &str| {
        let request = stack.agent("POST", "/api/v1/flights/orders");
        let request = request.header("idempotency-key", "one");
        request
            .header("content-type", "application/json")
            .body(body.to_owned())
    };
    let text = order().to_string();
    for (body, status, code, field) in [
        ("{", 400, "INVALID_JSON", None),
        ("", 400, "INVALID_JSON", None),
        (
            &text.replace("\"contact\"", "\"contract\""),
            400,
            "UNKNOWN_FIELD",
            Some("contract"),
        ),
        (
            &text.replacen('{', "{\"reference\":\"a\",\"reference\":\"b\",", 1),
            400,
            "DUPLICATE_FIELD",
            Some("reference"),
        ),
        (
            &text.replace("\"1987-07-24\"", "7"),
            422,
            "INVALID",
            Some("travellers[0].born_on"),
        ),
        (
            &text.replace("\"born_on\":\"1987-07-24\",", ""),
            422,
            "REQUIRED",
            Some("travellers[0].born_on"),
        ),
    ] {
        let expected = vec![(code.to_owned(), field.map(str::to_owned))];
        assert_eq!(told(orders(body)).await, (status, expected), "{body}");
    }
    let plain = orders(&text).header("content-type", "text/plain");
    assert_eq!(told(plain).await.0, 415);
    let logout = stack
        .agent("POST", "/api/v1/auth/logout")
        .body("{\"all\":true}");
    let (status, entries) = told(logout).await;
    assert_eq!((status, entries), (400, one("UNKNOWN_FIELD", "all")));
    assert!(stack.echo.take().is_empty());
}

#[tokio::test]
async fn what_is_right_arrives_as_it_was_sent_and_a_broken_rule_is_the_services_to_tell() {
    let stack = checking(true, false).await;
    let text = format!(" {}\n", serde_json::to_string_pretty(&order()).unwrap());
    let rule = text.replace("amelia@example.com", "nowhere");
    for body in [&text, &rule] {
        let request = stack.agent("POST", "/api/v1/flights/orders");
        let request = request.header("idempotency-key", "one");
        let request = request.header("content-type", "application/json; charset=utf-8");
        assert_eq!(told(request.body(body.clone())).await.0, 200);
        let reached = stack.echo.one();
        assert_eq!(reached.body, body.len());
        assert_eq!(
            reached.header("content-length"),
            Some(body.len().to_string().as_str())
        );
    }
    // That the key is missing is told by the service, before anything of what is ordered.
    let keyless = stack.agent("POST", "/api/v1/flights/orders").body("{");
    assert_eq!(told(keyless).await.0, 200);
    assert_eq!(stack.echo.one().body, 1);
    let query = "query=lon&limit=007";
    let places = stack.agent("GET", &format!("/api/v1/places?{query}"));
    assert_eq!(told(places).await.0, 200);
    assert_eq!(stack.echo.one().target, format!("/api/v1/places?{query}"));
    // Its service names all bad parameters at once, those too that only it can tell.
    let query = "origin=XXX&departure_date=soon&adults=0";
    let search = stack.agent("GET", &format!("/api/v1/flights/offers?{query}"));
    assert_eq!(told(search).await.0, 200);
    stack.echo.one();
    // OAuth refuses in a form of its own.
    let token = stack.client.post(stack.url("/oauth/token")).body("x");
    assert_eq!(told(token).await.0, 200);
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_413_though_it_is_read_first() {
    let stack = Stack::with(|sources| {
        sources
            .with("test", "validation.requests", true)
            .with("test", "http.max_body_bytes", 100)
    })
    .await;
    let chunks = (0..3).map(|_| Ok::<_, std::io::Error>(order().to_string()));
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let request = stack.agent("POST", "/api/v1/flights/orders");
    let request = request.header("idempotency-key", "one");
    let request = request
        .header("content-type", "application/json")
        .body(body);
    assert_eq!(told(request).await.0, 413);
    assert!(stack.echo.take().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_not_as_documented_is_500_where_answers_are_checked() {
    let path = "/api/v1/places?query=lon";
    for (responses, status) in [(true, 500), (false, 200)] {
        let stack = checking(false, responses).await;
        let (answered, entries) = told(stack.agent("GET", path)).await;
        assert_eq!(answered, status);
        if responses {
            assert_eq!(entries, [("INTERNAL_ERROR".to_owned(), None)]);
        }
    }
}
