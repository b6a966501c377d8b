//! Tokens, on a paused clock and a token endpoint without sockets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use telemetry::Correlation;
use tokio::time::{Instant, sleep, timeout};
use travel_types::Clock;

use crate::oauth2::{CredentialsIn, OAuth2Client, OAuth2Config};
use crate::{CallCx, Sent, SupplierError, SupplierErrorKind, Transport, WireRequest, WireResponse};

/// Answers after 100 ms, `{n}` in the body being the number of the request.
struct Endpoint {
    answer: Mutex<(u16, &'static str)>,
    requests: Mutex<Vec<WireRequest>>,
}

#[async_trait]
impl Transport for Endpoint {
    async fn call(&self, cx: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        assert!(cx.deadline > Instant::now());
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len()
        };
        sleep(Duration::from_millis(100)).await;
        let (status, body) = *self.answer.lock().unwrap();
        if status == 0 {
            return Err(SupplierError::new(
                SupplierErrorKind::OutcomeUnknown,
                "lost",
            ));
        }
        let refuses_refresh = body_of(&request).contains("refresh_token") && status == 201;
        let (status, body) = match refuses_refresh {
            true => (400, r#"{"error":"invalid_grant"}"#.to_owned()),
            false => (status, body.replace("{n}", &number.to_string())),
        };
        let status = StatusCode::from_u16(status).unwrap();
        Ok(WireResponse::new(&request, status, HeaderMap::new(), body))
    }
}

fn body_of(request: &WireRequest) -> String {
    String::from_utf8(request.body_bytes().to_vec()).unwrap()
}

struct Set {
    endpoint: Arc<Endpoint>,
    clock: Clock,
    client: Arc<OAuth2Client>,
}

fn set(status: u16, body: &'static str, change: impl FnOnce(&mut OAuth2Config)) -> Set {
    let endpoint = Arc::new(Endpoint {
        answer: Mutex::new((status, body)),
        requests: Mutex::default(),
    });
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    let mut config = OAuth2Config::new("/token", "client a", "p:w+d".into());
    change(&mut config);
    Set {
        client: OAuth2Client::new(endpoint.clone(), config, clock.clone()),
        endpoint,
        clock,
    }
}

const HOUR: &str = r#"{"access_token":"t{n}","token_type":"Bearer","expires_in":3600}"#;

impl Set {
    async fn token(&self, millis: u64) -> Result<String, SupplierError> {
        let deadline = Instant::now() + Duration::from_millis(millis);
        let cx = CallCx::new(deadline, Correlation::new());
        let token = self.client.token(&cx).await?;
        Ok(token.secret.expose_secret().to_owned())
    }

    fn fetches(&self) -> usize {
        self.endpoint.requests.lock().unwrap().len()
    }

    fn sent(&self, number: usize) -> String {
        body_of(&self.endpoint.requests.lock().unwrap()[number])
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_cause_one_fetch() {
    let set = set(200, HOUR, |_| {});
    let tokens = join_all((0..100).map(|_| set.token(5_000))).await;
    assert!(tokens.iter().all(|token| token.as_deref() == Ok("t1")));
    assert_eq!(set.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_until_the_skew_before_it_expires() {
    let set = set(200, HOUR, |_| {});
    for (seconds, token) in [
        (0, "t1"),
        (3_569, "t1"),
        (1, "t2"),
        (3_569, "t2"),
        (1, "t3"),
    ] {
        set.clock.advance(Duration::from_secs(seconds));
        assert_eq!(set.token(5_000).await.unwrap(), token);
    }
}

#[tokio::test(start_paused = true)]
async fn a_life_that_is_short_text_or_unstated_is_understood() {
    for (body, used) in [
        (r#"{"access_token":"t{n}","expires_in":20}"#, 9),
        (r#"{"access_token":"t{n}","expires_in":"3600"}"#, 3_569),
        (r#"{"access_token":"t{n}"}"#, 269),
        (
            r#"{"access_token":"t{n}","expires_in":18446744073709551615}"#,
            99_999,
        ),
    ] {
        let set = set(200, body, |_| {});
        assert_eq!(set.token(5_000).await.unwrap(), "t1");
        set.clock.advance(Duration::from_secs(used));
        assert_eq!(set.token(5_000).await.unwrap(), "t1", "{body}");
        if used < 99_999 {
            set.clock.advance(Duration::from_secs(1));
            assert_eq!(set.token(5_000).await.unwrap(), "t2", "{body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn neither_an_impatient_nor_a_vanished_first_caller_takes_the_token_from_the_others() {
    let set = set(200, HOUR, |_| {});
    let start = Instant::now();
    let (impatient, vanished, patient) = tokio::join!(
        set.token(10),
        timeout(Duration::from_millis(20), set.token(5_000)),
        set.token(5_000),
    );
    let error = impatient.unwrap_err();
    assert_eq!(
        (error.kind, error.sent),
        (SupplierErrorKind::Timeout, Sent::No)
    );
    assert!(vanished.is_err());
    assert_eq!(patient.unwrap(), "t1");
    assert_eq!((set.fetches(), start.elapsed().as_millis()), (1, 100));
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_is_the_answer_for_all_who_wait_and_forgotten_after_the_pause() {
    let set = set(401, r#"{"error":"invalid_client"}"#, |_| {});
    for error in join_all((0..100).map(|_| set.token(5_000))).await {
        let error = error.unwrap_err();
        assert_eq!(error.kind, SupplierErrorKind::NotAuthorised);
        assert_eq!(error.code.as_deref(), Some("invalid_client"));
        assert_eq!(error.sent, Sent::No);
    }
    assert!(set.token(5_000).await.is_err());
    assert_eq!(set.fetches(), 1);
    *set.endpoint.answer.lock().unwrap() = (200, HOUR);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(set.token(5_000).await.unwrap(), "t2");
}

#[tokio::test(start_paused = true)]
async fn the_credentials_stand_where_the_supplier_reads_them() {
    let basic = set(200, HOUR, |config| {
        config.scope = Some("read write".to_owned())
    });
    basic.token(5_000).await.unwrap();
    assert_eq!(
        basic.sent(0),
        "grant_type=client_credentials&scope=read+write"
    );
    // RFC 6749 §2.3.1: both form-encoded, then joined: base64("client+a:p%3Aw%2Bd").
    let header = basic.endpoint.requests.lock().unwrap()[0].headers()["authorization"].clone();
    assert_eq!(header, "Basic Y2xpZW50K2E6cCUzQXclMkJk");
    assert!(header.is_sensitive());
    let body = set(200, HOUR, |config| {
        config.credentials_in = CredentialsIn::Body
    });
    body.token(5_000).await.unwrap();
    assert_eq!(
        body.sent(0),
        "grant_type=client_credentials&client_id=client+a&client_secret=p%3Aw%2Bd"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_used_once_and_replaced_by_what_the_supplier_sends() {
    let rotating = r#"{"access_token":"t{n}","expires_in":60,"refresh_token":"r{n}"}"#;
    let set = set(200, rotating, |config| {
        config.refresh_token = Some("r0".into())
    });
    for number in 0..3 {
        set.token(5_000).await.unwrap();
        set.clock.advance(Duration::from_secs(60));
        let sent = format!("grant_type=refresh_token&refresh_token=r{number}");
        assert_eq!(set.sent(number), sent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_is_refused_gives_way_to_the_clients_credentials() {
    let set = set(201, HOUR, |config| config.refresh_token = Some("r0".into()));
    assert_eq!(set.token(5_000).await.unwrap(), "t2");
    assert!(set.sent(1).starts_with("grant_type=client_credentials"));
    set.clock.advance(Duration::from_secs(3_600));
    assert_eq!(set.token(5_000).await.unwrap(), "t3");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_may_be_used_up_is_not_sent_again() {
    let set = set(0, "", |config| config.refresh_token = Some("r0".into()));
    assert!(set.token(5_000).await.is_err());
    assert_eq!(set.fetches(), 2);
    *set.endpoint.answer.lock().unwrap() = (200, HOUR);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(set.token(5_000).await.unwrap(), "t3");
    assert!(set.sent(2).starts_with("grant_type=client_credentials"));
}
