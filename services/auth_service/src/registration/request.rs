//! What a registration says and is answered with.

use serde::{Deserialize, Serialize};
use service_kit::ApiError;
use settings::SecretString;
use travel_types::FieldErrors;
use utoipa::ToSchema;

use crate::accounts::{Personal, normalise};
use crate::passwords::rules;

/// The longest name in characters.
const MAX_NAME: usize = 200;

/// A person who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterRequest {
    /// The address to log in with.
    #[schema(format = Email, min_length = 3, max_length = 254, example = "tony@example.com")]
    email: String,
    /// At least 8 characters, not among the passwords that are tried first.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 1024, example = "three kiwis on a tram")]
    password: SecretString,
    /// The person's name.
    #[schema(min_length = 1, max_length = 200, example = "Tony Stark")]
    full_name: String,
}

/// What was taken; the same whether or not the address has an account.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pending {
    /// The address, as it is spelled from now on.
    #[schema(format = Email, example = "tony@example.com")]
    email: String,
    /// Always `pending`: a mail says how to go on.
    #[schema(example = "pending")]
    status: &'static str,
}

impl Pending {
    pub(crate) fn of(email: String) -> Self {
        Self {
            email,
            status: "pending",
        }
    }
}

/// The token of the mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmRequest {
    /// The `token` of the mail's link; worth nothing once it was used.
    #[schema(value_type = String)]
    pub(crate) token: SecretString,
}

/// An address that is confirmed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Confirmed {
    /// The address to log in with.
    #[schema(format = Email, example = "tony@example.com")]
    email: String,
    /// Always `confirmed`.
    #[schema(example = "confirmed")]
    status: &'static str,
}

impl Confirmed {
    pub(crate) fn of(email: String) -> Self {
        Self {
            email,
            status: "confirmed",
        }
    }
}

/// A request that may become an account.
pub(crate) struct Candidate {
    pub(crate) personal: Personal,
    pub(crate) password: SecretString,
}

impl RegisterRequest {
    /// # Errors
    /// 422 that names each bad field.
    pub(crate) fn checked(self) -> Result<Candidate, ApiError> {
        let mut fields = FieldErrors::new();
        let email = address(&mut fields, "email", &self.email);
        let full_name = name(&mut fields, "full_name", &self.full_name);
        let password = rules::normalised(&self.password);
        rules::check(&mut fields, "password", &password, Some(&email));
        let personal = Personal { email, full_name };
        Ok(fields.or(Candidate { personal, password })?)
    }
}

/// An address in its one spelling (RFC 5321 §4.5.3.1: at most 64 characters, `@`, a domain). Whether it
/// exists, only a mail can tell.
pub(crate) fn address(fields: &mut FieldErrors, field: &str, text: &str) -> String {
    let email = normalise(text.get(..1024).unwrap_or(text));
    let is = |part: &str, most: usize| {
        (1..=most).contains(&part.chars().count())
            && !part
                .chars()
                .any(|c| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"".contains(c))
    };
    let right = text.len() <= 1024
        && email.chars().count() <= 254
        && email.rsplit_once('@').is_some_and(|(local, domain)| {
            is(local, 64)
                && !local.contains('@')
                && is(domain, 253)
                && domain.split('.').all(|label| !label.is_empty())
        });
    fields.check(
        right,
        field,
        "INVALID",
        "must be an e-mail address such as tony@example.com, of at most 254 characters",
    );
    email
}

/// A name as it is kept.
pub(crate) fn name(fields: &mut FieldErrors, field: &str, text: &str) -> String {
    let name = text.trim();
    fields.check(
        (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control),
        field,
        "INVALID",
        "must have 1 to 200 characters, none of them control characters",
    );
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_two_parts_and_nothing_that_a_mail_would_trip_over() {
        let right = |text: &str| {
            let mut fields = FieldErrors::new();
            address(&mut fields, "email", text);
            fields.is_empty()
        };
        for good in [
            "a@b.example",
            " Tony.Stark+x@Example.COM ",
            "o'hara@b.example",
            "jos\u{e9}@b\u{fc}cher.example",
            "a@localhost",
        ] {
            assert!(right(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b..c",
            "a@b\r\nBcc: x@y",
            "a\0@b",
            "<a@b>",
            &format!("{}@b", "x".repeat(65)),
            &format!("a@{}", "x".repeat(260)),
            &"\u{fdfa}".repeat(5000),
        ] {
            assert!(!right(bad), "{bad:.60}");
        }
    }
}
