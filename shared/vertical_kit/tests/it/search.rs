//! Search: what came in time is answered, every supplier is accounted for, the deadline holds.

use std::time::Duration;

use serde_json::Value;
use supplier_client::SupplierErrorKind as Kind;
use testkit::Answer;
use tokio::time::Instant;

use crate::shop::{Shop, on_both};
use crate::supplier::Finds;

const SHORT: &[(&str, &str)] = &[("search.deadline_ms", "300")];

async fn search(shop: &Shop) -> Answer {
    let begun = Instant::now();
    let answer = shop.agent().get("/api/v1/tours/offers").await;
    // 300 ms and what a busy machine takes to write it down.
    assert!(begun.elapsed() < Duration::from_secs(2));
    answer
}

fn account<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    let accounts = answer.body["meta"]["suppliers"].as_array().unwrap();
    accounts
        .iter()
        .find(|account| account["name"] == name)
        .unwrap()
}

#[tokio::test]
async fn one_supplier_that_hangs_fails_or_breaks_leaves_the_others_offers() {
    on_both(SHORT, async |shop| {
        for (finds, status) in [
            (Finds::Hangs, "timeout"),
            (Finds::Fails(Kind::Timeout), "timeout"),
            (Finds::Fails(Kind::Protocol), "error"),
            (Finds::Panics, "error"),
            (Finds::OnlyRejected, "error"),
            (Finds::LeftAlone, "skipped"),
        ] {
            shop.second.finds(finds);
            let answer = search(shop).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(answer.body["meta"]["partial"], true);
            assert_eq!(account(&answer, "first")["status"], "ok");
            assert_eq!(account(&answer, "first")["offers"], 3);
            assert_eq!(account(&answer, "second")["status"], status);
        }
    })
    .await;
}

#[tokio::test]
async fn when_all_fail_the_search_fails_in_time() {
    on_both(SHORT, async |shop| {
        for (finds, status) in [
            (Finds::Hangs, 504),
            (Finds::Fails(Kind::Timeout), 504),
            (Finds::Fails(Kind::Unavailable), 502),
            (Finds::Fails(Kind::Protocol), 502),
            (Finds::Fails(Kind::InvalidRequest), 502),
        ] {
            shop.first.finds(finds.clone());
            shop.second.finds(finds);
            let answer = search(shop).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn rejected_offers_are_counted_with_their_reasons() {
    on_both(SHORT, async |shop| {
        shop.first.finds(Finds::WithRejected);
        shop.second.finds(Finds::Nothing);
        let answer = search(shop).await;
        assert_eq!(answer.body["meta"]["partial"], false);
        let first = account(&answer, "first");
        assert_eq!(
            (&first["offers"], &first["rejected"]),
            (&1.into(), &2.into())
        );
        assert_eq!(first["rejected_because"], serde_json::json!(["is odd"]));
        assert_eq!(account(&answer, "second")["offers"], 0);
    })
    .await;
}

#[tokio::test]
async fn pages_hold_every_offer_once_and_end_with_the_search() {
    on_both(SHORT, async |shop| {
        let mut seen = Vec::new();
        let mut page = search(shop).await;
        let first = page.body["meta"]["next_cursor"].clone();
        loop {
            assert_eq!(page.body["meta"]["total_offers"], 6);
            let offers = page.data().as_array().unwrap();
            seen.extend(offers.iter().map(|offer| offer["id"].to_string()));
            let Some(cursor) = page.body["meta"]["next_cursor"].as_str() else {
                break;
            };
            page = shop
                .agent()
                .get(&format!("/api/v1/tours/offers?{cursor}"))
                .await;
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 6);
        assert_eq!(shop.first.calls("search"), 1);
        shop.clock.advance(Duration::from_secs(901));
        let path = format!("/api/v1/tours/offers?{}", first.as_str().unwrap());
        let over = shop.agent().get(&path).await;
        assert_eq!((over.status, over.code()), (410, "OFFER_EXPIRED"));
        let wrong = shop.agent().get("/api/v1/tours/offers?nonsense").await;
        assert_eq!(wrong.status, 422);
    })
    .await;
}
