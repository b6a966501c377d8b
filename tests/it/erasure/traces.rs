//! Looking for values in every form in which they could have been left behind.

use std::collections::HashMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// Bytes that every form has at least.
const KEY: usize = 6;

/// Values in all their forms.
pub(super) struct Traces {
    /// By their first bytes.
    forms: HashMap<[u8; KEY], Vec<Vec<u8>>>,
    /// Whether two bytes begin any form: most places are passed with a look at this.
    begins: Vec<bool>,
    pub(super) count: usize,
}

/// The text that stands in base64 of anything that contains the value, wherever in it.
fn within_base64(value: &[u8], engine: &GeneralPurpose, offset: usize) -> Vec<u8> {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(value);
    let text = engine.encode(&bytes).into_bytes();
    let first = (offset * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    text[first..last].to_vec()
}

fn url_encoded(value: &str, lower: bool) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ if lower => write!(text, "%{byte:02x}").unwrap(),
            _ => write!(text, "%{byte:02X}").unwrap(),
        }
        text
    })
}

/// Every form of one value.
pub(super) fn forms_of(value: &str) -> Vec<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_encode_padding(false);
    let engines = [
        GeneralPurpose::new(&alphabet::STANDARD, config),
        GeneralPurpose::new(&alphabet::URL_SAFE, config),
    ];
    let hex = |upper: bool| {
        value.bytes().fold(String::new(), |mut text, byte| {
            match upper {
                true => write!(text, "{byte:02X}").unwrap(),
                false => write!(text, "{byte:02x}").unwrap(),
            }
            text
        })
    };
    let json = serde_json::to_string(value).unwrap();
    let json = json.trim_matches('"').to_owned();
    let ascii_json = value.chars().fold(String::new(), |mut text, c| {
        match c {
            '"' | '\\' => write!(text, "\\{c}").unwrap(),
            c if c.is_ascii() => text.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(text, "\\u{unit:04x}").unwrap();
                }
            }
        }
        text
    });
    let mut forms: Vec<Vec<u8>> = [
        value.to_owned(),
        value.to_lowercase(),
        value.to_uppercase(),
        hex(false),
        hex(true),
        url_encoded(value, false),
        url_encoded(value, true),
        url_encoded(value, false).replace("%20", "+"),
        json,
        ascii_json,
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    for text in [value.to_owned(), value.to_lowercase(), value.to_uppercase()] {
        for engine in &engines {
            forms.extend((0..3).map(|offset| within_base64(text.as_bytes(), engine, offset)));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

impl Traces {
    pub(super) fn of(values: &[String]) -> Self {
        let mut traces = Self {
            forms: HashMap::new(),
            begins: vec![false; 1 << 16],
            count: 0,
        };
        for value in values {
            for form in forms_of(value) {
                let key = *form.first_chunk::<KEY>().unwrap();
                traces.begins[usize::from(u16::from_be_bytes([key[0], key[1]]))] = true;
                traces.forms.entry(key).or_default().push(form);
                traces.count += 1;
            }
        }
        traces
    }

    /// Every form that stands in the bytes, as often as it does.
    pub(super) fn in_bytes(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for (at, window) in bytes.windows(KEY).enumerate() {
            if !self.begins[usize::from(u16::from_be_bytes([window[0], window[1]]))] {
                continue;
            }
            let Some(forms) = self.forms.get(window) else {
                continue;
            };
            for form in forms {
                if bytes[at..].starts_with(form) {
                    found.push(String::from_utf8_lossy(form).into_owned());
                }
            }
        }
        found
    }
}

#[test]
fn every_form_is_found_wherever_it_stands() {
    let value = "Renamedabcd d'Planté";
    let traces = Traces::of(&[value.to_owned(), "planted.abcd@mail.example".to_owned()]);
    for form in forms_of(value) {
        let mut bytes = b"before, \x00\xff".to_vec();
        bytes.extend_from_slice(&form);
        bytes.extend_from_slice(b" after");
        assert!(!traces.in_bytes(&bytes).is_empty(), "{form:?}");
    }
    // Within longer texts that were encoded as a whole.
    for before in ["", "x", "xy", "xyz"] {
        let whole = format!("{before}{value}, and more");
        for engine in [
            base64::engine::general_purpose::STANDARD,
            base64::engine::general_purpose::URL_SAFE_NO_PAD,
        ] {
            assert!(!traces.in_bytes(engine.encode(&whole).as_bytes()).is_empty());
        }
    }
    assert!(
        traces
            .in_bytes(b"nothing of the kind, nor planted.abce@mail.example")
            .is_empty()
    );
}
