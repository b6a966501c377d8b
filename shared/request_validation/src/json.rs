//! A strict reader of JSON (RFC 8259) that hands out one token after the other. Beyond the grammar it
//! refuses what two readers could read differently: half a surrogate pair (RFC 8259 §8.2), and nesting
//! that a recursive reader could fail at.

use std::borrow::Cow;

/// Lists and objects that may stand within each other.
pub(crate) const DEEPEST: usize = 64;

/// Where a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Offset in bytes.
    pub(crate) at: usize,
    /// Whether it is JSON so far, only too deep.
    pub(crate) too_deep: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Object,
    List,
    Text,
    Number,
    True,
    False,
    Null,
}

/// A string between its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'t> {
    raw: &'t str,
    escaped: bool,
}

impl<'t> Text<'t> {
    /// The characters that it stands for.
    pub(crate) fn decoded(self) -> Cow<'t, str> {
        if self.escaped {
            Cow::Owned(unescaped(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

pub(crate) struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Offset of the next byte.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn malformed(&self) -> Malformed {
        Malformed {
            at: self.at,
            too_deep: false,
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// What the next value is. Nothing of it is read.
    pub(crate) fn next(&mut self) -> Result<Next, Malformed> {
        self.skip_space();
        Ok(match self.byte() {
            Some(b'{') => Next::Object,
            Some(b'[') => Next::List,
            Some(b'"') => Next::Text,
            Some(b't') => Next::True,
            Some(b'f') => Next::False,
            Some(b'n') => Next::Null,
            Some(b'-' | b'0'..=b'9') => Next::Number,
            _ => return Err(self.malformed()),
        })
    }

    /// Reads this byte if it is the next one after spaces.
    pub(crate) fn take(&mut self, wanted: u8) -> bool {
        self.skip_space();
        let there = self.byte() == Some(wanted);
        if there {
            self.at += 1;
        }
        there
    }

    /// # Errors
    /// When another byte is the next one.
    pub(crate) fn expect(&mut self, wanted: u8) -> Result<(), Malformed> {
        match self.take(wanted) {
            true => Ok(()),
            false => Err(self.malformed()),
        }
    }

    /// # Errors
    /// When anything but spaces is left.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        self.skip_space();
        match self.byte() {
            None => Ok(()),
            Some(_) => Err(self.malformed()),
        }
    }

    /// Reads `true`, `false` or `null`.
    pub(crate) fn word(&mut self, word: &str) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads a number, as it is written.
    pub(crate) fn number(&mut self) -> Result<&'t str, Malformed> {
        let from = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        // RFC 8259 §6: no zero in front.
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.text.get(from..self.at).unwrap_or_default())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let from = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at > from {
            true => Ok(()),
            false => Err(self.malformed()),
        }
    }

    /// Reads a string.
    pub(crate) fn text(&mut self) -> Result<Text<'t>, Malformed> {
        self.expect(b'"')?;
        let from = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            self.at += plain.unwrap_or(rest.len());
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(self.malformed()),
            }
        }
        let raw = self.text.get(from..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let start = self.malformed();
                let first = self.unit()?;
                match first {
                    0xd800..=0xdbff => {
                        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                        if !rest.starts_with(b"\\u") {
                            return Err(start);
                        }
                        self.at += 1;
                        match self.unit()? {
                            0xdc00..=0xdfff => Ok(()),
                            _ => Err(start),
                        }
                    }
                    0xdc00..=0xdfff => Err(start),
                    _ => Ok(()),
                }
            }
            _ => Err(self.malformed()),
        }
    }

    /// Reads `u` and four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, Malformed> {
        self.at += 1;
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or(self.malformed())?;
        self.at += 4;
        Ok(unit)
    }
}

/// The characters of a string that was read. Only what [`Reader::text`] found right comes here.
fn unescaped(raw: &str) -> String {
    let mut decoded = String::with_capacity(raw.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = raw.chars();
    while let Some(one) = chars.next() {
        let plain = match (one, one == '\\') {
            (plain, false) => plain,
            _ => match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.extend(u16::from_str_radix(&digits, 16).ok());
                    continue;
                }
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => break,
            },
        };
        flush(&mut units, &mut decoded);
        decoded.push(plain);
    }
    flush(&mut units, &mut decoded);
    decoded
}

fn flush(units: &mut Vec<u16>, into: &mut String) {
    into.extend(char::decode_utf16(units.drain(..)).flatten());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_read_as_the_characters_that_it_stands_for() {
        for written in [
            r#""plain""#,
            r#""""#,
            r#""a\"b\\c\/d\b\f\n\r\t""#,
            r#""\u0041\ud83d\ude00\u00e9x""#,
            r#""é\u0000""#,
        ] {
            let mut reader = Reader::new(written);
            let read = reader.text().unwrap().decoded();
            let expected: String = serde_json::from_str(written).unwrap();
            assert_eq!(read, expected, "{written}");
            reader.end().unwrap();
        }
    }

    #[test]
    fn half_a_surrogate_pair_and_a_raw_control_character_are_refused() {
        for written in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\u0041""#,
            r#""\ud800x""#,
            r#""\ud800\n""#,
            r#""\u00""#,
            r#""\u00é0""#,
            r#""\x""#,
            "\"\u{1f}\"",
            "\"a",
            "\"\\",
        ] {
            assert!(Reader::new(written).text().is_err(), "{written}");
        }
    }
}
