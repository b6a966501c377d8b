use serde_json::Value;

use super::*;
use crate::jwks::KeySet;

/// Whether a token is accepted with the key or keys of a group of vectors.
fn accepted(keys: &Value, token: &Value) -> bool {
    let document = match keys.get("keys") {
        Some(_) => keys.clone(),
        None => serde_json::json!({ "keys": [keys] }),
    };
    // A token in JSON serialisation is an object: what a client would send is its text.
    let token = token
        .as_str()
        .map_or_else(|| token.to_string(), str::to_owned);
    let Ok(keys) = KeySet::read(document.to_string().as_bytes()) else {
        return false;
    };
    Unverified::read(&token)
        .and_then(|token| token.verify(&*keys.get(token.kid())?))
        .is_some()
}

/// The vectors' tokens that are accepted and refused, `(right, wrong)`, with RS256 pinned: a token of
/// another algorithm is refused however good it is.
fn count(vectors: &str) -> (usize, usize) {
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let (mut accepted_count, mut refused_count) = (0, 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        let keys = group
            .get("public")
            .or_else(|| group.get("private"))
            .unwrap();
        for test in group["tests"].as_array().unwrap() {
            let Some(token) = test.get("jws") else {
                continue;
            };
            let header = token
                .as_str()
                .and_then(|token| URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok())
                .and_then(|header| serde_json::from_slice::<Value>(&header).ok());
            let ours = header.is_some_and(|header| header["alg"] == "RS256");
            let expected = test["result"] == "valid" && ours;
            assert_eq!(accepted(keys, token), expected, "{test}");
            if expected {
                accepted_count += 1;
            } else {
                refused_count += 1;
            }
        }
    }
    (accepted_count, refused_count)
}

#[test]
fn of_the_published_vectors_every_valid_rs256_token_is_accepted_and_nothing_else() {
    let signature = count(include_str!(
        "../../tests/vectors/json_web_signature_test.json"
    ));
    let key = count(include_str!("../../tests/vectors/json_web_key_test.json"));
    let crypto = count(include_str!(
        "../../tests/vectors/json_web_crypto_test.json"
    ));
    for (name, (accepted, refused)) in [
        ("json_web_signature", signature),
        ("json_web_key", key),
        ("json_web_crypto", crypto),
    ] {
        println!(
            "{name}: {accepted} valid RS256 tokens of {accepted} accepted, 0 of {refused} others"
        );
    }
    assert_eq!(signature.0, 8);
    assert_eq!(key.0, 1);
    assert_eq!(crypto.0, 1);
}
