//! Whether the time of an answer tells who has an account.

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::Instant;
use travel_types::Clock;

use crate::mailbox::Mailbox;
use crate::service::{Place, Service, on_each_engine};

const PAIRS: usize = 2_000;
/// Beyond this two means differ (TVLA; Goodwill et al., NIST 2011).
const MOST: f64 = 4.5;
const WORDS: &str = "three kiwis on a tram";
const KNOWN: &str = "known.person@example.com";

/// A request about a person.
type Ask = fn(&str) -> (&'static str, Value);

fn log_in(email: &str) -> (&'static str, Value) {
    let body = json!({"email": email, "password": "not the password"});
    ("/api/v1/auth/login", body)
}

fn register(email: &str) -> (&'static str, Value) {
    let body = json!({"email": email, "password": WORDS, "full_name": "Known Person"});
    ("/api/v1/auth/register", body)
}

fn reset(email: &str) -> (&'static str, Value) {
    ("/api/v1/auth/password-reset", json!({ "email": email }))
}

/// An address of nobody, as long as [`KNOWN`] and another each time.
fn unknown(round: usize, n: usize) -> String {
    format!("nobody{round}.{n:05}@example.com")[..KNOWN.len()].to_owned()
}

/// Status, header names, and the body without what differs between any two answers.
async fn shape(answer: Response, email: &str) -> (u16, Vec<String>, String) {
    let status = answer.status().as_u16();
    let mut names: Vec<String> = answer.headers().keys().map(ToString::to_string).collect();
    names.sort();
    let mut body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    for part in ["request_id", "timestamp"] {
        body["meta"][part].take();
    }
    (status, names, body.to_string().replace(email, "?"))
}

struct Sample {
    known: Vec<f64>,
    unknown: Vec<f64>,
}

async fn measure(service: &Service, ask: Ask, round: usize, pairs: usize) -> Sample {
    let mut sample = Sample {
        known: Vec::new(),
        unknown: Vec::new(),
    };
    let mut first = None;
    for n in 0..pairs + pairs / 20 {
        let stranger = unknown(round, n);
        let known_first = uuid::Uuid::new_v4().as_u128() & 1 == 0;
        for known in [known_first, !known_first] {
            let email = if known { KNOWN } else { &stranger };
            let (path, body) = ask(email);
            let request = service
                .post(path, &body)
                .header("x-interline-client-ip", "192.0.2.1");
            let began = Instant::now();
            let answer = request.send().await.unwrap();
            let took = began.elapsed().as_secs_f64() * 1_000.0;
            let shape = shape(answer, email).await;
            assert_eq!(first.get_or_insert_with(|| shape.clone()), &shape);
            // The first ones warm caches and branch predictors.
            if n >= pairs / 20 {
                let times = if known {
                    &mut sample.known
                } else {
                    &mut sample.unknown
                };
                times.push(took);
            }
        }
    }
    sample
}

fn mean_and_variance(times: &[f64]) -> (f64, f64) {
    let count = f64::from(u32::try_from(times.len()).unwrap());
    let mean = times.iter().sum::<f64>() / count;
    let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
    (mean, squares / (count - 1.0))
}

/// Welch's t.
fn welch(one: &[f64], two: &[f64]) -> f64 {
    let count = |times: &[f64]| f64::from(u32::try_from(times.len()).unwrap());
    let ((mean_1, var_1), (mean_2, var_2)) = (mean_and_variance(one), mean_and_variance(two));
    (mean_1 - mean_2) / (var_1 / count(one) + var_2 / count(two)).sqrt()
}

impl Sample {
    /// Those below the 99th percentile of all: a few that waited for the machine hide small
    /// differences.
    fn usual(&self) -> Self {
        let mut all: Vec<f64> = self.known.iter().chain(&self.unknown).copied().collect();
        all.sort_by(f64::total_cmp);
        let limit = all[all.len() * 99 / 100];
        let below = |times: &[f64]| times.iter().copied().filter(|t| *t < limit).collect();
        Self {
            known: below(&self.known),
            unknown: below(&self.unknown),
        }
    }
}

/// Limits that this many requests in a row do not reach.
fn lifted(mail: &str) -> Vec<(&'static str, String)> {
    let most = "1000000000";
    [
        ("login.failures_per_account", most),
        ("login.failures_per_address", most),
        ("registration.requests_per_address", most),
        ("password_reset.requests_per_address", most),
        ("mail.per_recipient_hour", most),
        ("mail.poll_ms", "1000"),
        ("mail.url", mail),
    ]
    .map(|(key, value)| (key, value.to_owned()))
    .to_vec()
}

async fn compare(place: &Place, pairs: usize) {
    let rounds: [(&str, &str, Ask); 5] = [
        ("login", "at_once", log_in),
        ("register", "at_once", register),
        ("password-reset", "at_once", reset),
        ("register, confirmed by mail", "mail", register),
        ("password-reset, confirmed by mail", "mail", reset),
    ];
    for (round, (name, confirmation, ask)) in rounds.into_iter().enumerate() {
        let mailbox = Mailbox::start().await;
        let mut more = lifted(&mailbox.url());
        more.push(("registration.confirmation", "at_once".to_owned()));
        let start = async |more: &[(&'static str, String)]| {
            let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
            place.start(&Clock::system(), &more).await.unwrap()
        };
        // The known person confirms at once in either case.
        let service = start(&more).await;
        service.register(KNOWN, WORDS).await;
        service.stop().await;
        more.retain(|(key, _)| *key != "registration.confirmation");
        more.push(("registration.confirmation", confirmation.to_owned()));
        let service = start(&more).await;
        let began = Instant::now();
        let sample = measure(&service, ask, round, pairs).await;
        let usual = sample.usual();
        let all_t = welch(&sample.known, &sample.unknown);
        let usual_t = welch(&usual.known, &usual.unknown);
        let (known, _) = mean_and_variance(&usual.known);
        let (stranger, _) = mean_and_variance(&usual.unknown);
        println!(
            "{name}: {pairs} pairs, known {known:.3} ms, unknown {stranger:.3} ms, \
             t = {all_t:.2} on all, {usual_t:.2} below the 99th percentile, {:?}",
            began.elapsed()
        );
        assert!(all_t.abs() < MOST, "{name}: t = {all_t}");
        assert!(usual_t.abs() < MOST, "{name}: t = {usual_t}");
        service.stop().await;
    }
}

#[tokio::test]
#[ignore = "a measurement: run it in release on a quiet machine"]
async fn two_thousand_timed_pairs_of_known_and_unknown_people_do_not_differ() {
    on_each_engine(async |place| compare(place, PAIRS).await).await;
}

#[test]
fn welchs_t_is_what_the_textbook_says() {
    let one = [
        27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4,
    ];
    let two = [
        27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 24.4,
    ];
    let t = welch(&one, &two);
    assert!((t + 2.8530).abs() < 0.001, "{t}");
}
