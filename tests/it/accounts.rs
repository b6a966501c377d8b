//! Accounts as the outside sees them, and what a flood of log-ins does to others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Client, Stack};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{in_both_sizes, search_path};

const WORDS: &str = "three kiwis on a tram";
const LOGIN: &str = "/api/v1/auth/login";
const REFRESH: &str = "/api/v1/auth/refresh";
const ME: &str = "/api/v1/auth/me";
/// By then every verifier must refuse what was revoked.
const A_SECOND: Duration = Duration::from_secs(1);

async fn log_in(stack: &Stack, email: &str, password: &str) -> Value {
    let body = json!({"email": email, "password": password});
    let answer = stack.gateway().post(LOGIN, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.data().clone()
}

fn bearer(stack: &Stack, tokens: &Value) -> Client {
    let token = tokens["access_token"].as_str().unwrap();
    stack.gateway().bearer(token)
}

/// How long it takes until an access token is refused.
async fn refused_after(client: &Client, since: Instant) -> Duration {
    testkit::wait_until("the token to be refused", async || {
        (client.get(ME).await.status == 401).then_some(())
    })
    .await;
    since.elapsed()
}

#[tokio::test]
async fn a_person_registers_logs_in_and_out_and_is_out_within_a_second() {
    in_both_sizes(&[], async |stack| {
        let email = "pepper@example.com";
        let body = json!({"email": email, "password": WORDS, "full_name": "Pepper Potts"});
        let answer = stack.gateway().post("/api/v1/auth/register", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let again = stack.gateway().post("/api/v1/auth/register", &body).await;
        assert_eq!((again.status, again.data()), (201, answer.data()));
        let tokens = log_in(&stack, email, WORDS).await;
        let person = bearer(&stack, &tokens);
        assert_eq!(person.get(ME).await.data()["full_name"], "Pepper Potts");
        let began = Instant::now();
        let answer = person.send("POST", "/api/v1/auth/logout", None).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
        let took = refused_after(&person, began).await;
        assert!(took < A_SECOND, "{took:?}");
        let refresh = json!({"refresh_token": tokens["refresh_token"]});
        assert_eq!(stack.gateway().post(REFRESH, &refresh).await.status, 401);
        for answer in [again, answer] {
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    })
    .await;
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_on_the_page_of_the_mail() {
    in_both_sizes(&[], async |stack| {
        let email = "agent@interline.test";
        let before = log_in(&stack, email, "interline-sandbox").await;
        let body = json!({ "email": email });
        let gateway = stack.gateway();
        let answer = gateway.post("/api/v1/auth/password-reset", &body).await;
        assert_eq!(answer.status, 202);
        let mails = testkit::wait_until("the mail", async || {
            let mails = stack.mails(email).await;
            (!mails.is_empty()).then_some(mails)
        })
        .await;
        let text = mails[0]["text"].as_str().unwrap();
        let token = text.split_once("token=").unwrap().1;
        let token = token.split_whitespace().next().unwrap();
        let page = gateway.get(&format!("/account/reset?token={token}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let policy = page.header("content-security-policy");
        assert!(policy.contains("style-src 'sha256-"), "{policy}");
        let form = format!("token={token}&password={}", WORDS.replace(' ', "+"));
        let answer = gateway.send_form("/account/reset", &form).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let began = Instant::now();
        let took = refused_after(&bearer(&stack, &before), began).await;
        assert!(took < A_SECOND, "{took:?}");
        log_in(&stack, email, WORDS).await;
    })
    .await;
}

/// Uses one refresh token from many sides at once: the new tokens.
async fn used_at_once(gateway: &Client, token: &str, times: usize) -> Vec<Value> {
    let mut uses = JoinSet::new();
    let body = json!({ "refresh_token": token });
    for _ in 0..times {
        let (gateway, body) = (gateway.clone(), body.clone());
        uses.spawn(async move {
            let answer = gateway.post(REFRESH, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            answer.data().clone()
        });
    }
    uses.join_all().await
}

#[tokio::test]
#[ignore = "a measurement: run it in release on a quiet machine"]
async fn fifty_uses_at_once_of_each_of_two_hundred_tokens_give_one_new_token_each() {
    let stack = Stack::one_process(&[]).await;
    let gateway = stack.gateway();
    let admin = stack.log_in("admin").await;
    let reuses = async || {
        let path = "/api/v1/auth/audit-logs?action=refresh_reuse&limit=100";
        let (mut count, mut next) = (0, path.to_owned());
        loop {
            let page = admin.get(&next).await;
            assert_eq!(page.status, 200, "{}", page.text);
            count += page.data().as_array().unwrap().len();
            match page.body["meta"]["next_cursor"].as_str() {
                Some(cursor) => next = format!("{path}&cursor={cursor}"),
                None => return count,
            }
        }
    };
    let mut families = Vec::new();
    for _ in 0..200 {
        let first = log_in(&stack, "traveller@interline.test", "interline-sandbox").await;
        let first = first["refresh_token"].as_str().unwrap().to_owned();
        let answers = used_at_once(&gateway, &first, 50).await;
        let new = &answers[0];
        for answer in &answers {
            assert_eq!(answer["refresh_token"], new["refresh_token"]);
        }
        families.push((first, new.clone(), Instant::now()));
    }
    assert_eq!(reuses().await, 0);
    let mut slowest = Duration::ZERO;
    for (count, (first, new, at)) in families.iter().enumerate() {
        tokio::time::sleep_until(*at + Duration::from_secs(11)).await;
        let person = bearer(&stack, new);
        assert_eq!(person.get(ME).await.status, 200);
        let began = Instant::now();
        let reuse = json!({ "refresh_token": first });
        assert_eq!(gateway.post(REFRESH, &reuse).await.status, 401);
        let next = json!({"refresh_token": new["refresh_token"]});
        assert_eq!(gateway.post(REFRESH, &next).await.status, 401);
        slowest = slowest.max(refused_after(&person, began).await);
        if count % 20 == 0 {
            assert_eq!(reuses().await, count + 1);
        }
    }
    assert_eq!(reuses().await, 200);
    println!("200 families, 50 uses each: one new token each; dead after at most {slowest:?}");
    assert!(slowest < A_SECOND, "{slowest:?}");
}

/// Memory that a process occupies, in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// Searches one after the other, and how long each took.
async fn searches(client: &Client, count: usize, times: &mut Vec<Duration>) {
    for n in 0..count {
        let path = search_path(30 + i64::try_from(n % 60).unwrap());
        let began = Instant::now();
        let answer = client.get(&path).await;
        times.push(began.elapsed());
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[tokio::test]
#[ignore = "a measurement: run it in release on a quiet machine"]
async fn a_flood_of_log_ins_leaves_the_searches_their_pace() {
    const CLIENTS: usize = 32;
    const ROUNDS: usize = 6;
    const SEARCHES: usize = 200;
    let trusted = [("api_gateway", "http.trusted_proxies", "127.0.0.1")];
    let stack = Stack::apart(&trusted).await;
    let traveller = stack.log_in("traveller").await;
    let auth = stack.process_id("auth_service");
    let (mut quiet, mut flooded) = (Vec::new(), Vec::new());
    searches(&traveller, SEARCHES, &mut Vec::new()).await;
    let at_rest = resident(auth);
    let mut most = 0;
    let tried = Arc::new(AtomicUsize::new(0));
    let refused = Arc::new(AtomicUsize::new(0));
    for round in 0..ROUNDS {
        searches(&traveller, SEARCHES, &mut quiet).await;
        let over = Arc::new(AtomicBool::new(false));
        let mut flood = JoinSet::new();
        for client in 0..CLIENTS {
            let (gateway, over) = (stack.gateway(), Arc::clone(&over));
            let (tried, refused) = (Arc::clone(&tried), Arc::clone(&refused));
            flood.spawn(async move {
                let mut n = 0;
                while !over.load(Ordering::Relaxed) {
                    n += 1;
                    let address = format!("198.{}.{}.{}", 18 + round, client, n % 250);
                    let email = format!("p{round}.{client}.{n}@example.com");
                    let body = json!({"email": email, "password": "not the password"});
                    let gateway = gateway.clone().with("x-forwarded-for", &address);
                    match gateway.post(LOGIN, &body).await.status {
                        401 => tried.fetch_add(1, Ordering::Relaxed),
                        503 => refused.fetch_add(1, Ordering::Relaxed),
                        other => panic!("{other}"),
                    };
                }
            });
        }
        searches(&traveller, SEARCHES, &mut flooded).await;
        most = most.max(resident(auth));
        over.store(true, Ordering::Relaxed);
        flood.join_all().await;
    }
    let (quiet, flooded) = (p99(&mut quiet), p99(&mut flooded));
    let ratio = flooded.as_secs_f64() / quiet.as_secs_f64();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let permits = u64::try_from((cores / 2).max(1)).unwrap();
    let allowed = at_rest + permits * 19 * 1024 + 64 * 1024;
    println!(
        "p99 of searches {quiet:?} without and {flooded:?} with a flood of {CLIENTS} clients \
         ({} tried, {} sent away): {ratio:.2} times; auth_service {at_rest} KiB at rest, {most} KiB at \
         most, {allowed} KiB allowed",
        tried.load(Ordering::Relaxed),
        refused.load(Ordering::Relaxed),
    );
    assert!(ratio <= 1.2, "{ratio}");
    assert!(most <= allowed, "{most} KiB");
}
