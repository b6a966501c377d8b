//! Starting a sandbox and talking Duffel to it.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use sandbox::Options;
use serde_json::{Value, json};

/// A date inside the timetable of every test, as long as tests run with [`clock`].
pub const DAY: &str = "2026-12-01";

/// A clock that stands at 21 November 2026, 12:00 UTC.
pub fn clock() -> sandbox::Clock {
    sandbox::Clock::manual("2026-11-21T12:00:00Z".parse().unwrap())
}

pub struct Server {
    pub base: String,
    pub client: Client,
    pub clock: sandbox::Clock,
}

/// A sandbox in memory with a clock of its own.
pub async fn start() -> Server {
    start_with(Options {
        // As strict as the real one.
        one_order_per_search: true,
        ..Options::default()
    })
    .await
}

pub async fn start_with(options: Options) -> Server {
    let clock = clock();
    let options = Options {
        clock: clock.clone(),
        ..options
    };
    let router = sandbox::router(options).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Client::builder()
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    Server {
        base,
        client,
        clock,
    }
}

impl Server {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .header("Authorization", "Bearer duffel_test_token")
            .header("Duffel-Version", "v2")
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::PUT, path).json(body)).await
    }

    /// Searches one way for adults; the whole offer request.
    pub async fn search(&self, from: &str, to: &str, adults: usize) -> Value {
        let slices = json!([{ "origin": from, "destination": to, "departure_date": DAY }]);
        self.search_slices(slices, vec![json!({ "type": "adult" }); adults])
            .await
    }

    pub async fn search_slices(&self, slices: Value, passengers: Vec<Value>) -> Value {
        let body = json!({ "data": {
            "slices": slices,
            "passengers": passengers,
            "cabin_class": "economy",
        }});
        let (status, body) = self.post("/duffel/air/offer_requests", &body).await;
        assert_eq!(status, 201, "{body}");
        body["data"].clone()
    }

    /// The first offer of a fresh search.
    pub async fn offer(&self, from: &str, to: &str) -> Value {
        self.search(from, to, 1).await["offers"][0].clone()
    }

    /// The cheapest offer of a fresh search, without reading the others.
    pub async fn cheapest(&self, from: &str, to: &str) -> Value {
        let body = json!({ "data": {
            "slices": [{ "origin": from, "destination": to, "departure_date": DAY }],
            "passengers": [{ "type": "adult" }],
        }});
        let path = "/duffel/air/offer_requests?return_offers=false";
        let (_, request) = self.post(path, &body).await;
        assert!(request["data"].get("offers").is_none());
        let id = request["data"]["id"].as_str().unwrap();
        let query = format!("offer_request_id={id}&sort=total_amount&limit=1");
        let (_, page) = self.get(&format!("/duffel/air/offers?{query}")).await;
        page["data"][0].clone()
    }

    pub async fn order(&self, offer: &Value, family_name: &str) -> (StatusCode, Value) {
        self.post("/duffel/air/orders", &order_body(offer, family_name))
            .await
    }

    pub async fn journal(&self) -> Vec<Value> {
        let (_, body) = self.get("/_control/journal?supplier=duffel").await;
        body["data"].as_array().unwrap().clone()
    }

    pub async fn fault(&self, body: Value) {
        let (status, body) = self.put("/_control/faults/duffel", &body).await;
        assert_eq!(status, 200, "{body}");
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// An instant order of `offer` by adults born in 1987, paid with its total.
pub fn order_body(offer: &Value, family_name: &str) -> Value {
    let passengers: Vec<Value> = offer["passengers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|passenger| traveller(&passenger["id"], family_name, "1987-07-24"))
        .collect();
    json!({ "data": {
        "type": "instant",
        "selected_offers": [offer["id"]],
        "passengers": passengers,
        "payments": [{
            "type": "balance",
            "amount": offer["total_amount"],
            "currency": offer["total_currency"],
        }],
        "metadata": { "interline_order_id": "ord_interline" },
    }})
}

pub fn traveller(id: &Value, family_name: &str, born_on: &str) -> Value {
    json!({
        "id": id,
        "title": "ms",
        "given_name": "Amelia",
        "family_name": family_name,
        "gender": "f",
        "born_on": born_on,
        "email": "amelia@example.com",
        "phone_number": "+442080160509",
    })
}

/// The code of the first error of an answer.
pub fn code(body: &Value) -> &str {
    body["errors"][0]["code"].as_str().unwrap_or_default()
}

/// The inventory item of an offer's first flight.
pub fn item(offer: &Value) -> String {
    let segment = &offer["slices"][0]["segments"][0];
    format!(
        "{}{}/{}/economy",
        segment["marketing_carrier"]["iata_code"].as_str().unwrap(),
        segment["marketing_carrier_flight_number"].as_str().unwrap(),
        &segment["departing_at"].as_str().unwrap()[..10],
    )
}

/// Hundredths of a decimal string.
pub fn cents(text: &Value) -> i64 {
    let text = text.as_str().expect("amounts are strings");
    let (whole, fraction) = text.split_once('.').expect("amounts have decimals");
    assert_eq!(fraction.len(), 2);
    format!("{whole}{fraction}").parse().unwrap()
}
