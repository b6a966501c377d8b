//! The table of everything that can be asked for: the catalogue's operations and the gateway's own
//! pages, found by canonical path. A plain segment wins over a `{name}`, and that over a `{*name}`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use response_cache::Rule;
use service_kit::Need;

use crate::catalog::Class;
use crate::meters::RouteMeters;
use crate::pages::Page;
use crate::validate::Checked;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The service at this position among the upstreams.
    Upstream(usize),
    /// The gateway itself.
    Page(Page),
}

/// One operation as the pipeline needs it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Method and pattern, for metrics.
    pub(crate) label: String,
    pub(crate) target: Target,
    pub(crate) need: Need,
    pub(crate) class: Class,
    /// What a request counts in its caller's limit.
    pub(crate) cost: u32,
    /// By what answers are kept.
    pub(crate) cache: Option<Arc<Rule>>,
    /// The tags of answers that a success may have made old.
    pub(crate) refreshes: Vec<String>,
    pub(crate) deadline: Duration,
    /// Header fields of the client that reach the service beside those that always do.
    pub(crate) passes: Vec<HeaderName>,
    pub(crate) meters: RouteMeters,
    /// What is checked of requests and answers.
    pub(crate) checked: Option<Checked>,
}

impl Entry {
    /// The pattern alone.
    pub(crate) fn path(&self) -> &str {
        self.label
            .split_once(' ')
            .map_or(&self.label, |(_, path)| path)
    }
}

/// What a look-up found.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Operation(Arc<Entry>),
    /// The path exists, with these methods only.
    OtherMethods(HeaderValue),
    Nothing,
}

/// All operations, as a tree of segments.
#[derive(Debug, Default)]
pub(crate) struct Table {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    plain: HashMap<String, Node>,
    any: Option<Box<Node>>,
    /// Whatever follows, of one segment or more.
    rest: Option<Box<Node>>,
    methods: Vec<(Method, Arc<Entry>)>,
}

impl Table {
    /// Adds an operation.
    ///
    /// # Errors
    /// Says which method and path are there already.
    pub(crate) fn add(&mut self, method: &Method, path: &str, entry: Entry) -> Result<(), String> {
        let mut node = &mut self.root;
        for segment in segments(path) {
            node = if segment.starts_with("{*") {
                node.rest.get_or_insert_with(Box::default)
            } else if segment.starts_with('{') {
                node.any.get_or_insert_with(Box::default)
            } else {
                node.plain.entry(segment.to_owned()).or_default()
            };
        }
        if node.methods.iter().any(|(taken, _)| taken == method) {
            return Err(format!("{method} {path} stands twice in the route table"));
        }
        node.methods.push((method.clone(), Arc::new(entry)));
        Ok(())
    }

    /// Looks an operation up by its canonical path.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let Some(node) = self.root.walk(path.strip_prefix('/')) else {
            return Found::Nothing;
        };
        // Whoever serves GET serves HEAD (RFC 9110 §9.3.2).
        let wanted = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        match node.methods.iter().find(|(known, _)| known == wanted) {
            Some((_, entry)) => Found::Operation(Arc::clone(entry)),
            None => Found::OtherMethods(node.allow()),
        }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

impl Node {
    /// The node of what is left of a path; `None` is left at its end.
    fn walk(&self, left: Option<&str>) -> Option<&Self> {
        let Some(left) = left else {
            return (!self.methods.is_empty()).then_some(self);
        };
        let (first, after) = match left.split_once('/') {
            Some((first, after)) => (first, Some(after)),
            None => (left, None),
        };
        let plain = self.plain.get(first).and_then(|node| node.walk(after));
        plain
            .or_else(|| {
                let any = self.any.as_ref().filter(|_| !first.is_empty());
                any.and_then(|node| node.walk(after))
            })
            .or_else(|| self.rest.as_deref().filter(|_| !first.is_empty()))
    }

    /// The `Allow` field (RFC 9110 §10.2.1).
    fn allow(&self) -> HeaderValue {
        let mut names: Vec<&str> = Vec::new();
        for (method, _) in &self.methods {
            names.push(method.as_str());
            if method == Method::GET {
                names.push("HEAD");
            }
        }
        HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str)]) -> Table {
        let mut table = Table::default();
        for (method, path) in rows {
            let entry = entry(path);
            table.add(&method.parse().unwrap(), path, entry).unwrap();
        }
        table
    }

    fn entry(path: &str) -> Entry {
        Entry {
            label: path.to_owned(),
            target: Target::Upstream(0),
            need: Need::Public,
            class: Class::Read,
            cost: 1,
            cache: None,
            refreshes: Vec::new(),
            deadline: Duration::from_secs(1),
            passes: Vec::new(),
            meters: RouteMeters::default(),
            checked: None,
        }
    }

    #[test]
    fn a_plain_segment_wins_and_a_name_stands_for_exactly_one() {
        let table = table(&[
            ("GET", "/"),
            ("GET", "/a/me"),
            ("GET", "/a/{id}"),
            ("POST", "/a/{id}/b"),
            ("POST", "/a/{id}"),
            ("GET", "/b/c"),
            ("GET", "/b/{*rest}"),
        ]);
        let label = |method: &str, path: &str| match table.find(&method.parse().unwrap(), path) {
            Found::Operation(entry) => entry.label.clone(),
            Found::OtherMethods(allow) => allow.to_str().unwrap().to_owned(),
            Found::Nothing => "-".to_owned(),
        };
        assert_eq!(label("GET", "/"), "/");
        assert_eq!(label("GET", "/a/me"), "/a/me");
        assert_eq!(label("HEAD", "/a/x"), "/a/{id}");
        assert_eq!(label("POST", "/a/me/b"), "/a/{id}/b");
        assert_eq!(label("DELETE", "/a/x"), "GET, HEAD, POST");
        assert_eq!(label("GET", "/b/c"), "/b/c");
        assert_eq!(label("GET", "/b/c/d"), "/b/{*rest}");
        assert_eq!(label("GET", "/b/x/y/z"), "/b/{*rest}");
        for nothing in ["/b", "/b/", "/a", "/a/", "/a/x/b/c", "/a/x/c", "/A/me"] {
            assert_eq!(label("GET", nothing), "-", "{nothing}");
        }
    }

    #[test]
    fn an_operation_cannot_be_given_twice() {
        let mut other = table(&[("GET", "/a/{id}")]);
        let again = other.add(&Method::GET, "/a/{other}", entry("/a/{other}"));
        assert!(again.unwrap_err().contains("GET /a/{other}"));
    }
}
