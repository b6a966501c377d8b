//! The operations of a document, compiled.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Map, Value};

use crate::compile::{CompileError, Compiler, escaped};
use crate::problem::{Kind, Problem};
use crate::query::{self, Parameter};
use crate::schema::{Others, Schema, Types};
use crate::walk;

/// Parameters of one query that can be kept count of.
const MOST_PARAMETERS: usize = 64;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A compiled document.
#[derive(Debug)]
pub struct Validator {
    operations: HashMap<(Method, String), Arc<Operation>>,
}

/// What body an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// None, or an empty object: a client that can send nothing else may send that.
    None,
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`; its fields are not checked here.
    Form,
    /// The method gives a body no meaning (RFC 9110 §9.3) and the document names none: nothing is
    /// known of it.
    Unknown,
}

/// A compiled operation.
#[derive(Debug)]
pub struct Operation {
    query: Vec<Parameter>,
    headers: Vec<Parameter>,
    body: Body,
    schema: Arc<Schema>,
    answers: HashMap<u16, HashMap<String, Option<Arc<Schema>>>>,
}

impl Validator {
    /// Compiles an OpenAPI 3.1 document.
    ///
    /// # Errors
    /// [`CompileError`] for the first part that is not understood.
    pub fn compile(document: &Value) -> Result<Self, CompileError> {
        let mut compiler = Compiler::new(document);
        let mut operations = HashMap::new();
        let paths = document.get("paths").unwrap_or(&Value::Null);
        for (path, item) in compiler.object(paths, "/paths")? {
            let at = format!("/paths/{}", escaped(path));
            for (key, value) in compiler.object(item, &at)? {
                compiler.operation = format!("{} {path}", key.to_ascii_uppercase());
                let method = match key.as_str() {
                    "get" => Method::GET,
                    "put" => Method::PUT,
                    "post" => Method::POST,
                    "delete" => Method::DELETE,
                    "patch" => Method::PATCH,
                    "options" => Method::OPTIONS,
                    "head" => Method::HEAD,
                    "summary" | "description" => continue,
                    key => return Err(compiler.error(&at, format!("{key} is not understood"))),
                };
                let operation = operation(&mut compiler, value, &format!("{at}/{key}"), &method)?;
                operations.insert((method, nameless(path)), Arc::new(operation));
            }
        }
        Ok(Self { operations })
    }

    /// The operation of a method and a path in which `{name}` stands for one segment; how it is named
    /// does not matter.
    pub fn operation(&self, method: &Method, template: &str) -> Option<&Arc<Operation>> {
        self.operations.get(&(method.clone(), nameless(template)))
    }
}

impl Operation {
    /// Checks the query. That of an operation without query parameters is not looked at: whoever serves
    /// it may ignore it.
    ///
    /// # Errors
    /// One problem for what is malformed, unknown or repeated; else one for each parameter that is
    /// missing or does not fit.
    pub fn check_query(&self, query: Option<&str>) -> Result<(), Vec<Problem>> {
        if self.query.is_empty() {
            return Ok(());
        }
        query::check(query.unwrap_or_default(), &self.query)
    }

    /// Whether the header fields that the operation names are there once and as they must be.
    pub fn has_headers(&self, headers: &HeaderMap) -> bool {
        self.headers.iter().all(|parameter| {
            let mut values = headers.get_all(&parameter.name).iter();
            match (values.next(), values.next()) {
                (None, _) => !parameter.required,
                (Some(value), None) => value
                    .to_str()
                    .is_ok_and(|text| parameter.schema.text.problem(text).is_none()),
                (Some(_), Some(_)) => false,
            }
        })
    }

    /// What body the operation takes.
    pub fn wants_body(&self) -> Body {
        self.body
    }

    /// Checks the media type of the body, the value of the one `Content-Type`.
    ///
    /// # Errors
    /// [`Kind::MediaType`] for another one than the operation takes.
    pub fn check_media_type(&self, content_type: Option<&str>) -> Result<(), Problem> {
        let wanted = match self.body {
            Body::Json => JSON,
            Body::Form => FORM,
            Body::None | Body::Unknown => return Ok(()),
        };
        match media_type(content_type.unwrap_or_default()) == wanted {
            true => Ok(()),
            false => Err(Problem::new(
                Kind::MediaType,
                format!("The body must be {wanted}."),
            )),
        }
    }

    /// Checks a body. That of a form is not looked at.
    ///
    /// # Errors
    /// What does not fit, in the order of the body; or alone, that it is no JSON or of another media
    /// type.
    pub fn check_body(&self, content_type: Option<&str>, body: &[u8]) -> Result<(), Vec<Problem>> {
        self.check_media_type(content_type)
            .map_err(|problem| vec![problem])?;
        match self.body {
            Body::None if body.is_empty() => Ok(()),
            Body::None | Body::Json => walk::check(body, &self.schema),
            Body::Form | Body::Unknown => Ok(()),
        }
    }

    /// Whether an answer of this status and media type is documented.
    pub fn documents(&self, status: StatusCode, media_type: &str) -> bool {
        let answers = self.answers.get(&status.as_u16());
        answers.is_some_and(|answers| answers.contains_key(media_type))
    }

    /// Checks an answer. An empty one, and one of a status without documented content, has no body to
    /// check.
    ///
    /// # Errors
    /// [`Kind::Undocumented`] for a status or a media type that the document does not name, else what
    /// does not fit.
    pub fn check_response(
        &self,
        status: StatusCode,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<(), Vec<Problem>> {
        // RFC 9110 §15.4.5: it stands for an answer that was given before.
        if status == StatusCode::NOT_MODIFIED {
            return Ok(());
        }
        let unknown = |words: String| vec![Problem::new(Kind::Undocumented, words)];
        let answers = self.answers.get(&status.as_u16());
        let answers = answers
            .ok_or_else(|| unknown(format!("The status {} is not documented.", status.as_u16())))?;
        if body.is_empty() || answers.is_empty() {
            return Ok(());
        }
        let media_type = media_type(content_type.unwrap_or_default());
        let schema = answers.get(&media_type).ok_or_else(|| {
            unknown(format!(
                "The media type '{media_type}' is not documented for the status {}.",
                status.as_u16()
            ))
        })?;
        match schema {
            Some(schema) if is_json(&media_type) => walk::check(body, schema),
            _ => Ok(()),
        }
    }
}

/// The path with `{}` for each parameter.
fn nameless(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for (place, segment) in path.split('/').enumerate() {
        if place > 0 {
            plain.push('/');
        }
        plain.push_str(if segment.starts_with('{') {
            "{}"
        } else {
            segment
        });
    }
    plain
}

/// The media type without its parameters, in lower case (RFC 9110 §8.3.1).
fn media_type(content_type: &str) -> String {
    let name = content_type.split(';').next().unwrap_or_default();
    name.trim().to_ascii_lowercase()
}

fn is_json(media_type: &str) -> bool {
    media_type == JSON || media_type.ends_with("+json")
}

fn operation(
    compiler: &mut Compiler<'_>,
    value: &Value,
    at: &str,
    method: &Method,
) -> Result<Operation, CompileError> {
    let map = compiler.object(value, at)?;
    for key in map.keys() {
        let known = matches!(
            key.as_str(),
            "parameters"
                | "requestBody"
                | "responses"
                | "operationId"
                | "tags"
                | "summary"
                | "description"
                | "security"
                | "deprecated"
                | "externalDocs"
        );
        if !known && !key.starts_with("x-") {
            return Err(compiler.error(at, format!("{key} is not understood")));
        }
    }
    let mut operation = Operation {
        query: Vec::new(),
        headers: Vec::new(),
        body: match *method {
            Method::POST | Method::PUT | Method::PATCH => Body::None,
            _ => Body::Unknown,
        },
        schema: Arc::new(nothing()),
        answers: HashMap::new(),
    };
    if let Some(list) = map.get("parameters") {
        let at = format!("{at}/parameters");
        for (place, value) in compiler.list(list, &at)?.iter().enumerate() {
            parameter(compiler, value, &format!("{at}/{place}"), &mut operation)?;
        }
    }
    if let Some(body) = map.get("requestBody") {
        request_body(compiler, body, &format!("{at}/requestBody"), &mut operation)?;
    }
    let at = format!("{at}/responses");
    let responses = map.get("responses").unwrap_or(&Value::Null);
    for (status, value) in compiler.object(responses, &at)? {
        let at = format!("{at}/{status}");
        let number = status.parse();
        let number = number.map_err(|_| compiler.error(&at, format!("no status: {status}")))?;
        let content = answer(compiler, value, &at)?;
        operation.answers.insert(number, content);
    }
    Ok(operation)
}

/// An empty object.
fn nothing() -> Schema {
    let mut schema = Schema::any();
    schema.types = Types::OBJECT;
    schema.object.others = Others::None;
    schema
}

fn parameter(
    compiler: &mut Compiler<'_>,
    value: &Value,
    at: &str,
    operation: &mut Operation,
) -> Result<(), CompileError> {
    let map = compiler.object(value, at)?;
    let known = [
        "name",
        "in",
        "required",
        "schema",
        "description",
        "example",
        "examples",
        "deprecated",
    ];
    if let Some(key) = map.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(compiler.error(at, format!("{key} is not understood")));
    }
    let field = |name: &str| map.get(name).unwrap_or(&Value::Null);
    let schema_at = format!("{at}/schema");
    let schema = with_example(field("schema"), map.get("example"));
    let schema = compiler.schema(&schema, &schema_at)?;
    let parameter = Parameter {
        name: compiler
            .text(field("name"), &format!("{at}/name"))?
            .to_owned(),
        required: field("required") == &Value::Bool(true),
        schema,
    };
    let unreadable = [Types::LIST, Types::OBJECT];
    let readable = unreadable
        .iter()
        .all(|types| !parameter.schema.types.has(*types))
        && parameter.schema.any_of.is_empty()
        && parameter.schema.all_of.is_empty();
    match compiler.text(field("in"), &format!("{at}/in"))? {
        // A path that names nothing is answered by whoever looks for what it names.
        "path" => return Ok(()),
        _ if !readable => {
            return Err(compiler.error(&schema_at, "must be a text, a number or a truth value"));
        }
        "query" => operation.query.push(parameter),
        "header" => operation.headers.push(parameter),
        place => return Err(compiler.error(at, format!("'in: {place}' is not understood"))),
    }
    match operation.query.len() > MOST_PARAMETERS {
        true => Err(compiler.error(at, "are too many parameters")),
        false => Ok(()),
    }
}

/// A parameter's example stands beside its schema.
fn with_example(schema: &Value, example: Option<&Value>) -> Value {
    let mut schema = schema.clone();
    if let (Some(map), Some(example)) = (schema.as_object_mut(), example)
        && !map.contains_key("$ref")
    {
        map.entry("example").or_insert_with(|| example.clone());
    }
    schema
}

fn request_body(
    compiler: &mut Compiler<'_>,
    value: &Value,
    at: &str,
    operation: &mut Operation,
) -> Result<(), CompileError> {
    let map = compiler.object(value, at)?;
    if map.get("required") != Some(&Value::Bool(true)) {
        return Err(compiler.error(at, "a body that may be left out is not understood"));
    }
    let at = format!("{at}/content");
    let content = compiler.object(map.get("content").unwrap_or(&Value::Null), &at)?;
    let mut media_types = content.iter();
    let (Some((name, value)), None) = (media_types.next(), media_types.next()) else {
        return Err(compiler.error(&at, "must be one media type"));
    };
    operation.body = match name.as_str() {
        JSON => Body::Json,
        FORM => Body::Form,
        name => return Err(compiler.error(&at, format!("{name} is not understood"))),
    };
    operation.schema = media(compiler, value, &format!("{at}/{}", escaped(name)))?
        .unwrap_or_else(|| Arc::new(Schema::any()));
    Ok(())
}

fn media(
    compiler: &mut Compiler<'_>,
    value: &Value,
    at: &str,
) -> Result<Option<Arc<Schema>>, CompileError> {
    let map: &Map<String, Value> = compiler.object(value, at)?;
    let schema = map.get("schema");
    schema
        .map(|schema| compiler.schema(schema, &format!("{at}/schema")))
        .transpose()
}

fn answer(
    compiler: &mut Compiler<'_>,
    value: &Value,
    at: &str,
) -> Result<HashMap<String, Option<Arc<Schema>>>, CompileError> {
    let (map, at) = match value.get("$ref") {
        Some(reference) => {
            let (target, found) = compiler.follow(compiler.text(reference, at)?, at)?;
            (compiler.object(target, &found)?, found)
        }
        None => (compiler.object(value, at)?, at.to_owned()),
    };
    let Some(content) = map.get("content") else {
        return Ok(HashMap::new());
    };
    let at = format!("{at}/content");
    let content = compiler.object(content, &at)?.iter();
    content
        .map(|(name, value)| {
            let schema = media(compiler, value, &format!("{at}/{}", escaped(name)))?;
            Ok((media_type(name), schema))
        })
        .collect()
}
