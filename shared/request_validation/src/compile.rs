//! Reads the schemas of a document. What is not understood is an error, never left out.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::schema::{ObjectRules, Others, Property, Schema, Types};
use crate::text::{Format, Pattern};

/// A part of a document that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {pointer}: {problem}")]
pub struct CompileError {
    /// Method and path of the operation that it was found for.
    pub operation: String,
    /// Where it stands, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is not understood.
    pub problem: String,
}

/// Keywords that only people read (JSON Schema Validation §9, OpenAPI 3.1 §4.8.24).
const REMARKS: [&str; 9] = [
    "description",
    "title",
    "example",
    "examples",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "externalDocs",
];

/// Properties of one object that can be kept count of.
const MOST_PROPERTIES: usize = 128;

/// Makes schemas out of a document, each component once.
pub(crate) struct Compiler<'d> {
    document: &'d Value,
    /// The operation at hand, for errors.
    pub(crate) operation: String,
    done: HashMap<String, Arc<Schema>>,
    /// References that are being followed.
    open: Vec<String>,
}

impl<'d> Compiler<'d> {
    pub(crate) fn new(document: &'d Value) -> Self {
        Self {
            document,
            operation: String::new(),
            done: HashMap::new(),
            open: Vec::new(),
        }
    }

    pub(crate) fn error(&self, pointer: &str, problem: impl Into<String>) -> CompileError {
        CompileError {
            operation: self.operation.clone(),
            pointer: pointer.to_owned(),
            problem: problem.into(),
        }
    }

    /// What a reference within the document leads to, with its pointer.
    pub(crate) fn follow(
        &self,
        reference: &str,
        pointer: &str,
    ) -> Result<(&'d Value, String), CompileError> {
        let target = reference.strip_prefix('#');
        let found = target.and_then(|target| Some((self.document.pointer(target)?, target)));
        let (value, target) =
            found.ok_or_else(|| self.error(pointer, format!("leads nowhere: {reference}")))?;
        Ok((value, target.to_owned()))
    }

    /// The object at a place.
    pub(crate) fn object<'v>(
        &self,
        value: &'v Value,
        pointer: &str,
    ) -> Result<&'v Map<String, Value>, CompileError> {
        let object = value.as_object();
        object.ok_or_else(|| self.error(pointer, "must be an object"))
    }

    /// Compiles the schema at a place.
    pub(crate) fn schema(
        &mut self,
        value: &Value,
        pointer: &str,
    ) -> Result<Arc<Schema>, CompileError> {
        let map = match value {
            Value::Bool(true) => return Ok(Arc::new(Schema::any())),
            value => self.object(value, pointer)?,
        };
        let Some(reference) = map.get("$ref") else {
            return self.inline(map, pointer).map(Arc::new);
        };
        let reference = self.text(reference, &format!("{pointer}/$ref"))?;
        let beside = map.keys().find(|key| *key != "$ref" && !is_remark(key));
        if let Some(key) = beside {
            return Err(self.error(pointer, format!("{key} beside $ref is not understood")));
        }
        if let Some(done) = self.done.get(reference) {
            return Ok(Arc::clone(done));
        }
        // A walk through alternatives reads a text again at each of them; endless schemas would make
        // that endless.
        if self.open.iter().any(|open| open == reference) {
            return Err(self.error(pointer, format!("{reference} is a part of itself")));
        }
        let (target, at) = self.follow(reference, pointer)?;
        self.open.push(reference.to_owned());
        let schema = self.schema(target, &at)?;
        self.open.pop();
        self.done.insert(reference.to_owned(), Arc::clone(&schema));
        Ok(schema)
    }

    fn inline(&mut self, map: &Map<String, Value>, pointer: &str) -> Result<Schema, CompileError> {
        let mut schema = Schema::any();
        let example = map.get("example").and_then(Value::as_str);
        let mut required: Vec<&str> = Vec::new();
        for (key, value) in map {
            let at = format!("{pointer}/{key}");
            match key.as_str() {
                "type" => schema.types = self.types(value, &at)?,
                "enum" => schema.text.choices = self.choices(value, &at)?,
                "const" => schema.text.choices = vec![self.text(value, &at)?.to_owned()],
                "properties" => self.properties(value, &at, &mut schema.object)?,
                "required" => required = self.names(value, &at)?,
                "additionalProperties" => {
                    schema.object.others = match value {
                        Value::Bool(true) => Others::Any,
                        Value::Bool(false) => Others::None,
                        value => Others::Of(self.schema(value, &at)?),
                    }
                }
                "items" => schema.list.items = Some(self.schema(value, &at)?),
                "minItems" => schema.list.least = Some(self.count(value, &at)?),
                "maxItems" => schema.list.most = Some(self.count(value, &at)?),
                "minLength" => schema.text.least = Some(self.count(value, &at)?),
                "maxLength" => schema.text.most = Some(self.count(value, &at)?),
                "minimum" => schema.bounds.least = Some(self.number(value, &at)?),
                "maximum" => schema.bounds.most = Some(self.number(value, &at)?),
                "pattern" => {
                    let source = self.text(value, &at)?;
                    match Pattern::choices(source) {
                        Some(choices) => schema.text.choices = choices,
                        None => {
                            let pattern = Pattern::new(source, example);
                            schema.text.pattern =
                                Some(pattern.map_err(|problem| self.error(&at, problem))?);
                        }
                    }
                }
                "format" => {
                    let name = self.text(value, &at)?;
                    let format = Format::named(name);
                    schema.text.format = format
                        .ok_or_else(|| self.error(&at, format!("{name} is not understood")))?;
                }
                "oneOf" | "anyOf" => schema.any_of = self.all(value, &at)?,
                "allOf" => schema.all_of = self.all(value, &at)?,
                key if is_remark(key) => {}
                key => return Err(self.error(&at, format!("the keyword {key} is not understood"))),
            }
        }
        self.require(&mut schema, &required, pointer)?;
        Ok(or_null(schema))
    }

    fn require(
        &self,
        schema: &mut Schema,
        required: &[&str],
        pointer: &str,
    ) -> Result<(), CompileError> {
        let properties = &mut schema.object.properties;
        for name in required {
            match properties.iter_mut().find(|known| known.name == *name) {
                Some(property) => property.required = true,
                None => properties.push(Property {
                    name: (*name).to_owned(),
                    required: true,
                    schema: Arc::new(Schema::any()),
                }),
            }
        }
        match properties.len() > MOST_PROPERTIES {
            true => Err(self.error(pointer, "has too many properties")),
            false => Ok(()),
        }
    }

    fn properties(
        &mut self,
        value: &Value,
        pointer: &str,
        rules: &mut ObjectRules,
    ) -> Result<(), CompileError> {
        for (name, value) in self.object(value, pointer)? {
            let schema = self.schema(value, &format!("{pointer}/{}", escaped(name)))?;
            rules.properties.push(Property {
                name: name.clone(),
                required: false,
                schema,
            });
        }
        Ok(())
    }

    fn types(&self, value: &Value, pointer: &str) -> Result<Types, CompileError> {
        let names = match value {
            Value::String(name) => vec![name.as_str()],
            value => self.names(value, pointer)?,
        };
        names.into_iter().try_fold(Types::NONE, |types, name| {
            let named = Types::named(name);
            let named = named.ok_or_else(|| self.error(pointer, format!("no type: {name}")))?;
            Ok(types.with(named))
        })
    }

    fn all(&mut self, value: &Value, pointer: &str) -> Result<Vec<Arc<Schema>>, CompileError> {
        let list = self.list(value, pointer)?.iter().enumerate();
        list.map(|(place, value)| self.schema(value, &format!("{pointer}/{place}")))
            .collect()
    }

    /// Texts to choose from. Null among them is said by the type.
    fn choices(&self, value: &Value, pointer: &str) -> Result<Vec<String>, CompileError> {
        let list = self.list(value, pointer)?.iter();
        list.filter(|value| !value.is_null())
            .map(|value| self.text(value, pointer).map(str::to_owned))
            .collect()
    }

    fn names<'v>(&self, value: &'v Value, pointer: &str) -> Result<Vec<&'v str>, CompileError> {
        let list = self.list(value, pointer)?.iter();
        list.map(|value| self.text(value, pointer)).collect()
    }

    pub(crate) fn list<'v>(
        &self,
        value: &'v Value,
        pointer: &str,
    ) -> Result<&'v Vec<Value>, CompileError> {
        let list = value.as_array();
        list.ok_or_else(|| self.error(pointer, "must be a list"))
    }

    pub(crate) fn text<'v>(
        &self,
        value: &'v Value,
        pointer: &str,
    ) -> Result<&'v str, CompileError> {
        let text = value.as_str();
        text.ok_or_else(|| self.error(pointer, "must be a string"))
    }

    fn count(&self, value: &Value, pointer: &str) -> Result<usize, CompileError> {
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| self.error(pointer, "must be a whole number"))
    }

    fn number(&self, value: &Value, pointer: &str) -> Result<f64, CompileError> {
        let number = value.as_f64();
        number.ok_or_else(|| self.error(pointer, "must be a number"))
    }
}

/// A schema whose only choice is between one schema and null is that schema, with null: what is wrong
/// can then be told field by field.
fn or_null(schema: Schema) -> Schema {
    let [first, second] = schema.any_of.as_slice() else {
        return schema;
    };
    let null = |schema: &Schema| schema.types == Types::NULL;
    let (one, other) = (first, second);
    let inner = match (null(one), null(other)) {
        (true, false) => other,
        (false, true) => one,
        _ => return schema,
    };
    let alone = schema.types == Types::ALL && schema.all_of.is_empty();
    if !alone || !inner.any_of.is_empty() || !inner.all_of.is_empty() {
        return schema;
    }
    Schema {
        types: inner.types.with(Types::NULL),
        ..Schema::clone(inner)
    }
}

fn is_remark(key: &str) -> bool {
    REMARKS.contains(&key) || key.starts_with("x-")
}

/// A name within a JSON pointer (RFC 6901 §3).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
