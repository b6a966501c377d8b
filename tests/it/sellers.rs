//! Every supplier of every vertical, through the gateway: from a search to a cancelled order, and what
//! becomes of orders and cancellations whose answers are lost.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};
use testkit::{Answer, Client, Settings, Stack};

use crate::{day, in_both_sizes, order_of};

/// A supplier, and how its vertical is searched.
struct Seller {
    name: &'static str,
    other: &'static str,
    vertical: &'static str,
    /// A search that finds offers of it, so many days ahead.
    search: fn(i64) -> String,
}

fn flights(ahead: i64) -> String {
    format!(
        "/api/v1/flights/offers?origin=LHR&destination=JFK&departure_date={}&adults=1&limit=100",
        day(ahead)
    )
}

fn hotels(ahead: i64) -> String {
    format!(
        "/api/v1/hotels/offers?latitude=51.5&longitude=-0.13&radius_km=9&check_in={}&check_out={}\
         &rooms=1&adults=1&limit=100",
        day(ahead),
        day(ahead + 2)
    )
}

fn cars(ahead: i64) -> String {
    format!(
        "/api/v1/cars/offers?pickup=LHR&pickup_at={}T10:00&dropoff_at={}T10:00&driver_age=35&limit=100",
        day(ahead),
        day(ahead + 3)
    )
}

const SELLERS: [Seller; 6] = [
    Seller {
        name: "duffel",
        other: "amadeus",
        vertical: "flights",
        search: flights,
    },
    Seller {
        name: "amadeus",
        other: "duffel",
        vertical: "flights",
        search: flights,
    },
    Seller {
        name: "rapid",
        other: "hotelbeds",
        vertical: "hotels",
        search: hotels,
    },
    Seller {
        name: "hotelbeds",
        other: "rapid",
        vertical: "hotels",
        search: hotels,
    },
    Seller {
        name: "duffel_cars",
        other: "amadeus_transfers",
        vertical: "cars",
        search: cars,
    },
    Seller {
        name: "amadeus_transfers",
        other: "duffel_cars",
        vertical: "cars",
        search: cars,
    },
];

fn seller(name: &str) -> &'static Seller {
    SELLERS.iter().find(|seller| seller.name == name).unwrap()
}

fn service(seller: &Seller) -> &'static str {
    let of = testkit::VERTICALS
        .iter()
        .find(|(_, suppliers)| suppliers.contains(&seller.name));
    of.unwrap().0
}

/// Minor units of an amount, whatever its currency.
fn minor(money: &Value) -> i64 {
    let amount = money["amount"].as_str().unwrap();
    amount.replace('.', "").parse().unwrap()
}

/// An offer of this supplier that can be cancelled for something, if there is one.
async fn offer_of(seller: &Seller, caller: &Client, ahead: i64) -> Value {
    let mut path = (seller.search)(ahead);
    let mut found = None;
    loop {
        let answer = caller.get(&path).await;
        assert_eq!(answer.status, 200, "{}: {}", seller.name, answer.text);
        for offer in answer.data().as_array().unwrap() {
            if offer["supplier"] != seller.name {
                continue;
            }
            let terms = offer["conditions"]["cancellation"].as_array();
            let refunds =
                terms.is_none_or(|terms| terms.iter().any(|term| minor(&term["refund"]) > 0));
            if refunds {
                return offer.clone();
            }
            found.get_or_insert(offer.clone());
        }
        let Some(cursor) = answer.body["meta"]["next_cursor"].as_str() else {
            return found
                .unwrap_or_else(|| panic!("no offer of {}: {}", seller.name, answer.body["meta"]));
        };
        path = format!(
            "/api/v1/{}/offers?limit=100&cursor={cursor}",
            seller.vertical
        );
    }
}

async fn place(seller: &Seller, agent: &Client, offer: &Value, key: &str, name: &str) -> Answer {
    let orders = format!("/api/v1/{}/orders", seller.vertical);
    let order = order_of(offer["id"].as_str().unwrap(), name);
    agent.post_once(key, &orders, &order).await
}

async fn settled(agent: &Client, path: &str) -> Value {
    testkit::wait_until("the order to settle", async || {
        let answer = agent.get(path).await;
        (answer.data()["status"] != "pending").then(|| answer.data().clone())
    })
    .await
}

#[tokio::test]
async fn every_supplier_sells_from_a_search_to_a_cancelled_order_in_both_sizes() {
    in_both_sizes(&[], async |stack| {
        let traveller = stack.log_in("traveller").await;
        let agent = stack.log_in("agent").await;
        for seller in &SELLERS {
            let name = seller.name;
            let found = traveller.get(&(seller.search)(30)).await;
            let accounts = found.body["meta"]["suppliers"].as_array().unwrap();
            assert_eq!(
                found.body["meta"]["partial"], false,
                "{name}: {}",
                found.body["meta"]
            );
            for expected in [name, seller.other] {
                let account = accounts.iter().find(|one| one["name"] == expected);
                let account = account.unwrap_or_else(|| panic!("{expected} is not accounted for"));
                assert_eq!(account["status"], "ok", "{account}");
                assert!(account["offers"].as_u64().unwrap() > 0, "{account}");
                assert!(account["latency_ms"].is_u64(), "{account}");
            }
            let offer = offer_of(seller, &traveller, 30).await;
            let id = offer["id"].as_str().unwrap();
            let priced = traveller
                .get(&format!("/api/v1/{}/offers/{id}", seller.vertical))
                .await;
            assert_eq!(priced.status, 200, "{name}: {}", priced.text);
            assert_eq!(priced.data()["id"], offer["id"]);
            let placed = place(seller, &agent, &offer, name, "Earhart").await;
            assert_eq!(placed.status, 201, "{name}: {}", placed.text);
            assert_eq!(placed.data()["status"], "confirmed");
            assert_eq!(placed.data()["total"], priced.data()["total"], "{name}");
            let hotel = "/details/property/id";
            assert_eq!(placed.data().pointer(hotel), offer.pointer(hotel), "{name}");
            let path = placed.header("location").to_owned();
            assert_eq!(agent.get(&path).await.data(), placed.data());

            let quoted = agent
                .send("POST", &format!("{path}/cancellations"), None)
                .await;
            assert_eq!(quoted.status, 201, "{name}: {}", quoted.text);
            let quote = quoted.data();
            let parts = minor(&quote["refund"]) + minor(&quote["penalty"]);
            assert_eq!(parts, minor(&placed.data()["total"]), "{name}: {quote}");
            let cancellation = quote["id"].as_str().unwrap();
            let confirm = format!(
                "/api/v1/{}/cancellations/{cancellation}/confirm",
                seller.vertical
            );
            let keyed = agent
                .clone()
                .with("idempotency-key", &format!("{name}-cancel"));
            let misread = keyed.send("POST", &confirm, Some(r#"{"refund": 1}"#)).await;
            let refused = (misread.status, misread.code());
            assert_eq!(refused, (400, "UNKNOWN_FIELD"), "{name}: {}", misread.text);
            let done = keyed.send("POST", &confirm, None).await;
            assert_eq!(done.status, 200, "{name}: {}", done.text);
            assert_eq!(agent.get(&path).await.data()["status"], "cancelled");

            let journal = effects_of(&stack, name).await;
            let kinds: Vec<&str> = journal
                .iter()
                .map(|line| line["kind"].as_str().unwrap())
                .collect();
            let real: Vec<&str> = kinds.into_iter().filter(|kind| *kind != "hold").collect();
            assert_eq!(real, ["order", "cancel"], "{name}: {journal:?}");
            assert_eq!(
                journal[0]["supplier_reference"],
                placed.data()["supplier_reference"],
                "{name}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn every_supplier_knows_the_documented_scenarios_by_name() {
    let stack = Stack::one_process(&[]).await;
    let agent = stack.log_in("agent").await;
    for seller in &SELLERS {
        for (ahead, family_name, status, code) in [
            (33, "SOLDOUT", 409, "SOLD_OUT"),
            (37, "PRICECHANGE", 409, "PRICE_CHANGED"),
            (41, "REFUSED", 409, "SUPPLIER_REFUSED"),
            (45, "SLOW", 201, ""),
        ] {
            let offer = offer_of(seller, &agent, ahead).await;
            let key = format!("{}-{family_name}", seller.name);
            let placed = place(seller, &agent, &offer, &key, family_name).await;
            assert_eq!(
                (placed.status, placed.code()),
                (status, code),
                "{} {family_name}: {}",
                seller.name,
                placed.text
            );
        }
        let orders = effects_of(&stack, seller.name).await;
        let orders = orders.iter().filter(|line| line["kind"] == "order");
        assert_eq!(orders.count(), 1, "{}", seller.name);
    }
}

async fn effects_of(stack: &Stack, supplier: &str) -> Vec<Value> {
    let journal = stack.journal().await;
    let own = journal
        .into_iter()
        .filter(|line| line["supplier"] == supplier);
    own.collect()
}

/// The ways in which a supplier commits and then fails to say so.
const LOST_ANSWERS: [&str; 7] = [
    "hang",
    "reset",
    "error_500",
    "error_503",
    "html",
    "truncated",
    "missing_key",
];
const ORDERS: usize = 50;
const AT_ONCE: usize = 8;

/// Times shortened, so that a lost answer is told as pending soon and asked about soon.
async fn impatient_stack(seller: &Seller) -> Stack {
    let service = service(seller);
    let lag = format!("suppliers.{}.visibility_lag_ms", seller.name);
    let longest = format!("suppliers.{}.longest_processing_ms", seller.name);
    let settings: Settings<'_> = &[
        (service, "order.deadline_ms", "1500"),
        (service, "settle.poll_ms", "50"),
        (service, "settle.first_ms", "100"),
        (service, "settle.longest_ms", "400"),
        (service, &lag, "3000"),
        (service, &longest, "4000"),
    ];
    Stack::one_process(settings).await
}

async fn order_and_repeat(
    seller: &Seller,
    agent: &Client,
    mode: &str,
    index: usize,
) -> (u16, String) {
    // Four days apart: no two of them want the same room or car.
    let ahead = 10 + 4 * i64::try_from(index).unwrap();
    let offer = offer_of(seller, agent, ahead).await;
    let key = format!("{mode}-{index}");
    let placed = place(seller, agent, &offer, &key, "Earhart").await;
    assert!(
        matches!(placed.status, 201 | 202),
        "{} {mode}: {}",
        seller.name,
        placed.text
    );
    let again = place(seller, agent, &offer, &key, "Earhart").await;
    assert_eq!((again.status, &again.text), (placed.status, &placed.text));
    (placed.status, placed.header("location").to_owned())
}

/// Fifty orders whose answers go wrong as told: all confirmed in the end, fifty in the journal.
async fn fifty_orders(seller: &Seller, stack: &Stack, mode: &str, faults: &[Value]) -> Vec<String> {
    let agent = stack.log_in("agent").await;
    stack
        .client("sandbox")
        .send("POST", "/_control/reset", None)
        .await;
    for fault in faults {
        stack.fault(seller.name, fault).await;
    }
    let placed: Vec<(u16, String)> = stream::iter(0..ORDERS)
        .map(|index| order_and_repeat(seller, &agent, mode, index))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    for (_, path) in &placed {
        let order = settled(&agent, path).await;
        assert_eq!(
            order["status"], "confirmed",
            "{} {mode}: {order}",
            seller.name
        );
        assert!(
            order["supplier_reference"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    stack.heal().await;
    let journal = effects_of(stack, seller.name).await;
    let orders: Vec<&Value> = journal
        .iter()
        .filter(|line| line["kind"] == "order")
        .collect();
    let mut references: Vec<&str> = orders
        .iter()
        .map(|line| line["client_reference"].as_str().unwrap())
        .collect();
    references.sort_unstable();
    references.dedup();
    assert_eq!(
        (orders.len(), references.len()),
        (ORDERS, ORDERS),
        "{} {mode}",
        seller.name
    );
    let pending = placed.iter().filter(|(status, _)| *status == 202).count();
    println!(
        "{} {mode}: {ORDERS} orders, {pending} answered 202, all confirmed, {ORDERS} in the journal",
        seller.name
    );
    placed.into_iter().map(|(_, path)| path).collect()
}

/// Cancels an order whose cancellation's answer goes wrong; gives what the caller was answered.
async fn cancel(seller: &Seller, agent: &Client, path: &str) -> u16 {
    let quoted = agent
        .send("POST", &format!("{path}/cancellations"), None)
        .await;
    assert_eq!(quoted.status, 201, "{}: {}", seller.name, quoted.text);
    let cancellation = quoted.data()["id"].as_str().unwrap();
    let confirm = format!(
        "/api/v1/{}/cancellations/{cancellation}/confirm",
        seller.vertical
    );
    let keyed = agent.clone().with("idempotency-key", cancellation);
    let done = keyed.send("POST", &confirm, None).await;
    assert!(
        matches!(done.status, 200 | 202),
        "{}: {}",
        seller.name,
        done.text
    );
    let again = keyed.send("POST", &confirm, None).await;
    assert_eq!((again.status, &again.text), (done.status, &done.text));
    testkit::wait_until("the cancellation", async || {
        let order = agent.get(path).await;
        (order.data()["status"] == "cancelled").then_some(())
    })
    .await;
    done.status
}

async fn lost_answers(name: &str) {
    let seller = seller(name);
    let stack = impatient_stack(seller).await;
    for mode in LOST_ANSWERS {
        let lost = |operation: &str| json!({"operation": operation, "mode": mode, "when": "after_commit", "probability": 1});
        let orders = fifty_orders(seller, &stack, mode, &[lost("order")]).await;
        stack.fault(name, &lost("cancel_confirm")).await;
        let agent = stack.log_in("agent").await;
        let answered: Vec<u16> = stream::iter(&orders)
            .map(|path| cancel(seller, &agent, path))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        stack.heal().await;
        let journal = effects_of(&stack, name).await;
        let cancels = journal
            .iter()
            .filter(|line| line["kind"] == "cancel")
            .count();
        assert_eq!(cancels, ORDERS, "{name} {mode}");
        let pending = answered.iter().filter(|status| **status == 202).count();
        println!(
            "{name} {mode}: {ORDERS} cancellations, {pending} answered 202, all cancelled, {ORDERS} in the journal"
        );
    }
    let faults = [
        json!({"operation": "order", "mode": "late_visibility", "latency_ms": 1200, "probability": 1}),
        json!({"operation": "order", "mode": "error_500", "when": "after_commit", "probability": 1}),
    ];
    fifty_orders(seller, &stack, "late_visibility", &faults).await;
}

// A test for each, because each takes a while and they can run side by side.
#[tokio::test]
async fn what_duffel_does_without_saying_so_is_found_out() {
    lost_answers("duffel").await;
}

#[tokio::test]
async fn what_amadeus_does_without_saying_so_is_found_out() {
    lost_answers("amadeus").await;
}

#[tokio::test]
async fn what_rapid_does_without_saying_so_is_found_out() {
    lost_answers("rapid").await;
}

#[tokio::test]
async fn what_hotelbeds_does_without_saying_so_is_found_out() {
    lost_answers("hotelbeds").await;
}

#[tokio::test]
async fn what_duffel_cars_does_without_saying_so_is_found_out() {
    lost_answers("duffel_cars").await;
}

#[tokio::test]
async fn what_amadeus_transfers_does_without_saying_so_is_found_out() {
    lost_answers("amadeus_transfers").await;
}
