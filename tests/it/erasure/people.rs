//! People with planted values, who do everything that leaves something of them behind.

use serde_json::{Value, json};
use testkit::{Client, Stack, wait_until};

use crate::day;

/// Every how many-th person sells, and every how many-th is erased: half of the erased have sold.
pub(super) const SELLS: usize = 5;
pub(super) const ERASED: usize = 10;
const PASSWORD: &str = "correct-horse-battery-4711";

/// Somebody whose every fact exists once in the world.
pub(super) struct Person {
    pub(super) number: usize,
    tag: String,
    /// The account's id, once it is registered.
    pub(super) id: String,
    access: String,
    refresh: String,
}

impl Person {
    pub(super) fn new(number: usize) -> Self {
        // Four letters, so that no tag is the start of another one.
        let letter = |place: u32| {
            let step = u8::try_from(number / 26_usize.pow(place) % 26).unwrap();
            char::from(b'a' + step)
        };
        Self {
            number,
            tag: [letter(3), letter(2), letter(1), letter(0)]
                .iter()
                .collect(),
            id: String::new(),
            access: String::new(),
            refresh: String::new(),
        }
    }

    pub(super) fn sells(&self) -> bool {
        self.number.is_multiple_of(SELLS)
    }

    pub(super) fn is_erased(&self) -> bool {
        self.number.is_multiple_of(ERASED)
    }

    pub(super) fn email(&self) -> String {
        format!("planted.{}@mail-{}.example", self.tag, self.tag)
    }

    fn first_name(&self) -> String {
        format!("Firstname{} O'Planted", self.tag)
    }

    pub(super) fn full_name(&self) -> String {
        format!("Renamed{} d'Planté", self.tag)
    }

    fn key_name(&self) -> String {
        format!("Key of {} \"planted\"", self.tag)
    }

    fn reference(&self) -> String {
        format!("Trip/{} & planted", self.tag)
    }

    pub(super) fn traveller(&self) -> Value {
        json!({
            "title": "ms",
            "given_name": format!("Given{}", self.tag),
            "family_name": format!("Family{}", self.tag),
            "born_on": "1987-07-24",
            "gender": "female",
            "email": format!("travels.{}@planted.example", self.tag),
            "phone": self.phone(1),
            "documents": [{
                "type": "passport", "number": format!("PASS{}9", self.tag.to_uppercase()),
                "issuing_country": "GB", "expires_on": "2036-01-01",
            }],
        })
    }

    fn phone(&self, line: usize) -> String {
        format!("+4477{line}{:06}", 530_000 + self.number)
    }

    /// What an export must have: what is kept now.
    pub(super) fn kept(&self) -> Vec<String> {
        let mut values = vec![self.email(), self.full_name(), self.key_name()];
        if self.sells() {
            let traveller = self.traveller();
            let text = |pointer: &str| {
                traveller
                    .pointer(pointer)
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            values.extend([
                text("/given_name"),
                text("/family_name"),
                text("/email"),
                text("/phone"),
                text("/documents/0/number"),
                self.phone(2),
                self.reference(),
            ]);
        }
        values
    }

    /// Everything that was ever planted of this person.
    pub(super) fn planted(&self) -> Vec<String> {
        let mut values = self.kept();
        values.push(self.first_name());
        values
    }

    pub(super) fn client(&self, stack: &Stack) -> Client {
        stack.gateway().bearer(&self.access)
    }

    fn take_tokens(&mut self, answer: &Value) {
        let text = |key: &str| answer[key].as_str().unwrap().to_owned();
        self.access = text("access_token");
        self.refresh = text("refresh_token");
    }

    async fn log_in(&mut self, stack: &Stack) {
        let account = json!({"email": self.email(), "password": PASSWORD});
        let answer = stack.gateway().post("/api/v1/auth/login", &account).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.id = answer.data()["user"]["id"].as_str().unwrap().to_owned();
        self.take_tokens(answer.data());
    }

    /// New tokens, after some time or with another role.
    pub(super) async fn refresh(&mut self, stack: &Stack) {
        let body = json!({"refresh_token": self.refresh});
        let answer = stack.gateway().post("/api/v1/auth/refresh", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.take_tokens(answer.data());
    }

    /// Registers, fails to log in, logs in, changes the name, asks for another password, makes an API key.
    pub(super) async fn live(mut self, stack: &Stack) -> Self {
        let gateway = stack.gateway();
        let registration = json!({
            "email": self.email(), "password": PASSWORD, "full_name": self.first_name(),
        });
        let answer = gateway.post("/api/v1/auth/register", &registration).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let wrong = json!({"email": self.email().to_uppercase(), "password": "not the password"});
        let answer = gateway.post("/api/v1/auth/login", &wrong).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
        self.log_in(stack).await;
        let own = self.client(stack);
        let change = json!({"full_name": self.full_name()}).to_string();
        let answer = own.send("PATCH", "/api/v1/auth/me", Some(&change)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let reset = json!({"email": self.email()});
        let answer = gateway.post("/api/v1/auth/password-reset", &reset).await;
        assert!(answer.status < 300, "{}", answer.text);
        let key = json!({"name": self.key_name(), "scopes": ["offers:read"]});
        let answer = own.post("/api/v1/auth/api-keys", &key).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        self
    }

    /// Becomes an agent, and orders one of each vertical.
    pub(super) async fn sell(mut self, stack: &Stack, admin: &Client) -> Self {
        let path = format!("/api/v1/auth/users/{}/role", self.id);
        let answer = admin.post(&path, &json!({"role": "agent"})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.refresh(stack).await;
        let agent = self.client(stack);
        for vertical in ["flights", "hotels", "cars"] {
            let ahead = 20 + i64::try_from(self.number / SELLS % 200).unwrap();
            // A machine that is busy elsewhere may leave the suppliers too little time.
            let found = wait_until("offers", async || {
                let found = agent.get(&search(vertical, ahead)).await;
                assert!(matches!(found.status, 200 | 502..=504), "{}", found.text);
                let some = found
                    .data()
                    .as_array()
                    .is_some_and(|offers| !offers.is_empty());
                some.then_some(found)
            })
            .await;
            // Some offers are refused when they are priced anew, as in life.
            let mut made = false;
            for offer in found.data().as_array().unwrap().iter().take(8) {
                let order = json!({
                    "offer_id": offer["id"], "travellers": [self.traveller()],
                    "contact": {"email": self.email(), "phone": self.phone(2)},
                    "reference": self.reference(),
                });
                let key = format!("{}-{}", self.email(), offer["id"].as_str().unwrap());
                let path = format!("/api/v1/{vertical}/orders");
                let answer = agent.post_once(&key, &path, &order).await;
                if matches!(answer.status, 201 | 202) {
                    made = true;
                    break;
                }
            }
            assert!(
                made,
                "{vertical}, {ahead} days ahead: nothing could be ordered"
            );
        }
        self
    }
}

fn search(vertical: &str, ahead: i64) -> String {
    let (from, to) = (day(ahead), day(ahead + 2));
    match vertical {
        "flights" => format!(
            "/api/v1/flights/offers?origin=LHR&destination=JFK&departure_date={from}&adults=1&limit=20"
        ),
        "hotels" => format!(
            "/api/v1/hotels/offers?latitude=51.5&longitude=-0.13&radius_km=9&check_in={from}&check_out={to}&rooms=1&adults=1&limit=20"
        ),
        _ => format!(
            "/api/v1/cars/offers?pickup=LHR&pickup_at={from}T10:00&dropoff_at={to}T10:00&driver_age=35&limit=20"
        ),
    }
}
