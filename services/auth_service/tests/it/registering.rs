use std::time::Duration;

use serde_json::json;
use storage::{Row as _, query};
use travel_types::Clock;

use crate::mailbox::Mailbox;
use crate::service::{Place, comparable, data, json_of, on_each_engine};

const REGISTER: &str = "/api/v1/auth/register";
const CONFIRM: &str = "/api/v1/auth/confirm";
const EMAIL: &str = "pepper@example.com";
const WORDS: &str = "three kiwis on a tram";

#[tokio::test]
async fn who_registers_in_development_logs_in_at_once() {
    on_each_engine(async |place| {
        let mailbox = Mailbox::start().await;
        let clock = Clock::system();
        let more = [("mail.url", &*mailbox.url())];
        let service = place.start(&clock, &more).await.unwrap();
        let body =
            json!({"email": " Pepper@Example.com", "password": WORDS, "full_name": "Pepper Potts"});
        let answer = service.send(REGISTER, body).await;
        assert_eq!(answer.status(), 201);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let taken = data(answer).await;
        assert_eq!(taken, json!({"email": EMAIL, "status": "pending"}));

        let tokens = data(service.log_in(EMAIL, WORDS, "192.0.2.1").await).await;
        assert_eq!(tokens["user"]["role"], "traveller");
        assert_eq!(tokens["user"]["full_name"], "Pepper Potts");
        let mails = mailbox.mails(EMAIL, 1).await;
        assert_eq!(mails[0]["subject"], "Welcome to Interline");

        let id = tokens["user"]["id"].as_str().unwrap();
        let records = place.records().await;
        let said: Vec<_> = records
            .iter()
            .map(|r| (r.action.as_str(), r.succeeded, r.actor.as_deref()))
            .collect();
        assert_eq!(said, [("register", true, None), ("login", true, Some(id))]);
        assert_eq!(records[0].target.as_deref(), Some(id));
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_taken_address_gets_the_same_answer_and_its_owner_a_mail() {
    on_each_engine(async |place| {
        for confirmation in ["at_once", "mail"] {
            let mailbox = Mailbox::start().await;
            let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
            let url = mailbox.url();
            let more = [
                ("mail.url", url.as_str()),
                ("registration.confirmation", confirmation),
            ];
            let service = place.start(&clock, &more).await.unwrap();
            let register = async |email: &str| {
                let body = json!({"email": email, "password": WORDS, "full_name": "Pepper Potts"});
                let mut answer = comparable(service.send(REGISTER, body).await).await;
                assert_eq!(answer.2["data"]["email"], email);
                answer.2["data"]["email"].take();
                answer
            };
            let new = match confirmation {
                "mail" => "anita@interline.test",
                _ => "anton@interline.test",
            };
            let known = register("agent@interline.test").await;
            assert_eq!(known, register(new).await);
            assert_eq!(known.0, 201);
            let mails = mailbox.mails("agent@interline.test", 1).await;
            assert_eq!(mails[0]["subject"], "You have an account already");
            assert!(!mails[0]["text"].as_str().unwrap().contains("token"));
            // The owner's password is the one that it was.
            service.tokens("agent@interline.test").await;
            let answer = service.log_in("agent@interline.test", WORDS, "192.0.2.1");
            assert_eq!(answer.await.status(), 401);
            service.stop().await;
        }
    })
    .await;
}

#[tokio::test]
async fn by_mail_an_account_begins_with_its_confirmation_and_the_link_works_once() {
    on_each_engine(async |place| {
        let mailbox = Mailbox::start().await;
        let clock = Clock::system();
        let url = mailbox.url();
        let more = [
            ("mail.url", url.as_str()),
            ("registration.confirmation", "mail"),
        ];
        let service = place.start(&clock, &more).await.unwrap();
        service.register(EMAIL, WORDS).await;
        let answer = service.log_in(EMAIL, WORDS, "192.0.2.1").await;
        assert_eq!(answer.status(), 403);
        let body = json_of(answer).await;
        assert_eq!(body["errors"][0]["code"], "EMAIL_NOT_CONFIRMED");
        let answer = service.log_in(EMAIL, "another thing", "192.0.2.1").await;
        assert_eq!(answer.status(), 401);

        let token = mailbox.token(EMAIL, 1).await;
        assert_eq!(token.len(), 43, "256 bits");
        for (token, status) in [("x", 410), (&*token, 200), (&*token, 410)] {
            let answer = service.send(CONFIRM, json!({"token": token})).await;
            assert_eq!(answer.status(), status);
        }
        let tokens = data(service.log_in(EMAIL, WORDS, "192.0.2.1").await).await;
        assert_eq!(tokens["user"]["email"], EMAIL);
        let said: Vec<_> = place.records().await;
        let said: Vec<_> = said.iter().map(|r| (&*r.action, r.succeeded)).collect();
        assert_eq!(
            said,
            [
                ("register", true),
                ("login", false),
                ("login", false),
                ("email_confirm", false),
                ("email_confirm", true),
                ("email_confirm", false),
                ("login", true),
            ]
        );
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_confirmation_is_worth_nothing_after_its_time_and_what_was_said_is_forgotten() {
    on_each_engine(async |place| {
        let mailbox = Mailbox::start().await;
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let url = mailbox.url();
        let more = [
            ("mail.url", url.as_str()),
            ("registration.confirmation", "mail"),
        ];
        let service = place.start(&clock, &more).await.unwrap();
        service.register(EMAIL, WORDS).await;
        let token = mailbox.token(EMAIL, 1).await;
        clock.advance(Duration::from_secs(86_400));
        let answer = service.send(CONFIRM, json!({"token": token})).await;
        assert_eq!(answer.status(), 410);
        let body = json_of(answer).await;
        assert_eq!(body["errors"][0]["code"], "LINK_EXPIRED");
        let answer = service.log_in(EMAIL, WORDS, "192.0.2.1").await;
        assert_eq!(answer.status(), 401, "nothing waits any more");
        service.register("other@example.com", WORDS).await;
        service.stop().await;
        let db = place.open_store().await;
        let row = query(
            "SELECT COUNT(*) AS n, (SELECT COUNT(*) FROM subject_keys WHERE wrapped IS NULL) AS gone \
             FROM registrations",
        );
        let row = row.fetch_one(db.pool()).await.unwrap();
        assert_eq!(row.try_get::<i64, _>("n").unwrap(), 1);
        assert_eq!(row.try_get::<i64, _>("gone").unwrap(), 1);
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_store_holds_no_address_name_password_or_token_that_can_be_read() {
    let place = Place::sqlite();
    let mailbox = Mailbox::start().await;
    let clock = Clock::system();
    let url = mailbox.url();
    let more = [
        ("mail.url", url.as_str()),
        ("registration.confirmation", "mail"),
    ];
    let service = place.start(&clock, &more).await.unwrap();
    service
        .register("canary-stark@example.com", "canary tram kiwi")
        .await;
    let token = mailbox.token("canary-stark@example.com", 1).await;
    let answer = service.send(CONFIRM, json!({"token": token})).await;
    assert_eq!(answer.status(), 200);
    let address = "canary-stark@example.com";
    service
        .log_in(address, "canary tram kiwi", "192.0.2.77")
        .await;
    let answer = service.send("/api/v1/auth/password-reset", json!({"email": address}));
    assert_eq!(answer.await.status(), 202);
    let reset = mailbox.token(address, 2).await;
    service.stop().await;
    let mut read = 0;
    for file in std::fs::read_dir(&place.data_dir).unwrap() {
        let path = file.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        read += bytes.len();
        for canary in ["canary", "Tony Stark", "192.0.2.77", &token, &reset] {
            let found = bytes
                .windows(canary.len())
                .any(|window| window.eq_ignore_ascii_case(canary.as_bytes()));
            assert!(!found, "{canary} in {}", path.display());
        }
    }
    assert!(read > 10_000);
    place.remove().await;
}

#[tokio::test]
async fn every_bad_field_is_named_in_one_answer_with_what_to_do() {
    let place = Place::sqlite();
    let service = place.start(&Clock::system(), &[]).await.unwrap();
    let body = json!({"email": "tony", "password": "short", "full_name": " "});
    let answer = service.send(REGISTER, body).await;
    assert_eq!(answer.status(), 422);
    let body = json_of(answer).await;
    let fields: Vec<_> = body["errors"].as_array().unwrap().iter().collect();
    let named: Vec<_> = fields
        .iter()
        .map(|e| e["field"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["email", "full_name", "password"]);
    for (password, says) in [
        ("password1", "tried first"),
        ("PEPPER@example.com", "e-mail address"),
        ("Interline", "product's name"),
        ("seven77", "8 to 1024"),
    ] {
        let body = json!({"email": EMAIL, "password": password, "full_name": "P"});
        let answer = service.send(REGISTER, body).await;
        assert_eq!(answer.status(), 422, "{password}");
        let message = json_of(answer).await["errors"][0]["message"].take();
        assert!(message.as_str().unwrap().contains(says), "{message}");
    }
    assert!(place.records().await.is_empty());
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn one_address_does_not_register_without_end_and_one_person_is_not_mailed_without_end() {
    let place = Place::sqlite();
    let mailbox = Mailbox::start().await;
    let url = mailbox.url();
    let more = [
        ("mail.url", url.as_str()),
        ("mail.per_recipient_hour", "2"),
        ("registration.requests_per_address", "4"),
        ("password_reset.requests_per_address", "1"),
    ];
    let service = place.start(&Clock::system(), &more).await.unwrap();
    let register = async |address: &str, email: &str| {
        let body = json!({"email": email, "password": WORDS, "full_name": "P"});
        service.send_from(address, REGISTER, body).await
    };
    for tag in ["", "+1", "+2", "+3"] {
        let email = format!("pepper{tag}@example.com");
        assert_eq!(register("2001:db8::1", &email).await.status(), 201);
    }
    let known = register("2001:db8::2", "agent@interline.test").await;
    let unknown = register("2001:db8::2", "new@interline.test").await;
    assert_eq!(known.status(), 429);
    assert!(known.headers().contains_key("retry-after"));
    let (known, unknown) = (comparable(known).await, comparable(unknown).await);
    assert_eq!(known.2, unknown.2);
    assert_eq!(
        register("2001:db8:0:1::1", "x@example.com").await.status(),
        201
    );

    mailbox.mails("x@example.com", 1).await;
    let mut mails = 0;
    for tag in ["", "+1", "+2", "+3"] {
        let email = format!("pepper{tag}@example.com");
        mails += mailbox.now(&email).await.len();
    }
    assert_eq!(mails, 2);
    let reset = async |email: &str| {
        let body = json!({"email": email});
        service.send("/api/v1/auth/password-reset", body).await
    };
    assert_eq!(reset("nobody@interline.test").await.status(), 202);
    assert_eq!(reset("agent@interline.test").await.status(), 429);
    service.stop().await;
    place.remove().await;
}
