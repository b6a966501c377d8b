//! Dictionaries of structured fields (RFC 9651 §4.2.2), as far as a cache needs them: every form is
//! checked, but only integers, booleans, tokens and strings keep their value.

use std::iter::Peekable;
use std::str::Bytes;

/// The value of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Integer(i64),
    Boolean(bool),
    /// A string or a token.
    Text(String),
    /// A form that no directive has: a decimal, bytes, a date, an inner list.
    Other,
}

/// The members in their order, a name that comes again with its last value; `None` when the text is
/// not a dictionary.
pub(crate) fn parse(text: &str) -> Option<Vec<(String, Value)>> {
    let mut input = Input(text.trim_matches(' ').bytes().peekable());
    let mut members: Vec<(String, Value)> = Vec::new();
    while input.0.peek().is_some() {
        let name = input.key()?;
        let value = if input.eat(b'=') {
            input.item_or_list()?
        } else {
            Value::Boolean(true)
        };
        input.parameters()?;
        members.retain(|(other, _)| *other != name);
        members.push((name, value));
        input.optional_space();
        if input.0.peek().is_none() {
            break;
        }
        if !input.eat(b',') {
            return None;
        }
        input.optional_space();
        // A comma promises another member.
        input.0.peek()?;
    }
    Some(members)
}

struct Input<'a>(Peekable<Bytes<'a>>);

impl Input<'_> {
    fn eat(&mut self, wanted: u8) -> bool {
        self.0.next_if_eq(&wanted).is_some()
    }

    fn optional_space(&mut self) {
        while self
            .0
            .next_if(|&byte| byte == b' ' || byte == b'\t')
            .is_some()
        {}
    }

    fn take_while(&mut self, allowed: impl Fn(u8) -> bool) -> String {
        let mut taken = String::new();
        while let Some(byte) = self.0.next_if(|&byte| byte.is_ascii() && allowed(byte)) {
            taken.push(char::from(byte));
        }
        taken
    }

    fn key(&mut self) -> Option<String> {
        let first = *self.0.peek()?;
        if !first.is_ascii_lowercase() && first != b'*' {
            return None;
        }
        Some(self.take_while(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte)
        }))
    }

    fn parameters(&mut self) -> Option<()> {
        while self.eat(b';') {
            while self.eat(b' ') {}
            self.key()?;
            if self.eat(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    fn item_or_list(&mut self) -> Option<Value> {
        if !self.eat(b'(') {
            return self.item();
        }
        loop {
            while self.eat(b' ') {}
            if self.eat(b')') {
                return Some(Value::Other);
            }
            self.item()?;
            self.parameters()?;
            if !matches!(self.0.peek(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    fn item(&mut self) -> Option<Value> {
        match *self.0.peek()? {
            b'"' => self.string(),
            b'?' => {
                self.0.next();
                match self.0.next()? {
                    b'1' => Some(Value::Boolean(true)),
                    b'0' => Some(Value::Boolean(false)),
                    _ => None,
                }
            }
            b':' => {
                self.0.next();
                self.take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
                self.eat(b':').then_some(Value::Other)
            }
            b'@' => {
                self.0.next();
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            byte if byte.is_ascii_digit() || byte == b'-' => self.number(),
            byte if byte.is_ascii_alphabetic() || byte == b'*' => {
                Some(Value::Text(self.take_while(|byte| {
                    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
                })))
            }
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Value> {
        self.0.next();
        let mut text = String::new();
        loop {
            match self.0.next()? {
                b'"' => return Some(Value::Text(text)),
                b'\\' => text.push(char::from(
                    self.0.next().filter(|byte| b"\"\\".contains(byte))?,
                )),
                byte @ 0x20..=0x7e => text.push(char::from(byte)),
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let negative = self.eat(b'-');
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() || digits.len() > 15 {
            return None;
        }
        if self.eat(b'.') {
            let fraction = self.take_while(|byte| byte.is_ascii_digit());
            let fits = digits.len() <= 12 && (1..=3).contains(&fraction.len());
            return fits.then_some(Value::Other);
        }
        let value: i64 = digits.parse().ok()?;
        Some(Value::Integer(if negative { -value } else { value }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_dictionary_is_read() {
        let read = parse("a=1;x;y=2.5, b , c=?0,d=\"x\\\"y\", e=(1 2);z, f=tok/en, a=-3").unwrap();
        let expected = [
            ("b", Value::Boolean(true)),
            ("c", Value::Boolean(false)),
            ("d", Value::Text("x\"y".into())),
            ("e", Value::Other),
            ("f", Value::Text("tok/en".into())),
            ("a", Value::Integer(-3)),
        ];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(parse("  "), Some(Vec::new()));
    }

    #[test]
    fn what_is_none_is_refused_as_a_whole() {
        for text in [
            "a=1,",
            "a =1",
            "a= 1",
            "A=1",
            "a=1 b",
            "&&",
            "a=\"x",
            "a=(1",
            "a=?2",
            "a=1.",
            "a=;",
            "a=1234567890123456",
            "a=1.2345",
            "a=\u{e9}",
            ",a",
            "a=1;X",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
