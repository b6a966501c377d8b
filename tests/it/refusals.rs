//! Who and what is refused, and how it is said.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::{Answer, Client};

use crate::{fresh_offer, in_both_sizes, order_of, search_path};

const ORDERS: &str = "/api/v1/flights/orders";

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.code()),
        (status, code),
        "{}",
        answer.text
    );
    assert_eq!(answer.body["status"], "error");
    assert_eq!(answer.body["data"], Value::Null);
    assert_eq!(
        answer.body["meta"]["request_id"],
        answer.header("x-request-id")
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

/// The body without what differs between any two answers.
pub(crate) fn same_for_all(answer: &Answer) -> String {
    let meta = answer.body["meta"].clone();
    let mut text = answer.text.clone();
    for key in ["request_id", "timestamp"] {
        text = text.replace(meta[key].as_str().unwrap(), "");
    }
    text
}

fn token_of(caller: &Value) -> String {
    caller["data"]["access_token"].as_str().unwrap().to_owned()
}

/// The same token with one claim changed and its signature left as it was.
fn tampered(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["role"] = json!("admin");
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("{}.{claims}.{}", parts[0], parts[2])
}

fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    format!("{header}.{claims}.")
}

#[tokio::test]
async fn without_a_good_token_everything_is_401_and_says_nothing() {
    let short = [("auth_service", "tokens.access_seconds", "2")];
    in_both_sizes(&short, async |stack| {
        let gateway = stack.gateway();
        let account = json!({"email": "traveller@interline.test", "password": "interline-sandbox"});
        let login = gateway.post("/api/v1/auth/login", &account).await;
        let token = token_of(&login.body);
        let search = search_path(30);
        for bad in [
            tampered(&token),
            unsigned(&token),
            "x".to_owned(),
            "a.b.c".to_owned(),
        ] {
            let answer = gateway.clone().bearer(&bad).get(&search).await;
            assert_refused(&answer, 401, "UNAUTHENTICATED");
        }
        for path in [search.as_str(), "/api/v1/nowhere", ORDERS] {
            assert_refused(&gateway.get(path).await, 401, "UNAUTHENTICATED");
        }
        let wrong = json!({"email": "traveller@interline.test", "password": "wrong"});
        let wrong = gateway.post("/api/v1/auth/login", &wrong).await;
        assert_refused(&wrong, 401, "INVALID_CREDENTIALS");
        let expired = testkit::wait_until("the token's end", async || {
            let answer = gateway
                .clone()
                .bearer(&token)
                .get("/api/v1/places?query=lon")
                .await;
            (answer.status != 200).then_some(answer)
        })
        .await;
        assert_refused(&expired, 401, "UNAUTHENTICATED");
    })
    .await;
}

#[tokio::test]
async fn a_service_believes_no_one_but_the_gateway() {
    in_both_sizes(&[], async |stack| {
        let token = stack
            .gateway()
            .post(
                "/api/v1/auth/login",
                &json!({"email": "admin@interline.test", "password": "interline-sandbox"}),
            )
            .await;
        let direct = stack
            .client("flight_service")
            .bearer(&token_of(&token.body))
            .with("x-user-id", "usr_1")
            .with("x-interline-identity", "admin");
        let answer = direct.get("/api/v1/places?query=lon").await;
        assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED"));
        let forged = stack
            .log_in("traveller")
            .await
            .with("x-interline-identity", "admin");
        let answer = forged.post_once("k", ORDERS, &json!({})).await;
        assert_refused(&answer, 403, "FORBIDDEN");
    })
    .await;
}

#[tokio::test]
async fn a_role_without_the_permission_is_403_and_foreign_is_the_same_as_absent() {
    in_both_sizes(&[], async |stack| {
        let traveller = stack.log_in("traveller").await;
        let agent = stack.log_in("agent").await;
        let offer = fresh_offer(&agent, &search_path(50)).await;
        let order = order_of(&offer, "Earhart");
        let refused = traveller.post_once("t-1", ORDERS, &order).await;
        assert_refused(&refused, 403, "FORBIDDEN");
        let placed = agent.post_once("a-1", ORDERS, &order).await;
        assert_eq!(placed.status, 201, "{}", placed.text);
        let id = placed.data()["id"].as_str().unwrap().to_owned();
        let absent = format!("{}{}", &id[..id.len() - 4], "0000");
        for path in ["", "/cancellations"] {
            let method = if path.is_empty() { "GET" } else { "POST" };
            let foreign = traveller
                .send(method, &format!("{ORDERS}/{id}{path}"), None)
                .await;
            let missing = traveller
                .send(method, &format!("{ORDERS}/{absent}{path}"), None)
                .await;
            let no_id = traveller
                .send(method, &format!("{ORDERS}/ord_nonsense{path}"), None)
                .await;
            assert_refused(&foreign, 404, "NOT_FOUND");
            assert_eq!(same_for_all(&foreign), same_for_all(&missing));
            assert_eq!(same_for_all(&foreign), same_for_all(&no_id));
            assert!(!foreign.text.contains(&id));
        }
        assert_eq!(traveller.get(ORDERS).await.data(), &json!([]));
        let nowhere = traveller.get("/api/v1/nowhere").await;
        assert_refused(&nowhere, 404, "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn ill_formed_requests_are_400_and_every_bad_field_is_named() {
    in_both_sizes(&[], async |stack| {
        let agent = stack.log_in("agent").await;
        let offer = fresh_offer(&agent, &search_path(51)).await;
        let order = order_of(&offer, "Earhart");
        let keyed = |key: &str| agent.clone().with("idempotency-key", key);

        let broken = keyed("b-1").send("POST", ORDERS, Some("{\"offer_id\":")).await;
        assert_refused(&broken, 400, "INVALID_JSON");
        let mut unknown = order.clone();
        unknown["price"] = json!("1.00");
        let unknown = agent.post_once("b-2", ORDERS, &unknown).await;
        assert_refused(&unknown, 400, "UNKNOWN_FIELD");
        assert_eq!(unknown.fields(), ["price"]);
        let twice = order.to_string().replacen('{', "{\"offer_id\":\"x\",", 1);
        let twice = keyed("b-3").send("POST", ORDERS, Some(&twice)).await;
        assert_refused(&twice, 400, "DUPLICATE_FIELD");
        let parameter = agent.get(&format!("{}&colour=red", search_path(51))).await;
        assert_refused(&parameter, 400, "UNKNOWN_PARAMETER");
        let repeated = agent.get(&format!("{}&adults=2", search_path(51))).await;
        assert_refused(&repeated, 400, "REPEATED_PARAMETER");

        let wrong = "/api/v1/flights/offers?origin=XXX&destination=JFK&departure_date=2020-01-01&adults=0";
        let wrong = agent.get(wrong).await;
        assert_eq!((wrong.status, wrong.fields()), (422, vec!["origin", "adults"]), "{}", wrong.text);
        let past = agent.get("/api/v1/flights/offers?origin=LHR&destination=JFK&departure_date=2020-01-01&adults=1").await;
        assert_eq!((past.status, past.fields()), (422, vec!["departure_date"]));
        let mut bad = order.clone();
        bad["travellers"][0]["given_name"] = json!("");
        bad["contact"]["email"] = json!("nobody");
        bad["max_total"] = json!({"amount": "-1.00", "currency": "GBP"});
        let bad = agent.post_once("b-4", ORDERS, &bad).await;
        assert_eq!(
            (bad.status, bad.fields()),
            (422, vec!["travellers[0].given_name", "contact.email", "max_total.amount"])
        );
        // None of these refusals used its key up.
        let placed = agent.post_once("b-4", ORDERS, &order).await;
        assert_eq!(placed.status, 201, "{}", placed.text);

        let problem = agent.clone().with("accept", "application/problem+json");
        let problem = problem.get("/api/v1/nowhere").await;
        assert_eq!(problem.header("content-type"), "application/problem+json");
        assert_eq!(problem.body["status"], 404);
        assert_eq!(problem.body["code"], "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn a_cursor_pages_through_its_own_search_and_no_other() {
    in_both_sizes(&[], async |stack| {
        let agent = stack.log_in("agent").await;
        let search = format!("{}&limit=2", search_path(30));
        let first = agent.get(&search).await;
        let cursor = first.body["meta"]["next_cursor"].as_str().unwrap();
        let alone = format!("/api/v1/flights/offers?cursor={cursor}");
        let same = format!("{search}&cursor={cursor}");
        for path in [&alone, &format!("{alone}&limit=2"), &same] {
            let next = agent.get(path).await;
            assert_eq!(next.status, 200, "{path}: {}", next.text);
            let offers = next.data().as_array().unwrap();
            assert_ne!(offers[0], first.data()[0]);
        }
        for path in [
            format!("{alone}&sort=-price"),
            format!("{same}&sort=-price"),
            same.replace("JFK", "BOS"),
        ] {
            let other = agent.get(&path).await;
            assert_refused(&other, 422, "INVALID_PARAMETER");
            assert_eq!(other.body["errors"][0]["field"], "cursor");
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_makes_one_order_whatever_is_repeated() {
    in_both_sizes(&[], async |stack| {
        let agent = stack.log_in("agent").await;
        let offer = fresh_offer(&agent, &search_path(52)).await;
        let order = order_of(&offer, "Earhart");
        let bare = agent.post(ORDERS, &order).await;
        assert_refused(&bare, 400, "IDEMPOTENCY_KEY_REQUIRED");
        let long = agent.post_once(&"k".repeat(256), ORDERS, &order).await;
        assert_refused(&long, 400, "INVALID_IDEMPOTENCY_KEY");

        let tries: Vec<Answer> =
            futures_util::future::join_all((0..20).map(|_| agent.post_once("one", ORDERS, &order)))
                .await;
        let first = tries.iter().find(|answer| answer.status == 201).unwrap();
        for answer in &tries {
            match answer.status {
                201 => assert_eq!(answer.text, first.text),
                _ => assert_refused(answer, 409, "IDEMPOTENCY_KEY_IN_USE"),
            }
        }
        let again = agent.post_once("one", ORDERS, &order).await;
        assert_eq!((again.status, &again.text), (201, &first.text));
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
        let other = agent
            .post_once("one", ORDERS, &order_of(&offer, "Other"))
            .await;
        assert_refused(&other, 422, "IDEMPOTENCY_KEY_REUSED");
        // Another caller's key of the same name is another key.
        let admin = stack.log_in("admin").await;
        let theirs = admin.post_once("one", ORDERS, &order).await;
        assert_eq!(theirs.status, 201, "{}", theirs.text);
        assert_ne!(theirs.data()["id"], first.data()["id"]);
        assert_eq!(stack.journal().await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_offer_whose_time_is_over_is_410() {
    in_both_sizes(&[("sandbox", "offer_life_s", "2")], async |stack| {
        let agent = stack.log_in("agent").await;
        let offer = fresh_offer(&agent, &search_path(53)).await;
        let path = format!("/api/v1/flights/offers/{offer}");
        let expired = testkit::wait_until("the offer's end", async || {
            let answer = agent.get(&path).await;
            (answer.status != 200).then_some(answer)
        })
        .await;
        assert_refused(&expired, 410, "OFFER_EXPIRED");
        let order = agent
            .post_once("late", ORDERS, &order_of(&offer, "Earhart"))
            .await;
        assert_refused(&order, 410, "OFFER_EXPIRED");
        assert!(stack.journal().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_request_is_found_in_the_logs_of_gateway_and_service_by_its_id() {
    in_both_sizes(&[], async |mut stack| {
        let agent: Client = stack.log_in("agent").await;
        let id = "story-of-one.request_7";
        let answer = agent
            .with("x-request-id", id)
            .get("/api/v1/flights/orders/ord_none")
            .await;
        assert_refused(&answer, 404, "NOT_FOUND");
        assert_eq!(answer.header("x-request-id"), id);
        for service in ["api_gateway", "flight_service"] {
            testkit::wait_until("the log lines", async || {
                let logs: String = stack.processes().iter().map(|p| p.logged()).collect();
                logs.lines()
                    .any(|line| line.contains(id) && line.contains(service))
                    .then_some(())
            })
            .await;
        }
    })
    .await;
}
