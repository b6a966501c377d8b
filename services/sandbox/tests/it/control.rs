//! The control endpoints, the document that describes them, and the index page.

use serde_json::{Value, json};

use super::support::start;

#[tokio::test]
async fn a_wrong_fault_is_refused_by_field() {
    let server = start().await;
    for (body, field) in [
        (json!({ "mode": "explode" }), "mode"),
        (json!({ "mode": "hang", "operation": "dance" }), "operation"),
        (json!({ "mode": "hang", "when": "later" }), "when"),
        (json!({ "mode": "hang", "probability": 2 }), "probability"),
        (json!({ "mode": "hang", "colour": "red" }), "colour"),
    ] {
        let (status, answer) = server.put("/_control/faults/duffel", &body).await;
        assert_eq!(status, 422);
        assert_eq!(answer["errors"][0]["field"], field);
    }
    let (status, answer) = server
        .put("/_control/faults/nobody", &json!({ "mode": "hang" }))
        .await;
    assert_eq!(
        (status.as_u16(), &answer["errors"][0]["field"]),
        (404, &json!("supplier"))
    );
    assert_eq!(server.get("/_control/faults").await.1["data"], json!([]));
}

#[tokio::test]
async fn faults_are_listed_with_what_is_left_of_them() {
    let server = start().await;
    server
        .fault(json!({ "operation": "places", "mode": "error_500", "count": 2 }))
        .await;
    server.get("/duffel/places/suggestions?query=lon").await;
    let (_, faults) = server.get("/_control/faults").await;
    assert_eq!(faults["data"][0]["count"], 1);
    assert_eq!(faults["data"][0]["mode"], "error_500");
    assert_eq!(faults["data"][0]["when"], "before");
}

#[tokio::test]
async fn only_real_items_can_be_stocked() {
    let server = start().await;
    let (status, answer) = server
        .put(
            "/_control/inventory/duffel",
            &json!({ "item": "hat", "remaining": 1 }),
        )
        .await;
    assert_eq!(
        (status.as_u16(), &answer["errors"][0]["field"]),
        (422, &json!("item"))
    );
    assert_eq!(server.get("/_control/inventory/nobody").await.0, 404);
}

#[tokio::test]
async fn the_journal_refuses_what_it_does_not_know() {
    let server = start().await;
    assert_eq!(server.get("/_control/journal?since=yesterday").await.0, 422);
    assert_eq!(server.get("/_control/journal?suplier=duffel").await.0, 422);
    let (status, body) = server.get("/_control/journal?supplier=nobody").await;
    assert_eq!((status.as_u16(), body), (200, json!({ "data": [] })));
    let (_, body) = server
        .get("/_control/journal?since=2026-01-01T00:00:00Z")
        .await;
    assert_eq!(body, json!({ "data": [] }));
}

#[tokio::test]
async fn mail_that_is_handed_in_lies_in_the_mailbox_until_the_reset() {
    let server = start().await;
    for (to, subject) in [("a@b.example", "one"), ("c@d.example", "two")] {
        let mail = json!({ "to": to, "subject": subject, "text": "Hello" });
        assert_eq!(server.post("/mail/messages", &mail).await.0, 202);
    }
    let wrong = json!({ "to": "a@b.example", "body": "Hello" });
    assert_eq!(server.post("/mail/messages", &wrong).await.0, 422);
    let (_, all) = server.get("/_control/mailbox").await;
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
    let (_, one) = server.get("/_control/mailbox?to=C@D.example").await;
    assert_eq!(
        one["data"],
        json!([{ "to": "c@d.example", "subject": "two", "text": "Hello", "at": "2026-11-21T12:00:00Z" }])
    );
    assert_eq!(server.get("/_control/mailbox?from=x").await.0, 422);
    assert_eq!(server.post("/_control/reset", &json!({})).await.0, 204);
    let (_, none) = server.get("/_control/mailbox").await;
    assert_eq!(none, json!({ "data": [] }));
}

#[tokio::test]
async fn the_document_describes_every_control_endpoint() {
    let server = start().await;
    let (_, document) = server.get("/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    for path in [
        "/_control/journal",
        "/_control/faults",
        "/_control/faults/{supplier}",
        "/_control/inventory/{supplier}",
        "/_control/mailbox",
        "/_control/reset",
        "/mail/messages",
        "/health/live",
        "/health/ready",
    ] {
        assert!(paths.iter().any(|known| *known == path), "{path}");
    }
    let modes = document["components"]["schemas"]["Mode"].to_string();
    assert!(
        modes.contains("error_500") && modes.contains("late_visibility"),
        "{modes}"
    );
    for path in ["/health/live", "/health/ready"] {
        let (status, _) = server.get(path).await;
        assert_eq!(status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_index_needs_nothing_from_outside() {
    let server = start().await;
    let response = server.client.get(&server.base).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let page = response.text().await.unwrap();
    for outside in ["src=", "http://", "https://", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let scenarios: [Value; 2] = [json!("PRICECHANGE"), json!("LHR → STN")];
    for name in scenarios {
        assert!(page.contains(name.as_str().unwrap()));
    }
}
