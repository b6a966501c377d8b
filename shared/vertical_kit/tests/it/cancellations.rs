//! Cancelling: a quote that cancels nothing, one cancellation whatever is confirmed how often.

use std::time::Duration;

use supplier_client::SupplierErrorKind as Kind;

use crate::shop::{ORDERS, events, id, on_both};
use crate::supplier::{Do, LAG, LONGEST};

#[tokio::test]
async fn a_quote_cancels_nothing_and_its_confirmation_everything() {
    on_both(&[], async |shop| {
        let order = shop.confirmed("o").await;
        let quote = shop.ask_quote(&order).await;
        assert_eq!(quote.data()["refund"]["amount"], "90.00");
        assert_eq!(quote.data()["penalty"]["amount"], "10.00");
        assert_eq!(shop.read(&order).await["status"], "confirmed");
        let quote = id(&quote);
        let done = shop.confirm("k", &quote).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert_eq!(done.data()["status"], "confirmed");
        assert_eq!(shop.read(&order).await["status"], "cancelled");
        let again = shop.confirm("k", &quote).await;
        assert_eq!((again.status, &again.text), (200, &done.text));
        assert_eq!(shop.confirm("l", &quote).await.code(), "CONFLICT");
        assert_eq!(shop.ask_quote(&order).await.code(), "CONFLICT");
        assert_eq!(shop.first.calls("confirm"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_on_a_quote_brings_the_same_quote_again() {
    on_both(&[], async |shop| {
        let order = shop.confirmed("o").await;
        let path = format!("{ORDERS}/{order}/cancellations");
        let agent = shop.agent().with("idempotency-key", "q");
        let one = agent.send("POST", &path, None).await;
        let two = agent.send("POST", &path, None).await;
        assert_eq!((one.status, two.status), (201, 201));
        assert_eq!(one.text, two.text);
        assert_eq!(two.header("idempotent-replayed"), "true");
        assert_eq!(shop.first.calls("quote"), 1);
        let other = shop.confirmed("p").await;
        let path = format!("{ORDERS}/{other}/cancellations");
        let reused = agent.send("POST", &path, None).await;
        assert_eq!(reused.code(), "IDEMPOTENCY_KEY_REUSED");
        let wrong = shop.agent().with("idempotency-key", "a b");
        let wrong = wrong.send("POST", &path, None).await;
        assert_eq!(wrong.code(), "INVALID_IDEMPOTENCY_KEY");
        // Each without a key is a quote of its own.
        assert_ne!(shop.quote(&other).await, shop.quote(&other).await);
    })
    .await;
}

#[tokio::test]
async fn two_quotes_confirmed_at_once_are_one_cancellation() {
    on_both(&[], async |shop| {
        let order = shop.confirmed("o").await;
        let (a, b) = (shop.quote(&order).await, shop.quote(&order).await);
        let all = [
            shop.confirm("1", &a),
            shop.confirm("2", &b),
            shop.confirm("3", &a),
            shop.confirm("4", &b),
        ];
        let answers = futures_util::future::join_all(all).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409, 409]);
        assert_eq!(shop.first.calls("confirm"), 1);
        shop.becomes(&order, "cancelled").await;
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_whose_answer_is_lost_settles() {
    on_both(&[], async |shop| {
        let order = shop.confirmed("o").await;
        let quote = shop.quote(&order).await;
        shop.first.next(Do::DoneButLost);
        shop.first.hide_orders(true);
        let told = shop.confirm("k", &quote).await;
        assert_eq!(told.status, 202, "{}", told.text);
        assert_eq!(told.header("location"), format!("{ORDERS}/{order}"));
        shop.after_questions("find_cancellation", 2).await;
        assert_eq!(shop.read(&order).await["status"], "confirmed");
        shop.first.hide_orders(false);
        shop.clock.advance(Duration::from_secs(2));
        shop.becomes(&order, "cancelled").await;
        let again = shop.confirm("k", &quote).await;
        assert_eq!((again.status, &again.text), (202, &told.text));
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_that_was_not_made_lets_the_order_stand_and_be_quoted_again() {
    on_both(&[], async |shop| {
        let order = shop.confirmed("o").await;
        let quote = shop.quote(&order).await;
        shop.first.next(Do::NotDoneAndLost);
        assert_eq!(shop.confirm("k", &quote).await.status, 202);
        // Another quote must wait for the first one's outcome.
        let other = shop.quote(&order).await;
        assert_eq!(shop.confirm("l", &other).await.code(), "CONFLICT");
        shop.clock.advance(LONGEST + LAG);
        testkit::wait_until("the cancellation to fail", async || {
            let order = shop.read(&order).await;
            events(&order)
                .contains(&"cancellation_failed")
                .then_some(())
        })
        .await;
        assert_eq!(shop.read(&order).await["status"], "confirmed");
        let third = shop.quote(&order).await;
        assert_eq!(shop.confirm("m", &third).await.status, 200);
        assert_eq!(shop.first.live(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_refused_cancellation_is_told_at_once() {
    on_both(&[], async |shop| {
        let order = shop.confirmed("o").await;
        let quote = shop.quote(&order).await;
        shop.first.next(Do::Refuse(Kind::Refused));
        let refused = shop.confirm("k", &quote).await;
        assert_eq!((refused.status, refused.code()), (409, "SUPPLIER_REFUSED"));
        assert_eq!(shop.read(&order).await["status"], "confirmed");
        assert_eq!(shop.confirm("l", &quote).await.code(), "CONFLICT");
        let quote = shop.quote(&order).await;
        shop.clock.advance(Duration::from_secs(901));
        let late = shop.confirm("m", &quote).await;
        assert_eq!((late.status, late.code()), (410, "QUOTE_EXPIRED"));
    })
    .await;
}

#[tokio::test]
async fn an_order_that_was_cancelled_by_hand_is_found_out_when_it_is_to_be_cancelled() {
    on_both(&[], async |shop| {
        let order = shop.confirmed("o").await;
        let quote = shop.quote(&order).await;
        shop.first.cancel_by_hand();
        shop.first.next(Do::Refuse(Kind::Refused));
        let refused = shop.confirm("k", &quote).await;
        assert_eq!(refused.status, 409, "{}", refused.text);
        assert_eq!(shop.read(&order).await["status"], "cancelled");

        let order = shop.confirmed("p").await;
        shop.first.cancel_by_hand();
        assert_eq!(shop.ask_quote(&order).await.code(), "CONFLICT");
        assert_eq!(shop.read(&order).await["status"], "cancelled");
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_does_not_fit_keeps_no_cancellation_from_ending() {
    on_both(&[], async |shop| {
        for (key, amount, currency) in [("a", "105.00", "EUR"), ("b", "100.01", "GBP")] {
            let order = shop.confirmed(key).await;
            let quote = shop.quote(&order).await;
            shop.first.next(Do::DoneRefunding(amount, currency));
            let done = shop.confirm(key, &quote).await;
            assert_eq!(done.status, 200, "{}", done.text);
            assert_eq!(done.data()["refund"]["amount"], "90.00");
            let order = shop.read(&order).await;
            assert_eq!(order["status"], "cancelled");
            let history = order["history"].as_array().unwrap();
            let note = history.last().unwrap()["note"].as_str().unwrap();
            assert!(note.contains(&format!("{amount} {currency}")), "{note}");
        }
    })
    .await;
}
