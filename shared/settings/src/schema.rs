//! The keys that a service knows, read from its default documents.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::SettingsError;

/// One key: its default and what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The value when nothing else sets it.
    pub default: Value,
    /// The comment that stands above the key in the default document.
    pub meaning: String,
    /// Whether the value is masked when shown, and may be given as `file:/path`. A key is secret when
    /// its comment says `(secret)`.
    pub secret: bool,
    /// The least value that is taken, if the comment says `(at least …)`.
    pub least: Option<i64>,
}

/// All keys of a service, by their dotted path.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    keys: BTreeMap<String, Key>,
}

impl Schema {
    /// Reads default documents. A key of a later document replaces the same key of an earlier one, so
    /// that a service can give a shared key a default of its own.
    ///
    /// # Errors
    /// [`SettingsError::Default`] when a document is not TOML: a mistake in the program.
    pub fn read<T: AsRef<str>>(documents: &[T]) -> Result<Self, SettingsError> {
        let mut keys = BTreeMap::new();
        for document in documents {
            let document = document.as_ref();
            let table: Table = document
                .parse()
                .map_err(|error: toml::de::Error| SettingsError::Default(error.to_string()))?;
            let meanings = meanings(document);
            let mut leaves = Vec::new();
            flatten("", &table, &mut leaves);
            for (path, default) in leaves {
                let meaning = meanings.get(&path).cloned().unwrap_or_default();
                let secret = meaning.contains("(secret)");
                let least = least(&meaning);
                let key = Key {
                    default,
                    meaning,
                    secret,
                    least,
                };
                keys.insert(path, key);
            }
        }
        Ok(Self { keys })
    }

    /// The key at a dotted path.
    pub fn get(&self, path: &str) -> Option<&Key> {
        self.keys.get(path)
    }

    /// All keys in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.keys.iter().map(|(path, key)| (path.as_str(), key))
    }

    /// The known key that a mistyped one most likely means.
    pub(crate) fn nearest(&self, path: &str) -> Option<&str> {
        self.keys
            .keys()
            .map(|known| (distance(path, known), known.as_str()))
            .filter(|(distance, known)| *distance <= 3 + known.len() / 6)
            .min()
            .map(|(_, known)| known)
    }
}

/// The leaves of a table by dotted path. Arrays are leaves.
pub(crate) fn flatten(prefix: &str, table: &Table, into: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            Value::Table(inner) => flatten(&path, inner, into),
            leaf => into.push((path, leaf.clone())),
        }
    }
}

/// The comment block above each `key = value` line, by dotted path. A comment speaks for all keys up to
/// the next comment or empty line.
fn meanings(document: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut section = String::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut used = false;
    for line in document.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix('#') {
            if used {
                comment.clear();
                used = false;
            }
            comment.push(text.trim());
        } else if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            name.trim().clone_into(&mut section);
            comment.clear();
        } else if let Some((name, _)) = line.split_once('=') {
            let name = name.trim();
            let path = if section.is_empty() {
                name.to_owned()
            } else {
                format!("{section}.{name}")
            };
            found.insert(path, comment.join(" "));
            used = true;
        } else {
            comment.clear();
        }
    }
    found
}

/// The bound that a comment states.
fn least(meaning: &str) -> Option<i64> {
    let (_, bound) = meaning.split_once("(at least ")?;
    bound.split_once(')')?.0.parse().ok()
}

/// Edit distance (Levenshtein) between two paths.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = usize::from(x != *y);
            left = (left + 1).min(above + 1).min(diagonal + cost);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_document_is_the_manual() {
        let schema = Schema::read(&[
            "# How long.\n# In milliseconds.\ndeadline_ms = 5000\n[suppliers.duffel]\n# The token (secret).\ntoken = \"\"\n",
            "deadline_ms = 9\n",
        ])
        .unwrap();
        assert_eq!(
            schema.get("deadline_ms").unwrap().default,
            Value::Integer(9)
        );
        let token = schema.get("suppliers.duffel.token").unwrap();
        assert!(token.secret);
        assert_eq!(token.meaning, "The token (secret).");
        assert_eq!(
            schema.nearest("suppliers.dufel.token"),
            Some("suppliers.duffel.token")
        );
    }

    #[test]
    fn distance_is_the_number_of_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
