//! What the identity service revokes is refused here within a second, remembered or not.

use std::time::Duration;

use auth::{AccessClaims, AccessRules, Role, TokenSigner};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::issuer::Issuer;
use crate::stack::Stack;

const ME: &str = "/api/v1/auth/me";

impl Stack {
    pub(crate) async fn answers(&self, token: &str) -> u16 {
        let request = self.client.get(self.url(ME)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    }

    /// How long it takes until a token is answered so.
    pub(crate) async fn until(&self, token: &str, status: u16) -> Duration {
        let began = Instant::now();
        while self.answers(token).await != status {
            assert!(began.elapsed() < Duration::from_secs(10), "never {status}");
            sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }

    pub(crate) async fn metric(&self, line: &str) -> Option<u64> {
        let text = self.client.get(self.url("/metrics")).send().await.unwrap();
        let text = text.text().await.unwrap();
        let value = text.lines().find_map(|known| known.strip_prefix(line))?;
        value.trim().parse().ok()
    }
}

#[tokio::test]
async fn a_revoked_log_in_or_token_is_refused_within_a_second_and_no_other_is() {
    let stack = Stack::new().await;
    let first = stack.token_of(Role::Agent, Some("log_1"), None);
    let second = stack.token_of(Role::Agent, Some("log_1"), Some("cli_1"));
    let other = stack.token_of(Role::Agent, Some("log_2"), None);
    let bare = stack.token(Role::Agent);
    for token in [&first, &second, &other, &bare] {
        assert_eq!(stack.answers(token).await, 200);
    }
    stack.issuer.announce("session", "log_1");
    let took = stack.until(&first, 401).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    println!("a revoked log-in was refused after {took:?}");
    assert_eq!(stack.answers(&second).await, 401);
    for token in [&other, &bare] {
        assert_eq!(stack.answers(token).await, 200);
    }
}

#[tokio::test]
async fn a_gateway_that_starts_learns_all_that_is_revoked_before_it_serves() {
    let announce = |issuer: &Issuer| {
        for number in 1..=7 {
            issuer.announce("session", &format!("log_{number}"));
        }
        issuer.announce("of_a_later_release", "x");
    };
    let stack = Stack::scripted(announce, |sources| sources).await;
    for number in 1..=7 {
        let session = format!("log_{number}");
        let token = stack.token_of(Role::Agent, Some(&session), None);
        assert_eq!(stack.answers(&token).await, 401, "{session}");
    }
    let token = stack.token_of(Role::Agent, Some("log_8"), None);
    assert_eq!(stack.answers(&token).await, 200);
}

#[tokio::test]
async fn before_the_feed_was_read_once_no_token_is_believed_and_the_gateway_is_not_ready() {
    let stack = Stack::scripted(|issuer| issuer.feed_is_up(false), |sources| sources).await;
    let token = stack.token_of(Role::Agent, Some("log_1"), None);
    assert_eq!(stack.answers(&token).await, 503);
    assert_eq!(stack.answers("x.y.z").await, 401);
    let ready = || async {
        let answer = stack.client.get(stack.url("/health/ready")).send().await;
        answer.unwrap().json::<serde_json::Value>().await.unwrap()
    };
    let health = ready().await;
    assert_eq!(
        health["checks"]["revocations"]["status"], "fail",
        "{health}"
    );
    stack.issuer.feed_is_up(true);
    stack.until(&token, 200).await;
    assert_eq!(ready().await["checks"]["revocations"]["status"], "pass");
}

#[tokio::test]
async fn while_the_feed_is_down_what_is_known_stays_and_everybody_else_gets_in() {
    let stack = Stack::new().await;
    let revoked = stack.token_of(Role::Agent, Some("log_1"), None);
    let good = stack.token_of(Role::Agent, Some("log_2"), None);
    stack.issuer.announce("session", "log_1");
    stack.until(&revoked, 401).await;
    stack.issuer.feed_is_up(false);
    let asked = stack.issuer.feed_asked();
    while stack.issuer.feed_asked() < asked + 4 {
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stack.answers(&revoked).await, 401);
    assert_eq!(stack.answers(&good).await, 200);
    let failed = "interline_gateway_revocation_polls_total{outcome=\"failed\"}";
    assert!(stack.metric(failed).await.unwrap() >= 3);
    let up = "interline_gateway_revocations{what=\"feed_up\"}";
    assert_eq!(stack.metric(up).await, Some(0));
    stack.issuer.announce("session", "log_2");
    stack.issuer.feed_is_up(true);
    let took = stack.until(&good, 401).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(stack.metric(up).await, Some(1));
}

#[tokio::test]
async fn a_feed_that_begins_anew_is_read_from_its_start_and_nothing_is_unrevoked() {
    let stack = Stack::new().await;
    let old = stack.token_of(Role::Agent, Some("log_1"), None);
    let new = stack.token_of(Role::Agent, Some("log_2"), None);
    for session in ["log_0", "log_00", "log_1"] {
        stack.issuer.announce("session", session);
    }
    stack.until(&old, 401).await;
    stack.issuer.begin_feed_anew();
    stack.issuer.announce("session", "log_2");
    let took = stack.until(&new, 401).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(stack.answers(&old).await, 401);
}

#[tokio::test]
async fn at_the_issuers_word_its_keys_are_others_within_a_second() {
    let stack = Stack::new().await;
    let old = stack.token(Role::Agent);
    assert_eq!(stack.answers(&old).await, 200);
    let folder = std::env::temp_dir().join(format!("interline-rotation-{}", std::process::id()));
    let rules = AccessRules {
        issuer: "http://localhost:8000".to_owned(),
        audience: "interline".to_owned(),
    };
    let life = Duration::from_secs(900);
    let signer = TokenSigner::development(&folder, rules, life, stack.clock.clone()).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let says = AccessClaims {
        subject: "usr_1",
        role: Role::Agent,
        permissions: &[],
        session: None,
        client: None,
    };
    let new = signer.sign(&says).unwrap().token;
    // Early: nobody publishes its key yet, and that is remembered.
    assert_eq!(stack.answers(&new).await, 401);
    stack.issuer.publish(json!(signer.jwks()));
    stack.issuer.announce("signing_keys", "");
    let took = stack.until(&new, 200).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(stack.answers(&old).await, 401);
}

#[tokio::test]
async fn a_signed_identity_is_used_again_only_within_its_time_by_the_clock_it_was_signed_by() {
    let stack = Stack::new().await;
    let token = stack.token(Role::Agent);
    let mut seen = Vec::new();
    for advance in [0, 1, 28, 2, 29, 3600, 1] {
        stack.clock.advance(Duration::from_secs(advance));
        // A token lives shorter than this story.
        let token = match advance {
            3600 => stack.token(Role::Agent),
            _ if seen.len() > 5 => stack.token(Role::Agent),
            _ => token.clone(),
        };
        assert_eq!(stack.answers(&token).await, 200, "{advance}");
        let reached = stack.echo.one();
        let identity = reached.header("x-interline-identity").unwrap();
        let believed = stack.hop_verifier("auth_service").verify(identity);
        assert!(believed.is_ok(), "after {advance} s");
        seen.push(identity.to_owned());
    }
    let again: Vec<bool> = seen.windows(2).map(|pair| pair[0] == pair[1]).collect();
    assert_eq!(again, [true, true, false, true, false, true]);
}
