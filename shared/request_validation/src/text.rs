//! The rules for texts: length, form, and what stands to choose from.

use regex::Regex;

use crate::problem::Kind;

/// What a text must be.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextRules {
    /// Least and most characters.
    pub(crate) least: Option<usize>,
    pub(crate) most: Option<usize>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) format: Format,
    /// What there is to choose from; empty for any text.
    pub(crate) choices: Vec<String>,
}

/// A regular expression of a document.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    words: String,
}

/// A `format` that decides. JSON Schema 2020-12 (Validation §7.2.1) has formats as remarks; those that
/// the services read in exactly one way are rules here, the others stay remarks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Any,
    Date,
    DateTime,
}

impl Format {
    /// `None` for a format that is not known.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "date" => Self::Date,
            "date-time" => Self::DateTime,
            // `int32` stands for unsigned ones too. Of addresses only whoever sends mail knows.
            "int32" | "int64" | "float" | "double" | "password" | "email" | "uuid" | "uri" => {
                Self::Any
            }
            _ => return None,
        })
    }
}

impl Pattern {
    /// Reads a regular expression as ECMA-262 has it (JSON Schema Core §6.4), as far as it means the
    /// same here. White space is Unicode's, as the services see it, not ECMA-262's, which adds U+FEFF.
    ///
    /// # Errors
    /// Says what is not understood.
    pub(crate) fn new(source: &str, example: Option<&str>) -> Result<Self, String> {
        // A digit of ECMA-262 is one of ASCII.
        let regex = Regex::new(&source.replace(r"\d", "[0-9]"));
        let regex = regex.map_err(|error| error.to_string())?;
        let words = match example {
            Some(example) => format!("must match {source}, e.g. {example}"),
            None => format!("must match {source}"),
        };
        Ok(Self { regex, words })
    }

    /// The texts to choose from, if the expression is nothing but a list of them: `^(a|b)$`.
    pub(crate) fn choices(source: &str) -> Option<Vec<String>> {
        let inner = source.strip_prefix('^')?.strip_suffix('$')?;
        let inner = match inner.strip_prefix('(') {
            Some(rest) => rest.strip_suffix(')')?,
            None => inner,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '|');
        let is_list = !inner.is_empty() && inner.chars().all(plain);
        is_list.then(|| inner.split('|').map(str::to_owned).collect())
    }
}

impl TextRules {
    /// What the text must be, if it is not: [`Kind::Type`] for what everybody would tell so, else
    /// [`Kind::Rule`].
    pub(crate) fn problem(&self, text: &str) -> Option<(Kind, String)> {
        if !self.choices.is_empty() {
            let known = self.choices.iter().any(|choice| choice == text);
            return (!known).then(|| (Kind::Type, choose(&self.choices)));
        }
        if self.least.is_some() || self.most.is_some() {
            let length = text.chars().count();
            let short = self.least.is_some_and(|least| length < least);
            if short || self.most.is_some_and(|most| length > most) {
                return Some((Kind::Rule, between(self.least, self.most, "characters")));
            }
        }
        if let Some(pattern) = &self.pattern
            && !pattern.regex.is_match(text)
        {
            return Some((Kind::Rule, pattern.words.clone()));
        }
        match self.format {
            Format::Date if !is_date(text.as_bytes()) => {
                let words = "must be a date such as 2026-12-01";
                Some((Kind::Type, words.to_owned()))
            }
            Format::DateTime if !is_instant(text) => {
                let words = "must be an instant such as 2026-12-01T10:30:00Z";
                Some((Kind::Rule, words.to_owned()))
            }
            _ => None,
        }
    }
}

/// That one of these must be chosen.
pub(crate) fn choose(choices: &[String]) -> String {
    match choices {
        [one] => format!("must be {one}"),
        [one, other] => format!("must be {one} or {other}"),
        _ => format!("must be one of {}", choices.join(", ")),
    }
}

/// How many there must be.
pub(crate) fn between(least: Option<usize>, most: Option<usize>, of: &str) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("must have {least} to {most} {of}"),
        (Some(least), None) => format!("must have at least {least} {of}"),
        (None, Some(most)) => format!("must have at most {most} {of}"),
        (None, None) => format!("must have {of}"),
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// A day of the calendar as `YYYY-MM-DD` (RFC 3339 §5.6, `full-date`).
fn is_date(text: &[u8]) -> bool {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = text else {
        return false;
    };
    let (year, month, day) = (number(&[a, b, c, d]), number(&[e, f]), number(&[g, h]));
    let (Some(year), Some(month), Some(day)) = (year, month, day) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// RFC 3339 §5.6, `date-time`.
fn is_instant(text: &str) -> bool {
    let (Some(date), Some(rest)) = (text.as_bytes().get(..10), text.get(10..)) else {
        return false;
    };
    let rest = rest.strip_prefix(['T', 't', ' ']).unwrap_or_default();
    let Some((time, offset)) = rest
        .find(['Z', 'z', '+', '-'])
        .and_then(|at| rest.split_at_checked(at))
    else {
        return false;
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_clock = |text: &str, last: &[u32]| {
        let mut parts = text.split(':');
        last.iter().all(|last| {
            let part = parts.next().filter(|part| part.len() == 2);
            part.and_then(|part| number(part.as_bytes()))
                .is_some_and(|part| part <= *last)
        }) && parts.next().is_none()
    };
    let is_offset = match offset.strip_prefix(['+', '-']) {
        Some(offset) => is_clock(offset, &[23, 59]),
        None => offset.len() == 1,
    };
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    is_date(date) && is_clock(clock, &[23, 59, 60]) && is_fraction && is_offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        for right in ["2026-12-01", "2024-02-29", "2000-02-29", "1987-07-24"] {
            assert!(is_date(right.as_bytes()), "{right}");
        }
        for wrong in [
            "2026-13-01",
            "2026-00-01",
            "2026-12-00",
            "2026-12-32",
            "2026-02-29",
            "1900-02-29",
            "2026-4-1",
            "20261201",
            "2026-12-01T",
            "tomorrow",
            "",
            "2026-1a-01",
            "2026/12/01",
        ] {
            assert!(!is_date(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn an_instant_has_a_date_a_time_and_an_offset() {
        for right in [
            "2026-12-01T10:30:00Z",
            "2026-12-01t10:30:00z",
            "2026-12-01 10:30:00.123+01:00",
            "2016-12-31T23:59:60Z",
        ] {
            assert!(is_instant(right), "{right}");
        }
        for wrong in [
            "2026-12-01",
            "2026-12-01T10:30:00",
            "2026-12-01T24:00:00Z",
            "2026-12-01T10:30Z",
            "2026-12-01T10:30:00.Z",
            "2026-12-01T10:30:00+1",
            "2026-12-01T10:30:00Zx",
            "x",
            "2026-12-0éT10:30:00Z",
        ] {
            assert!(!is_instant(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_list_of_texts_is_told_from_an_expression() {
        let texts = |source| Pattern::choices(source).map(|texts| texts.join(" "));
        assert_eq!(texts("^(price|-price)$").as_deref(), Some("price -price"));
        assert_eq!(texts("^property$").as_deref(), Some("property"));
        for expression in ["^[A-Z]{3}$", "a", "^(a|b", "^$", "^a.b$", "^(a)(b)$"] {
            assert_eq!(texts(expression), None, "{expression}");
        }
    }

    #[test]
    fn digits_of_an_expression_are_those_of_ascii() {
        let rules = TextRules {
            pattern: Some(Pattern::new(r"^-?\d+(\.\d+)?$", Some("1016.15")).unwrap()),
            ..TextRules::default()
        };
        assert_eq!(rules.problem("12.50"), None);
        let (kind, words) = rules.problem("\u{661}").unwrap();
        assert_eq!(kind, Kind::Rule);
        assert_eq!(words, r"must match ^-?\d+(\.\d+)?$, e.g. 1016.15");
    }
}
