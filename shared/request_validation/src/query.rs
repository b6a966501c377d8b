//! Checks a query against its parameters.

use std::borrow::Cow;
use std::sync::Arc;

use crate::problem::{Kind, Problem};
use crate::schema::{Schema, Types};

/// The longest name that is repeated, in characters.
const LONGEST_NAME: usize = 64;

/// A parameter that stands for the whole search that it came from: beside it the others need not be
/// repeated.
const CURSOR: &str = "cursor";

/// A query parameter.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) schema: Arc<Schema>,
}

/// Checks a query (`application/x-www-form-urlencoded`, as the URL standard reads it).
///
/// # Errors
/// One problem for what is malformed, unknown or repeated; else one for each parameter that is missing
/// or does not fit.
pub(crate) fn check(query: &str, parameters: &[Parameter]) -> Result<(), Vec<Problem>> {
    if !is_well_encoded(query) {
        return Err(vec![Problem::new(
            Kind::Encoding,
            "The query is not percent-encoded UTF-8. Encode it as application/x-www-form-urlencoded.",
        )]);
    }
    let mut problems = Vec::new();
    // Compiling bounds how many parameters there are.
    let mut seen = 0_u64;
    let mut from_cursor = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name);
        let known = parameters.iter().enumerate();
        let known = known.into_iter().find(|(_, known)| known.name == name);
        let Some((place, parameter)) = known else {
            let names: Vec<&str> = parameters.iter().map(|known| known.name.as_str()).collect();
            let words = format!(
                "There is no parameter of this name here; known are {}.",
                names.join(", ")
            );
            return Err(vec![Problem::of(
                Kind::UnknownParameter,
                shown(&name),
                words,
            )]);
        };
        if seen >> place & 1 == 1 {
            return Err(vec![Problem::of(
                Kind::RepeatedParameter,
                shown(&name),
                "stands twice",
            )]);
        }
        seen |= 1 << place;
        from_cursor |= name == CURSOR;
        if let Some((kind, words)) = problem(&decoded(value), &parameter.schema) {
            problems.push(Problem::of(kind, parameter.name.clone(), words));
        }
    }
    for (place, parameter) in parameters.iter().enumerate() {
        if parameter.required && !from_cursor && seen >> place & 1 == 0 {
            let name = parameter.name.clone();
            problems.push(Problem::of(Kind::Required, name, "is required"));
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}

fn shown(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

/// What a parameter's text must be, if it is not.
fn problem(text: &str, schema: &Schema) -> Option<(Kind, String)> {
    let types = schema.types;
    if types.has(Types::TEXT) {
        return schema.text.problem(text);
    }
    if types.has(Types::INTEGER) {
        let digits = text.strip_prefix('-').unwrap_or(text).bytes();
        let plain = |byte: u8| {
            byte.is_ascii_digit()
                || types.has(Types::NUMBER) && matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
        };
        let number = text.parse::<f64>().ok();
        let number = number.filter(|number| number.is_finite());
        let fits = digits.into_iter().all(plain)
            && number.is_some_and(|number| schema.bounds.hold(number));
        return (!fits).then(|| (Kind::Type, schema.number_words()));
    }
    (!matches!(text, "true" | "false"))
        .then(|| (Kind::Type, "must be one of true, false".to_owned()))
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => bytes.extend(encoded(&mut rest)),
            byte => bytes.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The byte that two hexadecimal digits stand for.
fn encoded(rest: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let (high, low) = (digit(rest.next())?, digit(rest.next())?);
    u8::try_from(high << 4 | low).ok()
}

/// Whether every percent sign begins an encoded byte and all bytes are UTF-8.
fn is_well_encoded(query: &str) -> bool {
    if !query.contains('%') {
        return true;
    }
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => encoded(&mut rest),
            byte => Some(byte),
        };
        let Some(byte) = byte else {
            return false;
        };
        bytes.push(byte);
    }
    str::from_utf8(&bytes).is_ok()
}
