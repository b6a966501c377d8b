//! The audit log over HTTP. The records here are of `audit_verify` and of what this file appends itself.

use std::time::Duration;

use audit::{AuditKey, AuditLog, Record};
use auth::{Identity, Permission, Role};
use personal_data::{MasterKey, Vault};
use secrecy::SecretString;
use serde_json::Value;
use storage::{Db, query, sqlx::AssertSqlSafe};
use travel_types::Clock;

use crate::service::{Place, Service, json_of, on_each_engine};

const LOGS: &str = "/api/v1/auth/audit-logs";
const VERIFY: &str = "/api/v1/auth/audit-logs/verify";
const MASTER: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn admin() -> Identity {
    Identity::new(
        "usr_admin".to_owned(),
        Role::Admin,
        vec![Permission::AuditRead],
    )
}

async fn get(service: &Service, path: &str) -> (u16, Value) {
    let answer = service.get(path, &admin()).await;
    (answer.status().as_u16(), json_of(answer).await)
}

/// A second process on the same log.
async fn beside(place: &Place, clock: &Clock) -> (Db, AuditLog, Vault) {
    let db = place.open_store().await;
    let key = AuditKey::development(&place.data_dir).unwrap();
    let master = MasterKey::from_text(&SecretString::from(MASTER)).unwrap();
    let log = AuditLog::new(db.clone(), key, clock.clone());
    (db.clone(), log, Vault::new(db, master))
}

#[tokio::test]
async fn admins_search_the_log_by_user_action_status_and_time_page_by_page() {
    on_each_engine(async |place| {
        let clock = Clock::manual("2026-12-01T10:00:00Z".parse().unwrap());
        let settings = [("personal_data.master_key", MASTER)];
        let service = place.start(&clock, &settings).await.unwrap();
        let (db, log, vault) = beside(place, &clock).await;
        for n in 0..5 {
            clock.advance(Duration::from_secs(60));
            let mut tx = db.begin().await.unwrap();
            let actor = ["usr_a", "usr_b"][n % 2];
            let plain = r#"{"address":"192.0.2.7"}"#;
            let sealed = vault.seal(&mut tx, actor, plain).await.unwrap();
            let mut record = Record {
                actor: Some(actor.to_owned()),
                action: ["login", "role_change"][usize::from(n == 3)],
                succeeded: n != 2,
                target: (n == 3).then(|| "usr_a".to_owned()),
                sealed: Some(sealed),
                request_id: Some(format!("request-{n}")),
                ..Record::default()
            };
            record.details.insert("n".to_owned(), n.into());
            log.append(&mut tx, &record).await.unwrap();
            tx.commit().await.unwrap();
        }
        let numbers = async |query: &str| -> Vec<u64> {
            let (status, body) = get(&service, &format!("{LOGS}?{query}")).await;
            assert_eq!(status, 200, "{body}");
            let entries = body["data"].as_array().unwrap();
            let mut found: Vec<u64> = entries
                .iter()
                .filter_map(|entry| entry["details"]["n"].as_u64())
                .collect();
            found.reverse();
            found
        };
        assert_eq!(
            numbers("user_id=usr_a").await,
            [0, 2, 3, 4],
            "as actor and as target"
        );
        assert_eq!(numbers("user_id=usr_b&action=role_change").await, [3]);
        assert_eq!(numbers("status=failure&action=login").await, [2]);
        assert_eq!(numbers("status=success&user_id=usr_b").await, [1, 3]);
        let time = "from=2026-12-01T10:02:00Z&to=2026-12-01T10:04:00Z";
        assert_eq!(numbers(time).await, [1, 2]);
        assert_eq!(
            numbers("from=2026-12-01&to=2026-12-02").await,
            [0, 1, 2, 3, 4]
        );
        assert_eq!(numbers("to=2026-12-01").await, [0; 0]);

        let (_, first) = get(&service, &format!("{LOGS}?limit=2&user_id=usr_a")).await;
        assert_eq!(first["data"].as_array().unwrap().len(), 2);
        let cursor = first["meta"]["next_cursor"].as_str().unwrap();
        assert_eq!(
            numbers(&format!("limit=2&user_id=usr_a&cursor={cursor}")).await,
            [0, 2]
        );
        let (_, last) = get(&service, &format!("{LOGS}?limit=4&user_id=usr_a")).await;
        assert_eq!(last["meta"]["next_cursor"], Value::Null);

        let entry = &first["data"][1];
        assert_eq!(entry["action"], "role_change");
        assert_eq!(entry["status"], "success");
        assert_eq!(entry["actor"], "usr_b");
        assert_eq!(entry["target"], "usr_a");
        assert_eq!(entry["request_id"], "request-3");
        assert_eq!(entry["at"], "2026-12-01T10:04:00Z");
        assert_eq!(entry["personal"]["address"], "192.0.2.7");
        assert_eq!(entry["erased"], false);
        let mut tx = db.begin().await.unwrap();
        vault.destroy(&mut tx, "usr_b").await.unwrap();
        tx.commit().await.unwrap();
        let (_, after) = get(&service, &format!("{LOGS}?limit=2&user_id=usr_a")).await;
        assert_eq!(after["data"][1]["personal"], Value::Null);
        assert_eq!(after["data"][1]["erased"], true);
        assert_eq!(after["data"][0]["personal"]["address"], "192.0.2.7");
        // A sealed text that somebody changed hides nothing else.
        query("UPDATE audit_log SET sealed = 'x' WHERE actor = 'usr_a'")
            .execute(db.pool())
            .await
            .unwrap();
        let (status, after) = get(&service, &format!("{LOGS}?limit=2&user_id=usr_a")).await;
        assert_eq!(status, 200, "{after}");
        assert_eq!(get(&service, VERIFY).await.1["data"]["valid"], false);
        db.close().await;
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn only_who_may_read_the_log_does_and_wrong_parameters_are_named() {
    let place = Place::sqlite();
    let service = place.start(&Clock::system(), &[]).await.unwrap();
    let agent = Identity::new("usr_x".to_owned(), Role::Agent, Vec::new());
    for path in [LOGS, VERIFY] {
        assert_eq!(service.get(path, &agent).await.status(), 403);
        assert_eq!(
            service.get(path, &Identity::anonymous()).await.status(),
            401
        );
        let answer = service.get(path, &admin()).await;
        assert_eq!(answer.headers()["cache-control"], "private, no-store");
    }
    for (query, status, field) in [
        ("user=1", 400, "user"),
        ("status=ok", 422, "status"),
        ("user_id=", 422, "user_id"),
        ("user_id=%00", 422, "user_id"),
        ("action=Log-in", 422, "action"),
        ("from=yesterday", 422, "from"),
        ("to=2026-13-01", 422, "to"),
        ("limit=101", 422, "limit"),
        ("cursor=-1", 422, "cursor"),
    ] {
        let (got, body) = get(&service, &format!("{LOGS}?{query}")).await;
        assert_eq!(got, status, "{query}: {body}");
        assert_eq!(body["errors"][0]["field"], field, "{query}");
    }
    let (status, body) = get(&service, &format!("{VERIFY}?fast=1")).await;
    assert_eq!(status, 400, "{body}");
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn a_verification_says_what_it_found_and_is_itself_recorded() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let (db, log, _) = beside(place, &clock).await;
        for _ in 0..3 {
            let record = Record {
                action: "login",
                ..Record::default()
            };
            log.append_alone(&record).await.unwrap();
        }
        let before = get(&service, VERIFY).await;
        assert_eq!(before.0, 200);
        assert_eq!(before.1["data"]["valid"], true);
        let records = before.1["data"]["records"].as_u64().unwrap();
        assert!(records >= 3);
        let (_, found) = get(&service, &format!("{LOGS}?action=audit_verify")).await;
        assert_eq!(found["data"][0]["actor"], "usr_admin");
        assert_eq!(found["data"][0]["details"]["records"], records);
        let bad = records - 1;
        let change = format!("UPDATE audit_log SET action = 'logout' WHERE seq = {bad}");
        query(AssertSqlSafe(change))
            .execute(db.pool())
            .await
            .unwrap();
        let after = get(&service, VERIFY).await.1["data"].take();
        assert_eq!(after["valid"], false);
        assert_eq!(after["first_bad_index"], bad);
        assert_eq!(after["records"], bad - 1);
        assert!(after["problem"].as_str().unwrap().contains("was changed"));
        let (_, found) = get(
            &service,
            &format!("{LOGS}?status=failure&action=audit_verify"),
        )
        .await;
        assert_eq!(found["data"][0]["details"]["first_bad_index"], bad);
        db.close().await;
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn heads_are_signed_also_at_shutdown_and_a_log_that_was_cut_off_afterwards_is_found() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        for _ in 0..3 {
            assert_eq!(get(&service, VERIFY).await.0, 200);
        }
        let metrics = service.get("/metrics", &Identity::anonymous()).await;
        let metrics = metrics.text().await.unwrap();
        let counted =
            "interline_audit_records_total{action=\"audit_verify\",outcome=\"success\"} 3";
        assert!(metrics.contains(counted), "{metrics}");
        assert!(
            metrics.contains("interline_audit_head_age_seconds "),
            "{metrics}"
        );
        service.stop().await;
        let db = place.open_store().await;
        let change = "UPDATE audit_head SET seq = seq - 1, \
                      hash = (SELECT previous FROM audit_log WHERE audit_log.seq = audit_head.seq)";
        for change in [
            change,
            "DELETE FROM audit_log WHERE seq > (SELECT seq FROM audit_head)",
        ] {
            query(change).execute(db.pool()).await.unwrap();
        }
        let row = query("SELECT seq FROM audit_head")
            .fetch_one(db.pool())
            .await
            .unwrap();
        let left: i64 = storage::Row::get(&row, "seq");
        db.close().await;
        let service = place.start(&clock, &[]).await.unwrap();
        let found = get(&service, VERIFY).await.1["data"].take();
        assert_eq!(found["valid"], false);
        assert_eq!(found["first_bad_index"], left + 1);
        assert!(found["head"]["seq"].as_i64().unwrap() > left);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_verification_that_takes_long_goes_on_after_the_answer_and_is_told_next_time() {
    on_each_engine(async |place| {
        let service = place
            .start(&Clock::system(), &[("audit.verify_wait_ms", "0")])
            .await
            .unwrap();
        let answer = service.get(VERIFY, &admin()).await;
        assert_eq!(answer.status(), 202);
        assert_eq!(answer.headers()["retry-after"], "2");
        assert_eq!(json_of(answer).await["data"]["status"], "running");
        let found = async {
            loop {
                let (status, body) = get(&service, VERIFY).await;
                if status == 200 {
                    break body;
                }
                assert_eq!(status, 202);
                tokio::task::yield_now().await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), found)
            .await
            .unwrap();
        assert_eq!(found["data"]["valid"], true);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_log_is_not_opened_with_another_key() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        assert_eq!(get(&service, VERIFY).await.0, 200);
        service.stop().await;
        for (key, words) in [
            (MASTER, "is written with the key"),
            ("secret", "32 bytes in base64"),
        ] {
            let refused = place.start(&clock, &[("audit.key", key)]).await;
            let refused = refused.err().expect("it does not start").to_string();
            assert!(refused.contains(words), "{refused}");
            assert!(!refused.contains(key), "{refused}");
        }
    })
    .await;
}
