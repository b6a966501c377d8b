//! What is kept about people, and its end.

use std::time::Duration;

use auth::Role;
use serde_json::{Value, json};
use storage::{Db, Row as _, StoreOptions};
use testkit::wait_until;

use crate::shop::{ORDERS, Shop, id, on_both, order_of};
use crate::supplier::Do;

/// Everything personal in an order.
const PLANTED: [&str; 8] = [
    "Amelia",
    "Earhart",
    "1987-07-24",
    "amelia@example.com",
    "+442080160509",
    "P-774411",
    "my trip of 1937",
    "amelia.own@example.com",
];

fn planted(offer: &str) -> Value {
    let mut order = order_of(offer);
    order["reference"] = json!("my trip of 1937");
    order["travellers"][0]["email"] = json!("amelia.own@example.com");
    order["travellers"][0]["documents"] = json!([{
        "type": "passport", "number": "P-774411", "issuing_country": "GB",
        "expires_on": "2036-01-01",
    }]);
    order
}

/// Every row of every table, as text.
async fn everything(shop: &Shop) -> String {
    let db = Db::open(&StoreOptions::new(shop.store_url.clone()))
        .await
        .unwrap();
    let mut text = String::new();
    for (table, columns) in [
        (
            "orders",
            "id || owner || COALESCE(client_reference, '') || travellers || contact || details || \
             handle || COALESCE(failure, '') || COALESCE(personal, '')",
        ),
        ("order_history", "event || COALESCE(note, '')"),
        ("cancellations", "handle || COALESCE(refund_to, '')"),
        (
            "idempotency_keys",
            "caller || request_key || fingerprint || COALESCE(answer_headers, '') || \
             COALESCE(answer_body, '')",
        ),
        ("offers", "body || handle"),
        ("searches", "meta"),
    ] {
        let rows = storage::query(storage::sqlx::AssertSqlSafe(format!(
            "SELECT {columns} AS line FROM {table}"
        )))
        .fetch_all(db.pool())
        .await
        .unwrap();
        for row in rows {
            text.push_str(row.try_get("line").unwrap());
            text.push('\n');
        }
    }
    db.close().await;
    text
}

async fn execute(shop: &Shop, statement: &'static str) {
    let db = Db::open(&StoreOptions::new(shop.store_url.clone()))
        .await
        .unwrap();
    storage::query(statement).execute(db.pool()).await.unwrap();
    db.close().await;
}

async fn erase(shop: &Shop) {
    let answer = shop.agent().send("POST", "/internal/erasures", None).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
}

#[tokio::test]
async fn nothing_personal_stands_in_the_store_in_clear_and_its_owner_reads_all_of_it() {
    on_both(&[], async |shop| {
        let order = planted(&shop.offer().await);
        let key = "order-of-amelia@example.com";
        let made = shop.agent().post_once(key, ORDERS, &order).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let stored = everything(shop).await;
        assert!(stored.contains(&id(&made)));
        for value in PLANTED {
            assert!(made.text.contains(value), "{value}");
            assert!(!stored.contains(value), "{value} stands in the store");
        }
        let again = shop.agent().post_once(key, ORDERS, &order).await;
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.text, made.text, "byte for byte");
        let listed = shop.agent().get(ORDERS).await;
        for shown in [&shop.read(&id(&made)).await, &listed.data()[0]] {
            assert_eq!(shown["travellers"], order["travellers"]);
            assert_eq!(shown["contact"], order["contact"]);
            assert_eq!(shown["reference"], order["reference"]);
            assert_eq!(shown["personal_data_erased"], Value::Null);
        }
    })
    .await;
}

#[tokio::test]
async fn an_erased_owners_order_stays_without_people_in_it() {
    on_both(&[], async |shop| {
        let order = planted(&shop.offer().await);
        let made = shop.agent().post_once("k", ORDERS, &order).await;
        let path = format!("{ORDERS}/{}", id(&made));
        let others = shop.caller("usr_2", Role::Agent);
        let kept = others
            .post_once("k", ORDERS, &planted(&shop.offer().await))
            .await;
        assert_eq!(kept.status, 201);

        erase(shop).await;
        erase(shop).await;

        let support = shop.caller("usr_9", Role::Support);
        let seen = support.get(&path).await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        let seen = seen.data();
        assert_eq!(seen["personal_data_erased"], true);
        assert_eq!(seen["travellers"], json!([]));
        assert_eq!(seen["contact"], Value::Null);
        assert_eq!(seen["reference"], Value::Null);
        assert_eq!(seen["status"], "confirmed");
        assert_eq!(seen["total"], made.data()["total"]);

        // Who is erased keeps nothing and gets nothing new.
        let more = planted(&shop.offer().await);
        let refused = shop.agent().post_once("k2", ORDERS, &more).await;
        assert_eq!(refused.code(), "UNAUTHENTICATED");
        assert_eq!(shop.first.calls("order"), 2);

        let stored = everything(shop).await;
        let keys = stored.lines().filter(|line| line.starts_with("usr_1"));
        assert_eq!(keys.count(), 0, "its keys are forgotten");
        // Nobody else lost anything.
        let again = others.post_once("k", ORDERS, &planted("off_x")).await;
        assert_eq!(again.code(), "IDEMPOTENCY_KEY_REUSED");
        let theirs = others.get(&format!("{ORDERS}/{}", id(&kept))).await;
        assert_eq!(theirs.data()["travellers"], order["travellers"]);
    })
    .await;
}

#[tokio::test]
async fn what_was_under_way_settles_after_its_owners_erasure() {
    on_both(&[], async |shop| {
        let offer = shop.offer().await;
        shop.first.next(Do::DoneButLost);
        shop.first.hide_orders(true);
        let pending = shop.order("k", &offer).await;
        assert_eq!(pending.status, 202, "{}", pending.text);
        let other = shop.confirmed("k2").await;
        let quote = shop.quote(&other).await;
        shop.first.next(Do::DoneButLost);
        let cancelling = shop.confirm("c", &quote).await;
        assert_eq!(cancelling.status, 202, "{}", cancelling.text);

        erase(shop).await;
        shop.first.hide_orders(false);
        shop.clock.advance(Duration::from_secs(2));
        let support = shop.caller("usr_9", Role::Support);
        for (order, status) in [(id(&pending), "confirmed"), (other, "cancelled")] {
            wait_until(status, async || {
                shop.clock.advance(Duration::from_secs(2));
                let support = shop.caller("usr_9", Role::Support);
                let seen = support.get(&format!("{ORDERS}/{order}")).await;
                (seen.data()["status"] == status).then_some(())
            })
            .await;
        }
        drop(support);
    })
    .await;
}

#[tokio::test]
async fn rows_from_before_they_were_sealed_are_readable_and_erased() {
    on_both(&[], async |shop| {
        let made = shop.confirmed("k").await;
        execute(
            shop,
            "UPDATE orders SET personal = NULL, client_reference = 'mine', \
             travellers = '[{\"given_name\":\"Amelia\",\"family_name\":\"Earhart\",\"born_on\":\"1987-07-24\"}]', \
             contact = '{\"email\":\"amelia@example.com\",\"phone\":\"+442080160509\"}'",
        )
        .await;
        execute(
            shop,
            "UPDATE idempotency_keys SET answer_body = '{\"from\":\"before\"}'",
        )
        .await;
        let order = shop.read(&made).await;
        assert_eq!(order["travellers"][0]["given_name"], "Amelia");
        assert_eq!(order["contact"]["phone"], "+442080160509");
        assert_eq!(order["reference"], "mine");
        erase(shop).await;
        let stored = everything(shop).await;
        for value in ["Amelia", "mine", "+442080160509", "before"] {
            assert!(!stored.contains(value), "{value}");
        }
        assert_eq!(shop.read(&made).await["personal_data_erased"], true);
    })
    .await;
}
