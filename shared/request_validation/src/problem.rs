//! What is wrong with a request.

use std::fmt;

/// What kind of thing is wrong. It decides the answer's status and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The query is not percent-encoded UTF-8.
    Encoding,
    /// A parameter that the operation does not have.
    UnknownParameter,
    /// A parameter that stands twice.
    RepeatedParameter,
    /// The body is of another media type.
    MediaType,
    /// The body is not one JSON text in UTF-8 (RFC 8259), or is nested too deeply.
    Json,
    /// A field that the body does not have.
    UnknownField,
    /// A field that stands twice.
    DuplicateField,
    /// A parameter or field that must be there is not.
    Required,
    /// A value that is not of its type: no text, no date, none of those to choose from; of a parameter
    /// also a number out of bounds.
    Type,
    /// A value that breaks another rule, of length, form or bounds. Who serves the operation may have
    /// better words for it.
    Rule,
    /// An answer that the document does not know: its status or its media type.
    Undocumented,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of thing.
    pub kind: Kind,
    /// The parameter's name, or the JSON path of the field, e.g. `travellers[0].born_on`. `(body)` is the
    /// body as a whole.
    pub field: Option<String>,
    /// What is wrong and would be right, to be read behind the field's name. No value is repeated.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            field: None,
            message: message.into(),
        }
    }

    pub(crate) fn of(kind: Kind, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            field: Some(field.into()),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field} {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
