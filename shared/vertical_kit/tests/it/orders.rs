//! Placing orders: once per key, at no higher price than agreed, and never wrongly called failed.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use supplier_client::SupplierErrorKind as Kind;
use testkit::wait_until;

use crate::shop::{ORDERS, events, id, on_both, order_of};
use crate::supplier::{Do, LAG, LONGEST};

#[tokio::test]
async fn the_intent_is_in_the_ledger_while_the_supplier_is_called() {
    on_both(&[], async |shop| {
        let offer = shop.offer().await;
        shop.first.next(Do::Hang);
        let (agent, body) = (shop.agent(), order_of(&offer));
        let waiting = tokio::spawn(async move { agent.post_once("k", ORDERS, &body).await });
        wait_until("the call", async || {
            (shop.first.calls("order") == 1).then_some(())
        })
        .await;
        let orders = shop.agent().get(ORDERS).await;
        let order = &orders.data()[0];
        assert_eq!(order["status"], "pending");
        assert_eq!(events(order), ["requested", "sent"]);
        waiting.abort();
    })
    .await;
}

#[tokio::test]
async fn twenty_parallel_orders_with_one_key_are_one_order() {
    on_both(&[], async |shop| {
        let offer = shop.offer().await;
        let answers = join_all((0..20).map(|_| shop.order("same", &offer))).await;
        assert_eq!(shop.first.calls("order"), 1);
        let first = shop.order("same", &offer).await;
        assert_eq!(first.header("idempotent-replayed"), "true");
        for answer in answers {
            match answer.status {
                201 => assert_eq!(answer.text, first.text),
                _ => assert_eq!(answer.code(), "IDEMPOTENCY_KEY_IN_USE"),
            }
        }
        let other = shop.order("same", &shop.offer().await).await;
        assert_eq!(
            (other.status, other.code()),
            (422, "IDEMPOTENCY_KEY_REUSED")
        );
    })
    .await;
}

#[tokio::test]
async fn two_keys_for_one_offer_are_two_orders_and_never_mixed_up() {
    on_both(&[], async |shop| {
        let offer = shop.offer().await;
        shop.first.next(Do::DoneButLost);
        let (one, two) = (shop.order("a", &offer).await, shop.order("b", &offer).await);
        assert_eq!((one.status, two.status), (201, 201));
        assert_ne!(id(&one), id(&two));
        assert_eq!((shop.first.calls("order"), shop.first.live()), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_is_pending_until_the_supplier_shows_the_order() {
    on_both(&[], async |shop| {
        shop.first.next(Do::DoneButLost);
        shop.first.hide_orders(true);
        let offer = shop.offer().await;
        let answer = shop.order("k", &offer).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let order = id(&answer);
        assert_eq!(answer.header("location"), format!("{ORDERS}/{order}"));
        shop.after_questions("find_order", 2).await;
        assert_eq!(shop.read(&order).await["status"], "pending");
        shop.first.hide_orders(false);
        shop.clock.advance(Duration::from_secs(2));
        shop.becomes(&order, "confirmed").await;
        assert_eq!(shop.read(&order).await["supplier_reference"], "TOUR1");
        // What the key was told stays what it was told.
        let again = shop.order("k", &offer).await;
        assert_eq!((again.status, &again.text), (202, &answer.text));
        assert_eq!(shop.first.calls("order"), 1);
    })
    .await;
}

#[tokio::test]
async fn an_order_that_is_not_found_fails_only_when_it_can_no_longer_appear() {
    on_both(&[], async |shop| {
        shop.first.next(Do::NotDoneAndLost);
        let order = id(&shop.order("k", &shop.offer().await).await);
        // An answered error proves nothing: it may be a proxy's, with the supplier still at work.
        shop.clock.advance(LONGEST + LAG - Duration::from_secs(20));
        shop.after_questions("find_order", 5).await;
        assert_eq!(shop.read(&order).await["status"], "pending");
        // Nor does a supplier that does not answer the question.
        shop.first.unreachable(true);
        shop.clock.advance(Duration::from_secs(20));
        shop.after_questions("find_order", 2).await;
        assert_eq!(shop.read(&order).await["status"], "pending");
        shop.first.unreachable(false);
        shop.clock.advance(Duration::from_secs(2));
        shop.becomes(&order, "failed").await;
        assert_eq!(shop.read(&order).await["failure"], "NOT_ORDERED");
    })
    .await;
}

#[tokio::test]
async fn an_order_that_appears_late_is_confirmed_and_stays_so() {
    on_both(&[], async |shop| {
        shop.first.next(Do::Late);
        let order = id(&shop.order("k", &shop.offer().await).await);
        shop.clock.advance(LONGEST - Duration::from_secs(10));
        shop.after_questions("find_order", 1).await;
        shop.first.do_late();
        shop.clock.advance(Duration::from_secs(2));
        shop.becomes(&order, "confirmed").await;
        let asked = shop.first.calls("find_order");
        shop.clock.advance(LONGEST * 3);
        // A later order's questions show that the worker went on, and this one is asked about no more.
        shop.first.next(Do::NotDoneAndLost);
        let other = id(&shop.order("l", &shop.offer().await).await);
        shop.clock.advance(LONGEST * 2);
        shop.becomes(&other, "failed").await;
        assert_eq!(shop.first.calls("find_order"), asked + 2);
        let order = shop.read(&order).await;
        assert_eq!(
            events(&order),
            ["requested", "sent", "outcome_unknown", "confirmed"]
        );
    })
    .await;
}

#[tokio::test]
async fn an_order_that_the_supplier_has_taken_is_not_given_up_before_it_decides() {
    on_both(&[], async |shop| {
        shop.first.next(Do::Taken);
        let placed = shop.order("k", &shop.offer().await).await;
        assert_eq!(placed.status, 202, "{}", placed.text);
        let order = id(&placed);
        shop.clock.advance(Duration::from_secs(71 * 3600));
        shop.after_questions("find_order", 1).await;
        assert_eq!(shop.read(&order).await["status"], "pending");
        shop.first.do_late();
        shop.clock.advance(Duration::from_secs(60));
        shop.becomes(&order, "confirmed").await;

        shop.first.next(Do::Taken);
        let never = id(&shop.order("l", &shop.offer().await).await);
        shop.clock.advance(Duration::from_secs(73 * 3600));
        shop.becomes(&never, "failed").await;
    })
    .await;
}

#[tokio::test]
async fn nobody_pays_more_than_agreed() {
    on_both(&[], async |shop| {
        let offer = shop.offer().await;
        shop.first.price_is(12_000);
        let refused = shop.order("a", &offer).await;
        assert_eq!((refused.status, refused.code()), (409, "PRICE_CHANGED"));
        let details = &refused.body["errors"][0]["details"];
        assert_eq!(details["old"]["amount"], "100.00");
        assert_eq!(details["new"]["amount"], "120.00");
        let mut body = order_of(&offer);
        body["max_total"] = json!({"amount": "119.99", "currency": "GBP"});
        assert_eq!(shop.agent().post_once("b", ORDERS, &body).await.status, 409);
        body["max_total"] = json!({"amount": "120.00", "currency": "EUR"});
        assert_eq!(shop.agent().post_once("c", ORDERS, &body).await.status, 422);
        assert_eq!(shop.first.calls("order"), 0);
        body["max_total"] = json!({"amount": "120.00", "currency": "GBP"});
        // The key of a refusal by validation is free.
        let taken = shop.agent().post_once("c", ORDERS, &body).await;
        assert_eq!(taken.status, 201, "{}", taken.text);
        assert_eq!(taken.data()["total"]["amount"], "120.00");
        // Cheaper is welcome.
        shop.first.price_is(9_000);
        let cheaper = shop.order("d", &offer).await;
        assert_eq!(cheaper.data()["total"]["amount"], "90.00");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_told_again_and_its_order_has_failed() {
    on_both(&[], async |shop| {
        let offer = shop.offer().await;
        shop.first.next(Do::Refuse(Kind::SoldOut));
        let refused = shop.order("k", &offer).await;
        assert_eq!((refused.status, refused.code()), (409, "SOLD_OUT"));
        let again = shop.order("k", &offer).await;
        assert_eq!((again.status, &again.text), (409, &refused.text));
        assert_eq!(shop.first.calls("order"), 1);
        let orders = shop.agent().get(ORDERS).await;
        assert_eq!(orders.data()[0]["status"], "failed");
        assert_eq!(orders.data()[0]["failure"], "SOLD_OUT");
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_kept_for_24_hours_whatever_becomes_of_its_offer() {
    on_both(&[], async |shop| {
        let offer = shop.offer().await;
        let first = shop.order("k", &offer).await;
        shop.clock.advance(Duration::from_secs(24 * 3600 - 1));
        let again = shop.order("k", &offer).await;
        assert_eq!((again.status, &again.text), (201, &first.text));
        shop.clock.advance(Duration::from_secs(1));
        let fresh = shop.order("k", &offer).await;
        assert_eq!((fresh.status, fresh.code()), (410, "OFFER_EXPIRED"));
        assert_eq!(shop.first.calls("order"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_replay_is_not_checked_anew() {
    on_both(&[], async |shop| {
        let mut body = order_of(&shop.offer().await);
        body["travellers"][0]["documents"] = json!([{
            "type": "passport", "number": "19KL56147", "issuing_country": "GB",
            "expires_on": "2026-12-01",
        }]);
        let first = shop.agent().post_once("k", ORDERS, &body).await;
        assert_eq!(first.status, 201, "{}", first.text);
        // The next day the passport has expired.
        shop.clock.advance(Duration::from_secs(20 * 3600));
        let again = shop.agent().post_once("k", ORDERS, &body).await;
        assert_eq!((again.status, &again.text), (201, &first.text));
    })
    .await;
}
