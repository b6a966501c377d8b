//! The authorization-code flow: the page, the code, and what it is bound to.

use std::time::Duration;

use auth::{Credential, Permission};
use serde_json::json;
use storage::{Row as _, query};
use travel_types::Clock;

use crate::application::{
    Application, CALLBACK, admin, audited, call, form, is, parameter, refused, revoked, sealed,
    text,
};
use crate::service::{Place, json_of, on_each_engine};

const TRAVELLER: &str = "traveller@interline.test";

fn manual() -> Clock {
    Clock::manual("2026-11-21T12:00:00Z".parse().unwrap())
}

#[tokio::test]
async fn a_person_allows_a_client_and_the_code_becomes_tokens_of_that_client() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let app = Application::for_people(&service, &admin(&service, &clock).await).await;
        let page = app.open(&app.query(&[])).await;
        assert_eq!(page.status(), 200);
        assert_eq!(page.headers()["cache-control"], "no-store");
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("form-action 'self' https://planner.example; "),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        let html = text(page).await;
        assert!(html.contains("Trip &lt;Planner&gt;") && !html.contains("<Planner>"));
        assert!(html.contains("Search for travel offers") && !html.contains("accounts and roles"));

        let request = sealed(&html);
        let answer = app
            .decide(&[("request", &request), ("email", TRAVELLER)])
            .await;
        assert_eq!(answer.status(), 303);
        assert_eq!(parameter(&answer, "state").unwrap(), "s-1 &");
        assert_eq!(parameter(&answer, "iss").unwrap(), "http://localhost:8000");
        let code = parameter(&answer, "code").unwrap();
        let answer = app.redeem(&code, &[]).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["pragma"], "no-cache");
        let tokens = json_of(answer).await;
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 900);
        assert_eq!(tokens["scope"], "offers:read bookings:read");

        let token = tokens["access_token"].as_str().unwrap();
        let verified = service.verifier(&clock).verify(token).await.unwrap();
        let identity = &verified.identity;
        assert_eq!(identity.client(), Some(app.id.as_str()));
        assert_eq!(identity.credential(), Credential::Client);
        assert!(identity.session().is_some() && identity.subject().starts_with("usr_"));
        let allowed = [Permission::OffersRead, Permission::BookingsRead];
        assert_eq!(identity.permissions(), allowed);
        // What needs a person's own log-in is closed to it.
        let keys = call(&service, "GET", "/api/v1/auth/api-keys", identity);
        let keys = keys.send().await.unwrap();
        assert_eq!(keys.status(), 403);
        assert_eq!(json_of(keys).await["errors"][0]["code"], "LOGIN_REQUIRED");

        let refresh = tokens["refresh_token"].as_str().unwrap();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        let next = app
            .token(&[&fields[..], &[("scope", "offers:read")]].concat())
            .await;
        let next = json_of(next).await;
        assert_eq!(next["scope"], "offers:read");
        assert_ne!(next["refresh_token"], tokens["refresh_token"]);
        // The client's refresh token is no token of the person's own log-in.
        let next = next["refresh_token"].as_str().unwrap();
        assert_eq!(service.refresh(next).await.status(), 401);
        assert_eq!(audited(place, "authorize").await, (1, 0));
        assert_eq!(audited(place, "token_issue").await, (2, 0));
        service.stop().await;

        let db = place.open_store().await;
        let row = query("SELECT hash FROM oauth_codes")
            .fetch_one(db.pool())
            .await;
        let hash: String = row.unwrap().try_get("hash").unwrap();
        assert_ne!(hash, code, "the store holds no code");
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_is_worth_nothing_without_what_it_is_bound_to() {
    on_each_engine(async |place| {
        let clock = manual();
        let service = place.start(&clock, &[]).await.unwrap();
        let admin = admin(&service, &clock).await;
        let app = Application::for_people(&service, &admin).await;
        let other = Application::for_people(&service, &admin).await;
        let code = app.code(TRAVELLER, &[]).await;
        let wrong = [
            ("code_verifier", "x".repeat(43)),
            ("code_verifier", "short".to_owned()),
            ("redirect_uri", format!("{CALLBACK}/")),
            ("code", "x".repeat(43)),
        ];
        for (name, value) in &wrong {
            let answer = app.redeem(&code, &[(name, value)]).await;
            is(refused(answer).await, 400, "invalid_grant");
        }
        is(
            refused(other.redeem(&code, &[]).await).await,
            400,
            "invalid_grant",
        );
        let without = app.redeem(&code, &[("code_verifier", "")]).await;
        is(refused(without).await, 400, "invalid_request");
        // None of this used it up.
        clock.advance(Duration::from_secs(59));
        assert_eq!(app.redeem(&code, &[]).await.status(), 200);

        let late = app.code(TRAVELLER, &[]).await;
        clock.advance(Duration::from_secs(60));
        is(
            refused(app.redeem(&late, &[]).await).await,
            400,
            "invalid_grant",
        );
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_that_is_used_twice_ends_what_it_gave() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let app = Application::for_people(&service, &admin(&service, &clock).await).await;
        let code = app.code(TRAVELLER, &[]).await;
        let (one, two) = tokio::join!(app.redeem(&code, &[]), app.redeem(&code, &[]));
        let (first, second) = match one.status().as_u16() {
            200 => (one, two),
            _ => (two, one),
        };
        assert_eq!(first.status(), 200);
        is(refused(second).await, 400, "invalid_grant");
        let tokens = json_of(first).await;
        let token = tokens["access_token"].as_str().unwrap();
        let verified = service.verifier(&clock).verify(token).await.unwrap();
        let session = verified.identity.session().unwrap().to_owned();
        assert!(
            revoked(&service)
                .await
                .contains(&("session".to_owned(), session))
        );
        assert_eq!(app.introspect(token).await, json!({"active": false}));
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        is(
            refused(app.token(&fields).await).await,
            400,
            "invalid_grant",
        );
        assert_eq!(audited(place, "token_issue").await, (1, 1));
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_wrong_client_or_redirect_uri_gets_a_page_and_never_a_redirect() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let service = place.start(&clock, &[]).await.unwrap();
    let app = Application::for_people(&service, &admin(&service, &clock).await).await;
    let evil = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", app.query(&[]));
    for query in [
        app.query(&[("client_id", "cli_0")]),
        app.query(&[("client_id", "")]),
        app.query(&[("redirect_uri", "https://evil.example")]),
        app.query(&[("redirect_uri", "https://planner.example/callback/../evil")]),
        app.query(&[("redirect_uri", "")]),
        evil,
        format!("{}&client_id={}", app.query(&[]), app.id),
    ] {
        let answer = app.open(&query).await;
        assert_eq!(answer.status(), 400, "{query}");
        assert!(answer.headers().get("location").is_none(), "{query}");
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, "text/html; charset=utf-8");
    }
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn any_other_fault_of_a_request_is_told_to_its_client() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let service = place.start(&clock, &[]).await.unwrap();
    let app = Application::for_people(&service, &admin(&service, &clock).await).await;
    for (changed, code) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("response_mode", "fragment"), "invalid_request"),
        (("scope", "openid"), "invalid_scope"),
        (("scope", "orders:write"), "invalid_scope"),
    ] {
        let answer = app.open(&app.query(&[changed])).await;
        assert_eq!(answer.status(), 303, "{changed:?}");
        let location = answer.headers()["location"].to_str().unwrap();
        assert!(location.starts_with("https://planner.example/callback?error="));
        assert_eq!(parameter(&answer, "error").unwrap(), code, "{changed:?}");
        assert_eq!(parameter(&answer, "state").unwrap(), "s-1 &");
        assert_eq!(parameter(&answer, "iss").unwrap(), "http://localhost:8000");
    }
    let twice = app
        .open(&format!("{}&scope=offers:read", app.query(&[])))
        .await;
    assert_eq!(parameter(&twice, "error").unwrap(), "invalid_request");
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn the_page_takes_a_decision_of_its_own_person_alone() {
    on_each_engine(async |place| {
        let clock = manual();
        let service = place.start(&clock, &[]).await.unwrap();
        let app = Application::for_people(&service, &admin(&service, &clock).await).await;
        let request = app.page(&[]).await;

        let denied = app
            .decide(&[("request", &request), ("decision", "deny")])
            .await;
        assert_eq!(denied.status(), 303);
        assert_eq!(parameter(&denied, "error").unwrap(), "access_denied");
        assert_eq!(parameter(&denied, "state").unwrap(), "s-1 &");
        assert_eq!(audited(place, "authorize").await, (0, 1));

        let fields = [("request", request.as_str()), ("email", TRAVELLER)];
        let wrong = [&fields[..], &[("password", "wrong")]].concat();
        let again = app.decide(&wrong).await;
        assert_eq!(again.status(), 401);
        let html = text(again).await;
        assert!(
            html.contains(&format!("value=\"{TRAVELLER}\"")) && html.contains("role=\"alert\"")
        );
        assert!(!html.contains("wrong\""), "the password is not repeated");
        let again = sealed(&html);
        let again = app
            .decide(&[("request", &again), ("email", TRAVELLER)])
            .await;
        assert_eq!(again.status(), 303, "the page that came again works");

        let mut changed = request.clone();
        changed.replace_range(changed.len() - 3.., "AAA");
        for sealed in ["", "x", changed.as_str()] {
            let answer = app
                .decide(&[("request", sealed), ("email", TRAVELLER)])
                .await;
            assert_eq!(answer.status(), 400, "{sealed}");
            assert!(answer.headers().get("location").is_none());
        }
        let neither = app
            .decide(&[&fields[..], &[("decision", "x")]].concat())
            .await;
        assert_eq!(neither.status(), 400);
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let nobody = auth::Identity::anonymous();
            let foreign = call(&service, "POST", "/oauth/authorize", &nobody).header(name, value);
            let all = [
                &fields[..],
                &[("decision", "allow"), ("password", "interline-sandbox")],
            ];
            let foreign = foreign.form(&all.concat()).send().await.unwrap();
            assert_eq!(foreign.status(), 403, "{name}");
        }
        clock.advance(Duration::from_secs(15 * 60));
        assert_eq!(app.decide(&fields).await.status(), 400, "too old");
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn guesses_on_the_page_are_limited_as_those_at_the_log_in() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let service = place.start(&clock, &[]).await.unwrap();
    let app = Application::for_people(&service, &admin(&service, &clock).await).await;
    let request = app.page(&[]).await;
    let nobody = "nobody@interline.test";
    for _ in 0..5 {
        let fields = [
            ("request", request.as_str()),
            ("email", nobody),
            ("password", "x"),
        ];
        assert_eq!(app.decide(&fields).await.status(), 401);
    }
    let answer = app
        .decide(&[("request", &request), ("email", nobody)])
        .await;
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(text(answer).await.contains("Too many failed attempts"));
    let answer = service.log_in(nobody, "x", "192.0.2.9").await;
    assert_eq!(answer.status(), 429, "it is the same counter");
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn nobody_grants_more_than_the_own_role_has() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let service = place.start(&clock, &[]).await.unwrap();
    let app = Application::for_people(&service, &admin(&service, &clock).await).await;
    let all = [("scope", "offers:read users:write")];
    let code = app.code(TRAVELLER, &all).await;
    let tokens = json_of(app.redeem(&code, &[]).await).await;
    assert_eq!(tokens["scope"], "offers:read");
    let code = app.code("admin@interline.test", &all).await;
    let tokens = json_of(app.redeem(&code, &[]).await).await;
    assert_eq!(tokens["scope"], "offers:read users:write");
    let request = app.page(&[("scope", "users:write")]).await;
    let answer = app
        .decide(&[("request", &request), ("email", TRAVELLER)])
        .await;
    assert_eq!(parameter(&answer, "error").unwrap(), "invalid_scope");
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn a_native_application_listens_on_any_port_of_a_loopback_address_and_has_no_secret() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let service = place.start(&clock, &[]).await.unwrap();
    let admin = admin(&service, &clock).await;
    let body = json!({
        "name": "Desk", "type": "public", "scopes": ["offers:read"],
        "redirect_uris": ["http://127.0.0.1/callback"],
    });
    let app = Application::register(&service, &admin, &body).await;
    assert!(app.secret.is_none());
    let here = "http://127.0.0.1:51004/callback";
    let code = app
        .code(TRAVELLER, &[("redirect_uri", here), ("scope", "")])
        .await;
    let other = app
        .redeem(
            &code,
            &[("redirect_uri", "http://127.0.0.1:51005/callback")],
        )
        .await;
    is(refused(other).await, 400, "invalid_grant");
    let tokens = json_of(app.redeem(&code, &[("redirect_uri", here)]).await).await;
    assert_eq!(tokens["scope"], "offers:read");
    assert!(tokens["refresh_token"].is_string());
    // It cannot prove who it is: no tokens for itself, no look at tokens.
    let alone = app.token(&[("grant_type", "client_credentials")]).await;
    is(refused(alone).await, 400, "unauthorized_client");
    let token = tokens["access_token"].as_str().unwrap();
    let fields = [("client_id", app.id.as_str()), ("token", token)];
    let look = form(&service, "/oauth/introspect", &fields).await;
    is(refused(look).await, 401, "invalid_client");
    service.stop().await;
    place.remove().await;
}
