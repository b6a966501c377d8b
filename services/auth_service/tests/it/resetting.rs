use std::time::Duration;

use serde_json::json;
use storage::{Row as _, query};
use testkit::wait_until;
use travel_types::Clock;

use crate::mailbox::Mailbox;
use crate::service::{PASSWORD, comparable, json_of, on_each_engine};

const RESET: &str = "/api/v1/auth/password-reset";
const SET: &str = "/api/v1/auth/password-reset/confirm";
const EMAIL: &str = "agent@interline.test";
const WORDS: &str = "three kiwis on a tram";

#[tokio::test]
async fn whoever_reads_the_mail_sets_a_new_password_once_and_every_log_in_ends() {
    on_each_engine(async |place| {
        let mailbox = Mailbox::start().await;
        let clock = Clock::system();
        let more = [("mail.url", &*mailbox.url())];
        let service = place.start(&clock, &more).await.unwrap();
        let tokens = service.tokens(EMAIL).await;
        let identity = service.identity(&tokens, &clock).await;
        let answer = service.send(RESET, json!({"email": " AGENT@interline.test"}));
        assert_eq!(answer.await.status(), 202);
        let token = mailbox.token(EMAIL, 1).await;
        assert_eq!(token.len(), 43, "256 bits");

        let set = async |token: &str, password: &str| {
            let body = json!({"token": token, "password": password});
            service.send(SET, body).await
        };
        let weak = set(&token, "agent@interline.test").await;
        assert_eq!(weak.status(), 422, "and the link can still be used");
        assert_eq!(json_of(weak).await["errors"][0]["field"], "password");
        assert_eq!(set(&token, WORDS).await.status(), 204);
        let again = set(&token, "another few words").await;
        assert_eq!(again.status(), 410);
        assert_eq!(json_of(again).await["errors"][0]["code"], "LINK_EXPIRED");

        let old = service.log_in(EMAIL, PASSWORD, "192.0.2.1").await;
        assert_eq!(old.status(), 401);
        let new = service.log_in(EMAIL, WORDS, "192.0.2.1").await;
        assert_eq!(new.status(), 200);
        let refresh = tokens["refresh_token"].as_str().unwrap();
        assert_eq!(service.refresh(refresh).await.status(), 401);
        let mails = mailbox.mails(EMAIL, 2).await;
        assert_eq!(mails[1]["subject"], "Your password was changed");

        let records = place.records_of("password_reset").await;
        assert_eq!(records.len(), 2, "{records:?}");
        assert!(records[0].succeeded && !records[1].succeeded);
        let feed = service.revoked(0).await;
        let event = &feed["events"][0];
        assert_eq!(event["kind"], "session");
        assert_eq!(event["value"].as_str(), identity.session());
        assert_eq!(event["seq"], records[0].seq);
        assert_eq!(feed["head"], records[0].seq);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_address_gets_the_same_answer_and_nobody_a_mail() {
    on_each_engine(async |place| {
        let mailbox = Mailbox::start().await;
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let more = [("mail.url", &*mailbox.url())];
        let service = place.start(&clock, &more).await.unwrap();
        let reset = async |email: &str| {
            let answer = service.send(RESET, json!({"email": email})).await;
            comparable(answer).await
        };
        let unknown = reset("nobody@interline.test").await;
        assert_eq!(unknown, reset(EMAIL).await);
        assert_eq!(unknown.0, 202);
        mailbox.mails(EMAIL, 1).await;
        let db = place.open_store().await;
        wait_until("an empty outbox", async || {
            let row = query("SELECT COUNT(*) AS n FROM mail").fetch_one(db.pool());
            let left: i64 = row.await.unwrap().try_get("n").unwrap();
            (left == 0).then_some(())
        })
        .await;
        db.close().await;
        assert!(mailbox.now("nobody@interline.test").await.is_empty());
        assert_eq!(place.records_of("password_reset_request").await.len(), 2);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_link_is_worth_nothing_after_an_hour_or_once_another_was_used() {
    on_each_engine(async |place| {
        let mailbox = Mailbox::start().await;
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let more = [("mail.url", &*mailbox.url())];
        let service = place.start(&clock, &more).await.unwrap();
        let mut links = Vec::new();
        for count in 1..=3 {
            let answer = service.send(RESET, json!({"email": EMAIL})).await;
            assert_eq!(answer.status(), 202);
            links.push(mailbox.token(EMAIL, count).await);
            if count == 1 {
                clock.advance(Duration::from_secs(3600));
            }
        }
        for (link, status) in [(0, 410), (1, 204), (2, 410)] {
            let body = json!({"token": links[link], "password": WORDS});
            assert_eq!(service.send(SET, body).await.status(), status);
        }
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_owner_of_an_account_that_others_locked_gets_in_with_a_new_password() {
    on_each_engine(async |place| {
        let mailbox = Mailbox::start().await;
        let more = [("mail.url", &*mailbox.url())];
        let service = place.start(&Clock::system(), &more).await.unwrap();
        for _ in 0..5 {
            let answer = service.log_in(EMAIL, "wrong", "192.0.2.9").await;
            assert_eq!(answer.status(), 401);
        }
        let answer = service.log_in(EMAIL, PASSWORD, "192.0.2.1").await;
        assert_eq!(answer.status(), 429);
        let answer = service.send(RESET, json!({"email": EMAIL})).await;
        assert_eq!(answer.status(), 202);
        let token = mailbox.token(EMAIL, 1).await;
        let body = json!({"token": token, "password": WORDS});
        assert_eq!(service.send(SET, body).await.status(), 204);
        let answer = service.log_in(EMAIL, WORDS, "192.0.2.1").await;
        assert_eq!(answer.status(), 200);
        service.stop().await;
    })
    .await;
}
