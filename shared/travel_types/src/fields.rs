//! What is wrong with a request, field by field. Every check adds to one list, so that a caller
//! learns of all bad fields in one answer.

use serde::Serialize;

/// One bad field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON path of the field, e.g. `travellers[0].born_on`, or the query parameter's name.
    pub field: String,
    /// Stable `UPPER_SNAKE` code, e.g. `REQUIRED`, `INVALID_DATE`.
    pub code: &'static str,
    /// What is wrong and what would be right. Never repeats a value that could be personal.
    pub message: String,
}

/// The list that checks add to; empty means valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one bad field.
    pub fn add(
        &mut self,
        field: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) {
        self.0.push(FieldError {
            field: field.into(),
            code,
            message: message.into(),
        });
    }

    /// Adds the field unless `ok`.
    pub fn check(
        &mut self,
        ok: bool,
        field: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) {
        if !ok {
            self.add(field, code, message);
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries in the order they were found.
    pub fn into_vec(self) -> Vec<FieldError> {
        self.0
    }

    /// `Ok(value)` when nothing was found, else the list.
    ///
    /// # Errors
    /// The list itself, when it holds at least one entry.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}
