//! Rapid from the search to the cancellation, as a client with a key sees it.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA512, digest};
use reqwest::{Method, RequestBuilder, Response};
use sandbox::Options;
use serde_json::{Value, json};

use super::support::{DAY, Server, cents, start_with};

pub const KEY: &str = "rapid_sandbox";
pub const EMAIL: &str = "amelia@example.com";

/// A sandbox that is asked as Rapid.
pub struct Rapid(pub Server);

pub async fn rapid() -> Rapid {
    Rapid(start_with(Options::default()).await)
}

pub fn signature(key: &str, secret: &str, at: i64) -> String {
    let hash = digest(&SHA512, format!("{key}{secret}{at}").as_bytes());
    let hex: Vec<String> = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    hex.concat()
}

impl Rapid {
    pub fn authorization(&self, at: i64) -> String {
        let signature = signature(KEY, "rapid_sandbox_secret", at);
        format!("EAN apikey={KEY},signature={signature},timestamp={at}")
    }

    /// A request with everything that Rapid wants; `href` as in its links.
    pub fn request(&self, method: Method, href: &str) -> RequestBuilder {
        let at = self.0.clock.now().as_second();
        self.0
            .client
            .request(method, format!("{}/rapid{href}", self.0.base))
            .header("Authorization", self.authorization(at))
            .header("Accept", "application/json")
            .header("Accept-Encoding", "gzip")
            .header("User-Agent", "interline/1")
            .header("Customer-Ip", "192.0.2.7")
    }

    pub async fn get(&self, href: &str) -> (u16, Value) {
        read(self.request(Method::GET, href).send().await.unwrap()).await
    }

    pub async fn post(&self, href: &str, body: &Value) -> (u16, Value) {
        let request = self.request(Method::POST, href).json(body);
        read(request.send().await.unwrap()).await
    }

    /// PUT or DELETE of a link.
    pub async fn follow(&self, link: &Value) -> (u16, Value) {
        let method = link["method"].as_str().unwrap().parse().unwrap();
        let href = link["href"].as_str().unwrap();
        read(self.request(method, href).send().await.unwrap()).await
    }

    pub async fn ids(&self, city: &str) -> Vec<String> {
        let query = format!(
            "language=en-US&include=property_ids&supply_source=expedia&type=multi_city_vicinity&iata_location_code={city}"
        );
        let (status, body) = self.get(&format!("/v3/regions?{query}")).await;
        assert_eq!(status, 200, "{body}");
        let ids = body[0]["property_ids"].as_array().unwrap();
        ids.iter()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect()
    }

    /// Everything on sale in a city for two nights from [`DAY`]; `people` such as
    /// `occupancy=2&occupancy=1`.
    pub async fn shop(&self, city: &str, people: &str) -> Value {
        let ids = self.ids(city).await.join("&property_id=");
        let (status, body) = self.get(&shop_path(&ids, people)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// A price check's answer for the first rate that is refundable, or not.
    pub async fn checked(&self, people: &str, refundable: bool) -> Checked {
        let found = self.shop("LON", people).await;
        for property in found.as_array().unwrap() {
            for room in property["rooms"].as_array().unwrap() {
                for rate in room["rates"].as_array().unwrap() {
                    if rate["refundable"] == refundable {
                        return self.check(property, room, rate).await;
                    }
                }
            }
        }
        panic!("nothing on sale");
    }

    pub async fn check(&self, property: &Value, room: &Value, rate: &Value) -> Checked {
        let group = rate["bed_groups"].as_object().unwrap().values().next();
        let link = group.unwrap()["links"]["price_check"]["href"].clone();
        let link = link.as_str().unwrap().to_owned();
        let (status, body) = self.get(&link).await;
        assert_eq!(status, 200, "{body}");
        Checked {
            link,
            property: property["property_id"].as_str().unwrap().to_owned(),
            room: room["room_name"].as_str().unwrap().to_owned(),
            rate: rate.clone(),
            body,
        }
    }

    pub async fn book(&self, checked: &Value, body: &Value) -> (u16, Value) {
        let href = checked["links"]["book"]["href"].as_str().unwrap();
        self.post(href, body).await
    }

    pub async fn journal(&self) -> Vec<Value> {
        let (_, body) = self.0.get("/_control/journal?supplier=rapid").await;
        body["data"].as_array().unwrap().clone()
    }

    pub async fn fault(&self, body: Value) {
        let (status, body) = self.0.put("/_control/faults/rapid", &body).await;
        assert_eq!(status, 200, "{body}");
    }
}

/// A rate whose price was checked.
pub struct Checked {
    pub link: String,
    pub property: String,
    pub room: String,
    pub rate: Value,
    pub body: Value,
}

pub fn shop_path(ids: &str, people: &str) -> String {
    format!(
        "/v3/properties/availability?checkin={DAY}&checkout=2026-12-03&currency=USD&country_code=GB&language=en-US&{people}&property_id={ids}&rate_plan_count=250&sales_channel=website&sales_environment=hotel_only"
    )
}

pub async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// A booking of `rooms` rooms.
pub fn booking(reference: &str, family_name: &str, rooms: usize) -> Value {
    let guest = json!({
        "given_name": "Amelia",
        "family_name": family_name,
        "smoking": false,
        "special_request": "Top floor or away from street please",
    });
    json!({
        "affiliate_reference_id": reference,
        "hold": false,
        "email": EMAIL,
        "phone": { "country_code": "44", "area_code": "20", "number": "79460123" },
        "rooms": vec![guest; rooms],
        "payments": [{
            "type": "affiliate_collect",
            "billing_contact": {
                "given_name": "Interline",
                "family_name": "Travel",
                "address": { "line_1": "1 Mill Lane", "city": "London", "postal_code": "N1 9GU", "country_code": "GB" },
            },
        }],
    })
}

fn held(reference: &str, family_name: &str) -> Value {
    let mut body = booking(reference, family_name, 1);
    body["hold"] = json!(true);
    body
}

fn by_reference(reference: &str) -> String {
    format!("/v3/itineraries?affiliate_reference_id={reference}&email={EMAIL}")
}

/// The type of an error or of the first one inside it.
pub fn kind(body: &Value) -> &str {
    let inner = body["errors"][0]["type"].as_str();
    inner.or(body["type"].as_str()).unwrap_or_default()
}

#[tokio::test]
async fn a_region_a_polygon_and_the_content_name_the_same_properties() {
    let rapid = rapid().await;
    let ids = rapid.ids("NCE").await;
    assert!(ids.len() >= 5, "{ids:?}");
    let (around, far) = (0.3, 7.21587);
    let (west, east) = (far - around, far + around);
    let polygon = json!({ "type": "Polygon", "coordinates": [[
        [west, 43.3], [east, 43.3], [east, 44.0], [west, 44.0], [west, 43.3],
    ]]});
    let path = "/v3/properties/geography?include=property_ids&supply_source=expedia";
    let (status, found) = rapid.post(path, &polygon).await;
    assert_eq!(status, 200, "{found}");
    let found: BTreeSet<&String> = found.as_object().unwrap().keys().collect();
    assert!(ids.iter().all(|id| found.contains(id)));
    let query = ids.join("&property_id=");
    let (status, content) = rapid
        .get(&format!(
            "/v3/properties/content?language=en-US&supply_source=expedia&property_id={query}"
        ))
        .await;
    assert_eq!(status, 200);
    assert_eq!(content.as_object().unwrap().len(), ids.len());
    for (id, property) in content.as_object().unwrap() {
        assert_eq!(&property["property_id"], id);
        let picture = property["images"][0]["links"]["350px"]["href"]
            .as_str()
            .unwrap();
        let answer = rapid.0.client.get(picture).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "image/svg+xml");
        assert!(
            answer.headers()["cache-control"]
                .to_str()
                .unwrap()
                .contains("max-age")
        );
        assert!(answer.text().await.unwrap().starts_with("<svg "));
    }
    let missing = format!("{}/pictures/hotels/{}/99.svg", rapid.0.base, ids[0]);
    assert_eq!(
        rapid.0.client.get(missing).send().await.unwrap().status(),
        404
    );
    let (status, none) = rapid
        .get("/v3/regions?language=en-US&include=standard&iata_location_code=XXQ")
        .await;
    assert_eq!((status, none), (200, json!([])));
}

#[tokio::test]
async fn every_price_adds_up_and_every_room_takes_its_people() {
    let rapid = rapid().await;
    let mut boards = BTreeSet::new();
    for people in [
        "occupancy=2",
        "occupancy=3",
        "occupancy=2-9,4",
        "occupancy=2&occupancy=1",
    ] {
        let found = rapid.shop("LON", people).await;
        assert!(!found.as_array().unwrap().is_empty(), "{people}");
        for property in found.as_array().unwrap() {
            for rate in property["rooms"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|room| room["rates"].as_array().unwrap())
            {
                for (key, price) in rate["occupancy_pricing"].as_object().unwrap() {
                    assert!(people.contains(key.as_str()));
                    let nights = price["nightly"].as_array().unwrap();
                    assert_eq!(nights.len(), 2);
                    let charges = nights.iter().flat_map(|night| night.as_array().unwrap());
                    let stay = price["stay"].as_array().into_iter().flatten();
                    let sum: i64 = charges
                        .chain(stay)
                        .map(|charge| cents(&charge["value"]))
                        .sum();
                    let totals = &price["totals"];
                    let total = |name: &str| cents(&totals[name]["billable_currency"]["value"]);
                    assert_eq!(total("inclusive"), sum);
                    let due = price["fees"].as_object().map_or(0, |fees| {
                        let due = fees
                            .values()
                            .map(|fee| cents(&fee["billable_currency"]["value"]));
                        due.sum()
                    });
                    assert_eq!(total("property_inclusive"), sum + due);
                    assert_eq!(totals["inclusive"]["billable_currency"]["currency"], "GBP");
                    let dollars = cents(&totals["inclusive"]["request_currency"]["value"]);
                    assert!((dollars - sum * 13 / 10).abs() <= 1);
                }
                for amenity in rate["amenities"].as_object().unwrap().values() {
                    boards.insert(amenity["name"].as_str().unwrap().to_owned());
                }
                assert!(rate.get("cancel_penalties").is_some() || rate["refundable"] == false);
            }
        }
    }
    assert!(boards.contains("Free breakfast"), "{boards:?}");
    let none = rapid.shop("NCE", "occupancy=8").await;
    assert_eq!(none, json!([]));
}

#[tokio::test]
async fn a_rate_is_checked_booked_found_and_cancelled_once() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2&occupancy=1", true).await;
    assert_eq!(checked.body["status"], "available");
    assert_eq!(
        checked.body["occupancy_pricing"],
        checked.rate["occupancy_pricing"]
    );
    let (status, made) = rapid
        .book(&checked.body, &booking("ord_1", "Earhart", 2))
        .await;
    assert_eq!(status, 201, "{made}");
    assert!(made["links"].get("resume").is_none());
    let total: i64 = ["2", "1"]
        .iter()
        .map(|key| {
            cents(
                &checked.body["occupancy_pricing"][key]["totals"]["inclusive"]["billable_currency"]
                    ["value"],
            )
        })
        .sum();
    let (status, by_token) = rapid.follow(&made["links"]["retrieve"]).await;
    assert_eq!(status, 200, "{by_token}");
    let id = made["itinerary_id"].as_str().unwrap();
    let (_, by_email) = rapid
        .get(&format!("/v3/itineraries/{id}?email={EMAIL}"))
        .await;
    let (_, by_reference) = rapid.get(&by_reference("ord_1")).await;
    assert_eq!((&by_token, &json!([by_token])), (&by_email, &by_reference));
    assert_eq!(by_token["rooms"][0]["status"], "booked");
    assert_eq!(by_token["property_id"], checked.property.as_str());
    let other = format!("/v3/itineraries/{id}?email=somebody@example.com");
    let (status, answer) = rapid.get(&other).await;
    assert_eq!((status, kind(&answer)), (404, "resource_not_found"));

    let journal = rapid.journal().await;
    assert_eq!(journal.len(), 1);
    assert_eq!(journal[0]["kind"], "order");
    assert_eq!(journal[0]["supplier_reference"], id);
    assert_eq!(journal[0]["client_reference"], "ord_1");
    assert_eq!(cents(&journal[0]["amount"]), total);
    let items = journal[0]["item"].as_str().unwrap();
    assert!(items.contains(&format!("{}/", checked.property)) && items.contains(DAY));

    assert_eq!(
        rapid.follow(&by_token["links"]["cancel"]).await,
        (204, Value::Null)
    );
    let (status, again) = rapid.follow(&by_token["links"]["cancel"]).await;
    assert_eq!((status, kind(&again)), (400, "room_already_cancelled"));
    let (_, cancelled) = rapid.follow(&made["links"]["retrieve"]).await;
    assert_eq!(cancelled["rooms"][1]["status"], "canceled");
    assert!(cancelled["links"].get("cancel").is_none());
    let journal = rapid.journal().await;
    assert_eq!((journal.len(), &journal[1]["kind"]), (2, &json!("cancel")));
    // Refundable: all of it comes back this early.
    assert_eq!(cents(&journal[1]["amount"]), total);
}

#[tokio::test]
async fn rooms_are_given_up_one_by_one() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2&occupancy=2", true).await;
    let (_, made) = rapid
        .book(&checked.body, &booking("ord_2", "Earhart", 2))
        .await;
    let (_, itinerary) = rapid.follow(&made["links"]["retrieve"]).await;
    assert_eq!(
        rapid
            .follow(&itinerary["rooms"][0]["links"]["cancel"])
            .await
            .0,
        204
    );
    let (status, again) = rapid
        .follow(&itinerary["rooms"][0]["links"]["cancel"])
        .await;
    assert_eq!((status, kind(&again)), (400, "room_already_cancelled"));
    let (_, half) = rapid.follow(&made["links"]["retrieve"]).await;
    let states = [&half["rooms"][0]["status"], &half["rooms"][1]["status"]];
    assert_eq!(states, ["canceled", "booked"]);
    assert_eq!(rapid.follow(&half["links"]["cancel"]).await.0, 204);
    let journal = rapid.journal().await;
    let sum = cents(&journal[1]["amount"]) + cents(&journal[2]["amount"]);
    assert_eq!((journal.len(), sum), (3, cents(&journal[0]["amount"])));
}

#[tokio::test]
async fn a_saver_rate_gives_nothing_back() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", false).await;
    assert!(checked.rate.get("cancel_penalties").is_none());
    let (_, made) = rapid
        .book(&checked.body, &booking("ord_3", "Earhart", 1))
        .await;
    let (_, itinerary) = rapid.follow(&made["links"]["retrieve"]).await;
    assert!(itinerary["rooms"][0]["rate"].get("cancel_refund").is_none());
    assert_eq!(rapid.follow(&itinerary["links"]["cancel"]).await.0, 204);
    assert_eq!(rapid.journal().await[1]["amount"], "0.00");
}

#[tokio::test]
async fn a_hold_becomes_an_order_when_it_is_resumed_and_only_once() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", true).await;
    let (status, made) = rapid.book(&checked.body, &held("ord_4", "Earhart")).await;
    assert_eq!(status, 201);
    let (_, itinerary) = rapid.follow(&made["links"]["retrieve"]).await;
    assert_eq!(itinerary["rooms"][0]["status"], "pending");
    assert_eq!(rapid.follow(&made["links"]["resume"]).await.0, 204);
    let (status, again) = rapid.follow(&made["links"]["resume"]).await;
    assert_eq!((status, kind(&again)), (400, "link.invalid"));
    let (_, itinerary) = rapid.follow(&made["links"]["retrieve"]).await;
    assert_eq!(itinerary["rooms"][0]["status"], "booked");
    let kinds: Vec<Value> = rapid
        .journal()
        .await
        .iter()
        .map(|line| line["kind"].clone())
        .collect();
    assert_eq!(kinds, ["hold", "order"]);

    let checked = rapid.checked("occupancy=2", true).await;
    let (_, made) = rapid.book(&checked.body, &held("ord_5", "Earhart")).await;
    assert_eq!(rapid.follow(&made["links"]["cancel"]).await.0, 204);
    assert_eq!(rapid.follow(&made["links"]["resume"]).await.0, 400);
    let last = rapid.journal().await.pop().unwrap();
    assert_eq!(
        (&last["kind"], &last["amount"]),
        (&json!("cancel"), &json!("0.00"))
    );
}

#[tokio::test]
async fn a_partners_reference_books_once_however_often_it_is_sent() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", true).await;
    let body = booking("ord_01JD5B3Q8ZK7Y2M4N6P8R0T2V4", "Earhart", 1);
    let answers =
        futures_util::future::join_all((0..20).map(|_| rapid.book(&checked.body, &body))).await;
    let made = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(made, 1);
    for (status, answer) in answers.iter().filter(|(status, _)| *status != 201) {
        assert_eq!((*status, kind(answer)), (400, "duplicate_itinerary"));
    }
    assert_eq!(rapid.journal().await.len(), 1);
}

#[tokio::test]
async fn fifty_parallel_bookings_never_oversell() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", true).await;
    let (_, made) = rapid
        .book(&checked.body, &booking("first", "Earhart", 1))
        .await;
    let (_, inventory) = rapid.0.get("/_control/inventory/rapid").await;
    let items: Vec<Value> = inventory["data"].as_array().unwrap().clone();
    assert_eq!(items.len(), 2);
    for (item, units) in items.iter().zip([9, 7]) {
        let body = json!({ "item": item["item"], "remaining": units });
        let (status, _) = rapid.0.put("/_control/inventory/rapid", &body).await;
        assert_eq!(status, 200);
    }
    let bodies: Vec<Value> = (0..50)
        .map(|n| booking(&format!("many_{n}"), "Earhart", 1))
        .collect();
    let answers =
        futures_util::future::join_all(bodies.iter().map(|body| rapid.book(&checked.body, body)))
            .await;
    let made_now = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(made_now, 7);
    for (status, answer) in answers.iter().filter(|(status, _)| *status != 201) {
        assert_eq!((*status, kind(answer)), (410, "rooms_unavailable"));
    }
    assert_eq!(rapid.journal().await.len(), 8);
    let (_, sold_out) = rapid.get(&checked.link).await;
    assert_eq!(sold_out["status"], "sold_out");
    let (status, others) = rapid
        .get(sold_out["links"]["shop"]["href"].as_str().unwrap())
        .await;
    assert_eq!(status, 200);
    assert!(!others.to_string().contains(&checked.link));
    // A cancellation puts the room back on sale.
    let (_, itinerary) = rapid.follow(&made["links"]["retrieve"]).await;
    rapid.follow(&itinerary["links"]["cancel"]).await;
    assert_eq!(rapid.get(&checked.link).await.1["status"], "available");
}

#[tokio::test]
async fn a_price_that_changed_is_refused_then_checked_and_booked() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2&occupancy=2", true).await;
    let body = booking("ord_6", "PriceChange", 2);
    let (status, refused) = rapid.book(&checked.body, &body).await;
    assert_eq!((status, kind(&refused)), (409, "price_mismatch"));
    let (status, refused) = rapid.book(&checked.body, &body).await;
    assert_eq!(
        (status, kind(&refused)),
        (409, "price_mismatch"),
        "the old link stays refused"
    );
    let (_, again) = rapid.get(&checked.link).await;
    assert_eq!(again["status"], "price_changed");
    let price = |body: &Value| {
        cents(&body["occupancy_pricing"]["2"]["totals"]["inclusive"]["billable_currency"]["value"])
    };
    assert_eq!(price(&again), price(&checked.body) + 1_000);
    let (status, made) = rapid.book(&again, &body).await;
    assert_eq!(status, 201, "{made}");
    let journal = rapid.journal().await;
    assert_eq!(
        (journal.len(), cents(&journal[0]["amount"])),
        (1, 2 * price(&again))
    );
    let (_, itinerary) = rapid.follow(&made["links"]["retrieve"]).await;
    let refund = |room: usize| itinerary["rooms"][room]["rate"]["cancel_refund"]["amount"].clone();
    assert_eq!(
        refund(0),
        format!("-{}.{:02}", price(&again) / 100, price(&again) % 100)
    );
}

#[tokio::test]
async fn links_are_good_for_what_they_are_for_and_for_their_time() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", true).await;
    let token = |href: &str| href.split_once("token=").unwrap().1.to_owned();
    let check = token(&checked.link);
    let book = checked.body["links"]["book"]["href"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = booking("ord_7", "Earhart", 1);
    let mut changed = token(&book);
    let tail = if changed.ends_with('A') { "B" } else { "A" };
    changed.replace_range(changed.len() - 5..changed.len() - 4, tail);
    for token in [check.as_str(), &changed, "", "abc"] {
        let (status, answer) = rapid
            .post(&format!("/v3/itineraries?token={token}"), &body)
            .await;
        assert_eq!((status, kind(&answer)), (400, "link.invalid"), "{token}");
    }
    let moved = checked.link.replace("/rooms/", "/rooms/1");
    assert_eq!(rapid.get(&moved).await.0, 400);
    let payment = checked.rate["links"]["payment_options"]["href"]
        .as_str()
        .unwrap();
    let (status, options) = rapid.get(payment).await;
    assert_eq!(
        (status, &options["affiliate_collect"]["name"]),
        (200, &json!("Affiliate Collect"))
    );
    rapid
        .0
        .clock
        .advance(std::time::Duration::from_secs(20 * 60));
    for path in [checked.link.as_str(), payment] {
        let (status, answer) = rapid.get(path).await;
        assert_eq!((status, kind(&answer)), (400, "link.invalid"));
    }
    assert_eq!(rapid.post(&book, &body).await.0, 400);
    assert!(rapid.journal().await.is_empty());
}

#[tokio::test]
async fn a_restart_brings_back_itineraries_rooms_and_references() {
    let dir = std::env::temp_dir().join(format!("rapid-{}", uuid::Uuid::new_v4()));
    let options = || Options {
        data_dir: Some(dir.clone()),
        ..Options::default()
    };
    let first = Rapid(start_with(options()).await);
    let checked = first.checked("occupancy=2&occupancy=2", true).await;
    let (_, made) = first
        .book(&checked.body, &booking("kept", "Earhart", 2))
        .await;
    let (_, before) = first.follow(&made["links"]["retrieve"]).await;
    first.follow(&before["rooms"][0]["links"]["cancel"]).await;
    let again = first.checked("occupancy=2", true).await;
    let (_, hold) = first.book(&again.body, &held("held", "Earhart")).await;
    first.follow(&hold["links"]["resume"]).await;
    let (_, before) = first.follow(&made["links"]["retrieve"]).await;
    let (_, held_before) = first.follow(&hold["links"]["retrieve"]).await;
    let (_, stock) = first.0.get("/_control/inventory/rapid").await;

    let second = Rapid(start_with(options()).await);
    assert_eq!(second.follow(&made["links"]["retrieve"]).await.1, before);
    assert_eq!(
        second.follow(&hold["links"]["retrieve"]).await.1,
        held_before
    );
    assert_eq!(second.0.get("/_control/inventory/rapid").await.1, stock);
    let (status, answer) = second
        .book(&checked.body, &booking("kept", "Earhart", 2))
        .await;
    assert_eq!((status, kind(&answer)), (400, "duplicate_itinerary"));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn nobody_sleeps_in_a_booking_without_a_name_a_phone_or_a_payment() {
    let rapid = rapid().await;
    let checked = rapid.checked("occupancy=2", true).await;
    for (pointer, value, wanted) in [
        (
            "/rooms/0/family_name",
            json!(""),
            "room.family_name.required",
        ),
        (
            "/phone/country_code",
            Value::Null,
            "phone.country_code.required",
        ),
        ("/email", json!("amelia"), "email.invalid"),
        ("/payments", json!([]), "payments.required"),
        (
            "/payments/0/type",
            json!("customer_card"),
            "payment.number.required",
        ),
        ("/rooms", json!([]), "number_of_rooms.invalid"),
        (
            "/affiliate_reference_id",
            json!("a<b"),
            "affiliate_reference_id.invalid",
        ),
    ] {
        let mut body = booking("ord_8", "Earhart", 1);
        *body.pointer_mut(pointer).unwrap() = value;
        let (status, answer) = rapid.book(&checked.body, &body).await;
        assert_eq!((status, kind(&answer)), (400, wanted), "{answer}");
    }
    assert!(rapid.journal().await.is_empty());
    assert!(!checked.room.is_empty());
}
