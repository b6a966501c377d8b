//! What of two requests is compared, and in what they differ.

use std::collections::BTreeMap;

use serde_json::Value;

use super::own::{Own, differing, note};
use super::{RecordedBody, RecordedRequest, placeholder};

/// What of a request is compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) method: String,
    pub(super) path: String,
    query: BTreeMap<String, Vec<String>>,
    pub(super) body: Comparable,
}

/// A request as it is compared: with its stand-ins, and with every stand-in alike.
pub(super) struct Keys {
    pub(super) exact: Key,
    pub(super) blurred: Key,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Comparable {
    Nothing,
    Json(Value),
    Form(BTreeMap<String, Vec<String>>),
    Text(String),
}

impl Keys {
    pub(super) fn of(request: &RecordedRequest, ignored: &[String]) -> Self {
        let body = match &request.body {
            None => Comparable::Nothing,
            Some(RecordedBody::Text(text)) => comparable(text, &request.headers, ignored),
            Some(RecordedBody::Base64(text)) => Comparable::Text(text.clone()),
            Some(RecordedBody::Omitted(bytes)) => Comparable::Text(format!("{bytes} bytes")),
        };
        let key = |blur: &dyn Fn(&str) -> String| Key {
            method: request.method.clone(),
            path: blur(&request.path),
            query: pairs(&blur(&request.query), ignored),
            body: body.blurred(blur),
        };
        Self {
            exact: key(&str::to_owned),
            blurred: key(&placeholder::blurred),
        }
    }
}

impl Key {
    /// Whether everything but the body is alike.
    pub(super) fn same_place(&self, other: &Self) -> bool {
        self.method == other.method && self.path == other.path && self.query == other.query
    }

    /// The texts that differ in the same places, and whether nothing else in the bodies does.
    pub(super) fn compared(&self, present: &Self) -> (bool, Vec<Own>) {
        let mut found = Vec::new();
        let (mine, theirs) = (self.path.split('/'), present.path.split('/'));
        if mine.clone().count() == theirs.clone().count() {
            mine.zip(theirs).for_each(|(a, b)| note(a, b, &mut found));
        }
        unlike_pairs(&self.query, &present.query, &mut found);
        let alike = match (&self.body, &present.body) {
            (Comparable::Json(mine), Comparable::Json(theirs)) => {
                differing(mine, theirs, &mut found)
            }
            (Comparable::Form(mine), Comparable::Form(theirs)) => {
                unlike_pairs(mine, theirs, &mut found)
            }
            (mine, theirs) => mine == theirs,
        };
        (alike, found)
    }

    /// The texts that differ; none if anything else does.
    pub(super) fn unlike_in_texts(&self, present: &Self) -> Option<Vec<Own>> {
        let (alike, found) = self.compared(present);
        alike.then_some(found)
    }

    /// How much there is between them.
    pub(super) fn unlike(&self, other: &Self) -> usize {
        let (mut mine, mut theirs) = (self.path.split('/'), other.path.split('/'));
        let mut path = 0;
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) => break,
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) => {
                    let alike = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
                    path += 100 - alike.count().min(30);
                }
                _ => path += 100,
            }
        }
        let parameters = self
            .query
            .iter()
            .filter(|(name, values)| other.query.get(*name) != Some(*values))
            .count()
            + other
                .query
                .keys()
                .filter(|name| !self.query.contains_key(*name))
                .count();
        let method = usize::from(self.method != other.method);
        let body = usize::from(self.body != other.body);
        path + method * 50 + parameters.min(20) * 2 + body
    }
}

impl Comparable {
    fn blurred(&self, blur: &dyn Fn(&str) -> String) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Text(text) => Self::Text(blur(text)),
            Self::Form(pairs) => {
                let text = |values: &Vec<String>| values.iter().map(|v| blur(v)).collect();
                let pairs = pairs
                    .iter()
                    .map(|(name, values)| (blur(name), text(values)));
                Self::Form(pairs.collect())
            }
            // A number may be blurred, so the text is.
            Self::Json(value) => {
                let text = blur(&value.to_string());
                Self::Json(serde_json::from_str(&text).unwrap_or(Value::String(text)))
            }
        }
    }
}

fn comparable(text: &str, headers: &[(String, String)], ignored: &[String]) -> Comparable {
    let form = headers.iter().any(|(name, value)| {
        name == "content-type" && value.starts_with("application/x-www-form-urlencoded")
    });
    match serde_json::from_str(text) {
        _ if form => Comparable::Form(pairs(text, ignored)),
        Ok(value) => Comparable::Json(without(value, ignored)),
        Err(_) => Comparable::Text(text.to_owned()),
    }
}

/// The value without the members of these names, wherever they are.
fn without(value: Value, ignored: &[String]) -> Value {
    match value {
        Value::Array(items) => {
            let items = items.into_iter().map(|item| without(item, ignored));
            Value::Array(items.collect())
        }
        Value::Object(members) => {
            let members = members
                .into_iter()
                .filter(|(name, _)| !ignored.contains(name))
                .map(|(name, member)| (name, without(member, ignored)));
            Value::Object(members.collect())
        }
        value => value,
    }
}

/// Adds the values that differ; gives whether nothing but values does.
fn unlike_pairs(
    recorded: &BTreeMap<String, Vec<String>>,
    present: &BTreeMap<String, Vec<String>>,
    into: &mut Vec<Own>,
) -> bool {
    let mut alike = recorded.len() == present.len();
    for (name, mine) in recorded {
        let Some(theirs) = present
            .get(name)
            .filter(|values| values.len() == mine.len())
        else {
            alike = false;
            continue;
        };
        mine.iter().zip(theirs).for_each(|(a, b)| note(a, b, into));
    }
    alike
}

fn pairs(text: &str, ignored: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        if !ignored.iter().any(|ignored| *ignored == name) {
            let values = pairs.entry(name.into_owned()).or_default();
            values.push(value.into_owned());
        }
    }
    pairs
}
