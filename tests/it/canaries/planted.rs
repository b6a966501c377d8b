//! Values that must appear in no log and no metric, and the search for them in every form in which a
//! program could have written them.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use travel_types::{Clock, OrderId};

/// Values by what they are, such as `password`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planted(BTreeMap<String, &'static str>);

/// The values of one round of requests.
#[derive(Clone, Debug)]
pub(crate) struct Canaries {
    pub(crate) password: String,
    pub(crate) new_password: String,
    pub(crate) email: String,
    pub(crate) given_name: String,
    pub(crate) family_name: String,
    pub(crate) phone: String,
    pub(crate) passport: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) api_key: String,
    pub(crate) client_secret: String,
    pub(crate) link_token: String,
}

/// Random letters and digits.
pub(crate) fn fresh() -> String {
    OrderId::new(&Clock::system()).compact(15).to_lowercase()
}

/// Random digits.
fn digits(count: usize) -> String {
    let text = fresh() + &fresh();
    let digits = text.bytes().map(|byte| char::from(b'0' + byte % 10));
    digits.take(count).collect()
}

/// Random letters.
fn letters() -> String {
    let text = fresh();
    text.bytes()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}

impl Canaries {
    pub(crate) fn new() -> Self {
        let email = format!("{}.o'neill+trip@example.com", fresh());
        let claims = serde_json::json!({"sub": fresh(), "email": email, "exp": 4_102_444_800_u64});
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let header = part(r#"{"alg":"RS256","typ":"JWT","kid":"canary"}"#);
        let signature = part(&(fresh() + &fresh() + &fresh()));
        Self {
            password: format!("Pä55/wörd\"{} + {}!", fresh(), fresh()),
            new_password: format!("N3w&pass=w?rd{}%{}#", fresh(), fresh()),
            given_name: format!("Zéphyrine{}", letters()),
            family_name: format!("Quillfeather{}", letters()),
            phone: format!("+4477{}", digits(10)),
            passport: format!("X{}", digits(11)),
            access_token: format!("{header}.{}.{signature}", part(&claims.to_string())),
            refresh_token: format!("{}{}{}", fresh(), fresh(), fresh()),
            api_key: format!("ilk_{}_{}{}", fresh(), fresh(), fresh()),
            client_secret: format!("{}-{}", fresh(), fresh()),
            link_token: format!("{}_{}", fresh(), fresh()),
            email,
        }
    }

    /// Each with what it is.
    pub(crate) fn all(&self) -> [(&'static str, &str); 12] {
        [
            ("password", &self.password),
            ("new password", &self.new_password),
            ("e-mail", &self.email),
            ("given name", &self.given_name),
            ("family name", &self.family_name),
            ("phone", &self.phone),
            ("passport", &self.passport),
            ("access token", &self.access_token),
            ("refresh token", &self.refresh_token),
            ("API key", &self.api_key),
            ("client secret", &self.client_secret),
            ("link token", &self.link_token),
        ]
    }
}

impl Planted {
    pub(crate) fn add(&mut self, what: &'static str, value: &str) {
        self.0.insert(value.to_owned(), what);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The kinds of values.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        let mut kinds: Vec<_> = self.0.values().copied().collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Everything that must not be found: form by form.
    pub(crate) fn search(&self) -> Search {
        let mut search = Search::default();
        for (value, what) in &self.0 {
            for (form, text) in forms(value) {
                search.add(format!("{what} {form}"), text);
            }
        }
        search
    }
}

/// How a value could stand in a text.
pub(crate) fn forms(value: &str) -> Vec<(&'static str, String)> {
    let mut forms = vec![
        ("raw", value.to_owned()),
        ("in lower case", value.to_lowercase()),
        ("in hex", hex(value, false)),
        ("in hex, upper case", hex(value, true)),
        ("URL-encoded", url_encoded(value, true, false)),
        ("URL-encoded, lower case", url_encoded(value, false, false)),
        ("form-encoded", url_encoded(value, true, true)),
        ("JSON-escaped", json_escaped(value)),
        ("JSON-escaped in ASCII", ascii_escaped(value)),
        ("JSON-escaped twice", json_escaped(&json_escaped(value))),
        ("as debugged", trimmed(&format!("{value:?}"))),
    ];
    // What is encoded together with other bytes looks different, by their number: the part that no
    // neighbour touches is the same.
    for offset in 0..3 {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(value.as_bytes());
        let skip = [0, 2, 3][offset];
        let whole = bytes.len() / 3 * 4;
        for (form, text) in [
            ("in base64", STANDARD_NO_PAD.encode(&bytes)),
            ("in base64url", URL_SAFE_NO_PAD.encode(&bytes)),
        ] {
            forms.push((form, text[skip..whole].to_owned()));
        }
    }
    forms
}

fn hex(value: &str, upper: bool) -> String {
    value
        .bytes()
        .map(|byte| match upper {
            true => format!("{byte:02X}"),
            false => format!("{byte:02x}"),
        })
        .collect()
}

pub(crate) fn url_encoded(value: &str, upper: bool, form: bool) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b' ' if form => "+".to_owned(),
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}

fn trimmed(quoted: &str) -> String {
    quoted[1..quoted.len() - 1].to_owned()
}

fn json_escaped(value: &str) -> String {
    trimmed(&serde_json::Value::from(value).to_string())
}

fn ascii_escaped(value: &str) -> String {
    let escaped = json_escaped(value);
    let units = escaped.encode_utf16();
    units
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect()
}

/// Looks for thousands of texts at once: by their first eight bytes, then whole.
#[derive(Debug, Default)]
pub(crate) struct Search(HashMap<u64, Vec<(String, String)>>);

impl Search {
    fn add(&mut self, what: String, text: String) {
        let start = text.as_bytes().first_chunk::<8>();
        let start = start.unwrap_or_else(|| panic!("{what} is too short to be looked for: {text}"));
        let same = self.0.entry(u64::from_be_bytes(*start)).or_default();
        if same.iter().all(|(_, known)| *known != text) {
            same.push((what, text));
        }
    }

    /// How many texts are looked for.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// What is found in a text, with some of what stands around it.
    pub(crate) fn hits(&self, text: &str) -> Vec<String> {
        let bytes = text.as_bytes();
        let mut start = 0_u64;
        let mut hits = Vec::new();
        for (end, byte) in bytes.iter().enumerate() {
            start = start << 8 | u64::from(*byte);
            let Some(candidates) = (end >= 7).then(|| self.0.get(&start)).flatten() else {
                continue;
            };
            let place = end - 7;
            for (what, value) in candidates {
                if bytes[place..].starts_with(value.as_bytes()) {
                    let around = &bytes[place.saturating_sub(120)..bytes.len().min(place + 160)];
                    hits.push(format!("{what}: …{}…", String::from_utf8_lossy(around)));
                }
            }
        }
        hits
    }
}

#[test]
fn a_value_is_found_in_each_of_its_forms_wherever_it_stands() {
    let canaries = Canaries::new();
    let mut planted = Planted::default();
    for (what, value) in canaries.all() {
        planted.add(what, value);
    }
    let search = planted.search();
    assert!(search.hits("a log line without any of them").is_empty());
    for (what, value) in canaries.all() {
        for (form, text) in forms(value) {
            let line = format!("before {text} after");
            assert!(!search.hits(&line).is_empty(), "{what} {form}");
        }
        for before in ["", "a", "ab", "abc"] {
            let text = STANDARD_NO_PAD.encode(format!("{before}{value}&x=1"));
            assert!(
                !search.hits(&text).is_empty(),
                "{what} after {before:?} in base64"
            );
        }
    }
}
