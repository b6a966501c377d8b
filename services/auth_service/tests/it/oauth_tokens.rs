//! The endpoints that clients call themselves: tokens, revocation, introspection, metadata.

use std::time::Duration;

use auth::{Credential, HOP_HEADER, Identity, Permission, Role};
use serde_json::json;
use travel_types::Clock;

use crate::application::{
    Application, admin, audited, browser, call, form, is, refused, revoked, send,
};
use crate::service::{Place, json_of, on_each_engine};

const TRAVELLER: &str = "traveller@interline.test";
const ALONE: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_machine_client_gets_tokens_for_itself_with_basic_or_in_the_body() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let app = Application::machine(&service, &admin(&service, &clock).await).await;
        let answer = app.token(&[ALONE]).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["pragma"], "no-cache");
        let tokens = json_of(answer).await;
        // users:write is the client's, but no machine's.
        assert_eq!(tokens["scope"], "offers:read");
        assert!(tokens.get("refresh_token").is_none());
        let token = tokens["access_token"].as_str().unwrap();
        let verified = service.verifier(&clock).verify(token).await.unwrap();
        assert_eq!(verified.identity.role(), Some(Role::Service));
        assert_eq!(verified.identity.subject(), app.id);
        assert_eq!(verified.identity.credential(), Credential::Client);
        assert_eq!(verified.identity.permissions(), [Permission::OffersRead]);

        let secret = app.secret.clone().unwrap();
        let basic = call(&service, "POST", "/oauth/token", &Identity::anonymous());
        let basic = basic.basic_auth(&app.id, Some(&secret)).form(&[ALONE]);
        assert_eq!(basic.send().await.unwrap().status(), 200);
        assert_eq!(audited(place, "token_issue").await, (2, 0));
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_prove_who_it_is_gets_nothing_and_has_few_tries() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let app = Application::machine(&service, &admin(&service, &clock).await).await;
        let secret = app.secret.clone().unwrap();
        let both = call(&service, "POST", "/oauth/token", &Identity::anonymous())
            .basic_auth(&app.id, Some(&secret))
            .form(&[ALONE, ("client_secret", &secret)]);
        is(
            refused(both.send().await.unwrap()).await,
            400,
            "invalid_request",
        );

        let answer = form(&service, "/oauth/token", &[ALONE, ("client_id", &app.id)]).await;
        assert!(
            answer.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Basic")
        );
        is(refused(answer).await, 401, "invalid_client");
        let wrong = call(&service, "POST", "/oauth/token", &Identity::anonymous())
            .basic_auth(&app.id, Some("ils_wrong"))
            .form(&[ALONE]);
        is(
            refused(wrong.send().await.unwrap()).await,
            401,
            "invalid_client",
        );
        let unknown = [ALONE, ("client_id", "cli_0"), ("client_secret", "x")];
        let unknown = form(&service, "/oauth/token", &unknown).await;
        is(refused(unknown).await, 401, "invalid_client");

        for _ in 0..3 {
            let guess = [ALONE, ("client_id", &app.id), ("client_secret", "x")];
            form(&service, "/oauth/token", &guess).await;
        }
        let answer = app.token(&[ALONE]).await;
        assert!(answer.headers().contains_key("retry-after"));
        is(refused(answer).await, 429, "temporarily_unavailable");
        // Elsewhere the client is not locked out.
        let hop = service.gateway.sign(&Identity::anonymous(), "auth_service");
        let elsewhere = browser()
            .post(format!("{}/oauth/token", service.url))
            .header(HOP_HEADER, hop.unwrap())
            .header("x-interline-client-ip", "198.51.100.4")
            .basic_auth(&app.id, Some(&secret))
            .form(&[ALONE]);
        assert_eq!(elsewhere.send().await.unwrap().status(), 200);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_token_request_is_a_form_with_no_parameter_twice() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let service = place.start(&clock, &[]).await.unwrap();
    let app = Application::machine(&service, &admin(&service, &clock).await).await;
    let nobody = Identity::anonymous();
    is(
        refused(app.token(&[ALONE, ALONE]).await).await,
        400,
        "invalid_request",
    );
    let scopes = [ALONE, ("scope", "offers:read"), ("scope", "offers:read")];
    is(
        refused(app.token(&scopes).await).await,
        400,
        "invalid_request",
    );
    is(refused(app.token(&[]).await).await, 400, "invalid_request");
    is(
        refused(app.token(&[("grant_type", "")]).await).await,
        400,
        "invalid_request",
    );
    let body = json!({"grant_type": "client_credentials", "client_id": app.id});
    let answer = send(&service, "POST", "/oauth/token", &nobody, &body).await;
    is(refused(answer).await, 400, "invalid_request");
    let query = call(&service, "POST", "/oauth/token?scope=offers:read", &nobody);
    let query = query.form(&[ALONE]).send().await.unwrap();
    is(refused(query).await, 400, "invalid_request");
    let get = call(&service, "GET", "/oauth/token", &nobody);
    assert_eq!(get.send().await.unwrap().status(), 405);

    for (grant, code) in [
        ("password", "unsupported_grant_type"),
        ("authorization_code", "unauthorized_client"),
        ("refresh_token", "unauthorized_client"),
    ] {
        let answer = app.token(&[("grant_type", grant)]).await;
        is(refused(answer).await, 400, code);
    }
    for scope in ["openid", "users:write", "orders:write"] {
        let answer = app.token(&[ALONE, ("scope", scope)]).await;
        is(refused(answer).await, 400, "invalid_scope");
    }
    let answer = app.token(&[
        ALONE,
        ("scope", "offers:read users:write"),
        ("unknown", "x"),
    ]);
    assert_eq!(json_of(answer.await).await["scope"], "offers:read");
    service.stop().await;
    place.remove().await;
}

#[tokio::test]
async fn a_refresh_token_is_its_clients_alone_and_rotates_as_those_of_log_ins() {
    on_each_engine(async |place| {
        let clock = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let service = place.start(&clock, &[]).await.unwrap();
        let admin = admin(&service, &clock).await;
        let app = Application::for_people(&service, &admin).await;
        let other = Application::for_people(&service, &admin).await;
        let tokens = app.tokens(TRAVELLER).await;
        let first = tokens["refresh_token"].as_str().unwrap();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", first)];
        is(
            refused(other.token(&fields).await).await,
            400,
            "invalid_grant",
        );
        let more = [&fields[..], &[("scope", "offers:read users:write")]].concat();
        is(refused(app.token(&more).await).await, 400, "invalid_scope");

        let second = json_of(app.token(&fields).await).await;
        clock.advance(Duration::from_secs(10));
        let again = json_of(app.token(&fields).await).await;
        assert_eq!(
            again["refresh_token"], second["refresh_token"],
            "a lost answer"
        );
        clock.advance(Duration::from_secs(1));
        is(
            refused(app.token(&fields).await).await,
            400,
            "invalid_grant",
        );
        let second = second["refresh_token"].as_str().unwrap();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", second)];
        is(
            refused(app.token(&fields).await).await,
            400,
            "invalid_grant",
        );
        assert_eq!(
            revoked(&service).await.len(),
            1,
            "the session is in the feed"
        );
        assert_eq!(audited(place, "refresh_reuse").await.1, 1);
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_revoked_token_is_worth_nothing_and_nobody_learns_of_a_foreign_one() {
    on_each_engine(async |place| {
        let clock = Clock::system();
        let service = place.start(&clock, &[]).await.unwrap();
        let admin = admin(&service, &clock).await;
        let app = Application::for_people(&service, &admin).await;
        let other = Application::for_people(&service, &admin).await;
        let tokens = app.tokens(TRAVELLER).await;
        let access = tokens["access_token"].as_str().unwrap();
        let refresh = tokens["refresh_token"].as_str().unwrap();

        let seen = app.introspect(access).await;
        assert_eq!(seen["active"], true);
        assert_eq!(seen["scope"], "offers:read bookings:read");
        assert_eq!(seen["client_id"], app.id);
        assert_eq!(seen["token_type"], "Bearer");
        assert_eq!(seen["iss"], "http://localhost:8000");
        assert!(seen["sub"].as_str().unwrap().starts_with("usr_") && seen["exp"].is_i64());
        assert_eq!(app.introspect(refresh).await["active"], true);
        let own = service.tokens(TRAVELLER).await;
        let own = own["access_token"].as_str().unwrap();
        for token in [own, "x", "a.b", "a.b.c"] {
            assert_eq!(app.introspect(token).await, json!({"active": false}));
        }
        for token in [access, refresh] {
            assert_eq!(other.introspect(token).await, json!({"active": false}));
            assert_eq!(
                other
                    .at("/oauth/revoke", &[("token", token)])
                    .await
                    .status(),
                200
            );
            assert_eq!(app.introspect(token).await["active"], true, "it lives on");
        }
        for token in [own, "x"] {
            assert_eq!(
                app.at("/oauth/revoke", &[("token", token)]).await.status(),
                200
            );
        }
        assert!(revoked(&service).await.is_empty());

        let hint = [("token", access), ("token_type_hint", "refresh_token")];
        assert_eq!(app.at("/oauth/revoke", &hint).await.status(), 200);
        assert_eq!(app.introspect(access).await, json!({"active": false}));
        let verified = service.verifier(&clock).verify(access).await.unwrap();
        let token = ("token".to_owned(), verified.token_id.clone());
        assert_eq!(revoked(&service).await, [token]);

        assert_eq!(app.introspect(refresh).await["active"], true);
        assert_eq!(
            app.at("/oauth/revoke", &[("token", refresh)])
                .await
                .status(),
            200
        );
        assert_eq!(app.introspect(refresh).await, json!({"active": false}));
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        is(
            refused(app.token(&fields).await).await,
            400,
            "invalid_grant",
        );
        let session = verified.identity.session().unwrap().to_owned();
        assert!(
            revoked(&service)
                .await
                .contains(&("session".to_owned(), session))
        );
        is(
            refused(app.at("/oauth/revoke", &[]).await).await,
            400,
            "invalid_request",
        );
        assert_eq!(audited(place, "token_revoke").await, (2, 4));
        service.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_metadata_are_true() {
    let place = Place::sqlite();
    let clock = Clock::system();
    let service = place.start(&clock, &[]).await.unwrap();
    let read = async |path: &str| {
        let url = format!("{}{path}", service.url);
        json_of(browser().get(url).send().await.unwrap()).await
    };
    let metadata = read("/.well-known/oauth-authorization-server").await;
    assert_eq!(metadata, read("/.well-known/openid-configuration").await);
    assert_eq!(metadata["issuer"], "http://localhost:8000");
    assert_eq!(
        metadata["code_challenge_methods_supported"],
        json!(["S256"])
    );
    assert_eq!(
        metadata["authorization_response_iss_parameter_supported"],
        true
    );
    let nobody = Identity::anonymous();
    for (name, method, status) in [
        ("authorization_endpoint", "GET", 400),
        ("token_endpoint", "POST", 400),
        ("revocation_endpoint", "POST", 400),
        ("introspection_endpoint", "POST", 400),
        ("jwks_uri", "GET", 200),
    ] {
        let address = metadata[name].as_str().unwrap();
        let path = address.strip_prefix("http://localhost:8000").unwrap();
        let answer = call(&service, method, path, &nobody).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}");
    }
    service.stop().await;
    place.remove().await;
}
