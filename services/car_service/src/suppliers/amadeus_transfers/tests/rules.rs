//! What cancelling brings.

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use testkit::adapters::money;
use travel_types::{LocalTime, Warning};

use super::super::rules::terms;

fn rule(value: &str, unit: &str, min: &str, max: &str) -> Value {
    json!({"feeType": "PERCENTAGE", "feeValue": value, "metricType": unit, "metricMin": min, "metricMax": max})
}

/// The schedule of a ride from Paris at half past ten, as `until refund`, and how many doubts there are.
fn schedule(rules: Value, at: &str, now: &str) -> (Option<Vec<String>>, usize) {
    let pickup = LocalTime::parse(at, "Europe/Paris").unwrap();
    let rules = to_raw_value(&rules).unwrap();
    let mut warnings: Vec<Warning> = Vec::new();
    let now = now.parse().unwrap();
    let terms = terms(
        Some(&rules),
        &pickup,
        money("100.01", "EUR"),
        now,
        &mut warnings,
    );
    let told = terms.map(|terms| {
        terms
            .iter()
            .map(|term| format!("{} {}", term.until, term.refund.amount()))
            .collect()
    });
    (told, warnings.len())
}

const AT: &str = "2026-11-10T10:30:00";
const BEFORE: &str = "2026-11-01T00:00:00Z";

#[test]
fn steps_come_in_the_order_of_time() {
    let rules = json!([
        rule("100", "HOURS", "0", "12"),
        rule("50", "HOURS", "12", "48"),
        rule("0", "HOURS", "48", "8760")
    ]);
    let (told, doubts) = schedule(rules, AT, BEFORE);
    assert_eq!(
        told.unwrap(),
        [
            "2026-11-08T09:30:00Z 100.01",
            // Half of 100.01 is 50.005: no more is promised than comes back.
            "2026-11-09T21:30:00Z 50.00",
            "2026-11-10T09:30:00Z 0.00"
        ]
    );
    assert_eq!(doubts, 0);
}

#[test]
fn days_are_the_calendars_and_hours_the_clocks() {
    // Clocks go back on 25 October 2026: the day before is 25 hours long.
    let free = |unit: &str, min: &str| {
        json!([
            rule("100", unit, "0", min),
            rule("0", unit, min, "90000000000000")
        ])
    };
    let at = "2026-10-25T10:30:00";
    for (unit, min, until) in [
        ("DAYS", "1", "2026-10-24T08:30:00Z"),
        ("HOURS", "24", "2026-10-24T09:30:00Z"),
        ("MINUTES", "90", "2026-10-25T08:00:00Z"),
    ] {
        let mut rules = free(unit, min);
        rules[1]["metricMax"] = json!("1000");
        let now = match unit {
            "MINUTES" => "2026-10-25T00:00:00Z",
            _ => "2026-10-20T00:00:00Z",
        };
        let (told, _) = schedule(rules.clone(), at, now);
        assert!(told.unwrap()[0].starts_with(until), "{unit}");
        // More than any clock can count, or no most at all: from ever.
        let mut endless = free(unit, min);
        for most in [json!("90000000000000"), json!("9".repeat(40)), json!(null)] {
            endless[1]["metricMax"] = most;
            assert_eq!(
                schedule(endless.clone(), at, now),
                schedule(rules.clone(), at, now)
            );
        }
        // What ends before any clock can count is no rule.
        let least = json!([rule("0", unit, "90000000000000", "90000000000001")]);
        assert_eq!(schedule(least, at, now), (None, 1));
    }
    let years = json!([rule("0", "YEARS", "0", "2")]);
    assert!(schedule(years, at, BEFORE).0.is_some());
}

#[test]
fn a_rule_for_the_last_day_says_nothing_of_the_month_before() {
    let last = json!([rule("100", "DAYS", "0", "1")]);
    assert_eq!(schedule(last.clone(), AT, BEFORE), (None, 0));
    let (told, _) = schedule(last, AT, "2026-11-10T00:00:00Z");
    assert_eq!(told.unwrap(), ["2026-11-10T09:30:00Z 0.00"]);
}

#[test]
fn fees_are_amounts_too() {
    let fee = |value: &str, currency: Option<&str>| {
        json!([{"feeType": "VALUE", "feeValue": value, "currencyCode": currency,
            "metricType": "DAYS", "metricMin": 0, "metricMax": "30"}])
    };
    let (told, doubts) = schedule(fee("12.50", Some("EUR")), AT, BEFORE);
    assert_eq!(told.unwrap(), ["2026-11-10T09:30:00Z 87.51"]);
    assert_eq!(doubts, 0);
    let (told, _) = schedule(fee("12.5", None), AT, BEFORE);
    assert_eq!(told.unwrap(), ["2026-11-10T09:30:00Z 87.51"]);
    // More than the total takes all of it, not more.
    let (told, doubts) = schedule(fee("100.02", None), AT, BEFORE);
    assert_eq!(told.unwrap(), ["2026-11-10T09:30:00Z 0.00"]);
    assert_eq!(doubts, 1);
    for wrong in [
        fee("12.50", Some("USD")),
        fee("-1", None),
        fee("12.345", None),
    ] {
        assert_eq!(schedule(wrong, AT, BEFORE), (None, 1));
    }
}

#[test]
fn what_leaves_a_gap_contradicts_itself_or_cannot_be_read_makes_no_schedule() {
    for wrong in [
        json!([rule("100", "DAYS", "0", "1"), rule("0", "DAYS", "2", "100")]),
        json!([rule("100", "DAYS", "0", "3"), rule("0", "DAYS", "1", "100")]),
        json!([rule("100", "DAYS", "3", "1")]),
        json!([rule("100", "WEEKS", "0", "100")]),
        json!([rule("1e2", "DAYS", "0", "100")]),
        json!([rule("-5", "DAYS", "0", "100")]),
        json!([rule("100", "DAYS", "-1", "100")]),
        json!([rule("100", "DAYS", "0", "soon")]),
        json!([rule("100", "DAYS", "0", "-1")]),
        json!([{"feeType": "PERCENTAGE", "feeValue": "0", "metricType": "WEEKS", "metricMin": "0"}]),
        json!([{"feeType": "FREE"}]),
        json!([7]),
        json!("free"),
    ] {
        let (told, doubts) = schedule(wrong.clone(), AT, BEFORE);
        assert_eq!((told, doubts), (None, 1), "{wrong}");
    }
    assert_eq!(schedule(json!([]), AT, BEFORE), (None, 0));
}
