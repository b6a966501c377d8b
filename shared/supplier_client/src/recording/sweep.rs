//! Finds known values again wherever else they stand: a traveller's name in a message, a token in a
//! link, either of them percent-encoded or in Base64.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::wire::path_segment;

/// Shorter credentials are masked where they stand and looked for nowhere: they would be found in words.
const SHORTEST_CREDENTIAL: usize = 6;
/// The same for what is looked for as a whole word.
const SHORTEST_WORD: usize = 3;
/// The same for whole words made of digits: prices and times are such, too.
const SHORTEST_NUMBER: usize = 6;
/// Shorter words are looked for in sentences alone: an airport may be called as a traveller is.
const SHORTEST_CODE: usize = 5;

/// The value as it may be written elsewhere.
fn spellings(value: &str) -> BTreeSet<String> {
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let mut all = BTreeSet::from([
        path_segment(value),
        lower_escapes(&path_segment(value)),
        lower_escapes(&form),
        form,
        value.to_uppercase(),
        value.to_lowercase(),
        value.to_owned(),
    ]);
    if value.len() >= SHORTEST_CREDENTIAL {
        for base64 in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
            all.insert(base64.encode(value));
        }
    }
    all
}

fn lower_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escape, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        out.push('%');
        out.push_str(&escape.to_lowercase());
        out.push_str(rest);
    }
    out
}

/// Credentials: looked for at any place of any text.
#[derive(Default)]
pub(super) struct Credentials {
    /// Spelling and stand-in, the longest first.
    known: Vec<(String, String)>,
}

impl Credentials {
    pub(super) fn learn(&mut self, value: &str, stand_in: &str) {
        let new = value.len() >= SHORTEST_CREDENTIAL
            && !self.known.iter().any(|(known, _)| known == value);
        if !new {
            return;
        }
        for spelling in spellings(value) {
            self.known.push((spelling, stand_in.to_owned()));
        }
        self.known
            .sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then(a.cmp(b)));
    }

    /// The text without them; none if there are none.
    pub(super) fn swept(&self, text: &str) -> Option<String> {
        let mut out: Option<String> = None;
        for (spelling, stand_in) in &self.known {
            let present = out.as_deref().unwrap_or(text);
            if present.contains(spelling.as_str()) {
                out = Some(present.replace(spelling.as_str(), stand_in));
            }
        }
        out
    }

    /// Whether bytes hold one.
    pub(super) fn within(&self, bytes: &[u8]) -> bool {
        self.known.iter().any(|(spelling, _)| {
            bytes
                .windows(spelling.len())
                .any(|window| window == spelling.as_bytes())
        })
    }
}

struct Word {
    spelling: String,
    /// Where its first word begins.
    offset: usize,
    stand_in: String,
}

/// Values that are looked for as whole words, without case, in time that does not grow with their
/// number.
#[derive(Default)]
pub(super) struct Words {
    by_first: HashMap<String, Vec<Word>>,
}

impl Words {
    pub(super) fn learn(&mut self, value: &str, stand_in: &str) {
        let value = value.trim();
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let shortest = if digits {
            SHORTEST_NUMBER
        } else {
            SHORTEST_WORD
        };
        if value.chars().count() < shortest {
            return;
        }
        for spelling in spellings(value) {
            let Some((offset, first)) = words(&spelling).next() else {
                continue;
            };
            let known = self.by_first.entry(first.to_lowercase()).or_default();
            if !known.iter().any(|word| word.spelling == spelling) {
                known.push(Word {
                    offset,
                    stand_in: stand_in.to_owned(),
                    spelling,
                });
            }
        }
    }

    /// The text without them; none if there are none.
    pub(super) fn swept(&self, text: &str) -> Option<String> {
        if self.by_first.is_empty() {
            return None;
        }
        let sentence = text.contains(char::is_whitespace);
        let mut out = String::new();
        let mut done = 0;
        for (at, first) in words(text) {
            let Some(candidates) = self.by_first.get(&first.to_lowercase()) else {
                continue;
            };
            let found = candidates
                .iter()
                .filter(|word| sentence || word.spelling.len() >= SHORTEST_CODE)
                .filter_map(|word| {
                    let start = at.checked_sub(word.offset).filter(|start| *start >= done)?;
                    let end = start + word.spelling.len();
                    let same = text.get(start..end)?.eq_ignore_ascii_case(&word.spelling);
                    let inside = |c: char| c.is_alphanumeric() || c == '_';
                    let cut = word.spelling.ends_with(inside)
                        && text.get(end..).unwrap_or_default().starts_with(inside);
                    (same && !cut).then_some((start, end, word))
                })
                .max_by_key(|(start, end, _)| end - start);
            if let Some((start, end, word)) = found {
                out.push_str(text.get(done..start).unwrap_or_default());
                out.push_str(&word.stand_in);
                done = end;
            }
        }
        (done > 0).then(|| out + text.get(done..).unwrap_or_default())
    }
}

/// Runs of letters, digits and `_` with their places. A percent-escape is none.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            let first = rest.chars().next()?;
            let escape = rest.get(1..3).is_some_and(|digits| {
                first == '%' && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            if escape {
                at += 3;
                continue;
            }
            let length = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            if length > 0 {
                let start = at;
                at += length;
                return Some((start, rest.get(..length)?));
            }
            at += first.len_utf8();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_found_in_every_spelling() {
        let mut credentials = Credentials::default();
        credentials.learn("s3cr+t/Kö==", "masked-1");
        credentials.learn("short", "masked-2");
        for text in [
            "xs3cr+t/Kö==x",
            "a=s3cr%2Bt%2FK%C3%B6%3D%3D",
            "a=s3cr%2bt%2fK%c3%b6%3d%3d",
            &STANDARD_NO_PAD.encode("s3cr+t/Kö=="),
            &URL_SAFE_NO_PAD.encode("s3cr+t/Kö=="),
        ] {
            assert!(
                credentials.swept(text).unwrap().contains("masked-1"),
                "{text}"
            );
            assert!(credentials.within(text.as_bytes()));
        }
        assert_eq!(credentials.swept("short s3cr+t"), None);
    }

    #[test]
    fn names_are_found_as_words_without_case() {
        let mut words = Words::default();
        words.learn("Ada", "masked-1");
        words.learn("Lovelace-Müller", "masked-2");
        words.learn("+44 20 7946 0000", "masked-3");
        words.learn("123", "masked-4");
        for (text, expected) in [
            ("Dear ADA,", Some("Dear masked-1,")),
            ("LOVELACE-MÜLLER/ADA MRS", Some("masked-2/masked-1 MRS")),
            ("lovelace-müller", Some("masked-2")),
            ("q=%20Lovelace-M%C3%BCller%20", Some("q=%20masked-2%20")),
            ("tel +44 20 7946 0000.", Some("tel masked-3.")),
            ("tel=%2B44%2020%207946%200000", Some("tel=masked-3")),
            ("ADA", None),
            ("Adam in Canada, ada_x, 123", None),
        ] {
            assert_eq!(words.swept(text).as_deref(), expected, "{text}");
        }
    }
}
