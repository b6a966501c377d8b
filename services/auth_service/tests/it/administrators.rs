use auth::Identity;
use reqwest::Response;
use serde_json::{Value, json};
use travel_types::Clock;

use crate::service::{PASSWORD, Service, comparable, data, json_of, on_each_engine};

const USERS: &str = "/api/v1/auth/users";
const WORDS: &str = "three kiwis on a tram";

async fn list(service: &Service, admin: &Identity, query: &str) -> Value {
    let path = format!("{USERS}?{query}");
    let answer = service.send_as(admin, "GET", &path, None).await;
    assert_eq!(answer.status(), 200, "{query}");
    json_of(answer).await
}

fn emails(page: &Value) -> Vec<&str> {
    let users = page["data"].as_array().unwrap().iter();
    users.map(|user| user["email"].as_str().unwrap()).collect()
}

async fn give(service: &Service, admin: &Identity, id: &str, role: &str) -> Response {
    let path = format!("{USERS}/{id}/role");
    let body = json!({ "role": role });
    service.send_as(admin, "POST", &path, Some(body)).await
}

#[tokio::test]
async fn administrators_find_accounts_page_by_page_and_by_what_they_are() {
    on_each_engine(async |place| {
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let service = place.start(&clock, &[]).await.unwrap();
        clock.advance(std::time::Duration::from_secs(60));
        for n in 0..3 {
            service.register(&format!("p{n}@example.com"), WORDS).await;
        }
        let admin = service.logged_in("admin", &clock).await;
        let mut seen = Vec::new();
        let mut query = "limit=4".to_owned();
        loop {
            let page = list(&service, &admin, &query).await;
            seen.extend(emails(&page).into_iter().map(str::to_owned));
            let Some(next) = page["meta"]["next_cursor"].as_str() else {
                break;
            };
            query = format!("limit=4&cursor={next}");
        }
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (6, 6), "{seen:?}");
        for (query, count) in [
            ("role=agent", 1),
            ("role=traveller", 4),
            ("status=active", 6),
            ("status=deleted", 0),
            ("email=P1%40Example.com", 1),
            ("email=p1", 0),
            ("from=2026-11-21T12:00:30Z", 3),
            ("to=2026-11-21T12:00:30Z", 3),
        ] {
            let page = list(&service, &admin, query).await;
            assert_eq!(emails(&page).len(), count, "{query}");
        }
        for (query, status) in [
            ("colour=red", 400),
            ("role=king", 422),
            ("from=today", 422),
            ("cursor=x", 422),
            ("limit=0", 422),
        ] {
            let path = format!("{USERS}?{query}");
            let answer = service.send_as(&admin, "GET", &path, None).await;
            assert_eq!(answer.status(), status, "{query}");
        }
        let agent = service.logged_in("agent", &clock).await;
        let answer = service.send_as(&agent, "GET", USERS, None).await;
        assert_eq!(answer.status(), 403);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_new_role_revokes_the_access_tokens_and_comes_with_the_next_refresh() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let admin = service.logged_in("admin", &clock).await;
        let tokens = service.tokens("traveller@interline.test").await;
        let before = service.identity(&tokens, &clock).await;
        let answer = give(&service, &admin, before.subject(), "support").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(data(answer).await["role"], "support");
        let feed = service.revoked(0).await;
        let events = feed["events"].as_array().unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["value"].as_str(), before.session());
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let tokens = data(service.refresh(refresh).await).await;
        let after = service.identity(&tokens, &clock).await;
        assert_eq!(after.role(), Some(auth::Role::Support));
        assert_ne!(after.session(), before.session());
        // The same role again changes nothing.
        let answer = give(&service, &admin, before.subject(), "support").await;
        assert_eq!(answer.status(), 200);
        let head = feed["head"].as_i64().unwrap();
        assert_eq!(service.revoked(head).await["events"], json!([]));
        for role in ["service", "king", ""] {
            let answer = give(&service, &admin, before.subject(), role).await;
            assert_eq!(answer.status(), 422, "{role}");
        }
        let records = place.records_of("role_change").await;
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].actor.as_deref(), Some(admin.subject()));
        assert_eq!(records[0].target.as_deref(), Some(before.subject()));
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_deleted_account_is_out_at_once_and_stays_on_the_list() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let admin = service.logged_in("admin", &clock).await;
        let tokens = service.tokens("agent@interline.test").await;
        let agent = service.identity(&tokens, &clock).await;
        let path = format!("{USERS}/{}", agent.subject());
        let answer = service.send_as(&admin, "DELETE", &path, None).await;
        assert_eq!(answer.status(), 204);
        let wrong = service.log_in("nobody@interline.test", PASSWORD, "192.0.2.1");
        let out = service.log_in("agent@interline.test", PASSWORD, "192.0.2.1");
        let (wrong, out) = (comparable(wrong.await).await, comparable(out.await).await);
        assert_eq!((wrong.0, &wrong.2), (401, &out.2));
        let refresh = tokens["refresh_token"].as_str().unwrap();
        assert_eq!(service.refresh(refresh).await.status(), 401);
        assert_eq!(service.me(&agent).await.status(), 401);
        let feed = service.revoked(0).await;
        assert_eq!(feed["events"][0]["value"].as_str(), agent.session());
        let page = list(&service, &admin, "status=deleted").await;
        assert_eq!(emails(&page), ["agent@interline.test"]);
        // Its address is not free, and nobody is told.
        service.register("agent@interline.test", WORDS).await;
        let answer = service.log_in("agent@interline.test", WORDS, "192.0.2.1");
        assert_eq!(answer.await.status(), 401);

        let again = service.send_as(&admin, "DELETE", &path, None).await;
        let absent = format!("{USERS}/usr_{}", "0".repeat(32));
        let absent = service.send_as(&admin, "DELETE", &absent, None).await;
        assert_eq!(
            (again.status().as_u16(), absent.status().as_u16()),
            (404, 404)
        );
        let answer = give(&service, &admin, agent.subject(), "admin").await;
        assert_eq!(answer.status(), 404);
        let said: Vec<_> = place.records_of("user_delete").await;
        let said: Vec<_> = said.iter().map(|record| record.succeeded).collect();
        assert_eq!(said, [true, false, false]);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn there_is_always_an_administrator_left() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let admin = service.logged_in("admin", &clock).await;
        let own = format!("{USERS}/{}", admin.subject());
        let answer = service.send_as(&admin, "DELETE", &own, None).await;
        assert_eq!(answer.status(), 409);
        let answer = give(&service, &admin, admin.subject(), "agent").await;
        assert_eq!(answer.status(), 409);
        assert_eq!(json_of(answer).await["errors"][0]["code"], "CONFLICT");

        // Two who remove each other at once.
        let agent = service.logged_in("agent", &clock).await;
        let answer = give(&service, &admin, agent.subject(), "admin").await;
        assert_eq!(answer.status(), 200);
        let (one, two) = tokio::join!(
            give(&service, &admin, agent.subject(), "agent"),
            give(&service, &admin, admin.subject(), "agent"),
        );
        let mut statuses = [one.status().as_u16(), two.status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        let page = list(&service, &admin, "role=admin&status=active").await;
        assert_eq!(emails(&page).len(), 1);
        let records = place.records_of("role_change").await;
        assert_eq!(records.len(), 4);
        service.stop().await;
    })
    .await;
}
