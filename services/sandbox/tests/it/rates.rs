//! Exchange rates in Frankfurter's format.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Server, start, start_with};

async fn latest(server: &Server, query: &str) -> Value {
    let (status, body) = server.get(&format!("/frankfurter/v1/latest{query}")).await;
    assert_eq!(status, 200, "{body}");
    body
}

fn rates(body: &Value) -> BTreeMap<String, f64> {
    serde_json::from_value(body["rates"].clone()).unwrap()
}

#[tokio::test]
async fn the_latest_rates_are_those_that_the_european_central_bank_quotes() {
    let server = start().await;
    let body = latest(&server, "").await;
    assert_eq!(body["amount"], 1.0);
    assert_eq!(body["base"], "EUR");
    let rates = rates(&body);
    assert_eq!(rates.len(), 29);
    assert!(!rates.contains_key("EUR"));
    for (code, low, high) in [
        ("USD", 1.1, 1.22),
        ("GBP", 0.85, 0.91),
        ("JPY", 175.0, 186.0),
        ("IDR", 18_700.0, 19_900.0),
    ] {
        let rate = rates[code];
        assert!(low < rate && rate < high, "{code} {rate}");
    }
    let (_, names) = server.get("/frankfurter/v1/currencies").await;
    let names = names.as_object().unwrap();
    assert_eq!(names.len(), 30);
    assert_eq!(names["EUR"], "Euro");
    assert!(rates.keys().all(|code| names.contains_key(code)));
}

#[tokio::test]
async fn a_weekend_shows_fridays_rates_and_monday_its_own() {
    // The tests' clock stands on a Saturday.
    let server = start().await;
    let saturday = latest(&server, "?base=EUR").await;
    assert_eq!(saturday["date"], "2026-11-20");
    server.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(latest(&server, "?base=EUR").await, saturday);
    server.clock.advance(Duration::from_secs(24 * 3600));
    let monday = latest(&server, "?base=EUR").await;
    assert_eq!(monday["date"], "2026-11-23");
    assert_ne!(monday["rates"], saturday["rates"]);
    for (code, rate) in rates(&monday) {
        let moved = rate / rates(&saturday)[&code];
        assert!((0.98..1.02).contains(&moved), "{code} {moved}");
    }
}

#[tokio::test]
async fn the_seed_chooses_the_rates() {
    let first = latest(&start().await, "").await;
    assert_eq!(latest(&start().await, "").await, first);
    let options = sandbox::Options {
        seed: 2,
        ..sandbox::Options::default()
    };
    let other = latest(&start_with(options).await, "").await;
    assert_ne!(other["rates"], first["rates"]);
    assert_eq!(other["date"], first["date"]);
}

#[tokio::test]
async fn cross_rates_agree_with_the_euros_own() {
    let server = start().await;
    let euro = rates(&latest(&server, "").await);
    for base in ["USD", "GBP", "JPY"] {
        let body = latest(&server, &format!("?base={base}")).await;
        assert_eq!(body["base"], base);
        let cross = rates(&body);
        assert_eq!(cross.len(), 29);
        assert!(!cross.contains_key(base));
        for (code, rate) in &cross {
            let exact = euro.get(code).copied().unwrap_or(1.0) / euro[base];
            // At most six decimals are shown.
            let off = (rate - exact).abs();
            assert!(off <= 1e-3 * exact + 5e-6, "{base} {code} {rate} {exact}");
        }
    }
}

#[tokio::test]
async fn symbols_choose_and_what_nobody_quotes_is_not_found() {
    let server = start().await;
    let body = latest(&server, "?base=gbp&symbols=USD,jpy,ZZZ").await;
    let codes: Vec<String> = rates(&body).into_keys().collect();
    assert_eq!(codes, ["JPY", "USD"]);
    assert_eq!(body["base"], "GBP");
    for (path, status, message) in [
        ("latest?base=UAH", 404, "not found"),
        ("latest?symbols=ZZZ", 404, "not found"),
        ("latest?base=USD&symbols=USD", 422, "bad currency pair"),
        ("yesterday", 404, "not found"),
    ] {
        let answer = server.get(&format!("/frankfurter/v1/{path}")).await;
        let expected = json!({ "message": message });
        assert_eq!((answer.0.as_u16(), answer.1), (status, expected), "{path}");
    }
}
