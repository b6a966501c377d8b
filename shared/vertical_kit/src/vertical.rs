//! A vertical put together: its suppliers from the configuration, its desk, its routes. A service of a
//! vertical is its model, its rules, its search handler and its suppliers; the rest is this.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::FromRef;
use service_kit::{App, Check, Context, Routes, StartError};
use supplier_client::SupplierMetrics;

use crate::desk::{Desk, DeskParts, Rules};
use crate::{Assortment, Searcher, Supplier};

/// How a supplier is made from the configuration; none when it is switched off.
pub type Make<Q> =
    fn(&Context, &SupplierMetrics) -> Result<Option<Arc<dyn Searcher<Q>>>, StartError>;

/// One line of a vertical's table of suppliers.
pub struct Registration<Q> {
    config: fn() -> String,
    make: Make<Q>,
}

impl<Q> Registration<Q> {
    /// A supplier by the default document of its configuration, and by how it is made.
    pub const fn new(config: fn() -> String, make: Make<Q>) -> Self {
        Self { config, make }
    }
}

/// What a vertical brings along.
pub struct VerticalParts<Q: 'static> {
    /// Its name in paths and answers, e.g. `flights`.
    pub name: &'static str,
    /// Its suppliers.
    pub suppliers: &'static [Registration<Q>],
    /// What may be ordered.
    pub rules: Arc<dyn Rules>,
    /// How offers of several suppliers lie side by side.
    pub assortment: Arc<dyn Assortment>,
}

/// The default configuration of a vertical's service: the kit's, every supplier's, its own.
pub fn config<Q>(
    suppliers: &'static [Registration<Q>],
    own: &'static str,
) -> Vec<Cow<'static, str>> {
    let mut documents = vec![Cow::Borrowed(crate::CONFIG)];
    documents.extend(
        suppliers
            .iter()
            .map(|supplier| Cow::Owned((supplier.config)())),
    );
    documents.push(Cow::Borrowed(own));
    documents
}

/// A vertical at work: its desk and the suppliers that its searches ask. Cheap to clone; the state of
/// its handlers.
pub struct Shop<Q: 'static> {
    /// What the kit's own handlers work with.
    pub desk: Desk,
    pub(crate) suppliers: Arc<[Arc<dyn Searcher<Q>>]>,
}

impl<Q> Clone for Shop<Q> {
    fn clone(&self) -> Self {
        Self {
            desk: self.desk.clone(),
            suppliers: Arc::clone(&self.suppliers),
        }
    }
}

impl<Q> FromRef<Shop<Q>> for Desk {
    fn from_ref(shop: &Shop<Q>) -> Self {
        shop.desk.clone()
    }
}

impl<Q: Send + Sync + 'static> Shop<Q> {
    /// Makes the suppliers that are switched on, and opens the desk.
    ///
    /// # Errors
    /// [`StartError`] when a supplier's configuration or the store cannot be used.
    pub async fn open(context: &Context, parts: VerticalParts<Q>) -> Result<Self, StartError> {
        let metrics = SupplierMetrics::register(&context.metrics)?;
        let mut suppliers = Vec::new();
        for registration in parts.suppliers {
            suppliers.extend((registration.make)(context, &metrics)?);
        }
        let desk = Desk::open(
            context,
            DeskParts {
                vertical: parts.name,
                suppliers: suppliers
                    .iter()
                    .map(|supplier| {
                        let seller: Arc<dyn Supplier> = Arc::<dyn Searcher<Q>>::clone(supplier);
                        seller
                    })
                    .collect(),
                rules: parts.rules,
                assortment: parts.assortment,
                rates: crate::rates::configured(context, &metrics)?,
            },
        )
        .await?;
        Ok(Self {
            desk,
            suppliers: suppliers.into(),
        })
    }

    /// The service: `own` routes with full paths, the kit's under `/api/v1/<name>`, and the check of
    /// the store.
    pub fn app(self, own: Routes<Self>) -> App {
        let prefix = format!("/api/v1/{}", self.desk.vertical());
        let db = self.desk.db().clone();
        let store = Check::required("store", move || {
            let db = db.clone();
            async move { db.ping().await.map_err(|error| error.to_string()) }
        });
        let kit = crate::routes::routes().with_state(self.desk.clone());
        let internal = crate::routes::internal().with_state(self.desk.clone());
        App {
            interface: own
                .with_state(self)
                .merge(internal)
                .nest(&prefix, kit)
                .into(),
            checks: vec![store],
        }
    }
}

/// A vertical's document: its own operations with full paths and the kit's. `details` is the name of
/// the component that describes the vertical's part of offers and orders.
pub fn document<Q: Send + Sync + 'static>(
    own: Routes<Shop<Q>>,
    name: &str,
    details: &str,
) -> serde_json::Value {
    let document = Routes::<Desk>::new(own.into_openapi())
        .nest(&format!("/api/v1/{name}"), crate::routes::routes())
        .into_openapi();
    crate::routes::complete(document, name, details)
}
