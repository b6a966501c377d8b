//! A service with the smallest vertical there is, and callers of it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use auth::{HOP_HEADER, HopSigner, Identity, Permission, Role};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use service_kit::{
    Access, ApiError, App, Context, Cx, Need, Routes, Running, ServiceSpec, StartError,
};
use settings::{Settings, Sources};
use storage::{Db, Migration, StoreError, StoreOptions};
use testkit::{Answer, Client, Folder, wait_until};
use travel_types::jiff::civil::Date;
use travel_types::{Clock, FieldErrors, Traveller};
use utoipa::OpenApi as _;
use vertical_kit::{
    Assortment, Described, Desk, DeskParts, Offer, Rules, SearchOptions, Searcher, Sort, Supplier,
};

use crate::supplier::{Scripted, rename};

const NAME: &str = "tour_service";
pub(crate) const ORDERS: &str = "/api/v1/tours/orders";

/// The suppliers of each shop, by its folder: a service is built by a plain function.
static SUPPLIERS: Mutex<BTreeMap<PathBuf, Vec<Arc<Scripted>>>> = Mutex::new(BTreeMap::new());

#[derive(utoipa::OpenApi)]
struct Document;

struct NoRules;

impl Rules for NoRules {
    fn check_travellers(&self, _: &Offer, _: &[Traveller], _: Date, _: &mut FieldErrors) {}
}

struct Tours;

#[async_trait]
impl Assortment for Tours {
    fn migrations(&self) -> Option<(&'static str, &'static [Migration])> {
        None
    }

    async fn align(&self, _: &Db, _: &mut [Described<'_>]) -> Result<(), StoreError> {
        Ok(())
    }

    fn same(&self, _: &Offer) -> Option<String> {
        None
    }
}

type Searchers = Arc<[Arc<dyn Searcher<()>>]>;

async fn search(
    cx: Cx,
    State((desk, suppliers)): State<(Desk, Searchers)>,
    RawQuery(cursor): RawQuery,
) -> Result<Response, ApiError> {
    let options = SearchOptions {
        sort: Sort::Price,
        tie: |_, _| Ordering::Equal,
        filter: None,
        limit: 2,
        currency: None,
        group: None,
    };
    let page = match cursor {
        Some(cursor) => desk.search_page(&cursor, None, 2, &[]).await?,
        None => desk.search(&cx, &suppliers, &(), &options, "0").await?,
    };
    cx.success(StatusCode::OK, page.items, page.meta)
}

fn as_supplier(supplier: &Arc<Scripted>) -> Arc<dyn Supplier> {
    supplier.clone()
}

fn as_searcher(supplier: &Arc<Scripted>) -> Arc<dyn Searcher<()>> {
    supplier.clone()
}

async fn build(context: Context) -> Result<App, StartError> {
    let suppliers = SUPPLIERS.lock().unwrap()[&context.data_dir].clone();
    let parts = DeskParts {
        vertical: "tours",
        suppliers: suppliers.iter().map(as_supplier).collect(),
        rules: Arc::new(NoRules),
        assortment: Arc::new(Tours),
        rates: None,
    };
    let desk = Desk::open(&context, parts).await?;
    let searchers: Searchers = suppliers.iter().map(as_searcher).collect();
    let own = Routes::default()
        .internal(
            Need::Permission(Permission::OffersRead),
            "/offers",
            axum::routing::get(search),
        )
        .with_state((desk.clone(), searchers));
    let internal = vertical_kit::routes::internal().with_state(desk.clone());
    let kit = vertical_kit::routes::routes().with_state(desk).merge(own);
    Ok(App {
        interface: Routes::default()
            .nest("/api/v1/tours", kit)
            .merge(internal)
            .into(),
        checks: Vec::new(),
    })
}

/// A running service with two suppliers, `first` and `second`, and a clock that stands still.
pub(crate) struct Shop {
    pub(crate) first: Arc<Scripted>,
    pub(crate) second: Arc<Scripted>,
    pub(crate) clock: Clock,
    pub(crate) store_url: String,
    settings: Vec<(&'static str, &'static str)>,
    folder: Folder,
    running: Running,
    signer: HopSigner,
}

/// Runs the story once per engine, each with a shop and a store of its own.
pub(crate) async fn on_both(
    settings: &[(&'static str, &'static str)],
    story: impl AsyncFn(&mut Shop),
) {
    for engine in ["sqlite", "postgres"] {
        println!("on {engine}");
        let mut shop = Shop::open(engine, settings).await;
        story(&mut shop).await;
        shop.close().await;
    }
}

impl Shop {
    async fn open(engine: &str, settings: &[(&'static str, &'static str)]) -> Self {
        let folder = Folder::new();
        let store_url = if engine == "sqlite" {
            format!("sqlite:{}", folder.path().join("store.db").display())
        } else {
            let server = server();
            let (base, _) = server.rsplit_once('/').unwrap();
            format!("{base}/test_{}", uuid::Uuid::new_v4().simple())
        };
        let first = Arc::new(Scripted::new("first"));
        let second = Arc::new(Scripted::new("second"));
        let suppliers = vec![first.clone(), second.clone()];
        let path = folder.path().to_owned();
        SUPPLIERS.lock().unwrap().insert(path, suppliers);
        let clock = Clock::manual("2026-12-01T10:30:00Z".parse().unwrap());
        let running = run(&folder, &store_url, settings, &clock).await;
        Self {
            signer: HopSigner::development(folder.path(), clock.clone()).unwrap(),
            settings: settings.to_vec(),
            first,
            second,
            clock,
            store_url,
            folder,
            running,
        }
    }

    /// A second process on the same store, in front of which callers are from now on. The first one
    /// gives no sign of life, as far as its caller can see.
    pub(crate) async fn start_again(&mut self) -> Running {
        let again = run(&self.folder, &self.store_url, &self.settings, &self.clock).await;
        std::mem::replace(&mut self.running, again)
    }

    /// Takes the suppliers away, as configuration does, at the next start.
    pub(crate) fn switch_suppliers_off(&self) {
        let folder = self.folder.path().to_owned();
        SUPPLIERS.lock().unwrap().insert(folder, Vec::new());
    }

    pub(crate) fn switch_suppliers_on(&self) {
        let folder = self.folder.path().to_owned();
        let suppliers = vec![self.first.clone(), self.second.clone()];
        SUPPLIERS.lock().unwrap().insert(folder, suppliers);
    }

    async fn close(self) {
        self.running.stop().await;
        if let Some((base, name)) = self.store_url.rsplit_once('/')
            && base.starts_with("postgres")
        {
            let db = Db::open(&StoreOptions::new(server())).await.unwrap();
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            storage::query(storage::sqlx::AssertSqlSafe(drop))
                .execute(db.pool())
                .await
                .unwrap();
            db.close().await;
        }
    }

    /// An agent, as the gateway lets it through at this moment.
    pub(crate) fn agent(&self) -> Client {
        self.caller("usr_1", Role::Agent)
    }

    /// Anybody, as the gateway lets it through at this moment.
    pub(crate) fn caller(&self, subject: &str, role: Role) -> Client {
        let permissions = role.permissions().to_vec();
        let caller = Identity::new(subject.to_owned(), role, permissions);
        let token = self.signer.sign(&caller, NAME).unwrap();
        Client::new(self.running.url()).with(HOP_HEADER.as_str(), &token)
    }

    /// A fresh offer's id.
    pub(crate) async fn offer(&self) -> String {
        let found = self.agent().get("/api/v1/tours/offers").await;
        let offers = found.data().as_array().unwrap();
        let of_first = offers.iter().find(|offer| offer["supplier"] == "first");
        of_first.unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn order(&self, key: &str, offer: &str) -> Answer {
        self.agent().post_once(key, ORDERS, &order_of(offer)).await
    }

    /// An order that the supplier confirmed.
    pub(crate) async fn confirmed(&self, key: &str) -> String {
        let answer = self.order(key, &self.offer().await).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        id(&answer)
    }

    pub(crate) async fn read(&self, order: &str) -> Value {
        let answer = self.agent().get(&format!("{ORDERS}/{order}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.data().clone()
    }

    /// A quote's id.
    pub(crate) async fn quote(&self, order: &str) -> String {
        let answer = self.ask_quote(order).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        id(&answer)
    }

    pub(crate) async fn ask_quote(&self, order: &str) -> Answer {
        let path = format!("{ORDERS}/{order}/cancellations");
        self.agent().send("POST", &path, None).await
    }

    pub(crate) async fn confirm(&self, key: &str, quote: &str) -> Answer {
        let path = format!("/api/v1/tours/cancellations/{quote}/confirm");
        let agent = self.agent().with("idempotency-key", key);
        agent.send("POST", &path, None).await
    }

    /// Waits until the order's status is this.
    pub(crate) async fn becomes(&self, order: &str, status: &str) {
        wait_until(status, async || {
            (self.read(order).await["status"] == status).then_some(())
        })
        .await;
    }

    /// Waits until the supplier has been asked this many times more; each time the clock moves on, so
    /// that the next question is due.
    pub(crate) async fn after_questions(&self, operation: &'static str, more: usize) {
        for _ in 0..more {
            let before = self.first.calls(operation);
            self.clock.advance(Duration::from_secs(2));
            wait_until("a question", async || {
                (self.first.calls(operation) > before).then_some(())
            })
            .await;
        }
    }

    /// Gives a table back.
    pub(crate) async fn table_back(&self, table: &str) {
        rename(&self.store_url, &format!("{table}_away"), table).await;
    }
}

async fn run(
    folder: &Folder,
    store_url: &str,
    settings: &[(&'static str, &'static str)],
    clock: &Clock,
) -> Running {
    let spec = ServiceSpec {
        name: NAME,
        config: vec![vertical_kit::CONFIG.into()],
        openapi: || service_kit::openapi::written(&Document::openapi()),
        access: Access::Gateway,
        build: |context| Box::pin(build(context)),
    };
    let mut sources = Sources::default()
        .with("test", "data_dir", folder.path().display().to_string())
        .with("test", "store.url", store_url)
        .with("test", "settle.poll_ms", 10)
        .with("test", "settle.first_ms", 1000)
        .with("test", "settle.longest_ms", 1000);
    for (key, value) in settings {
        let value: i64 = value.parse().unwrap();
        sources = sources.with("test", key, value);
    }
    let settings = Settings::load(NAME, &spec.defaults(), &sources).unwrap();
    let listener = service_kit::bind("127.0.0.1", 0).await.unwrap();
    let started = service_kit::start(&spec, settings, clock.clone(), listener).await;
    started.unwrap()
}

fn server() -> String {
    std::env::var("INTERLINE_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "INTERLINE_TEST_POSTGRES_URL is not set: run tests/run.sh, \
             or eval \"$(tests/services.sh start)\" first"
        )
    })
}

pub(crate) fn id(answer: &Answer) -> String {
    answer.data()["id"].as_str().unwrap().to_owned()
}

pub(crate) fn order_of(offer: &str) -> Value {
    json!({
        "offer_id": offer,
        "travellers": [{
            "title": "ms", "given_name": "Amelia", "family_name": "Earhart",
            "born_on": "1987-07-24", "gender": "female",
        }],
        "contact": {"email": "amelia@example.com", "phone": "+442080160509"},
    })
}

/// The events of an order's history, in order.
pub(crate) fn events(order: &Value) -> Vec<&str> {
    let history = order["history"].as_array().unwrap();
    history
        .iter()
        .map(|entry| entry["event"].as_str().unwrap())
        .collect()
}
