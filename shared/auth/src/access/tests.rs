use std::collections::HashSet;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256};
use serde_json::{Value, json};

use super::*;
use crate::key_file::to_pem;
use crate::testing::*;

/// The object with one member set to a JSON text, which may be anything, or left out.
fn with(object: &Value, name: &str, json: Option<&str>) -> String {
    let members: Vec<String> = object
        .as_object()
        .unwrap()
        .iter()
        .filter(|(member, _)| *member != name)
        .map(|(member, value)| format!("{}:{value}", json!(member)))
        .chain(json.map(|json| format!("{}:{json}", json!(name))))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Tokens whose header or claims are wrong, properly signed with the issuer's key all the same.
fn wrongly_said() -> Vec<(String, String)> {
    let mut list = Vec::new();
    let (head, body) = (header(0), claims());
    let (good_head, good_body) = (head.to_string(), body.to_string());
    let kid = json!(jwk(0).kid()).to_string();
    let own = serde_json::to_string(&jwk(0)).unwrap();
    for (name, values) in [
        (
            "alg",
            &[
                "\"none\"",
                "\"None\"",
                "\"nOnE\"",
                "\"\"",
                "\"HS256\"",
                "\"rs256\"",
                "\"RS512\"",
                "7",
                "null",
                "[\"RS256\"]",
            ][..],
        ),
        (
            "kid",
            &[
                "\"\"",
                "null",
                "7",
                "\"../../keys/signing.pem\"",
                "\"' OR '1'='1\"",
                "[]",
                "\"http://127.0.0.1:9/jwks.json\"",
                "\"a b\"",
            ],
        ),
        (
            "typ",
            &[
                "\"jwt\"",
                "\"JWE\"",
                "\"hop+jwt\"",
                "\"rt+jwt\"",
                "\"id_token\"",
                "7",
                "null",
                "\"\"",
            ],
        ),
        ("jwk", &[&own, "{}"]),
        ("jku", &["\"http://127.0.0.1:9/jwks.json\""]),
        ("x5u", &["\"http://127.0.0.1:9/cert.pem\""]),
        ("x5c", &["[\"MIIB\"]"]),
        ("x5t", &["\"AAAA\""]),
        ("crit", &["[]", "[\"exp\"]", "[\"b64\"]", "\"exp\""]),
        ("b64", &["false", "true"]),
        ("zip", &["\"DEF\""]),
        ("enc", &["\"A128GCM\""]),
        ("cty", &["\"JWT\""]),
    ] {
        for value in values {
            let head = with(&head, name, Some(value));
            list.push((format!("header {name}={value}"), rs256(&head, &good_body)));
        }
        if matches!(name, "alg" | "kid" | "typ") {
            let head = with(&head, name, None);
            list.push((format!("header without {name}"), rs256(&head, &good_body)));
        }
    }
    let long = json!("k".repeat(300)).to_string();
    list.push((
        "a kid of 300".into(),
        rs256(&with(&head, "kid", Some(&long)), &good_body),
    ));
    for twice in [
        r#""alg":"RS256""#.to_owned(),
        format!("\"kid\":{kid}"),
        r#""x":1,"x":1"#.into(),
    ] {
        let head = format!("{{{twice},{}", &good_head[1..]);
        list.push((format!("header with {twice}"), rs256(&head, &good_body)));
    }
    for head in [
        "[]",
        "null",
        "\"x\"",
        "",
        &format!("\u{feff}{good_head}"),
        &format!("{good_head}x"),
    ] {
        list.push((format!("header {head:.20}"), rs256(head, &good_body)));
    }

    let soon = (NOW + 900).to_string();
    let numbers = [
        "null",
        "true",
        "[1795263300]",
        "{}",
        "\"\"",
        "-1",
        "-0",
        "1e30",
        "1.795263300e9",
        "1795263300.0",
        "1795263300.5",
        "18446744073709551615",
        "9223372036854775807",
        "99999999999999999999",
    ];
    for name in ["exp", "iat", "nbf"] {
        for number in numbers {
            let body = with(&body, name, Some(number));
            list.push((format!("{name}={number}"), rs256(&good_head, &body)));
        }
        let quoted = json!(soon).to_string();
        list.push((
            format!("{name} quoted"),
            rs256(&good_head, &with(&body, name, Some(&quoted))),
        ));
    }
    for (name, at) in [
        ("exp", NOW),
        ("exp", NOW - 1),
        ("exp", 0),
        ("iat", NOW + 61),
        ("nbf", NOW + 61),
    ] {
        let body = with(&body, name, Some(&at.to_string()));
        list.push((format!("{name}={at}"), rs256(&good_head, &body)));
    }
    for name in ["iss", "aud", "sub", "jti", "role", "scope", "exp", "iat"] {
        list.push((
            format!("without {name}"),
            rs256(&good_head, &with(&body, name, None)),
        ));
        for value in ["null", "7", "[]", "{}", "true"] {
            if value == "7" && name == "iat" {
                // Issued in 1970, which is no fault.
                continue;
            }
            let body = with(&body, name, Some(value));
            list.push((format!("{name}={value}"), rs256(&good_head, &body)));
        }
        let twice = format!("{{\"{name}\":{},{}", body[name], &good_body[1..]);
        list.push((format!("{name} twice"), rs256(&good_head, &twice)));
    }
    for name in ["sid", "client_id"] {
        for value in [
            "null", "7", "[]", "{}", "true", "\"\"", "[\"a\"]", "\"a b\"",
        ] {
            let body = with(&body, name, Some(value));
            list.push((format!("{name}={value}"), rs256(&good_head, &body)));
        }
    }
    for (name, value) in [
        ("aud", json!([AUDIENCE])),
        ("aud", json!("Interline")),
        ("aud", json!("interline ")),
        ("aud", json!("")),
        ("iss", json!([ISSUER])),
        ("iss", json!(format!("{ISSUER}/"))),
        ("iss", json!("https://interline.test.evil.example")),
        ("sub", json!("")),
        ("sub", json!("usr_1\nrole: admin")),
        ("sub", json!("u".repeat(256))),
        ("jti", json!("")),
        ("role", json!("root")),
        ("role", json!("Admin")),
        ("role", json!("")),
        ("role", json!(["admin"])),
        ("scope", json!(["offers:read"])),
    ] {
        let body = with(&body, name, Some(&value.to_string()));
        list.push((format!("{name}={value:.40}"), rs256(&good_head, &body)));
    }
    for body in [
        "[]",
        "null",
        "",
        "\"x\"",
        &format!("{good_body}x"),
        &format!("[{good_body}]"),
        &format!("\u{feff}{good_body}"),
        &good(0, "nested"),
    ] {
        list.push((format!("claims {body:.20}"), rs256(&good_head, body)));
    }
    let padding = json!("x".repeat(7000)).to_string();
    list.push((
        "9 KB".into(),
        rs256(&good_head, &with(&body, "pad", Some(&padding))),
    ));
    let padding = json!("x".repeat(1 << 20)).to_string();
    list.push((
        "1 MB".into(),
        rs256(&good_head, &with(&body, "pad", Some(&padding))),
    ));
    list
}

/// Tokens whose signature or outer form is wrong.
fn wrongly_made() -> Vec<(String, String)> {
    let (head, body) = (header(0), claims());
    let (good_head, good_body) = (head.to_string(), body.to_string());
    let token = good(0, "made");
    let parts: Vec<&str> = token.split('.').collect();
    let [h, p, s] = parts[..] else { panic!() };
    let mut list: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, token: String| list.push((name.to_owned(), token));

    let none = with(&head, "alg", Some("\"none\""));
    add("none, empty signature", format!("{}.{p}.", b64(&none)));
    add("none, no signature", format!("{}.{p}", b64(&none)));
    add("none, the old signature", format!("{}.{p}.{s}", b64(&none)));
    let der: PublicKeyX509Der<'_> = key(0).public_key().as_der().unwrap();
    let pem = to_pem("PUBLIC KEY", der.as_ref());
    let hs256 = format!("{}.{p}", b64(with(&head, "alg", Some("\"HS256\""))));
    let modulus = key(0).public_key().modulus();
    for (name, secret) in [
        ("PEM", pem.as_bytes()),
        ("DER", der.as_ref()),
        ("modulus", modulus.big_endian_without_leading_zero()),
        ("nothing", b"".as_slice()),
    ] {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&secret, hs256.as_bytes());
        add(
            &format!("HS256 with the public key as {name}"),
            format!("{hs256}.{}", b64(tag)),
        );
        let tag = hmac::sign(&secret, format!("{h}.{p}").as_bytes());
        add(
            &format!("a MAC by {name} called RS256"),
            format!("{h}.{p}.{}", b64(tag)),
        );
    }
    let rs384 = with(&head, "alg", Some("\"RS384\""));
    add("RS384", signed(0, &RSA_PKCS1_SHA384, &rs384, &good_body));
    add(
        "RS384 called RS256",
        signed(0, &RSA_PKCS1_SHA384, &good_head, &good_body),
    );
    let ps256 = with(&head, "alg", Some("\"PS256\""));
    add("PS256", signed(0, &RSA_PSS_SHA256, &ps256, &good_body));
    add(
        "PS256 called RS256",
        signed(0, &RSA_PSS_SHA256, &good_head, &good_body),
    );
    let es256 = b64(with(&head, "alg", Some("\"ES256\"")));
    add("ES256 of zeros", format!("{es256}.{p}.{}", b64([0; 64])));

    add(
        "another key",
        signed(1, &RSA_PKCS1_SHA256, &good_head, &good_body),
    );
    let stranger = header(1).to_string();
    add(
        "another key by its own name",
        signed(1, &RSA_PKCS1_SHA256, &stranger, &good_body),
    );
    let other = serde_json::to_string(&jwk(1)).unwrap();
    for head in [header(0), header(1)] {
        let head = with(&head, "jwk", Some(&other));
        add(
            "another key, embedded",
            signed(1, &RSA_PKCS1_SHA256, &head, &good_body),
        );
    }

    add("nothing", String::new());
    add("dots", "..".to_owned());
    add("2 segments", format!("{h}.{p}"));
    add("no signature", format!("{h}.{p}."));
    add("4 segments", format!("{token}.{s}"));
    add("a dot more", format!("{token}."));
    add("5 segments, as a JWE", format!("{h}.{p}.{s}.{s}.{s}"));
    add("no header", format!(".{p}.{s}"));
    add("no claims", format!("{h}..{s}"));
    add("a scheme in front", format!("Bearer {token}"));
    add(
        "JSON",
        json!({"payload": p, "protected": h, "signature": s}).to_string(),
    );
    for (name, at) in [("header", 0), ("claims", 1), ("signature", 2)] {
        let mut change = |what: &str, by: &dyn Fn(&str) -> String| {
            let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            parts[at] = by(&parts[at]);
            list.push((format!("{name} {what}"), parts.join(".")));
        };
        change("with padding", &|part| format!("{part}="));
        change("with two of padding", &|part| format!("{part}=="));
        change("with a space", &|part| format!(" {part}"));
        change("with a line end", &|part| format!("{part}\n"));
        change("with a NUL", &|part| format!("{part}\0"));
        change("cut", &|part| part[..part.len() - 4].to_owned());
        change("longer", &|part| format!("{part}AAAA"));
        change("flipped in front", &|part| flipped(part, 0));
        change("flipped in the middle", &|part| {
            flipped(part, part.len() / 2)
        });
        change("with trailing bits", &|part| flipped(part, part.len() - 1));
        change("in lower case", &|part| part.to_lowercase());
    }
    let zero = b64([0; 256]);
    list.push(("a signature of zeros".into(), format!("{h}.{p}.{zero}")));
    let admin = b64(with(&body, "role", Some("\"admin\"")));
    list.push(("other claims".into(), format!("{h}.{admin}.{s}")));
    list
}

/// The text with the lowest bit of one base64url digit changed. In the last digit these are bits that
/// decode to nothing where the length is not a multiple of four.
fn flipped(part: &str, at: usize) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = part.as_bytes().to_vec();
    let digit = DIGITS.iter().position(|digit| *digit == bytes[at]).unwrap();
    bytes[at] = DIGITS[digit ^ 1];
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_good_token_is_accepted_and_none_of_its_mutations() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::ZERO);
    let verifier = verifier(&issuer, &clock());
    let verified = verifier.verify(&good(0, "t1")).await.unwrap();
    assert_eq!(verified.identity.subject(), "usr_1");
    assert_eq!(verified.identity.role(), Some(Role::Agent));
    assert_eq!(
        verified.identity.permissions(),
        [Permission::OffersRead, Permission::OrdersWrite]
    );
    assert_eq!(verified.token_id, "t1");
    assert_eq!(verified.expires_at.as_second(), NOW + 900);

    let mutations: Vec<_> = wrongly_said().into_iter().chain(wrongly_made()).collect();
    for (name, token) in &mutations {
        let answer = verifier.verify(token).await;
        assert_eq!(answer, Err(AccessError::Invalid), "{name}: {token:.300}");
    }
    let distinct: HashSet<&String> = mutations.iter().map(|(_, token)| token).collect();
    println!("{} different mutations refused", distinct.len());
    assert!(distinct.len() >= 200, "{}", distinct.len());
    assert_eq!(
        issuer.asked(),
        1,
        "nobody makes the verifier ask again within the cool-down"
    );
    verifier.verify(&good(0, "t1")).await.unwrap();
}

#[tokio::test]
async fn what_the_rules_allow_is_accepted() {
    let issuer = Issuer::new(Ok(document(&[1, 0])), Duration::ZERO);
    let verifier = verifier(&issuer, &clock());
    let (head, body) = (header(0), claims());
    let room = 8 * 1024 - rs256(&head.to_string(), &body.to_string()).len();
    let filler = json!("x".repeat(room * 3 / 4 - 16)).to_string();
    for (name, head, body) in [
        (
            "typ JWT",
            with(&head, "typ", Some("\"JWT\"")),
            body.to_string(),
        ),
        (
            "nearly 8 KiB",
            head.to_string(),
            with(&body, "pad", Some(&filler)),
        ),
        (
            "a minute ahead",
            head.to_string(),
            with(&body, "iat", Some(&(NOW + 60).to_string())),
        ),
        (
            "nbf now",
            head.to_string(),
            with(&body, "nbf", Some(&NOW.to_string())),
        ),
        (
            "unknown claim",
            head.to_string(),
            with(&body, "tenant", Some("[1]")),
        ),
        (
            "no scope",
            head.to_string(),
            with(&body, "scope", Some("\"\"")),
        ),
    ] {
        verifier.verify(&rs256(&head, &body)).await.expect(name);
    }
    let later = with(&body, "scope", Some("\"offers:read seats:write\""));
    let verified = verifier
        .verify(&rs256(&head.to_string(), &later))
        .await
        .unwrap();
    assert_eq!(verified.identity.permissions(), [Permission::OffersRead]);
}

#[tokio::test]
async fn a_remembered_token_dies_with_its_time() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::ZERO);
    let clock = clock();
    let verifier = verifier(&issuer, &clock);
    let token = good(0, "t1");
    let first = verifier.verify(&token).await.unwrap();
    clock.advance(Duration::from_secs(899));
    let again = verifier.verify(&token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again), "not verified a second time");
    clock.advance(Duration::from_secs(1));
    assert_eq!(verifier.verify(&token).await, Err(AccessError::Invalid));
}

#[tokio::test]
async fn a_revoked_log_in_or_token_is_refused_although_it_was_remembered() {
    let issuer = Issuer::new(Ok(document(&[0])), Duration::ZERO);
    let clock = clock();
    let verifier = verifier(&issuer, &clock);
    let of = |token: &str, session: &str| {
        let mut claims = claims();
        claims["jti"] = token.into();
        claims["sid"] = session.into();
        rs256(&header(0).to_string(), &claims.to_string())
    };
    let (first, same_log_in, other) = (of("t1", "s1"), of("t2", "s1"), of("t3", "s2"));
    let until = clock.after(Duration::from_secs(900));
    for token in [&first, &other] {
        verifier.verify(token).await.unwrap();
    }
    verifier.revocations().revoke_session("s1", until);
    for token in [&first, &same_log_in] {
        assert_eq!(verifier.verify(token).await, Err(AccessError::Invalid));
    }
    verifier.verify(&other).await.unwrap();
    verifier.revocations().revoke_token("t3", until);
    assert_eq!(verifier.verify(&other).await, Err(AccessError::Invalid));
    verifier.verify(&of("t4", "s2")).await.unwrap();
    // A token that names no log-in can be revoked by its own id.
    let bare = good(0, "t5");
    verifier.verify(&bare).await.unwrap();
    verifier.revocations().revoke_token("t5", until);
    assert_eq!(verifier.verify(&bare).await, Err(AccessError::Invalid));
}
