//! How Duffel wraps what it sends: one object, a page of a list, errors, and the metadata that it keeps
//! for us.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use supplier_client::tolerant::{Literal, lenient, list};
use supplier_client::{SupplierError, WireResponse};

/// Every body is wrapped so.
#[derive(Debug, Deserialize, Serialize)]
pub struct Data<T> {
    /// What it is about.
    pub data: T,
}

/// Reads one object, which Duffel wraps in `data`; one that stands alone is taken too.
///
/// # Errors
/// The answer is unreadable.
pub fn read<T: DeserializeOwned>(response: &WireResponse) -> Result<T, SupplierError> {
    match response.json::<Data<T>>() {
        Ok(wrapped) => Ok(wrapped.data),
        Err(error) => serde_json::from_slice(&response.body).map_err(|_| error),
    }
}

/// A list. Each entry is read by itself, so that one odd entry does not spoil the page.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// The entries.
    #[serde(deserialize_with = "list")]
    pub data: Vec<Box<RawValue>>,
    /// Where the list goes on.
    #[serde(default)]
    pub meta: Option<PageMeta>,
}

/// Where a list goes on.
#[derive(Debug, Deserialize)]
pub struct PageMeta {
    /// The cursor of the next page; null on the last one.
    #[serde(default)]
    pub after: Option<String>,
}

impl Page {
    /// Reads a page; a list that stands alone is a page without a next one.
    ///
    /// # Errors
    /// The answer is unreadable.
    pub fn read(response: &WireResponse) -> Result<Self, SupplierError> {
        response.json().or_else(|error| {
            serde_json::from_slice(&response.body)
                .map(|data| Self { data, meta: None })
                .map_err(|_| error)
        })
    }

    /// The cursor of the next page.
    pub fn after(self) -> Option<String> {
        self.meta.and_then(|meta| meta.after)
    }
}

/// Our own reference travels here: Duffel keeps metadata with the order and gives it back.
#[derive(Debug, Serialize, Deserialize)]
pub struct Metadata {
    /// Our order's id.
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub interline_order_id: Option<String>,
}

impl Metadata {
    /// The metadata of an order of ours.
    pub fn of(order: travel_types::OrderId) -> Self {
        Self {
            interline_order_id: Some(order.to_string()),
        }
    }
}

/// What tells whose an order is, and of when.
#[derive(Debug, Deserialize)]
pub(super) struct Tagged {
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) created_at: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) confirmed_at: Option<Literal>,
}

/// The body of an error.
#[derive(Debug, Deserialize)]
pub(super) struct Errors {
    #[serde(default, deserialize_with = "list")]
    pub(super) errors: Vec<ErrorItem>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorItem {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    /// Mostly text; "Unsupported operation" has been seen with the number 400.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) code: Option<Literal>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) title: Option<String>,
    /// `{field, pointer}` of a bad field, or the name of an airline.
    #[serde(default)]
    pub(super) source: Option<serde_json::Value>,
}
