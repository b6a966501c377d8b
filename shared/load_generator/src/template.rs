//! Texts with variables: `{uuid}`, `{seq}`, `{date}`, `{date+30}`, `{random:1-100}`, `{token}` and the
//! values that an earlier step captured. Anything else between braces is text, so JSON needs no escapes.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use travel_types::jiff::ToSpan as _;
use travel_types::jiff::civil::Date;

/// Where a text will stand, which decides how captured values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a request target: percent-encoded (RFC 3986 §2.1).
    Target,
    /// In a header or a body: as it is.
    Plain,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(Vec<u8>),
    Uuid,
    Seq,
    Random(u64, u64),
    Token,
    Captured(usize, Place),
}

/// A text with variables, ready to be written often.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Template(Vec<Piece>);

/// What is counted over the whole run.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    seq: AtomicU64,
    tokens: AtomicU64,
}

impl Counters {
    /// How many tokens were handed out.
    pub(crate) fn tokens_used(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }
}

/// What the variables of one lane stand for.
pub(crate) struct Values<'a> {
    pub(crate) counters: &'a Counters,
    pub(crate) tokens: &'a [String],
    pub(crate) random: SmallRng,
    /// By the number of the name.
    pub(crate) captured: Vec<String>,
}

impl<'a> Values<'a> {
    pub(crate) fn new(counters: &'a Counters, tokens: &'a [String], names: usize) -> Self {
        Self {
            counters,
            tokens,
            random: SmallRng::from_rng(&mut rand::rng()),
            captured: vec![String::new(); names],
        }
    }
}

/// What the names within braces may mean while a scenario is read.
pub(crate) struct Names<'a> {
    pub(crate) today: Date,
    /// Captured by an earlier step.
    pub(crate) captured: &'a [String],
    pub(crate) has_tokens: bool,
}

impl Template {
    /// # Errors
    /// A sentence that names the variable which means nothing.
    pub(crate) fn parse(text: &str, place: Place, names: &Names<'_>) -> Result<Self, String> {
        let mut template = Self::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            template.text(before.as_bytes());
            match after.split_once('}') {
                Some((name, behind)) if looks_like_a_variable(name) => {
                    template.variable(name, place, names)?;
                    rest = behind;
                }
                _ => {
                    template.text(b"{");
                    rest = after;
                }
            }
        }
        template.text(rest.as_bytes());
        Ok(template)
    }

    /// Appends plain bytes.
    pub(crate) fn text(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.extend_from_slice(bytes),
            _ => self.0.push(Piece::Text(bytes.to_vec())),
        }
    }

    /// Appends another template.
    pub(crate) fn append(&mut self, other: &Self) {
        for piece in &other.0 {
            match piece {
                Piece::Text(text) => self.text(text),
                piece => self.0.push(piece.clone()),
            }
        }
    }

    /// Appends the next token of the file.
    pub(crate) fn token(&mut self) {
        self.0.push(Piece::Token);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn variable(&mut self, name: &str, place: Place, names: &Names<'_>) -> Result<(), String> {
        let piece = match name {
            "uuid" => Piece::Uuid,
            "seq" => Piece::Seq,
            "token" if names.has_tokens => Piece::Token,
            "token" => return Err("{token} needs --token-file".to_owned()),
            _ => {
                if let Some(at) = names.captured.iter().position(|known| known == name) {
                    Piece::Captured(at, place)
                } else if let Some(days) = name.strip_prefix("date") {
                    let day = date(names.today, days)
                        .ok_or_else(|| format!("{{{name}}} is no day: write {{date+30}}"))?;
                    self.text(day.to_string().as_bytes());
                    return Ok(());
                } else if let Some(range) = name.strip_prefix("random:") {
                    let (low, high) = random_range(range)
                        .ok_or_else(|| format!("{{{name}}} is no range: write {{random:1-100}}"))?;
                    Piece::Random(low, high)
                } else {
                    return Err(format!(
                        "{{{name}}} means nothing here; there are {{uuid}}, {{seq}}, {{date+30}}, \
                         {{random:1-100}}, {{token}} and what an earlier step captures"
                    ));
                }
            }
        };
        self.0.push(piece);
        Ok(())
    }

    /// Writes the text with this moment's values.
    pub(crate) fn write(&self, values: &mut Values<'_>, into: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => into.extend_from_slice(text),
                Piece::Uuid => {
                    let id = uuid::Builder::from_random_bytes(values.random.random()).into_uuid();
                    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                    into.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
                }
                Piece::Seq => {
                    let number = values.counters.seq.fetch_add(1, Ordering::Relaxed);
                    drop(write!(into, "{number}"));
                }
                Piece::Random(low, high) => {
                    drop(write!(into, "{}", values.random.random_range(*low..=*high)));
                }
                Piece::Token => {
                    let used = values.counters.tokens.fetch_add(1, Ordering::Relaxed);
                    let at = usize::try_from(used).unwrap_or(usize::MAX);
                    let token = at
                        .checked_rem(values.tokens.len())
                        .and_then(|at| values.tokens.get(at));
                    into.extend_from_slice(token.map_or(b"", |token| token.as_bytes()));
                }
                Piece::Captured(at, place) => {
                    let value = values.captured.get(*at).map_or("", String::as_str);
                    match place {
                        Place::Target => percent_encode(value, into),
                        Place::Plain => into.extend_from_slice(value.as_bytes()),
                    }
                }
            }
        }
    }
}

fn looks_like_a_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_+-:".contains(c))
}

fn date(today: Date, days: &str) -> Option<Date> {
    let days: i32 = match days {
        "" => 0,
        days => days.parse().ok()?,
    };
    today.checked_add(days.days()).ok()
}

fn random_range(range: &str) -> Option<(u64, u64)> {
    let (low, high) = range.split_once('-')?;
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some((low, high))
}

fn percent_encode(value: &str, into: &mut Vec<u8>) {
    for byte in value.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => into.push(byte),
            false => drop(write!(into, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, place: Place) -> Result<String, String> {
        let captured = ["offer".to_owned()];
        let names = Names {
            today: "2026-12-31".parse().unwrap(),
            captured: &captured,
            has_tokens: true,
        };
        let template = Template::parse(text, place, &names)?;
        let counters = Counters::default();
        let tokens = ["one".to_owned(), "two".to_owned()];
        let mut values = Values::new(&counters, &tokens, 1);
        values.captured = vec!["a/b c".to_owned()];
        let mut into = Vec::new();
        template.write(&mut values, &mut into);
        Ok(String::from_utf8(into).unwrap())
    }

    #[test]
    fn days_are_counted_over_the_end_of_the_year() {
        let text = written("{date} {date+30} {date-1}", Place::Plain);
        assert_eq!(text.unwrap(), "2026-12-31 2027-01-30 2026-12-30");
    }

    #[test]
    fn json_needs_no_escapes() {
        let text = written(r#"{"a":{"b":"{seq}"},"c":{}}"#, Place::Plain);
        assert_eq!(text.unwrap(), r#"{"a":{"b":"0"},"c":{}}"#);
    }

    #[test]
    fn tokens_are_taken_in_turn() {
        let text = written("{token} {token} {token}", Place::Plain);
        assert_eq!(text.unwrap(), "one two one");
    }

    #[test]
    fn a_captured_value_cannot_leave_its_place_in_a_target() {
        assert_eq!(
            written("/o/{offer}", Place::Target).unwrap(),
            "/o/a%2Fb%20c"
        );
        assert_eq!(written("{offer}", Place::Plain).unwrap(), "a/b c");
    }

    #[test]
    fn random_numbers_and_ids_are_of_their_form() {
        for _ in 0..100 {
            let text = written("{random:7-9} {uuid}", Place::Plain).unwrap();
            let (number, id) = text.split_once(' ').unwrap();
            assert!((7..=9).contains(&number.parse::<u64>().unwrap()), "{text}");
            assert_eq!(id.parse::<uuid::Uuid>().unwrap().get_version_num(), 4);
        }
    }

    #[test]
    fn a_name_without_a_meaning_is_named() {
        for wrong in ["{ofer}", "{date+x}", "{random:9-1}"] {
            let told = written(wrong, Place::Plain).unwrap_err();
            assert!(told.contains(wrong), "{told}");
        }
    }
}
