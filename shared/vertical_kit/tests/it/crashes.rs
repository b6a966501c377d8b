//! Processes that die, callers that leave and stores that fail half way.

use std::time::Duration;

use testkit::wait_until;

use crate::shop::{ORDERS, id, on_both, order_of};
use crate::supplier::{Do, LAG, LONGEST};

#[tokio::test]
async fn an_abandoned_key_is_told_pending_and_settles() {
    on_both(&[], async |shop| {
        let offer = shop.offer().await;
        shop.first.next(Do::Hang);
        let (agent, body) = (shop.agent(), order_of(&offer));
        let waiting = tokio::spawn(async move { agent.post_once("k", ORDERS, &body).await });
        wait_until("the call", async || {
            (shop.first.calls("order") == 1).then_some(())
        })
        .await;
        let dead = shop.start_again().await;
        let in_use = shop.order("k", &offer).await;
        assert_eq!(in_use.code(), "IDEMPOTENCY_KEY_IN_USE");
        shop.clock.advance(Duration::from_secs(26));
        let told = shop.order("k", &offer).await;
        assert_eq!(told.status, 202, "{}", told.text);
        assert_eq!(told.header("idempotent-replayed"), "true");
        shop.clock.advance(LONGEST + LAG);
        shop.becomes(&id(&told), "failed").await;
        let again = shop.order("k", &offer).await;
        assert_eq!((again.status, &again.text), (202, &told.text));
        assert_eq!(shop.first.calls("order"), 1);
        waiting.abort();
        drop(dead);
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_changes_nothing() {
    on_both(&[], async |shop| {
        let offer = shop.offer().await;
        for round in 0..40_u32 {
            let (agent, body) = (shop.agent(), order_of(&offer));
            let key = format!("k{round}");
            let gone = async move { agent.post_once(&key, ORDERS, &body).await };
            // Somewhere between the first byte and the answer.
            let patience = Duration::from_micros(u64::from(round) * 400);
            drop(tokio::time::timeout(patience, gone).await);
        }
        let orders = wait_until("all to be settled", async || {
            let orders = shop.agent().get(&format!("{ORDERS}?limit=100")).await;
            let orders = orders.data().as_array().unwrap().clone();
            let settled = orders.iter().all(|order| order["status"] == "confirmed");
            settled.then_some(orders)
        })
        .await;
        assert_eq!(orders.len(), shop.first.calls("order"));
        assert_eq!(orders.len(), shop.first.live());
    })
    .await;
}

#[tokio::test]
async fn a_store_that_fails_after_the_supplier_confirmed_is_no_failure_of_the_order() {
    for table in ["orders", "order_history", "idempotency_keys"] {
        on_both(&[], async |shop| {
            let offer = shop.offer().await;
            let url = shop.store_url.clone();
            shop.first.next(Do::DoneAndTableGone { url, table });
            let broken = shop.order("k", &offer).await;
            assert!(broken.status >= 500, "{}", broken.text);
            assert_eq!(broken.body["errors"][0]["may_have_booked"], true);
            shop.table_back(table).await;
            // Nothing of the fault is kept: the key tells what is true, once it is let go.
            shop.clock.advance(Duration::from_secs(26));
            let order = wait_until("the order to settle", async || {
                let orders = shop.agent().get(ORDERS).await;
                let order = orders.data()[0].clone();
                (order["status"] == "confirmed").then_some(order)
            })
            .await;
            let told = shop.order("k", &offer).await;
            assert_eq!(told.status, 201, "{table}: {}", told.text);
            assert_eq!(told.data()["id"], order["id"]);
            assert_eq!((shop.first.calls("order"), shop.first.live()), (1, 1));
        })
        .await;
    }
}

#[tokio::test]
async fn a_store_that_fails_after_a_cancellation_is_no_failure_of_it() {
    for table in ["cancellations", "order_history", "idempotency_keys"] {
        on_both(&[], async |shop| {
            let order = shop.confirmed("o").await;
            let quote = shop.quote(&order).await;
            let url = shop.store_url.clone();
            shop.first.next(Do::DoneAndTableGone { url, table });
            let broken = shop.confirm("k", &quote).await;
            assert!(broken.status >= 500, "{}", broken.text);
            assert_eq!(broken.body["errors"][0]["may_have_booked"], true);
            shop.table_back(table).await;
            shop.clock.advance(Duration::from_secs(26));
            shop.becomes(&order, "cancelled").await;
            let told = shop.confirm("k", &quote).await;
            assert_eq!(told.status, 200, "{table}: {}", told.text);
            assert_eq!(shop.first.calls("confirm"), 1);
        })
        .await;
    }
}

#[tokio::test]
async fn a_supplier_that_is_switched_off_leaves_its_orders_pending_and_its_answers_told() {
    on_both(&[], async |shop| {
        let cancelled = shop.confirmed("a").await;
        let quote = shop.quote(&cancelled).await;
        let confirmed = shop.confirm("c", &quote).await;
        assert_eq!(confirmed.status, 200);
        shop.first.next(Do::DoneButLost);
        shop.first.hide_orders(true);
        let offer = shop.offer().await;
        let pending = id(&shop.order("b", &offer).await);
        shop.switch_suppliers_off();
        shop.start_again().await.stop().await;
        shop.clock.advance(LONGEST * 3);
        let again = shop.confirm("c", &quote).await;
        assert_eq!((again.status, &again.text), (200, &confirmed.text));
        let refused = shop.order("d", &offer).await;
        assert_eq!(refused.code(), "SUPPLIER_UNAVAILABLE");
        assert_eq!(shop.read(&pending).await["status"], "pending");
        // Switched on again, it is asked.
        shop.switch_suppliers_on();
        shop.start_again().await.stop().await;
        shop.first.hide_orders(false);
        shop.clock.advance(Duration::from_secs(70));
        shop.becomes(&pending, "confirmed").await;
    })
    .await;
}
