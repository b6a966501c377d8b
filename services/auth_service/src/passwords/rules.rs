//! Which passwords an account may have (NIST SP 800-63B-4 §3.1.1.2): long enough, and nothing that is
//! tried first. No rule says which characters it must be made of.

use std::collections::HashSet;
use std::sync::LazyLock;

use settings::{ExposeSecret as _, SecretString};
use travel_types::FieldErrors;
use unicode_normalization::UnicodeNormalization as _;

/// Characters (Unicode code points after NFC) of a password.
pub(crate) const MIN_LENGTH: usize = 8;
pub(crate) const MAX_LENGTH: usize = 1024;
/// No password has more bytes: longer ones are not normalised at all.
const MAX_BYTES: usize = MAX_LENGTH * 4 * 3;
/// The product's name in the ways in which it is typed.
const PRODUCT: [&str; 2] = ["interline", "interlinetravel"];

static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("../../data/common_passwords.txt")
        .lines()
        .collect()
});

/// The password as it is hashed: the same characters typed on another system are the same password.
pub(crate) fn normalised(password: &SecretString) -> SecretString {
    let text = password.expose_secret();
    if text.len() > MAX_BYTES {
        return password.clone();
    }
    text.nfc().collect::<String>().into()
}

/// Adds what is wrong with a new password of somebody with this address. `password` is [`normalised`].
pub(crate) fn check(
    fields: &mut FieldErrors,
    field: &str,
    password: &SecretString,
    email: Option<&str>,
) {
    let text = password.expose_secret();
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&text.chars().count()) {
        let words = "must have 8 to 1024 characters; a few words in a row are easy to keep in mind";
        fields.add(field, "INVALID", words);
        return;
    }
    let folded = text.to_lowercase();
    if is_context(&folded, email) {
        let words =
            "must not be made of the e-mail address or the product's name; choose something else";
        fields.add(field, "INVALID", words);
    } else if COMMON.contains(folded.as_str()) {
        let words = "is among the passwords that are tried first; choose one that nobody else has";
        fields.add(field, "INVALID", words);
    }
}

/// Whether it is what an attacker knows of the account, alone or with a few digits and signs around it.
fn is_context(folded: &str, email: Option<&str>) -> bool {
    let core = folded.trim_matches(|c: char| !c.is_alphabetic());
    let email = email.unwrap_or_default();
    let local = email.split('@').next().unwrap_or_default();
    let untagged = local.split('+').next().unwrap_or_default();
    [email, local, untagged]
        .into_iter()
        .chain(PRODUCT)
        .filter(|word| !word.is_empty())
        .any(|word| {
            let word_core = word.trim_matches(|c: char| !c.is_alphabetic());
            folded == word || (word_core.chars().count() >= 4 && core == word_core)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(password: &str) -> bool {
        let mut fields = FieldErrors::new();
        let password = normalised(&password.into());
        let email = Some("tony.stark+travel@example.com");
        check(&mut fields, "password", &password, email);
        !fields.is_empty()
    }

    #[test]
    fn length_is_counted_in_characters_after_composition_and_no_composition_is_asked_for() {
        for good in [
            "kiwi tram",
            "🦊🦊🦊🦊🦊🦊🦊🦊",
            "zzqqxxjj",
            "      kk",
            &"long ".repeat(204),
        ] {
            assert!(!refused(good), "{good}");
        }
        // Seven characters once e and its accent are one.
        for bad in ["", "seven77", "cafe\u{301} ab", &"x".repeat(1025)] {
            assert!(refused(bad), "{bad}");
        }
        let one: SecretString = "cafe\u{301} con leche".into();
        let other: SecretString = "caf\u{e9} con leche".into();
        assert_eq!(
            normalised(&one).expose_secret(),
            normalised(&other).expose_secret()
        );
    }

    #[test]
    fn what_is_tried_first_is_refused_in_any_case_of_letters() {
        assert!(COMMON.len() >= 10_000);
        for bad in [
            "password",
            "PassWord",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "tony.stark+travel@example.com",
            "Tony.Stark",
            "tony.stark1!",
            "interline",
            "Interline2026!",
        ] {
            assert!(refused(bad), "{bad}");
        }
    }
}
