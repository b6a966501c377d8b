//! A replay before a client that makes references of its own.

use serde_json::{Value, json};

use super::Replay;
use super::tests::{JSON, file, request};

/// One line of a recording.
fn line(method: &str, target: &str, asked: Value, told: &Value) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = match asked {
        Value::Null => Value::Null,
        asked => json!({"text": asked.to_string()}),
    };
    let exchange = json!({
        "at": "2026-09-01T10:00:00Z", "duration_ms": 1,
        "request": {"method": method, "path": path, "query": query, "headers": [], "body": body},
        "response": {"status": 200, "headers": [], "body": {"text": told.to_string()}},
    });
    format!("{exchange}\n")
}

fn new_order(reference: &str, offer: &str) -> Value {
    json!({"offer": offer, "given_name": "masked-1", "metadata": {"ref": reference}})
}

/// A search, two orders and what became of them; each is listed and looked up by its reference.
fn two_orders() -> Replay {
    let [one, two] = [
        "ord_00000000000000000000000000000001",
        "0G3K9V7M2Q4X8Z5T1W6Y",
    ];
    let order = |id: &str, reference: &str| json!({"id": id, "text": format!("REF {reference}.")});
    let list = json!([order("supplier-1", one), order("supplier-2", two)]);
    let text = [
        line(
            "GET",
            "/offers",
            Value::Null,
            &json!(["off_0000AEdGRhtp5A", "off_0000BEdGRhtp5B"]),
        ),
        line(
            "POST",
            "/orders",
            new_order(one, "off_0000AEdGRhtp5A"),
            &order("supplier-1", one),
        ),
        line(
            "POST",
            "/orders",
            new_order(two, "off_0000BEdGRhtp5B"),
            &order("supplier-2", two),
        ),
        line(
            "GET",
            &format!("/orders?ref={one}"),
            Value::Null,
            &order("supplier-1", one),
        ),
        line(
            "GET",
            &format!("/orders/by-ref/{two}"),
            Value::Null,
            &order("supplier-2", two),
        ),
        line(
            "GET",
            "/orders/supplier-1",
            Value::Null,
            &order("supplier-1", one),
        ),
        line("GET", "/orders", Value::Null, &list),
    ];
    let path = file();
    std::fs::write(&path, text.concat()).unwrap();
    let replay = Replay::open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    replay
}

fn asked(replay: &Replay, method: &str, target: &str, body: &str) -> (u16, String) {
    let answer = replay
        .serve(&request(method, target, &[JSON], body.to_owned()))
        .answer;
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    (answer.status().as_u16(), text)
}

#[test]
fn a_replay_knows_an_order_by_the_present_clients_reference() {
    for replay in [two_orders(), two_orders().ignoring(["ref"])] {
        let [mine, other] = [
            "ord_019a8b7c6d5e7f00a1b2c3d4e5f60718",
            "1H4M8N2P6R3S7T5V9W0X",
        ];
        let order = |reference: &str, offer: &str| {
            let body = new_order(reference, offer)
                .to_string()
                .replace("masked-1", "Ada");
            asked(&replay, "POST", "/orders", &body)
        };
        let told = |id: &str, reference: &str| {
            (
                200,
                format!("{{\"id\":\"{id}\",\"text\":\"REF {reference}.\"}}"),
            )
        };
        // In another order than they were recorded: it is the offer that counts.
        assert_eq!(
            order(other, "off_0000BEdGRhtp5B"),
            told("supplier-2", other)
        );
        assert_eq!(order(mine, "off_0000AEdGRhtp5A"), told("supplier-1", mine));
        let get = |target: &str| asked(&replay, "GET", target, "");
        assert_eq!(
            get(&format!("/orders?ref={mine}")),
            told("supplier-1", mine)
        );
        assert_eq!(
            get(&format!("/orders/by-ref/{other}")),
            told("supplier-2", other)
        );
        assert_eq!(get("/orders/supplier-1"), told("supplier-1", mine));
        let (_, list) = get("/orders");
        assert!(list.contains(mine) && list.contains(other), "{list}");
    }
}

#[test]
fn a_replay_gives_no_order_of_another_offer_and_none_that_was_never_placed() {
    let replay = two_orders();
    let reference = "ord_019a8b7c6d5e7f00a1b2c3d4e5f60718";
    for (method, target, body) in [
        (
            "POST",
            "/orders",
            new_order(reference, "off_0000CEdGRhtp5C").to_string(),
        ),
        (
            "GET",
            "/orders/by-ref/ord_019a8b7c6d5e7f00a1b2c3d4e5f60718",
            String::new(),
        ),
    ] {
        let (status, text) = asked(&replay, method, target, &body);
        assert_eq!(status, 404, "{text}");
    }
    // Nothing of them is remembered: the answers are as recorded.
    let (_, text) = asked(&replay, "GET", "/orders/supplier-1", "");
    assert!(
        text.contains("ord_00000000000000000000000000000001"),
        "{text}"
    );
}
