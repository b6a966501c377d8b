//! The Frankfurter client on a scripted wire and a paused clock.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::{Value, json};
use service_kit::{Context, Profile, StartError};
use settings::{Settings, Sources};
use supplier_client::scripted::ScriptedWire;
use supplier_client::{
    CallCx, SupplierError, SupplierErrorKind, SupplierMetrics, Transport, WireRequest, WireResponse,
};
use telemetry::{Correlation, Metrics};
use tokio::time::{Instant, advance, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use travel_types::{Clock, Money};

use super::{HttpRates, RateSource, RatesConfig, configured};

const LATEST: &str = "GET /v1/latest";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn body(date: &str, dollar: &str) -> String {
    format!(
        r#"{{"amount":1.0,"base":"EUR","date":"{date}","rates":{{"USD":{dollar},"JPY":162.5}}}}"#
    )
}

/// Answers as scripted, after a while.
struct Slow {
    wire: ScriptedWire,
    after: Duration,
}

#[async_trait]
impl Transport for Slow {
    async fn call(&self, cx: &CallCx, request: WireRequest) -> Result<WireResponse, SupplierError> {
        let answered = self.wire.call(cx, request).await;
        sleep(self.after).await;
        answered
    }
}

struct Set {
    slow: Arc<Slow>,
    source: HttpRates,
}

fn set(after: Duration, script: Vec<(&str, u16, String)>) -> Set {
    let slow = Arc::new(Slow {
        wire: ScriptedWire::new(script),
        after,
    });
    let config = RatesConfig {
        life: HOUR,
        stale: 4 * DAY,
        timeout: Duration::from_secs(1),
    };
    let source = HttpRates::new(Arc::<Slow>::clone(&slow), config);
    Set { slow, source }
}

fn cx() -> CallCx {
    CallCx::new(Instant::now() + Duration::from_secs(5), Correlation::new())
}

impl Set {
    /// The date of the rates, or the kind of failure.
    async fn date(&self) -> Result<String, SupplierErrorKind> {
        let rates = self.source.rates(&cx()).await;
        rates
            .map(|table| table.date.to_string())
            .map_err(|failure| failure.kind)
    }

    fn requests(&self) -> usize {
        self.slow.wire.requests().len()
    }
}

const SOON: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn the_rates_are_those_of_the_answers_own_literals() {
    let set = set(SOON, vec![(LATEST, 200, body("2026-11-20", "1.0823"))]);
    let table = set.source.rates(&cx()).await.unwrap();
    assert_eq!(table.base.code(), "EUR");
    assert_eq!(table.source, "European Central Bank");
    let money = Money::parse("100.00", "USD").unwrap();
    let converted = table.convert(money, "JPY".parse().unwrap()).unwrap();
    assert_eq!(converted.total.to_string(), "15014 JPY");
    assert_eq!(converted.date.to_string(), "2026-11-20");
    let request = &set.slow.wire.requests()[0];
    let base = ("base".to_owned(), "EUR".to_owned());
    assert_eq!(request.query_pairs(), [base]);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_cost_one_request_an_hour() {
    let script = vec![
        (LATEST, 200, body("2026-11-20", "1.08")),
        (LATEST, 200, body("2026-11-23", "1.09")),
    ];
    let set = set(SOON, script);
    for (date, requests) in [("2026-11-20", 1), ("2026-11-23", 2)] {
        for _ in 0..2 {
            for got in join_all((0..50).map(|_| set.date())).await {
                assert_eq!(got.unwrap(), date);
            }
        }
        assert_eq!(set.requests(), requests);
        advance(HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_ends_no_load() {
    let set = set(SOON, vec![(LATEST, 200, body("2026-11-20", "1.08"))]);
    let hasty = CallCx::new(Instant::now() + SOON / 2, Correlation::new());
    let failure = set.source.rates(&hasty).await.unwrap_err();
    assert_eq!(failure.kind, SupplierErrorKind::Timeout);
    assert_eq!(set.date().await.unwrap(), "2026-11-20");
    assert_eq!(set.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_down_leaves_the_last_rates_with_their_own_date_for_four_days() {
    let mut script = vec![(LATEST, 200, body("2026-11-20", "1.08"))];
    script.resize(8, (LATEST, 503, String::new()));
    let set = set(SOON, script);
    set.date().await.unwrap();
    for requests in 2..=5 {
        advance(DAY - Duration::from_secs(20)).await;
        assert_eq!(set.date().await.unwrap(), "2026-11-20");
        assert_eq!(set.requests(), requests);
        // For a moment after a failure nobody asks again.
        assert_eq!(set.date().await.unwrap(), "2026-11-20");
        assert_eq!(set.requests(), requests);
    }
    advance(Duration::from_secs(80)).await;
    assert_eq!(set.date().await, Err(SupplierErrorKind::Unavailable));
    assert_eq!(set.date().await, Err(SupplierErrorKind::Unavailable));
    assert_eq!(set.requests(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_comes_back_is_used_again_after_ten_seconds() {
    let script = vec![
        (LATEST, 500, String::new()),
        (LATEST, 200, body("2026-11-20", "1.08")),
    ];
    let set = set(SOON, script);
    assert_eq!(set.date().await, Err(SupplierErrorKind::Unavailable));
    advance(Duration::from_secs(9)).await;
    assert_eq!(set.date().await, Err(SupplierErrorKind::Unavailable));
    advance(Duration::from_secs(1)).await;
    // The failure is forgotten as soon as the source is asked again.
    let hasty = CallCx::new(Instant::now() + SOON / 2, Correlation::new());
    let failure = set.source.rates(&hasty).await.unwrap_err();
    assert_eq!(failure.kind, SupplierErrorKind::Timeout);
    assert_eq!(set.date().await.unwrap(), "2026-11-20");
}

#[tokio::test(start_paused = true)]
async fn a_slow_source_holds_a_caller_up_for_its_time_out_and_still_delivers() {
    let slow = Duration::from_secs(3);
    let script = vec![
        (LATEST, 200, body("2026-11-20", "1.08")),
        (LATEST, 200, body("2026-11-23", "1.09")),
    ];
    let set = set(slow, script);
    let began = Instant::now();
    assert_eq!(set.date().await, Err(SupplierErrorKind::Timeout));
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    sleep(slow).await;
    assert_eq!(set.date().await.unwrap(), "2026-11-20");
    // Rates at hand: only the time-out of the load itself is waited for, once.
    sleep(HOUR).await;
    for held_up in [Duration::from_secs(1), Duration::ZERO] {
        let began = Instant::now();
        assert_eq!(set.date().await.unwrap(), "2026-11-20");
        assert_eq!(began.elapsed(), held_up);
    }
    sleep(slow).await;
    assert_eq!(set.date().await.unwrap(), "2026-11-23");
    assert_eq!(set.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_is_given_up_and_asked_again() {
    let script = vec![
        (LATEST, 200, body("2026-11-20", "1.08")),
        (LATEST, 200, body("2026-11-20", "1.08")),
    ];
    let set = set(DAY, script);
    assert_eq!(set.date().await, Err(SupplierErrorKind::Timeout));
    sleep(Duration::from_secs(9)).await;
    assert_eq!(set.date().await, Err(SupplierErrorKind::Timeout));
    assert_eq!(set.requests(), 1);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(set.date().await, Err(SupplierErrorKind::Timeout));
    assert_eq!(set.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_believed_is_refused_as_a_whole() {
    let with = |rates: &str| {
        format!(r#"{{"amount":1.0,"base":"EUR","date":"2026-11-20","rates":{rates}}}"#)
    };
    let mut bodies: Vec<String> = [
        "-1.08",
        "0",
        "0.0",
        "1e300",
        "1e-300",
        "NaN",
        "\"NaN\"",
        "Infinity",
        "null",
        "true",
        "[]",
        "{}",
        "\"\"",
        "\"1,08\"",
        "123456789012345678901234567890",
    ]
    .iter()
    .map(|rate| body("2026-11-20", rate))
    .collect();
    bodies.extend([
        with("{}"),
        with("[]"),
        with("null"),
        with(r#"{"EUR":1.0}"#),
        with(r#"{"EUR":1.1,"USD":1.08}"#),
        with(r#"{"XAU":0.0004,"HRK2":7.5}"#),
        body("2026-11-20", "1.08").replace("1.0,", "100,"),
        body("2026-11-20", "1.08").replace(r#""date":"2026-11-20","#, ""),
        body("2026-11-20", "1.08").replace(r#""base":"EUR","#, ""),
        body("2026-11-20", "1.08").replace("\"EUR\"", "\"ZZZ\""),
        body("2026-13-20", "1.08"),
        body("", "1.08"),
        body("today", "1.08"),
        "{}".to_owned(),
        "[]".to_owned(),
        String::new(),
        "<html>no rates today</html>".to_owned(),
        body("2026-11-20", "1.08")[..40].to_owned(),
    ]);
    for bad in bodies {
        let set = set(SOON, vec![(LATEST, 200, bad.clone())]);
        assert_eq!(set.date().await, Err(SupplierErrorKind::Protocol), "{bad}");
    }
    for status in [301, 404, 422] {
        let body = body("2026-11-20", "1.08");
        let set = set(SOON, vec![(LATEST, status, body)]);
        assert!(set.date().await.is_err(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn drift_of_the_format_is_borne() {
    for body in [
        r#"{"base":"EUR","date":"2026-11-20","rates":{"USD":1.08}}"#,
        r#"{"amount":null,"base":"EUR","date":"2026-11-20","rates":{"USD":1.08}}"#,
        r#"{"amount":1,"base":"EUR","date":"2026-11-20","rates":{"EUR":1,"USD":"1.08"},"new":[]}"#,
        r#"{"amount":"1.0","base":"EUR","date":"2026-11-20","rates":{"ZZZ":null,"XDR":0.8,"USD":10.8e-1}}"#,
    ] {
        let set = set(SOON, vec![(LATEST, 200, body.to_owned())]);
        let table = set.source.rates(&cx()).await.unwrap();
        let money = Money::parse("100.00", "EUR").unwrap();
        let converted = table.convert(money, "USD".parse().unwrap()).unwrap();
        assert_eq!(converted.total.amount(), "108.00", "{body}");
    }
}

type Source = Option<Arc<dyn RateSource>>;

fn start(profile: Profile, settings: &[(&str, Value)]) -> Result<Source, StartError> {
    started(profile, settings).map(|(_, source)| source)
}

/// The source, and the tasks that were started with it.
fn started(
    profile: Profile,
    settings: &[(&str, Value)],
) -> Result<(TaskTracker, Source), StartError> {
    let mut sources = Sources::default();
    for (key, value) in settings {
        sources = match value {
            Value::Bool(value) => sources.with("test", key, *value),
            Value::String(value) => sources.with("test", key, value.clone()),
            value => sources.with("test", key, value.as_i64().unwrap()),
        };
    }
    let settings = Settings::load("flight_service", &[crate::CONFIG], &sources).unwrap();
    let metrics = Metrics::new();
    let supplier_metrics = SupplierMetrics::register(&metrics).unwrap();
    let context = Context {
        name: "flight_service",
        settings,
        profile,
        data_dir: std::path::PathBuf::new(),
        metrics,
        clock: Clock::system(),
        shutdown: CancellationToken::new(),
        tasks: TaskTracker::new(),
    };
    configured(&context, &supplier_metrics).map(|source| (context.tasks, source))
}

#[tokio::test]
async fn production_does_not_start_on_the_sandboxs_rates() {
    assert!(start(Profile::Development, &[]).unwrap().is_some());
    let refused = start(Profile::Production, &[]).err().unwrap().to_string();
    assert!(refused.contains("rates.base_url"), "{refused}");
    let off = ("rates.enabled", json!(false));
    assert!(start(Profile::Production, &[off]).unwrap().is_none());
    let url = ("rates.base_url", json!("http://127.0.0.1:9/frankfurter"));
    assert!(start(Profile::Production, &[url]).unwrap().is_some());
}

#[tokio::test]
async fn the_sandboxs_rates_are_read_over_http_before_anybody_asks() {
    let router = sandbox::router(sandbox::Options::default()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let url = json!(format!("http://{address}/frankfurter"));
    let (tasks, source) = started(Profile::Production, &[("rates.base_url", url)]).unwrap();
    tasks.close();
    tasks.wait().await;
    // Nothing is left to wait for.
    let cx = CallCx::new(Instant::now(), Correlation::new());
    let table = source.unwrap().rates(&cx).await.unwrap();
    let money = Money::parse("100.00", "GBP").unwrap();
    let converted = table.convert(money, "USD".parse().unwrap()).unwrap();
    assert!(
        (12_000..15_000).contains(&converted.total.minor()),
        "{converted:?}"
    );
}

#[tokio::test]
async fn values_that_make_no_sense_stop_the_start_and_are_named() {
    for (key, value) in [
        ("rates.base_url", json!("ftp://rates")),
        ("rates.timeout_ms", json!(0)),
        ("rates.timeout_ms", json!(10001)),
        ("rates.stale_s", json!(3599)),
    ] {
        let refused = start(Profile::Development, &[(key, value)]).err().unwrap();
        let name = key
            .trim_start_matches("rates.")
            .replace("base_url", "base URL");
        let refused = refused.to_string();
        assert!(refused.contains(&name), "{refused}");
    }
}
