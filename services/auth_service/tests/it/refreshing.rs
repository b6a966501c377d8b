use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use storage::{Row as _, query};
use travel_types::Clock;

use crate::service::{Service, data, on_each_engine};

fn manual() -> Clock {
    Clock::manual("2026-11-21T12:00:00Z".parse().unwrap())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn refreshed(service: &Service, token: &str) -> String {
    let answer = service.refresh(token).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let tokens = data(answer).await;
    assert_eq!(tokens["token_type"], "Bearer");
    text(&tokens["refresh_token"])
}

#[tokio::test]
async fn a_lost_answer_is_repeated_for_ten_seconds_and_reuse_after_that_ends_the_login() {
    on_each_engine(async |place| {
        let clock = manual();
        let service = place.start(&clock, &[]).await.unwrap();
        let first = text(&service.tokens("agent@interline.test").await["refresh_token"]);
        let second = refreshed(&service, &first).await;
        assert_ne!(first, second);
        clock.advance(Duration::from_secs(10));
        assert_eq!(refreshed(&service, &first).await, second);
        clock.advance(Duration::from_secs(1));
        assert_eq!(service.refresh(&first).await.status(), 401);
        assert_eq!(
            service.refresh(&second).await.status(),
            401,
            "the family is dead"
        );
        let records = place.records_of("refresh_reuse").await;
        assert_eq!(records.len(), 1, "{records:?}");
        let feed = service.revoked(0).await;
        assert_eq!(feed["events"][0]["kind"], "session");
        assert_eq!(feed["events"][0]["seq"], records[0].seq);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn fifty_uses_of_one_token_at_once_get_the_same_new_token() {
    on_each_engine(async |place| {
        let clock = manual();
        let service = place.start(&clock, &[]).await.unwrap();
        let first = text(&service.tokens("agent@interline.test").await["refresh_token"]);
        let body = serde_json::json!({"refresh_token": first});
        let mut uses = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let request = service.post("/api/v1/auth/refresh", &body);
            uses.spawn(async move {
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 200);
                text(&data(answer).await["refresh_token"])
            });
        }
        let mut answers = uses.join_all().await;
        answers.dedup();
        assert_eq!(answers.len(), 1);
        refreshed(&service, &answers[0]).await;
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_login_ends_after_its_time_however_often_it_was_refreshed() {
    on_each_engine(async |place| {
        let clock = manual();
        let more = [("tokens.refresh_seconds", "3600")];
        let service = place.start(&clock, &more).await.unwrap();
        let mut token = text(&service.tokens("agent@interline.test").await["refresh_token"]);
        for _ in 0..3 {
            clock.advance(Duration::from_secs(1000));
            token = refreshed(&service, &token).await;
        }
        clock.advance(Duration::from_secs(600));
        assert_eq!(service.refresh(&token).await.status(), 401);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused_and_the_store_holds_none() {
    on_each_engine(async |place| {
        let service = place.start(&Clock::system(), &[]).await.unwrap();
        let token = text(&service.tokens("agent@interline.test").await["refresh_token"]);
        let (id, secret) = token.split_once('.').unwrap();
        for wrong in [
            "",
            ".",
            id,
            "a.b",
            &format!("{id}."),
            &format!("{token}="),
            &format!("{token}.x"),
            &format!("{}.{secret}", "A".repeat(22)),
            &"x".repeat(100_000),
        ] {
            assert_eq!(service.refresh(wrong).await.status(), 401, "{wrong:.80}");
        }
        let next = refreshed(&service, &token).await;
        service.stop().await;

        let db = place.open_store().await;
        let row = query("SELECT * FROM log_ins").fetch_one(db.pool()).await;
        let row = row.unwrap();
        for column in ["current_hash", "previous_hash", "nonce"] {
            let stored: String = row.try_get(column).unwrap();
            assert!(
                !token.contains(&stored) && !next.contains(&stored),
                "{column}"
            );
        }
        db.close().await;
    })
    .await;
}
