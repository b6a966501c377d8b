//! Hotelbeds' APItude under `/hotelbeds`: availability, rate checks, bookings and content, with the
//! drift between its endpoints (WIRE §4): numbers that become texts, lists that become texts, instants
//! in UTC that become local.

mod answer;
mod availability;
mod bookings;
mod content;
mod rates;
mod state;

use std::io::Write as _;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Method;
use http::request::Parts;
use serde_json::{Value, json};

use crate::answer::{Answer, Content};
use crate::faults::{Faults, Operation};
use crate::journal::{Journal, Line};
use crate::supplier::{Failure, Office, Simulator};
use answer::{Answered, Problem};
use state::Hotelbeds;

type Desk = State<Arc<Hotelbeds>>;

/// How far a signature's second may be from now.
const WINDOW: i64 = 300;
/// The header by which a handler's answer tells the front that it is to be compressed.
const ENCODING: &str = "content-encoding";

/// The simulator.
pub(crate) fn simulator(
    options: &crate::Options,
    journal: &Arc<Journal>,
    faults: &Arc<Faults>,
) -> Arc<dyn Simulator> {
    Arc::new(Hotelbeds::new(options, journal, faults))
}

impl Simulator for Hotelbeds {
    fn office(&self) -> &Office {
        &self.office
    }

    fn routes(self: Arc<Self>) -> Router {
        let bookings = || get(list_bookings).post(create_booking);
        Router::new()
            .route("/hotel-api/1.0/hotels", post(search))
            .route("/hotel-api/1.0/checkrates", post(check_rates))
            .route("/hotel-api/1.0/bookings", bookings())
            .route("/hotel-api/1.2/bookings", bookings())
            .route(
                "/hotel-api/1.0/bookings/{reference}",
                get(show_booking).delete(cancel_booking),
            )
            .route("/hotel-content-api/1.0/hotels", get(describe_hotels))
            .fallback(async || Answer::from(Problem::not_found()))
            .method_not_allowed_fallback(async || Answer::from(Problem::not_found()))
            .layer(middleware::from_fn(compress_if_allowed))
            .with_state(self)
    }

    fn operation(&self, method: &Method, path: &str) -> Option<Operation> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["hotel-api", _, "hotels"] => Some(Operation::Search),
            ["hotel-api", _, "checkrates"] => Some(Operation::Price),
            ["hotel-api", _, "bookings"] if method == Method::POST => Some(Operation::Order),
            // A simulation commits nothing, so faults after the commit spare it.
            ["hotel-api", _, "bookings", _] if method == Method::DELETE => {
                Some(Operation::CancelConfirm)
            }
            ["hotel-api", _, "bookings", ..] => Some(Operation::Retrieve),
            ["hotel-content-api", ..] => Some(Operation::Places),
            _ => None,
        }
    }

    fn admit(&self, request: &Parts) -> Result<(), Answer> {
        let text = |name: &str| {
            let value = request.headers.get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let key = text("api-key");
        if !key.starts_with("hotelbeds_") {
            return Err(Problem::no_key().into());
        }
        if !self.signed(key, text("x-signature")) {
            return Err(Problem::signature().into());
        }
        if request.method == Method::POST && !text("content-type").starts_with("application/json") {
            return Err(Problem::media_type().into());
        }
        if self.office.over_limit() {
            return Err(Problem::quota().into());
        }
        Ok(())
    }

    fn failure(&self, failure: Failure) -> Answer {
        match failure {
            Failure::Internal => Problem::system(),
            Failure::Unavailable => Problem::unavailable(),
            Failure::RateLimit => Problem::too_many(),
        }
        .into()
    }

    fn finish(&self, answer: &mut Answer) {
        self.office.count_request();
        let token = self.token();
        if let Content::Json(body) = &mut answer.body {
            let texts = body.get("booking").is_some() || body.get("bookings").is_some();
            if let Some(audit) = body.get_mut("auditData") {
                *audit = answer::audit(self.office.clock.now(), &token, texts);
            }
            if let Some(Value::String(code)) = body.pointer_mut("/error/code") {
                *code = format!("{code}-{token}");
            }
        }
        if answer.status == http::StatusCode::TOO_MANY_REQUESTS {
            answer.headers.push(("retry-after", "1".to_owned()));
        }
        if answer.headers.iter().any(|(name, _)| *name == ENCODING)
            && let Content::Json(body) = &answer.body
        {
            answer.body = Content::Other("application/json", gzipped(body));
        }
    }

    fn keys(&self) -> &'static [&'static str] {
        &["rateKey", "reference"]
    }

    fn replay(&self, line: &Line) -> Result<(), serde_json::Error> {
        self.redo(line)
    }

    fn reset(&self) {
        self.forget();
    }
}

impl Hotelbeds {
    /// The hexadecimal SHA-256 of key, secret and the second: of any second around now. The secret is
    /// the key and `_secret`.
    fn signed(&self, key: &str, signature: &str) -> bool {
        let now = self.office.clock.now().as_second();
        let signature = signature.to_ascii_lowercase();
        (0..=WINDOW).any(|off| {
            [now - off, now + off].iter().any(|second| {
                let hash = digest(&SHA256, format!("{key}{key}_secret{second}").as_bytes());
                hex::encode(hash) == signature
            })
        })
    }
}

/// Marks the answers to those who take gzip.
async fn compress_if_allowed(request: Request, next: Next) -> Response {
    let accepted = request.headers().get("accept-encoding");
    let gzip = accepted
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("gzip"));
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Answer>() {
        Some(answer) if gzip => answer.header(ENCODING, "gzip").into_response(),
        Some(answer) => answer.into_response(),
        None => response,
    }
}

fn gzipped(body: &Value) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let text = serde_json::to_vec(body).unwrap_or_default();
    // Writing into memory does not fail.
    let written = encoder.write_all(&text).and_then(|()| encoder.finish());
    Bytes::from(written.unwrap_or_default())
}

fn answer(answered: Answered) -> Answer {
    answered.unwrap_or_else(Answer::from)
}

fn json(body: &Bytes) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|_| Problem::request("The request body is not valid JSON"))
}

/// The parameters of a query, the last of each name.
fn params(query: Option<&str>) -> std::collections::BTreeMap<String, String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}

async fn search(State(hotelbeds): Desk, body: Bytes) -> Answer {
    answer(json(&body).and_then(|body| availability::search(&hotelbeds, &body)))
}

async fn check_rates(State(hotelbeds): Desk, body: Bytes) -> Answer {
    answer(json(&body).and_then(|body| availability::check(&hotelbeds, &body)))
}

async fn create_booking(State(hotelbeds): Desk, body: Bytes) -> Answer {
    match json(&body) {
        Ok(body) => answer(bookings::create(&hotelbeds, &body).await),
        Err(problem) => problem.into(),
    }
}

async fn list_bookings(State(hotelbeds): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(bookings::list(&hotelbeds, &params(query.as_deref())))
}

async fn show_booking(State(hotelbeds): Desk, Path(reference): Path<String>) -> Answer {
    answer(bookings::show(&hotelbeds, &reference))
}

async fn cancel_booking(
    State(hotelbeds): Desk,
    Path(reference): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let params = params(query.as_deref());
    answer(bookings::cancel(&hotelbeds, &reference, &params).await)
}

async fn describe_hotels(State(hotelbeds): Desk, RawQuery(query): RawQuery) -> Answer {
    answer(content::hotels(&hotelbeds, &params(query.as_deref())))
}

/// Text of a category: its code and name, such as `4EST`, `4 STARS`.
fn category(half_stars: u8) -> (String, String) {
    let whole = half_stars / 2;
    if half_stars.is_multiple_of(2) {
        (format!("{whole}EST"), format!("{whole} STARS"))
    } else {
        (format!("H{whole}_5"), format!("{whole} STARS AND A HALF"))
    }
}

/// What answers say about a hotel, however they write numbers.
fn about(property: &crate::hotels::Property, texts: bool) -> serde_json::Map<String, Value> {
    let (category_code, category_name) = category(property.half_stars);
    let (latitude, longitude) = property.position_for(state::NAME);
    let degrees = |degrees: f64| {
        if texts {
            json!(format!("{degrees:.20}"))
        } else {
            json!(degrees)
        }
    };
    let zone = 1 + property.number % 60;
    let about = json!({
        "code": property.number,
        "name": property.name_for(state::NAME),
        "categoryCode": category_code,
        "categoryName": category_name,
        "destinationCode": property.town.iata,
        "destinationName": property.town.name,
        "zoneCode": zone,
        "zoneName": property.street.split_once(' ').map_or("Centre", |(_, street)| street),
        "latitude": degrees(latitude),
        "longitude": degrees(longitude),
    });
    match about {
        Value::Object(about) => about,
        _ => serde_json::Map::new(),
    }
}
