//! The people on a trip, as every vertical's order takes them.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::FieldErrors;

/// Form of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Title {
    Mr,
    Ms,
    Mrs,
    Miss,
    Dr,
}

/// Gender as travel documents state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Gender {
    Female,
    Male,
}

/// A travel document.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `passport`, `identity_card` or another kind that the supplier names.
    #[serde(rename = "type")]
    #[schema(
        example = "passport",
        min_length = 1,
        max_length = 40,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub kind: String,
    /// The number on it.
    #[schema(
        min_length = 1,
        max_length = 40,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub number: String,
    /// ISO 3166-1 alpha-2 of the issuing country.
    #[schema(example = "GB", pattern = "^[A-Z]{2}$")]
    pub issuing_country: String,
    /// The last day it is valid.
    #[schema(value_type = String, format = Date)]
    #[serde(deserialize_with = "plain_date")]
    pub expires_on: Date,
}

/// A person who travels.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Traveller {
    /// Form of address. Some suppliers require it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// As in the travel document.
    #[schema(
        example = "Amelia",
        min_length = 1,
        max_length = 80,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub given_name: String,
    /// As in the travel document.
    #[schema(
        example = "Earhart",
        min_length = 1,
        max_length = 80,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub family_name: String,
    /// Date of birth.
    #[schema(value_type = String, format = Date, example = "1987-07-24")]
    #[serde(deserialize_with = "plain_date")]
    pub born_on: Date,
    /// As in the travel document. Some suppliers require it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    /// The contact's is used where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Email, max_length = 254, pattern = r"^[^@\s\u0000-\u001f\u007f-\u009f]{1,64}@[^@.\s\u0000-\u001f\u007f-\u009f]+(\.[^@.\s\u0000-\u001f\u007f-\u009f]+)+$")]
    pub email: Option<String>,
    /// E.164; the contact's is used where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = r"^\+[1-9][0-9]{6,14}$")]
    pub phone: Option<String>,
    /// Travel documents, where the offer requires them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
}

/// Whom to reach about the order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// An e-mail address.
    #[schema(example = "amelia@example.com", format = Email, max_length = 254, pattern = r"^[^@\s\u0000-\u001f\u007f-\u009f]{1,64}@[^@.\s\u0000-\u001f\u007f-\u009f]+(\.[^@.\s\u0000-\u001f\u007f-\u009f]+)+$")]
    pub email: String,
    /// E.164, e.g. `+442080160509`.
    #[schema(example = "+442080160509", pattern = r"^\+[1-9][0-9]{6,14}$")]
    pub phone: String,
}

// Names, documents and addresses are personal: a stray `{:?}` must not put them into a log.
impl std::fmt::Debug for Traveller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Traveller(masked)")
    }
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(masked)")
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Document(masked)")
    }
}

impl Traveller {
    /// Full years of age on a day; negative before birth.
    pub fn age_on(&self, day: Date) -> i16 {
        let years = day.year() - self.born_on.year();
        let had_birthday = (day.month(), day.day()) >= (self.born_on.month(), self.born_on.day());
        if had_birthday { years } else { years - 1 }
    }

    /// Adds what is wrong with this traveller to `errors`, under the JSON path `path`.
    pub fn check(&self, path: &str, today: Date, errors: &mut FieldErrors) {
        check_name(&self.given_name, &format!("{path}.given_name"), errors);
        check_name(&self.family_name, &format!("{path}.family_name"), errors);
        errors.check(
            self.born_on <= today && self.age_on(today) <= 120,
            format!("{path}.born_on"),
            "INVALID_DATE",
            "must be a date of birth in the past, at most 120 years ago",
        );
        if let Some(email) = &self.email {
            check_email(email, &format!("{path}.email"), errors);
        }
        if let Some(phone) = &self.phone {
            check_phone(phone, &format!("{path}.phone"), errors);
        }
        for (index, document) in self.documents.iter().enumerate() {
            let path = format!("{path}.documents[{index}]");
            errors.check(
                is_text(&document.kind, 40),
                format!("{path}.type"),
                "INVALID",
                "must name the kind of document, e.g. passport",
            );
            errors.check(
                is_text(&document.number, 40),
                format!("{path}.number"),
                "INVALID",
                "must have 1 to 40 characters, none of them control characters",
            );
            errors.check(
                is_country(&document.issuing_country),
                format!("{path}.issuing_country"),
                "INVALID_COUNTRY",
                "must be two letters (ISO 3166-1 alpha-2), e.g. GB",
            );
            errors.check(
                document.expires_on >= today,
                format!("{path}.expires_on"),
                "DOCUMENT_EXPIRED",
                "must not be in the past",
            );
        }
    }
}

impl Contact {
    /// Adds what is wrong with this contact to `errors`, under the JSON path `path`.
    pub fn check(&self, path: &str, errors: &mut FieldErrors) {
        check_email(&self.email, &format!("{path}.email"), errors);
        check_phone(&self.phone, &format!("{path}.phone"), errors);
    }
}

fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// Whether a text has something to read, at most `most` characters, and none that controls.
fn is_text(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// A date as `YYYY-MM-DD` and in no other of the forms of ISO 8601.
fn plain_date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    Some(text)
        .filter(|text| text.len() == 10)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| serde::de::Error::custom("must be a date such as 1987-07-24"))
}

fn check_name(name: &str, path: &str, errors: &mut FieldErrors) {
    errors.check(
        is_text(name, 80),
        path,
        "INVALID_NAME",
        "must have 1 to 80 characters, none of them control characters",
    );
}

fn check_email(email: &str, path: &str, errors: &mut FieldErrors) {
    let valid = email.chars().count() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local.chars().count() <= 64
                && domain.contains('.')
                && !domain.contains('@')
                && domain.split('.').all(|label| !label.is_empty())
        });
    errors.check(valid, path, "INVALID_EMAIL", "must be an e-mail address");
}

fn check_phone(phone: &str, path: &str, errors: &mut FieldErrors) {
    let valid = phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    });
    errors.check(
        valid,
        path,
        "INVALID_PHONE",
        "must be an E.164 number, e.g. +442080160509",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amelia() -> Traveller {
        serde_json::from_value(serde_json::json!({
            "given_name": "Amelia", "family_name": "Earhart", "born_on": "1987-07-24",
            "documents": [{"type": "passport", "number": "P1", "issuing_country": "GB", "expires_on": "2030-01-01"}]
        }))
        .unwrap()
    }

    #[test]
    fn age_turns_on_the_birthday() {
        let person = amelia();
        assert_eq!(person.age_on("2026-07-23".parse().unwrap()), 38);
        assert_eq!(person.age_on("2026-07-24".parse().unwrap()), 39);
    }

    #[test]
    fn every_bad_field_is_named_once() {
        let mut person = amelia();
        person.family_name = " ".into();
        person.born_on = "2027-01-01".parse().unwrap();
        person.email = Some("nobody".into());
        person.phone = Some("0208".into());
        if let Some(document) = person.documents.first_mut() {
            document.issuing_country = "gb".into();
        }
        let mut errors = FieldErrors::new();
        person.check("travellers[0]", "2026-11-21".parse().unwrap(), &mut errors);
        let fields: Vec<String> = errors.into_vec().into_iter().map(|e| e.field).collect();
        assert_eq!(
            fields,
            [
                "travellers[0].family_name",
                "travellers[0].born_on",
                "travellers[0].email",
                "travellers[0].phone",
                "travellers[0].documents[0].issuing_country"
            ]
        );
    }

    #[test]
    fn a_date_is_read_in_its_one_form() {
        let read = |date: &str| {
            serde_json::from_value::<Traveller>(serde_json::json!({
                "given_name": "Amelia", "family_name": "Earhart", "born_on": date,
            }))
        };
        assert!(read("1987-07-24").is_ok());
        for date in [
            "19870724",
            "1987-07-24T10:00:00",
            "1987-07-24[Europe/London]",
            "+001987-07-24",
            "1987-W30-5",
            "1987-02-30",
            "",
        ] {
            assert!(read(date).is_err(), "{date}");
        }
    }

    #[test]
    fn personal_data_does_not_reach_a_debug_print() {
        assert!(!format!("{:?}", amelia()).contains("Amelia"));
    }
}
