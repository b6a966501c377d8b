//! Mutations of a good token, sent to a gateway as a client would: all 401 with the same bytes, none
//! slow, and no key fetched from where a token says.

use std::collections::HashSet;
use std::time::Duration;

use auth::Role;
use auth::key_file::{from_pem, to_pem};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::stack::Stack;

const PATH: &str = "/api/v1/flights/offers";

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A good token taken apart, and the keys to put others together with.
struct Forge {
    key: RsaKeyPair,
    stranger: RsaKeyPair,
    header: Value,
    claims: Value,
    /// What it claims keys are at.
    elsewhere: String,
    made: Vec<(String, String)>,
}

impl Forge {
    fn new(stack: &Stack, elsewhere: String) -> Self {
        let pem = std::fs::read_to_string(stack.signing_key()).unwrap();
        let token = stack.token(Role::Agent);
        let read = |at: usize| {
            let part = token.split('.').nth(at).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        Self {
            key: RsaKeyPair::from_pkcs8(&from_pem(&pem).unwrap()).unwrap(),
            stranger: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            header: read(0),
            claims: read(1),
            elsewhere,
            made: Vec::new(),
        }
    }

    fn add(&mut self, name: impl Into<String>, token: String) {
        self.made.push((name.into(), token));
    }

    fn sign(&mut self, name: impl Into<String>, header: &str, claims: &str) {
        let token = signed(&self.key, &RSA_PKCS1_SHA256, header, claims);
        self.add(name, token);
    }

    /// Properly signed, with one member of the header set to this JSON text or left out.
    fn header(&mut self, name: &str, value: Option<&str>) {
        let header = with(&self.header, name, value);
        let claims = self.claims.to_string();
        self.sign(format!("header {name}={value:.40?}"), &header, &claims);
    }

    /// The same with the claims.
    fn claim(&mut self, name: &str, value: Option<&str>) {
        let header = self.header.to_string();
        let claims = with(&self.claims, name, value);
        self.sign(format!("claim {name}={value:.40?}"), &header, &claims);
    }
}

fn signed(key: &RsaKeyPair, by: &'static dyn RsaEncoding, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", b64(header), b64(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(by, &SystemRandom::new(), message.as_bytes(), &mut signature)
        .unwrap();
    format!("{message}.{}", b64(signature))
}

/// The object as a text with one member set to a JSON text, which may be anything, or left out.
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

fn headers(forge: &mut Forge) {
    let url = forge.elsewhere.clone();
    for alg in [
        "none", "None", "NONE", "nOnE", "HS256", "RS384", "PS256", "ES256", "rs256", "",
    ] {
        forge.header("alg", Some(&json!(alg).to_string()));
    }
    for alg in ["null", "7", "[\"RS256\"]"] {
        forge.header("alg", Some(alg));
    }
    let huge = "k".repeat(5000);
    for kid in [
        "",
        "../../keys/signing.pem",
        "/dev/null",
        "' OR '1'='1",
        "a b",
        "\0",
        &url,
        &huge,
    ] {
        forge.header("kid", Some(&json!(kid).to_string()));
    }
    for kid in ["null", "7", "{}", "[]"] {
        forge.header("kid", Some(kid));
    }
    let listed = json!([forge.header["kid"]]).to_string();
    forge.header("kid", Some(&listed));
    for typ in [
        "\"jwt\"",
        "\"JWE\"",
        "\"hop+jwt\"",
        "\"id_token\"",
        "\"\"",
        "null",
        "7",
    ] {
        forge.header("typ", Some(typ));
    }
    for name in ["alg", "kid", "typ"] {
        forge.header(name, None);
    }
    for name in ["jku", "x5u"] {
        forge.header(name, Some(&json!(url).to_string()));
    }
    let n = forge.key.public_key().modulus();
    let own = json!({"kty": "RSA", "e": "AQAB", "n": b64(n.big_endian_without_leading_zero())});
    for (name, value) in [
        ("jwk", own.to_string()),
        ("x5c", "[\"MIIB\"]".to_owned()),
        ("x5t", "\"AAAA\"".to_owned()),
        ("crit", "[]".to_owned()),
        ("crit", "[\"exp\"]".to_owned()),
        ("crit", "[\"b64\"]".to_owned()),
        ("b64", "false".to_owned()),
        ("zip", "\"DEF\"".to_owned()),
        ("enc", "\"A128GCM\"".to_owned()),
        ("cty", "\"JWT\"".to_owned()),
    ] {
        forge.header(name, Some(&value));
    }
    let (good, claims) = (forge.header.to_string(), forge.claims.to_string());
    for twice in ["\"alg\":\"RS256\"", "\"kid\":\"x\"", "\"typ\":\"JWT\""] {
        let header = format!("{{{twice},{}", &good[1..]);
        forge.sign(format!("header with {twice} twice"), &header, &claims);
    }
    for header in ["[]", "null", "{", ""] {
        forge.sign(format!("header {header:?}"), header, &claims);
    }
}

fn claims(forge: &mut Forge) {
    let exp = forge.claims["exp"].clone();
    let quoted = json!(exp.to_string()).to_string();
    let float = format!("{exp}.0");
    let listed = json!([exp]).to_string();
    for name in ["exp", "iat", "nbf"] {
        for value in [
            &*quoted, &*float, "1e30", "-1", &*listed, "null", "{}", "true",
        ] {
            forge.claim(name, Some(value));
        }
    }
    for (name, value) in [("exp", "0"), ("iat", "99999999999"), ("nbf", "99999999999")] {
        forge.claim(name, Some(value));
    }
    for name in ["iss", "aud", "sub", "exp", "iat", "jti", "role", "scope"] {
        forge.claim(name, None);
        let (header, all) = (forge.header.to_string(), forge.claims.to_string());
        let twice = format!("{{\"{name}\":{},{}", forge.claims[name], &all[1..]);
        forge.sign(format!("claim {name} twice"), &header, &twice);
    }
    for (name, value) in [
        ("iss", json!("http://localhost:8000/")),
        ("iss", json!("https://evil.example")),
        ("iss", json!(["http://localhost:8000"])),
        ("aud", json!("Interline")),
        ("aud", json!(["interline"])),
        ("aud", json!(["other", "interline"])),
        ("sub", json!("")),
        ("sub", json!(["usr_1"])),
        ("jti", json!(7)),
        ("role", json!("root")),
        ("role", json!("Admin")),
        ("role", json!(["admin"])),
        ("scope", json!(["offers:read"])),
        ("sid", json!(["log_1"])),
        ("sid", json!("")),
        ("client_id", json!(null)),
    ] {
        forge.claim(name, Some(&value.to_string()));
    }
}

fn forms(forge: &mut Forge) {
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    let good = signed(&forge.key, &RSA_PKCS1_SHA256, &header, &claims);
    let parts: Vec<&str> = good.split('.').collect();
    let [h, p, s] = parts[..] else { panic!() };
    let none = b64(with(&forge.header, "alg", Some("\"none\"")));
    let hs256 = format!("{}.{p}", b64(with(&forge.header, "alg", Some("\"HS256\""))));
    let der: PublicKeyX509Der<'_> = forge.key.public_key().as_der().unwrap();
    let pem = to_pem("PUBLIC KEY", der.as_ref());
    let n = forge.key.public_key().modulus();
    let n = n.big_endian_without_leading_zero().to_vec();
    let jwk = json!({"kty": "RSA", "e": "AQAB", "n": b64(&n)}).to_string();
    for (name, secret) in [
        ("PEM", pem.trim().as_bytes()),
        ("PEM with its line end", pem.as_bytes()),
        ("DER", der.as_ref()),
        ("JWK", jwk.as_bytes()),
        ("modulus", &n),
        ("nothing", b""),
    ] {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = b64(hmac::sign(&secret, hs256.as_bytes()));
        forge.add(
            format!("HS256 with the key's {name}"),
            format!("{hs256}.{tag}"),
        );
        let tag = b64(hmac::sign(&secret, format!("{h}.{p}").as_bytes()));
        forge.add(
            format!("the same, called RS256: {name}"),
            format!("{h}.{p}.{tag}"),
        );
    }
    let other = signed(&forge.stranger, &RSA_PKCS1_SHA256, &header, &claims);
    forge.add("another key", other);
    let their = forge.stranger.public_key().modulus();
    let their =
        json!({"kty": "RSA", "e": "AQAB", "n": b64(their.big_endian_without_leading_zero())});
    let embedded = with(&forge.header, "jwk", Some(&their.to_string()));
    let embedded = signed(&forge.stranger, &RSA_PKCS1_SHA256, &embedded, &claims);
    forge.add("another key, embedded", embedded);
    for name in ["jku", "x5u"] {
        let address = json!(forge.elsewhere).to_string();
        let header = with(&forge.header, name, Some(&address));
        let token = signed(&forge.stranger, &RSA_PKCS1_SHA256, &header, &claims);
        forge.add(format!("another key, by {name}"), token);
    }
    let rs384 = signed(&forge.key, &RSA_PKCS1_SHA384, &header, &claims);
    forge.add("RS384 called RS256", rs384);
    let pss = signed(&forge.key, &RSA_PSS_SHA256, &header, &claims);
    forge.add("PS256 called RS256", pss);
    let reversed: String = s.chars().rev().collect();
    let standard = STANDARD.encode(URL_SAFE_NO_PAD.decode(s).unwrap());
    let admin = b64(with(&forge.claims, "role", Some("\"admin\"")));
    for (name, token) in [
        ("none, no signature", format!("{none}.{p}.")),
        ("none, 2 segments", format!("{none}.{p}")),
        ("none, the old signature", format!("{none}.{p}.{s}")),
        ("2 segments", format!("{h}.{p}")),
        ("no signature", format!("{h}.{p}.")),
        ("4 segments", format!("{good}.{s}")),
        ("a dot more", format!("{good}.")),
        ("a dot in front", format!(".{good}")),
        ("5 segments, as a JWE", format!("{h}.{p}.{s}.{s}.{s}")),
        ("dots", "..".to_owned()),
        ("no header", format!(".{p}.{s}")),
        ("no claims", format!("{h}..{s}")),
        ("padded header", format!("{h}=.{p}.{s}")),
        ("padded claims", format!("{h}.{p}=.{s}")),
        ("padded signature", format!("{good}==")),
        ("a space in it", format!("{h}. {p}.{s}")),
        ("a space in front", format!(" {good}")),
        ("a tab behind", format!("{good}\t.")),
        ("standard base64", format!("{h}.{p}.{standard}")),
        ("reversed signature", format!("{h}.{p}.{reversed}")),
        ("cut signature", format!("{h}.{p}.{}", &s[..s.len() - 4])),
        ("longer signature", format!("{good}AAAA")),
        ("a signature of zeros", format!("{h}.{p}.{}", b64([0; 256]))),
        ("other claims", format!("{h}.{admin}.{s}")),
        (
            "JSON",
            json!({"protected": h, "payload": p, "signature": s}).to_string(),
        ),
        ("a scheme in front", format!("Bearer {good}")),
        ("quoted", format!("\"{good}\"")),
        ("empty", String::new()),
        ("over 8 KiB", "a".repeat(8 * 1024 + 1)),
    ] {
        forge.add(name, token);
    }
    let pad = json!("x".repeat(7000)).to_string();
    forge.claim("pad", Some(&pad));
}

/// What is answered to a token, without what differs between any two answers.
async fn answer(stack: &Stack, token: &str) -> (u16, String, Value) {
    let request = stack.client.get(stack.url(PATH));
    let request = request.header("authorization", format!("Bearer {token}"));
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let challenge = answer.headers().get("www-authenticate");
    let challenge = challenge
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    let mut body: Value = answer.json().await.unwrap();
    body["meta"].take();
    (status, challenge, body)
}

#[tokio::test]
async fn every_mutation_of_a_good_token_is_401_with_the_same_bytes_in_no_time() {
    let stack = Stack::new().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", elsewhere.local_addr().unwrap());
    let mut forge = Forge::new(&stack, url);
    headers(&mut forge);
    claims(&mut forge);
    forms(&mut forge);
    let good = stack.token(Role::Agent);
    assert_eq!(answer(&stack, &good).await.0, 200);
    stack.echo.take();
    let began = Instant::now();
    let first = answer(&stack, "x").await;
    assert_eq!(first.0, 401);
    let mut slowest = Duration::ZERO;
    for (name, token) in &forge.made {
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let sent = Instant::now();
            assert_eq!(answer(&stack, token).await, first, "{name}");
            best = best.min(sent.elapsed());
        }
        assert!(best < Duration::from_millis(5), "{name} took {best:?}");
        slowest = slowest.max(best);
    }
    let distinct: HashSet<&String> = forge.made.iter().map(|(_, token)| token).collect();
    println!(
        "{} different mutations of a good token: all 401 with the same body, the slowest in {slowest:?}",
        distinct.len()
    );
    assert!(distinct.len() >= 130, "{}", distinct.len());
    assert!(stack.echo.take().is_empty(), "nothing reached a service");
    let visited = tokio::time::timeout(Duration::from_millis(200), elsewhere.accept()).await;
    assert!(visited.is_err(), "somebody fetched what a token named");
    let fetches = u64::try_from(stack.issuer.keys_asked()).unwrap();
    assert!(fetches <= 2 + began.elapsed().as_secs() / 5, "{fetches}");
    assert_eq!(answer(&stack, &good).await.0, 200);
}

#[tokio::test]
async fn a_token_of_a_megabyte_is_refused_before_it_is_read() {
    let stack = Stack::new().await;
    let request = format!(
        "GET {PATH} HTTP/1.1\r\nHost: g.test\r\nAuthorization: Bearer {}\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let answer = stack.raw(request.as_bytes()).await;
    // Over the limit of the header fields, which comes before the token's own.
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer:.80}"
    );
}

#[tokio::test]
async fn a_flood_of_invented_key_names_costs_one_fetch_per_cool_down() {
    let stack = Stack::new().await;
    assert_eq!(stack.answers(&stack.token(Role::Agent)).await, 200);
    assert_eq!(stack.issuer.keys_asked(), 1);
    let mut forge = Forge::new(&stack, String::new());
    for number in 0..40 {
        forge.header(
            "kid",
            Some(&json!(format!("invented-{number}")).to_string()),
        );
    }
    let signatures: Vec<String> = forge.made.iter().map(|(_, token)| token.clone()).collect();
    let began = Instant::now();
    let mut sent = 0_u32;
    // Past one cool-down of five seconds.
    while began.elapsed() < Duration::from_secs(7) {
        let (_, rest) = signatures[0].split_once('.').unwrap();
        let many = (0..20).map(|number| {
            let kid = format!("random-{sent}-{number}");
            let header = with(&forge.header, "kid", Some(&json!(kid).to_string()));
            let token = match signatures.get(usize::try_from(sent).unwrap() + number) {
                Some(signed) => signed.clone(),
                None => format!("{}.{rest}", b64(header)),
            };
            let stack = &stack;
            async move { stack.answers(&token).await }
        });
        let answers = futures_util::future::join_all(many).await;
        assert!(answers.iter().all(|status| *status == 401));
        sent += 20;
    }
    let fetches = stack.issuer.keys_asked() - 1;
    println!(
        "{sent} tokens with random kids in {:?}: {fetches} fetches of the keys",
        began.elapsed()
    );
    let cool_downs = usize::try_from(began.elapsed().as_secs() / 5).unwrap();
    assert!(fetches <= cool_downs + 1, "{fetches} in {cool_downs}");
    assert_eq!(stack.answers(&stack.token(Role::Agent)).await, 200);
}
