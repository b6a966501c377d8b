//! No password, token, key or personal fact of anybody ever reaches a log or a metric, whatever is sent
//! and whatever goes wrong.

mod planted;
mod requests;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use testkit::{Answer, Client, Stack};

use crate::{day, fresh_offer, search_path};
use planted::{Canaries, Planted};
use requests::{Operation, Plan, operations};

/// Answers' members that hold secrets which the system made: what is issued is planted as well.
const ISSUED: [&str; 7] = [
    "access_token",
    "refresh_token",
    "client_secret",
    "api_key",
    "key",
    "secret",
    "code",
];

/// More than the requests of this test, which would be refused otherwise before they get anywhere.
const NO_LIMITS: [(&str, &str, &str); 5] = [
    ("all", "log.filter", "debug"),
    ("auth_service", "login.failures_per_address", "1000000"),
    (
        "auth_service",
        "registration.requests_per_address",
        "1000000",
    ),
    (
        "auth_service",
        "password_reset.requests_per_address",
        "1000000",
    ),
    ("auth_service", "mail.per_recipient_hour", "1000000"),
];

struct Round<'s> {
    stack: &'s Stack,
    planted: Planted,
    requests: usize,
    by_class: [usize; 6],
}

impl Round<'_> {
    fn seen(&mut self, answer: &Answer) {
        self.requests += 1;
        self.by_class[usize::from(answer.status / 100).min(5)] += 1;
        issued(&answer.body, &mut self.planted);
    }

    /// An account of its own with the canaries' address and password, and its tokens.
    async fn account(&mut self, canaries: &Canaries) -> (Client, String) {
        let gateway = self.stack.gateway();
        let new = json!({
            "email": canaries.email, "password": canaries.password,
            "full_name": format!("{} {}", canaries.given_name, canaries.family_name),
        });
        let made = gateway.post("/api/v1/auth/register", &new).await;
        assert_eq!(made.status, 201, "{}", made.text);
        self.seen(&made);
        let who = json!({"email": canaries.email, "password": canaries.password});
        let answer = gateway.post("/api/v1/auth/login", &who).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.seen(&answer);
        let token = |name: &str| answer.data()[name].as_str().unwrap().to_owned();
        (
            gateway.bearer(&token("access_token")),
            token("refresh_token"),
        )
    }

    /// Who asks for an operation: nobody, four kinds of nobodies with wrong credentials, and those who
    /// may. Each operation has its own, for some end the log-in.
    async fn callers(&mut self, operation: &Operation<'_>) -> Vec<(Client, Canaries)> {
        let mut canaries = Canaries::new();
        let (own, refresh_token) = self.account(&canaries).await;
        let gateway = self.stack.gateway();
        let wrong = Canaries::new();
        let basic = {
            use base64::Engine as _;
            let text = format!("{}:{}", wrong.email, wrong.client_secret);
            base64::engine::general_purpose::STANDARD.encode(text)
        };
        let mut callers = vec![
            (gateway.clone(), wrong.clone()),
            (gateway.clone().bearer(&wrong.access_token), wrong.clone()),
            (
                gateway.clone().with("x-api-key", &wrong.api_key),
                wrong.clone(),
            ),
            (
                gateway
                    .clone()
                    .with("authorization", &format!("Basic {basic}")),
                wrong.clone(),
            ),
            (
                gateway
                    .bearer(&wrong.access_token)
                    .with("authorization", "Bearer x"),
                wrong,
            ),
        ];
        // An administrator that erases itself is of no use to the operations that follow.
        if !(operation.method == "DELETE" && operation.path.ends_with("/me")) {
            for who in ["admin", "agent"] {
                callers.push((self.stack.log_in(who).await, Canaries::new()));
            }
        }
        canaries.refresh_token = refresh_token;
        callers.push((own, canaries));
        for (_, canaries) in &callers {
            for (what, value) in canaries.all() {
                self.planted.add(what, value);
            }
        }
        callers
    }

    async fn ask(&mut self, operation: &Operation<'_>) {
        for (caller, canaries) in self.callers(operation).await {
            let dressed = dressed(&caller, &canaries);
            let mut plans = operation.plans(&canaries);
            // The good one last: it may be the end of the log-in.
            plans.reverse();
            let method = operation.method.as_str();
            let dressed = &dressed;
            let sent = stream::iter(plans.into_iter().enumerate())
                .map(|(number, plan)| async move { send(dressed, method, &plan, number).await });
            // One after the other: what an operation does depends on what the one before did.
            let answers: Vec<Answer> = sent.buffered(1).collect().await;
            for answer in &answers {
                self.seen(answer);
            }
        }
    }

    /// Orders that succeed, in every vertical, read and cancelled.
    async fn order(&mut self, vertical: &str, search: &str, agent: &Client) {
        let canaries = Canaries::new();
        for (what, value) in canaries.all() {
            self.planted.add(what, value);
        }
        let offer = fresh_offer(agent, search).await;
        let order = json!({
            "offer_id": offer,
            "travellers": [{
                "title": "ms", "given_name": canaries.given_name, "family_name": canaries.family_name,
                "born_on": "1987-07-24", "gender": "female", "email": canaries.email,
                "phone": canaries.phone, "documents": [{
                    "type": "passport", "number": canaries.passport, "issuing_country": "GB",
                    "expires_on": "2035-01-01",
                }],
            }],
            "contact": {"email": canaries.email, "phone": canaries.phone},
            "reference": canaries.family_name,
        });
        let path = format!("/api/v1/{vertical}/orders");
        let placed = agent.post_once(&canaries.api_key, &path, &order).await;
        assert!(matches!(placed.status, 201 | 202), "{}", placed.text);
        self.seen(&placed);
        let again = agent.post_once(&canaries.api_key, &path, &order).await;
        self.seen(&again);
        let id = placed.data()["id"].as_str().unwrap();
        self.seen(&agent.get(&format!("{path}/{id}")).await);
        self.seen(&agent.get(&path).await);
        let quoted = agent
            .post(&format!("{path}/{id}/cancellations"), &json!({}))
            .await;
        self.seen(&quoted);
    }
}

/// The caller with canaries in every header that a client sends of itself.
fn dressed(caller: &Client, canaries: &Canaries) -> Client {
    let ascii = |text: &str| planted::url_encoded(text, true, false);
    caller
        .clone()
        .with(
            "user-agent",
            &format!("{} ({})", canaries.email, canaries.phone),
        )
        .with(
            "referer",
            &format!("http://x.test/?p={}", ascii(&canaries.password)),
        )
        .with(
            "cookie",
            &format!("session={}; k={}", canaries.refresh_token, canaries.api_key),
        )
        .with("x-forwarded-for", &canaries.email)
        .with("forwarded", &format!("for=\"{}\"", canaries.email))
        .with("origin", &format!("http://{}.test", canaries.link_token))
        .with("accept-language", &canaries.passport)
        .with("if-none-match", &format!("\"{}\"", canaries.client_secret))
        .with(
            "traceparent",
            &format!("00-{}-x-01", canaries.refresh_token),
        )
        .with("tracestate", &format!("k={}", canaries.refresh_token))
        .with("x-client-secret", &canaries.client_secret)
}

async fn send(caller: &Client, method: &str, plan: &Plan, number: usize) -> Answer {
    // Ids of the client's own choice are logged. These are none.
    let canary = caller.clone();
    let canary = match number % 3 {
        0 => canary.with("x-request-id", "ilk_canary_0123456789abcdef"),
        1 => canary.with("x-request-id", "eyJhbGciOiJub25lIn0.e30."),
        _ => canary.with("x-request-id", "amelia+canary@example.com"),
    };
    let key = format!("canary-{number}-{}", planted::fresh());
    let canary = canary.with("idempotency-key", &key);
    let body = plan.body.as_deref().map(|body| (plan.content_type, body));
    for _ in 0..5 {
        if let Some(answer) = canary.try_send(method, &plan.path, body).await {
            return answer;
        }
    }
    panic!("no answer to {method} {}", plan.path);
}

/// Plants what an answer issued.
fn issued(body: &Value, planted: &mut Planted) {
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    // A code of an error is a word, a secret is not.
                    Some(text) if ISSUED.contains(&name.as_str()) && text.len() >= 20 => {
                        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
                            planted.add("issued secret", text);
                        }
                    }
                    _ => issued(value, planted),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| issued(item, planted)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_no_secret_and_nothing_personal_is_logged_or_counted() {
    let mut stack = Stack::apart(&NO_LIMITS).await;
    let document = include_str!("../../../openapi/interline.json");
    let document: Value = serde_json::from_str(document).unwrap();
    let operations = operations(&document);
    let mut round = Round {
        stack: &stack,
        planted: Planted::default(),
        requests: 0,
        by_class: [0; 6],
    };
    for what in ["ilk_canary_0123456789abcdef", "eyJhbGciOiJub25lIn0.e30."] {
        round.planted.add("credential as request id", what);
    }
    round
        .planted
        .add("e-mail as request id", "amelia+canary@example.com");
    round.planted.add("sandbox password", "interline-sandbox");
    let agent = stack.log_in("agent").await;
    let mut control = Planted::default();
    let id = format!("control-{}", planted::fresh());
    control.add("request id", &id);
    agent
        .clone()
        .with("x-request-id", &id)
        .get("/api/v1/auth/me")
        .await;
    let (from, to) = (day(40), day(43));
    for (vertical, search) in [
        ("flights", search_path(40)),
        (
            "hotels",
            format!(
                "/api/v1/hotels/offers?latitude=51.5&longitude=-0.13&radius_km=9&check_in={from}&check_out={to}&rooms=1&adults=1"
            ),
        ),
        (
            "cars",
            format!(
                "/api/v1/cars/offers?pickup=LHR&pickup_at={from}T10:00&dropoff_at={to}T10:00&driver_age=35"
            ),
        ),
    ] {
        round.order(vertical, &search, &agent).await;
    }
    for operation in &operations {
        round.ask(operation).await;
    }
    let Round {
        planted,
        requests,
        by_class,
        ..
    } = round;
    assert!(by_class[2] > 0 && by_class[4] > 0);

    let mut metrics = String::new();
    // The sandbox stands in for suppliers and has no metrics.
    for service in stack.services().iter().filter(|name| *name != "sandbox") {
        let shown = stack.client(service).get("/metrics").await;
        assert_eq!(shown.status, 200, "{service}");
        assert!(
            shown.text.contains("process_resident_memory_bytes"),
            "{service}"
        );
        metrics.push_str(&shown.text);
    }
    let programs = stack.processes();
    for program in programs.iter() {
        program.interrupt();
    }
    let mut lines = 0;
    let mut logs = String::new();
    for program in programs.iter_mut() {
        assert!(program.ended().await.success());
        assert_eq!(program.printed(), "", "a service prints nothing");
        for line in program.logged().lines() {
            let parsed: Result<Value, _> = serde_json::from_str(line);
            assert!(
                parsed.is_ok_and(|line| line.is_object()),
                "not JSON: {line}"
            );
            lines += 1;
        }
        logs.push_str(&program.logged());
    }
    assert!(
        logs.contains("\"level\":\"DEBUG\""),
        "logs are as loud as asked"
    );
    assert!(
        !control.search().hits(&logs).is_empty(),
        "what is logged is found"
    );
    let search = planted.search();
    let hits = [search.hits(&logs), search.hits(&metrics)].concat();
    println!(
        "{requests} requests to {} operations ({} answered 2xx, {} 4xx, {} 5xx); {} planted values of {} \
         kinds, {} texts in all their forms; {lines} log lines of {} programs ({} bytes) and {} bytes of \
         metrics: {} hits",
        operations.len(),
        by_class[2],
        by_class[4],
        by_class[5],
        planted.len(),
        planted.kinds().len(),
        search.len(),
        programs.len(),
        logs.len(),
        metrics.len(),
        hits.len(),
    );
    assert!(
        hits.is_empty(),
        "{} hits, such as\n{}",
        hits.len(),
        hits[..hits.len().min(20)].join("\n")
    );
}
