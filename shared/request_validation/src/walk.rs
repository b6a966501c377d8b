//! Walks a JSON text along with a schema, once, and gathers what does not fit.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::json::{DEEPEST, Malformed, Next, Reader};
use crate::problem::{Kind, Problem};
use crate::schema::{Others, Property, Schema, Types};
use crate::text::between;

/// Problems that are named at most; whoever sends more has more to correct than can be read at once.
const MOST_PROBLEMS: usize = 100;
/// The longest name of an unknown field that is repeated, in characters.
const LONGEST_NAME: usize = 128;
/// Fields without a schema that are compared one by one. With more of them that would take too long.
const FEW: usize = 16;

/// Checks a text against a schema.
///
/// # Errors
/// What does not fit, in the order of the text; alone, that it is no JSON.
pub(crate) fn check(bytes: &[u8], schema: &Schema) -> Result<(), Vec<Problem>> {
    let problem = |message: String| vec![Problem::new(Kind::Json, message)];
    let text = str::from_utf8(bytes).map_err(|_| problem("The body is not UTF-8.".to_owned()))?;
    let mut walk = Walk {
        text,
        reader: Reader::new(text),
        path: Vec::new(),
        problems: Vec::new(),
        depth: 0,
    };
    let read = walk.value(Some(schema)).and_then(|()| walk.reader.end());
    read.map_err(|malformed| problem(words(text, malformed)))?;
    match walk.problems.is_empty() {
        true => Ok(()),
        false => Err(walk.problems),
    }
}

fn words(text: &str, malformed: Malformed) -> String {
    if malformed.too_deep {
        return format!("The body is nested more than {DEEPEST} deep.");
    }
    let before = text.as_bytes().get(..malformed.at).unwrap_or_default();
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let column = 1 + before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count();
    format!("The body is not valid JSON: line {line}, column {column}.")
}

#[derive(Clone)]
enum Step<'t> {
    Field(Cow<'t, str>),
    Item(usize),
}

struct Walk<'t> {
    text: &'t str,
    reader: Reader<'t>,
    path: Vec<Step<'t>>,
    problems: Vec<Problem>,
    depth: usize,
}

impl<'t> Walk<'t> {
    /// Reads a value. Without a schema only that it is JSON, with no field twice.
    fn value(&mut self, schema: Option<&Schema>) -> Result<(), Malformed> {
        let next = self.reader.next()?;
        let from = self.reader.at();
        match next {
            Next::Object => self.object(schema)?,
            Next::List => self.list(schema)?,
            Next::Text => {
                let text = self.reader.text()?;
                if let Some(schema) = self.of_type(schema, Types::TEXT)
                    && let Some((kind, words)) = schema.text.problem(&text.decoded())
                {
                    self.add(kind, words);
                }
            }
            Next::Number => {
                let written = self.reader.number()?;
                self.number(written, schema);
            }
            Next::True => self.word("true", schema, Types::BOOLEAN)?,
            Next::False => self.word("false", schema, Types::BOOLEAN)?,
            Next::Null => self.word("null", schema, Types::NULL)?,
        }
        match schema {
            Some(schema) if !schema.any_of.is_empty() || !schema.all_of.is_empty() => {
                self.parts(from, schema);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn word(&mut self, word: &str, schema: Option<&Schema>, types: Types) -> Result<(), Malformed> {
        self.reader.word(word)?;
        self.of_type(schema, types);
        Ok(())
    }

    /// The schema, if a value of this type may stand here.
    fn of_type<'s>(&mut self, schema: Option<&'s Schema>, types: Types) -> Option<&'s Schema> {
        let schema = schema?;
        if schema.types.has(types) {
            return Some(schema);
        }
        self.add(Kind::Type, format!("must be {}", schema.types.words()));
        None
    }

    fn number(&mut self, written: &str, schema: Option<&Schema>) {
        let Some(schema) = schema else {
            return;
        };
        // `1.0` is whole (JSON Schema Core §4.2.3). What is beyond every number here is infinite.
        let number = written.parse::<f64>().ok().filter(|n| n.is_finite());
        let whole = number.is_some_and(|number| number.fract() == 0.0);
        let wanted = match whole {
            true => Types::INTEGER,
            false => Types::NUMBER,
        };
        if !schema.types.has(wanted) {
            self.add(Kind::Type, format!("must be {}", schema.types.words()));
        } else if schema.types != Types::ALL
            && !number.is_some_and(|number| schema.bounds.hold(number))
        {
            self.add(Kind::Rule, schema.number_words());
        }
    }

    fn enter(&mut self) -> Result<(), Malformed> {
        self.depth += 1;
        match self.depth > DEEPEST {
            true => Err(Malformed {
                at: self.reader.at(),
                too_deep: true,
            }),
            false => Ok(()),
        }
    }

    fn list(&mut self, schema: Option<&Schema>) -> Result<(), Malformed> {
        self.enter()?;
        let rules = self.of_type(schema, Types::LIST).map(|schema| &schema.list);
        let items = rules.and_then(|rules| rules.items.as_deref());
        self.reader.expect(b'[')?;
        let mut length = 0;
        if !self.reader.take(b']') {
            loop {
                self.path.push(Step::Item(length));
                self.value(items)?;
                self.path.pop();
                length += 1;
                if self.reader.take(b']') {
                    break;
                }
                self.reader.expect(b',')?;
            }
        }
        self.depth -= 1;
        if let Some(rules) = rules {
            let few = rules.least.is_some_and(|least| length < least);
            if few || rules.most.is_some_and(|most| length > most) {
                self.add(Kind::Rule, between(rules.least, rules.most, "entries"));
            }
        }
        Ok(())
    }

    fn object(&mut self, schema: Option<&Schema>) -> Result<(), Malformed> {
        self.enter()?;
        let rules = self
            .of_type(schema, Types::OBJECT)
            .map(|schema| &schema.object);
        let properties = rules.map_or(&[][..], |rules| &rules.properties);
        // Compiling bounds how many properties there are.
        let mut seen = 0_u128;
        let others = rules.map_or(&Others::Any, |rules| &rules.others);
        let mut names = Names::default();
        self.reader.expect(b'{')?;
        if !self.reader.take(b'}') {
            loop {
                if self.reader.next()? != Next::Text {
                    return Err(self.reader.malformed());
                }
                let name = self.reader.text()?.decoded();
                let known = properties.iter().position(|known| known.name == name);
                let repeated = match known {
                    Some(place) => {
                        let repeated = seen >> place & 1 == 1;
                        seen |= 1 << place;
                        repeated
                    }
                    // It is refused anyway.
                    None if matches!(others, Others::None) => false,
                    None => !names.add(name.clone()),
                };
                self.path.push(Step::Field(name));
                if repeated {
                    self.add(Kind::DuplicateField, "stands twice");
                }
                self.reader.expect(b':')?;
                match known.and_then(|place| properties.get(place)) {
                    Some(property) => self.value(Some(&property.schema))?,
                    None => self.other(others)?,
                }
                self.path.pop();
                if self.reader.take(b'}') {
                    break;
                }
                self.reader.expect(b',')?;
            }
        }
        self.depth -= 1;
        self.missing(properties, seen);
        Ok(())
    }

    fn other(&mut self, others: &Others) -> Result<(), Malformed> {
        match others {
            Others::Any => self.value(None),
            Others::Of(schema) => self.value(Some(schema)),
            Others::None => {
                self.add(Kind::UnknownField, "does not exist");
                self.value(None)
            }
        }
    }

    fn missing(&mut self, properties: &[Property], seen: u128) {
        for (place, property) in properties.iter().enumerate() {
            if property.required && seen >> place & 1 == 0 {
                self.path
                    .push(Step::Field(Cow::Owned(property.name.clone())));
                self.add(Kind::Required, "is required");
                self.path.pop();
            }
        }
    }

    /// Walks a value that was read, which began at `from`, along with the parts of its schema.
    fn parts(&mut self, from: usize, schema: &Schema) {
        let text = self.text.get(from..self.reader.at()).unwrap_or_default();
        for part in &schema.all_of {
            for problem in self.part(text, part) {
                self.keep(problem);
            }
        }
        let fits = |part: &Arc<Schema>| self.part(text, part).is_empty();
        if !schema.any_of.is_empty() && !schema.any_of.iter().any(fits) {
            self.add(Kind::Type, "does not have one of the forms that there are");
        }
    }

    fn part(&self, text: &'t str, schema: &Schema) -> Vec<Problem> {
        let mut walk = Walk {
            text,
            reader: Reader::new(text),
            path: self.path.clone(),
            problems: Vec::new(),
            depth: self.depth,
        };
        // It was read before: it is JSON.
        match walk.value(Some(schema)) {
            Ok(()) => walk.problems,
            Err(malformed) => vec![Problem::new(Kind::Json, words(text, malformed))],
        }
    }

    fn add(&mut self, kind: Kind, message: impl Into<String>) {
        let field = path(&self.path);
        self.keep(Problem::of(kind, field, message));
    }

    fn keep(&mut self, problem: Problem) {
        // Parts of one schema may find the same.
        if self.problems.len() < MOST_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// The JSON path, as in `travellers[0].born_on`.
fn path(steps: &[Step<'_>]) -> String {
    if steps.is_empty() {
        return "(body)".to_owned();
    }
    let mut written = String::new();
    for step in steps {
        match step {
            Step::Item(place) => {
                // Writing to a string cannot fail.
                let _ = write!(written, "[{place}]");
            }
            Step::Field(name) => {
                if !written.is_empty() {
                    written.push('.');
                }
                written.extend(name.chars().take(LONGEST_NAME));
            }
        }
    }
    written
}

/// Names of fields that no schema knows.
#[derive(Default)]
struct Names<'t> {
    few: Vec<Cow<'t, str>>,
    many: HashSet<Cow<'t, str>>,
}

impl<'t> Names<'t> {
    /// Whether the name was not there before.
    fn add(&mut self, name: Cow<'t, str>) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(name);
            return true;
        }
        self.many.insert(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(Kind, String)> {
        let found = check(text.as_bytes(), &Schema::any()).err();
        let found = found.unwrap_or_default().into_iter();
        found.map(|one| (one.kind, one.to_string())).collect()
    }

    #[test]
    fn a_field_that_stands_twice_is_found_wherever_it_is_and_however_it_is_written() {
        for (text, field) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"{"a":1,"\u0061":2}"#, "a"),
            (r#"{"a":[{"b":{"c":1,"d":2,"c":3}}]}"#, "a[0].b.c"),
        ] {
            let expected = (Kind::DuplicateField, format!("{field} stands twice"));
            assert_eq!(problems(text), [expected], "{text}");
        }
        let many: Vec<String> = (0..200).map(|n| format!("\"f{n}\":{n}")).collect();
        assert_eq!(problems(&format!("{{{}}}", many.join(","))), []);
        let twice = format!("{{{},\"f150\":0}}", many.join(","));
        assert_eq!(problems(&twice).len(), 1);
        assert_eq!(problems(r#"[{"a":1},{"a":1}]"#), []);
    }

    #[test]
    fn what_is_deeper_than_allowed_is_refused_and_all_else_is_not() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(problems(&nested(DEEPEST)), []);
        let words = "The body is nested more than 64 deep.".to_owned();
        assert_eq!(problems(&nested(DEEPEST + 1)), [(Kind::Json, words)]);
        let wide = format!("[{}0]", "[],".repeat(1000));
        assert_eq!(problems(&wide), []);
    }

    #[test]
    fn where_a_text_stops_being_json_is_told() {
        for (text, at) in [
            ("", "line 1, column 1"),
            ("{\n  \"a\": x}", "line 2, column 8"),
            ("{} x", "line 1, column 4"),
            ("\u{feff}{}", "line 1, column 1"),
        ] {
            let expected = format!("The body is not valid JSON: {at}.");
            assert_eq!(problems(text), [(Kind::Json, expected)], "{text}");
        }
        let error = check(b"\"\xff\"", &Schema::any()).unwrap_err();
        assert_eq!(error[0].message, "The body is not UTF-8.");
    }
}
