use auth::{HOP_HEADER, Identity};
use reqwest::Response;
use serde_json::json;
use travel_types::Clock;

use crate::mailbox::Mailbox;
use crate::service::{Service, on_each_engine};

const EMAIL: &str = "pepper@example.com";
const WORDS: &str = "three kiwis on a tram";

async fn open(service: &Service, path: &str) -> Response {
    let nobody = Identity::anonymous();
    let answer = service.send_as(&nobody, "GET", path, None).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("form-action 'self'"), "{policy}");
    answer
}

async fn send(service: &Service, path: &str, form: &[(&str, &str)]) -> Response {
    let signed = service.gateway.sign(&Identity::anonymous(), "auth_service");
    service
        .client
        .post(format!("{}{path}", service.url))
        .header(HOP_HEADER, signed.unwrap())
        .form(form)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn opening_a_link_does_nothing_and_its_button_does_it() {
    on_each_engine(async |place| {
        let mailbox = Mailbox::start().await;
        let url = mailbox.url();
        let more = [
            ("mail.url", url.as_str()),
            ("registration.confirmation", "mail"),
        ];
        let service = place.start(&Clock::system(), &more).await.unwrap();
        service.register(EMAIL, WORDS).await;
        let mails = mailbox.mails(EMAIL, 1).await;
        let text = mails[0]["text"].as_str().unwrap();
        assert!(text.contains("http://localhost:8000/account/confirm?token="));
        let token = mailbox.token(EMAIL, 1).await;
        for _ in 0..2 {
            let path = format!("/account/confirm?token={token}");
            let page = open(&service, &path).await.text().await.unwrap();
            assert!(page.contains(&format!("value=\"{token}\"")));
        }
        let confirm = async |token: &str| {
            let answer = send(&service, "/account/confirm", &[("token", token)]).await;
            answer.status().as_u16()
        };
        assert_eq!(confirm("x").await, 410);
        assert_eq!(confirm(&token).await, 200);
        assert_eq!(confirm(&token).await, 410);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_new_password_is_chosen_on_the_page_that_says_what_is_wrong_with_it() {
    on_each_engine(async |place| {
        let mailbox = Mailbox::start().await;
        let more = [("mail.url", &*mailbox.url())];
        let service = place.start(&Clock::system(), &more).await.unwrap();
        let email = "agent@interline.test";
        let answer = service.send("/api/v1/auth/password-reset", json!({"email": email}));
        assert_eq!(answer.await.status(), 202);
        let token = mailbox.token(email, 1).await;
        let path = format!("/account/reset?token={token}");
        let page = open(&service, &path).await.text().await.unwrap();
        assert!(page.contains("<label for=\"password\">"));
        let set = async |password: &str| {
            let form = [("token", &*token), ("password", password)];
            send(&service, "/account/reset", &form).await
        };
        let weak = set("12345678").await;
        assert_eq!(weak.status(), 422);
        let page = weak.text().await.unwrap();
        assert!(page.contains("role=\"alert\"") && page.contains("tried first"));
        assert!(!page.contains("12345678"));
        assert_eq!(set(WORDS).await.status(), 200);
        assert_eq!(set(WORDS).await.status(), 410);
        let answer = service.log_in(email, WORDS, "192.0.2.1").await;
        assert_eq!(answer.status(), 200);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_link_carries_is_shown_as_text_alone() {
    on_each_engine(async |place| {
        let service = place.start(&Clock::system(), &[]).await.unwrap();
        for path in ["/account/confirm", "/account/reset"] {
            let evil = format!("{path}?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
            let page = open(&service, &evil).await.text().await.unwrap();
            assert!(!page.contains("<script"), "{page}");
            let nobody = Identity::anonymous();
            let unknown = format!("{path}?next=http://evil.example");
            let answer = service.send_as(&nobody, "GET", &unknown, None).await;
            assert_eq!(answer.status(), 400);
            let json = service.send(path, json!({"token": "x"})).await;
            assert_eq!(json.status(), 415);
        }
        service.stop().await;
    })
    .await;
}
