//! A schema as it is walked.

use std::sync::Arc;

use crate::text::TextRules;

/// Types of JSON values, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(1 << 1);
    /// Whole numbers.
    pub(crate) const INTEGER: Self = Self(1 << 2);
    /// All numbers.
    pub(crate) const NUMBER: Self = Self(1 << 2 | 1 << 3);
    pub(crate) const TEXT: Self = Self(1 << 4);
    pub(crate) const LIST: Self = Self(1 << 5);
    pub(crate) const OBJECT: Self = Self(1 << 6);
    pub(crate) const ALL: Self = Self(0x7f);

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::TEXT,
            "array" => Self::LIST,
            "object" => Self::OBJECT,
            _ => return None,
        })
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, all: Self) -> bool {
        self.0 & all.0 == all.0
    }

    /// What a value of these types is.
    pub(crate) fn words(self) -> &'static str {
        let names = [
            (Self::TEXT, "a string"),
            (Self::NUMBER, "a number"),
            (Self::INTEGER, "a whole number"),
            (Self::BOOLEAN, "true or false"),
            (Self::LIST, "a list"),
            (Self::OBJECT, "an object"),
        ];
        let found = names.iter().find(|(types, _)| self.has(*types));
        found.map_or("null", |(_, words)| words)
    }
}

/// Least and most of a number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) least: Option<f64>,
    pub(crate) most: Option<f64>,
}

impl Bounds {
    pub(crate) fn hold(self, number: f64) -> bool {
        self.least.is_none_or(|least| number >= least)
            && self.most.is_none_or(|most| number <= most)
    }
}

/// What a list must be.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListRules {
    pub(crate) items: Option<Arc<Schema>>,
    pub(crate) least: Option<usize>,
    pub(crate) most: Option<usize>,
}

/// A field of an object.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) required: bool,
    pub(crate) schema: Arc<Schema>,
}

/// Fields that an object has beside its properties.
#[derive(Clone, Debug, Default)]
pub(crate) enum Others {
    #[default]
    Any,
    None,
    Of(Arc<Schema>),
}

/// What an object must be.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectRules {
    pub(crate) properties: Vec<Property>,
    pub(crate) others: Others,
}

/// A compiled schema.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) types: Types,
    pub(crate) text: TextRules,
    pub(crate) bounds: Bounds,
    pub(crate) list: ListRules,
    pub(crate) object: ObjectRules,
    /// Of these at least one must hold, if there are any. `oneOf` is read so too: a value that fits two
    /// alternatives is the document's fault, not its sender's.
    pub(crate) any_of: Vec<Arc<Schema>>,
    /// All of these must hold.
    pub(crate) all_of: Vec<Arc<Schema>>,
}

impl Schema {
    pub(crate) fn any() -> Self {
        Self {
            types: Types::ALL,
            text: TextRules::default(),
            bounds: Bounds::default(),
            list: ListRules::default(),
            object: ObjectRules::default(),
            any_of: Vec::new(),
            all_of: Vec::new(),
        }
    }

    /// What a number must be.
    pub(crate) fn number_words(&self) -> String {
        let kind = match self.types.has(Types::NUMBER) {
            true => "a number",
            false => "a whole number",
        };
        match (self.bounds.least, self.bounds.most) {
            (Some(least), Some(most)) => format!("must be {kind} from {least} to {most}"),
            (Some(least), None) => format!("must be {kind} of at least {least}"),
            (None, Some(most)) => format!("must be {kind} of at most {most}"),
            (None, None) => format!("must be {kind}"),
        }
    }
}
