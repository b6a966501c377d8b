//! From a search to a cancelled order.

use serde_json::json;

use crate::{DUFFEL_ALONE, fresh_offer, in_both_sizes, order_of, search_path};

#[tokio::test]
async fn a_flight_is_searched_priced_ordered_read_and_cancelled_in_both_sizes() {
    in_both_sizes(&[DUFFEL_ALONE], async |stack| {
        let traveller = stack.log_in("traveller").await;
        let agent = stack.log_in("agent").await;
        let found = traveller.get(&search_path(30)).await;
        assert_eq!(found.status, 200, "{}", found.text);
        let meta = &found.body["meta"];
        assert_eq!(meta["partial"], false);
        assert_eq!(meta["suppliers"][0]["name"], "duffel");
        assert_eq!(meta["suppliers"][0]["status"], "ok");
        let offers = found.data().as_array().unwrap();
        assert_eq!(offers.len(), 20);
        let offer = &offers[0];

        let id = offer["id"].as_str().unwrap();
        let priced = traveller.get(&format!("/api/v1/flights/offers/{id}")).await;
        assert_eq!(priced.status, 200, "{}", priced.text);
        assert_eq!(priced.data()["total"], offer["total"]);
        assert_eq!(priced.data()["id"], offer["id"]);

        let order = order_of(id, "Earhart");
        let placed = agent
            .post_once("trip-1", "/api/v1/flights/orders", &order)
            .await;
        assert_eq!(placed.status, 201, "{}", placed.text);
        assert_eq!(placed.data()["status"], "confirmed");
        assert_eq!(placed.data()["total"], offer["total"]);
        let order_id = placed.data()["id"].as_str().unwrap();
        let path = format!("/api/v1/flights/orders/{order_id}");
        assert_eq!(placed.header("location"), path);

        let read = agent.get(&path).await;
        assert_eq!(read.data(), placed.data());
        let listed = agent.get("/api/v1/flights/orders").await;
        assert_eq!(listed.data()[0]["id"], order_id);

        let quoted = agent
            .send("POST", &format!("{path}/cancellations"), None)
            .await;
        assert_eq!(quoted.status, 201, "{}", quoted.text);
        let minor = |money: &serde_json::Value| -> i64 {
            money["amount"]
                .as_str()
                .unwrap()
                .replace('.', "")
                .parse()
                .unwrap()
        };
        let quote = quoted.data();
        let parts = minor(&quote["refund"]) + minor(&quote["penalty"]);
        assert_eq!(parts, minor(&offer["total"]));
        assert_eq!(agent.get(&path).await.data()["status"], "confirmed");

        let cancellation = quote["id"].as_str().unwrap();
        let confirm = format!("/api/v1/flights/cancellations/{cancellation}/confirm");
        let agent = agent.with("idempotency-key", "trip-1-cancel");
        let done = agent.send("POST", &confirm, None).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert_eq!(done.data()["status"], "confirmed");
        let again = agent.send("POST", &confirm, None).await;
        assert_eq!(again.text, done.text);
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(agent.get(&path).await.data()["status"], "cancelled");

        let journal = stack.journal().await;
        let kinds: Vec<_> = journal.iter().map(|line| &line["kind"]).collect();
        assert_eq!(kinds, ["order", "cancel"]);
        assert_eq!(journal[0]["client_reference"], order_id);
        assert_eq!(journal[0]["amount"], offer["total"]["amount"]);
        assert_eq!(journal[1]["amount"], quote["refund"]["amount"]);
    })
    .await;
}

#[tokio::test]
async fn paging_through_a_search_gives_every_offer_once_and_asks_the_supplier_once() {
    in_both_sizes(&[], async |stack| {
        let traveller = stack.log_in("traveller").await;
        let mut path = format!("{}&limit=7", search_path(31));
        let mut seen = Vec::new();
        let mut total = 0;
        loop {
            let page = traveller.get(&path).await;
            assert_eq!(page.status, 200, "{}", page.text);
            let ids = page.data().as_array().unwrap().iter();
            seen.extend(ids.map(|offer| offer["id"].as_str().unwrap().to_owned()));
            total = page.body["meta"]["total_offers"].as_u64().unwrap_or(total);
            let Some(cursor) = page.body["meta"]["next_cursor"].as_str() else {
                break;
            };
            path = format!("/api/v1/flights/offers?limit=7&cursor={cursor}");
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
        assert_eq!(u64::try_from(all).unwrap(), total);
        assert!(all > 20, "{all}");
    })
    .await;
}

#[tokio::test]
async fn a_family_of_three_ages_travels_and_the_infant_has_a_lap() {
    in_both_sizes(&[], async |stack| {
        let agent = stack.log_in("agent").await;
        let path = format!("{}&children=1&infants=1", search_path(32));
        let offer = fresh_offer(&agent, &path).await;
        let mut order = order_of(&offer, "Earhart");
        let people = order["travellers"].as_array_mut().unwrap();
        let adult = people[0].clone();
        for born_on in [crate::day(-300), "2020-05-05".to_owned()] {
            let mut person = adult.clone();
            person["born_on"] = json!(born_on);
            people.insert(0, person);
        }
        let placed = agent
            .post_once("family", "/api/v1/flights/orders", &order)
            .await;
        assert_eq!(placed.status, 201, "{}", placed.text);

        order["travellers"][0]["born_on"] = json!("1960-01-01");
        let refused = agent
            .post_once("family-2", "/api/v1/flights/orders", &order)
            .await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert_eq!(refused.fields(), ["travellers[2].born_on"]);
    })
    .await;
}

#[tokio::test]
async fn documented_scenarios_have_their_documented_outcomes() {
    in_both_sizes(&[DUFFEL_ALONE], async |stack| {
        let agent = stack.log_in("agent").await;
        let orders = "/api/v1/flights/orders";
        for (name, status, code) in [
            ("SOLDOUT", 409, "SOLD_OUT"),
            ("PRICECHANGE", 409, "PRICE_CHANGED"),
            ("REFUSED", 409, "SUPPLIER_REFUSED"),
            ("SLOW", 201, ""),
            ("ERROR500", 201, ""),
        ] {
            let offer = fresh_offer(&agent, &search_path(33)).await;
            let placed = agent.post_once(name, orders, &order_of(&offer, name)).await;
            assert_eq!(
                (placed.status, placed.code()),
                (status, code),
                "{name}: {}",
                placed.text
            );
        }
        let journal = stack.journal().await;
        assert_eq!(journal.len(), 2, "{journal:?}");

        let route = |from: &str, to: &str| search_path(33).replace("LHR", from).replace("JFK", to);
        let empty = agent.get(&route("PVD", "RAI")).await;
        assert_eq!(
            (empty.status, empty.data().as_array().unwrap().len()),
            (200, 0)
        );
        let late = agent.get(&route("STN", "LHR")).await;
        assert_eq!(
            (late.status, late.code()),
            (504, "SUPPLIER_TIMEOUT"),
            "{}",
            late.text
        );
        let gone = fresh_offer(&agent, &route("LGW", "LHR")).await;
        let gone = agent.get(&format!("/api/v1/flights/offers/{gone}")).await;
        assert_eq!(
            (gone.status, gone.code()),
            (410, "OFFER_EXPIRED"),
            "{}",
            gone.text
        );
        let rising = fresh_offer(&agent, &route("LHR", "STN")).await;
        let rising = agent.get(&format!("/api/v1/flights/offers/{rising}")).await;
        let change = &rising.data()["price_change"];
        let minor = |money: &serde_json::Value| -> i64 {
            money["amount"]
                .as_str()
                .unwrap()
                .replace('.', "")
                .parse()
                .unwrap()
        };
        assert_eq!(
            minor(&change["new"]) - minor(&change["old"]),
            1000,
            "{}",
            rising.text
        );
        let poor = fresh_offer(&agent, &route("LGW", "STN")).await;
        let poor = agent
            .post_once("poor", orders, &order_of(&poor, "Earhart"))
            .await;
        assert_eq!(
            (poor.status, poor.code()),
            (409, "SUPPLIER_REFUSED"),
            "{}",
            poor.text
        );
    })
    .await;
}

#[tokio::test]
async fn places_are_found_by_what_people_type() {
    in_both_sizes(&[], async |stack| {
        let traveller = stack.log_in("traveller").await;
        let found = traveller.get("/api/v1/places?query=lon&limit=5").await;
        assert_eq!(found.data().as_array().unwrap().len(), 5);
        assert_eq!(found.data()[0]["iata_code"], "LON");
        for key in [
            "name",
            "city",
            "country",
            "latitude",
            "longitude",
            "time_zone",
        ] {
            assert!(!found.data()[0][key].is_null(), "{key}");
        }
    })
    .await;
}
