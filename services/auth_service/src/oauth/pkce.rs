//! Proof Key for Code Exchange (RFC 7636), with S256 alone.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::sessions::hash_of;

/// Whether this can be an S256 challenge: SHA-256 in base64url.
pub(super) fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(is_base64url)
}

/// Whether the verifier is the one that the challenge was made from.
pub(super) fn proves(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| is_base64url(byte) || matches!(byte, b'.' | b'~');
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && verify_slices_are_equal(hash_of(verifier).as_bytes(), challenge.as_bytes()).is_ok()
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_proves_itself_and_nothing_else_does() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(is_challenge(challenge) && proves(verifier, challenge));
        assert!(!proves(challenge, challenge), "plain");
        assert!(!proves("short", &hash_of("short")));
        assert!(!proves(&"x".repeat(129), &hash_of(&"x".repeat(129))));
        for wrong in ["", "short", &format!("{challenge}="), &"é".repeat(22)] {
            assert!(!is_challenge(wrong), "{wrong}");
        }
    }
}
