//! Who may do what. Every operation of the merged document is sent with every kind of credentials and,
//! where it is about one object, for one's own, somebody else's and one that does not exist. What a cell
//! must answer follows from the need that the document itself names and from who owns what. An operation
//! that is not provided for here fails the test.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use auth::{AccessClaims, AccessRules, Permission, Role, TokenSigner};
use serde_json::{Value, json};
use testkit::{Answer, Client, Stack};
use travel_types::Clock;

use crate::{day, order_of};

const PASSWORD: &str = "a long walk over the hills";

/// Who calls, with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Nobody,
    Expired,
    Revoked,
    Traveller,
    OtherTraveller,
    Agent,
    Support,
    Admin,
    /// An OAuth client with a token of its own.
    Service,
    /// An API key of an agent for the one thing that no operation needs yet.
    NarrowKey,
}

const EVERYBODY: [Who; 10] = [
    Who::Nobody,
    Who::Expired,
    Who::Revoked,
    Who::Traveller,
    Who::OtherTraveller,
    Who::Agent,
    Who::Support,
    Who::Admin,
    Who::Service,
    Who::NarrowKey,
];

impl Who {
    fn role(self) -> Option<Role> {
        match self {
            Self::Nobody | Self::Expired | Self::Revoked => None,
            Self::Traveller | Self::OtherTraveller => Some(Role::Traveller),
            Self::Agent | Self::NarrowKey => Some(Role::Agent),
            Self::Support => Some(Role::Support),
            Self::Admin => Some(Role::Admin),
            Self::Service => Some(Role::Service),
        }
    }

    fn may(self, permission: Permission) -> bool {
        match (self, self.role()) {
            (Self::NarrowKey, _) => permission == Permission::BookingsRead,
            (_, Some(role)) => role.permissions().contains(&permission),
            (_, None) => false,
        }
    }

    /// Whether a person logged in with a password.
    fn is_log_in(self) -> bool {
        self.role().is_some() && !matches!(self, Self::Service | Self::NarrowKey)
    }
}

/// Whose the object is that a cell is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The operation is about no single object.
    None,
    Own,
    Foreign,
    Absent,
}

/// What the document says that an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Public,
    Authenticated,
    Login,
    Permission(Permission),
}

impl Need {
    fn of(operation: &Value) -> Self {
        match (
            operation["x-access"].as_str(),
            operation["x-permission"].as_str(),
        ) {
            (Some("public"), None) => Self::Public,
            (Some("authenticated"), None) => Self::Authenticated,
            (Some("login"), None) => Self::Login,
            (None, Some(name)) => Self::Permission(name.parse().unwrap()),
            said => panic!("an operation needs {said:?}"),
        }
    }

    /// The status and code of a refusal, if these credentials are refused whatever is asked for.
    fn refuses(self, who: Who) -> Option<(u16, &'static str)> {
        match (self, who.role()) {
            (Self::Public, _) => None,
            (_, None) => Some((401, "UNAUTHENTICATED")),
            (Self::Login, _) if !who.is_log_in() => Some((403, "LOGIN_REQUIRED")),
            (Self::Permission(permission), _) if !who.may(permission) => Some((403, "FORBIDDEN")),
            _ => None,
        }
    }
}

/// What is sent in one cell.
struct Sent {
    path: String,
    body: Option<Value>,
    /// Credentials of its own, where carrying it out would spoil the others'.
    caller: Option<Client>,
}

impl Sent {
    fn get(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            body: None,
            caller: None,
        }
    }

    fn with(path: impl Into<String>, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::get(path)
        }
    }

    fn by(self, caller: Option<Client>) -> Self {
        Self { caller, ..self }
    }
}

struct World {
    stack: Stack,
    callers: BTreeMap<Who, Client>,
    admin: Client,
    /// An agent who takes part in nothing else: the owner of what is foreign to all.
    stranger: Client,
    serial: Cell<u32>,
}

const VERTICALS: [&str; 3] = ["flights", "hotels", "cars"];

impl World {
    async fn new(stack: Stack) -> Self {
        let admin = stack.log_in("admin").await;
        let mut world = Self {
            callers: BTreeMap::new(),
            stranger: stack.gateway(),
            admin,
            stack,
            serial: Cell::new(0),
        };
        world.stranger = world.person(Role::Agent).await;
        for who in EVERYBODY {
            let caller = world.caller(who).await;
            world.callers.insert(who, caller);
        }
        world
    }

    fn number(&self) -> u32 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }

    /// Tokens of somebody new with this role.
    async fn new_log_in(&self, role: Role) -> Value {
        let gateway = self.stack.gateway();
        let email = format!("person-{}@example.com", self.number());
        let body = json!({"email": email, "password": PASSWORD, "full_name": "Per Son"});
        let registered = gateway.post("/api/v1/auth/register", &body).await;
        assert_eq!(registered.status, 201, "{}", registered.text);
        if role != Role::Traveller {
            let path = format!("/api/v1/auth/users/{}/role", self.user_id(&email).await);
            let body = json!({"role": role.as_str()});
            let changed = self.admin.post(&path, &body).await;
            assert_eq!(changed.status, 200, "{}", changed.text);
        }
        let body = json!({"email": email, "password": PASSWORD});
        let tokens = gateway.post("/api/v1/auth/login", &body).await;
        assert_eq!(tokens.status, 200, "{}", tokens.text);
        tokens.data().clone()
    }

    async fn user_id(&self, email: &str) -> String {
        let found = self
            .admin
            .get(&format!("/api/v1/auth/users?email={email}"))
            .await;
        let id = found.data()[0]["id"].as_str();
        id.unwrap_or_else(|| panic!("{}", found.text)).to_owned()
    }

    async fn person(&self, role: Role) -> Client {
        let tokens = self.new_log_in(role).await;
        self.stack
            .gateway()
            .bearer(tokens["access_token"].as_str().unwrap())
    }

    async fn caller(&self, who: Who) -> Client {
        let gateway = self.stack.gateway();
        match who {
            Who::Nobody => gateway,
            Who::Expired => gateway.bearer(&self.expired()),
            Who::Revoked => {
                let caller = self.person(Role::Admin).await;
                let out = caller.send("POST", "/api/v1/auth/logout", None).await;
                assert_eq!(out.status, 204, "{}", out.text);
                testkit::wait_until("the gateway to hear of the log-out", async || {
                    let answer = caller.get("/api/v1/auth/me").await;
                    (answer.status == 401).then_some(())
                })
                .await;
                caller
            }
            Who::Service => {
                let client = self.oauth_client().await;
                gateway.bearer(&self.client_token(&client).await)
            }
            Who::NarrowKey => {
                let owner = self.person(Role::Agent).await;
                let body = json!({"name": "narrow", "scopes": ["bookings:read"]});
                let made = owner.post("/api/v1/auth/api-keys", &body).await;
                assert_eq!(made.status, 201, "{}", made.text);
                gateway.with("x-api-key", made.data()["key"].as_str().unwrap())
            }
            _ => self.person(who.role().unwrap()).await,
        }
    }

    /// An administrator's token, well signed, whose time is over.
    fn expired(&self) -> String {
        let rules = AccessRules {
            issuer: "http://localhost:8000".to_owned(),
            audience: "interline".to_owned(),
        };
        let hour_ago = Clock::system().now() - Duration::from_secs(3600);
        let (life, clock) = (Duration::from_secs(60), Clock::manual(hour_ago));
        let data_dir = self.stack.data_dir();
        let signer = TokenSigner::development(data_dir, rules, life, clock).unwrap();
        let claims = AccessClaims {
            subject: "usr_01",
            role: Role::Admin,
            permissions: Role::Admin.permissions(),
            session: None,
            client: None,
        };
        signer.sign(&claims).unwrap().token
    }

    async fn oauth_client(&self) -> Value {
        let scopes: Vec<&str> = Role::Service
            .permissions()
            .iter()
            .map(|p| p.as_str())
            .collect();
        let made = self.admin.post(CLIENTS, &new_client(&scopes)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.data().clone()
    }

    async fn client_token(&self, client: &Value) -> String {
        let text = |name: &str| client[name].as_str().unwrap().to_owned();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            text("client_id"),
            text("client_secret"),
        );
        let answer = self.stack.gateway().send_form("/oauth/token", &form).await;
        let token = answer.body["access_token"].as_str();
        token
            .unwrap_or_else(|| panic!("{}", answer.text))
            .to_owned()
    }

    /// An offer of another day than the last one: what is ordered often sells out.
    async fn offer(&self, vertical: &str) -> String {
        let ahead = 40 + i64::from(self.number() % 200);
        let found = self.stranger.get(&search(vertical, ahead)).await;
        assert_eq!(found.status, 200, "{}", found.text);
        // The last ones are the dearest and can be cancelled.
        let offers = found.data().as_array().unwrap();
        let id = offers.last().unwrap()["id"].as_str().unwrap().to_owned();
        // Rates that a supplier prices anew before it sells them have their present price then.
        let path = format!("/api/v1/{vertical}/offers/{id}");
        let priced = self.stranger.get(&path).await;
        assert_eq!(priced.status, 200, "{}", priced.text);
        id
    }

    /// A fresh order of somebody.
    async fn order(&self, vertical: &str, owner: &Client) -> String {
        let key = format!("order-{}", self.number());
        let path = format!("/api/v1/{vertical}/orders");
        let body = order_of(&self.offer(vertical).await, "Earhart");
        let placed = owner.post_once(&key, &path, &body).await;
        assert_eq!(placed.status, 201, "{vertical}: {}", placed.text);
        placed.data()["id"].as_str().unwrap().to_owned()
    }

    async fn quote(&self, vertical: &str, owner: &Client) -> String {
        let order = self.order(vertical, owner).await;
        let path = format!("/api/v1/{vertical}/orders/{order}/cancellations");
        let quoted = owner.send("POST", &path, None).await;
        assert_eq!(quoted.status, 201, "{vertical}: {}", quoted.text);
        quoted.data()["id"].as_str().unwrap().to_owned()
    }

    async fn api_key(&self, owner: &Client) -> String {
        let body = json!({"name": "one of many", "scopes": ["offers:read"]});
        let made = owner.post("/api/v1/auth/api-keys", &body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.data()["id"].as_str().unwrap().to_owned()
    }

    async fn user(&self) -> String {
        let tokens = self.new_log_in(Role::Traveller).await;
        tokens["user"]["id"].as_str().unwrap().to_owned()
    }

    /// A caller of the same kind whom nobody misses.
    async fn disposable(&self, who: Who) -> Option<Client> {
        match who.role() {
            Some(role) if who.is_log_in() => Some(self.person(role).await),
            _ => None,
        }
    }
}

const CLIENTS: &str = "/api/v1/auth/clients";

fn new_client(scopes: &[&str]) -> Value {
    json!({"name": "Back office", "grant_types": ["client_credentials"], "scopes": scopes})
}

fn search(vertical: &str, ahead: i64) -> String {
    let (from, to) = (day(ahead), day(ahead + 2));
    let query = match vertical {
        "flights" => format!("origin=LHR&destination=JFK&departure_date={from}&adults=1"),
        "hotels" => format!(
            "destination=LON&check_in={from}&check_out={to}&rooms=1&adults=1&free_cancellation=true"
        ),
        "cars" => format!(
            "pickup=LHR&pickup_at={from}T10:00&dropoff_at={to}T10:00&driver_age=35&kind=rental"
        ),
        other => panic!("no search for {other}"),
    };
    format!("/api/v1/{vertical}/offers?{query}")
}

/// An id of the same form that nothing has.
fn absent(id: &str) -> String {
    format!("{}0000", &id[..id.len() - 4])
}

/// The request of one cell; none where there can be no such cell.
async fn sent(
    world: &World,
    method: &str,
    path: &str,
    need: Need,
    who: Who,
    whose: Whose,
) -> Option<Sent> {
    let caller = &world.callers[&who];
    let refused = need.refuses(who).is_some();
    let vertical = path.split('/').nth(3).unwrap_or_default().to_owned();
    let generic = match VERTICALS.contains(&vertical.as_str()) {
        true => path.replace(&vertical, "{vertical}"),
        false => path.to_owned(),
    };
    // Who is refused before anything is looked at has nothing of its own; somebody else's serves.
    let owner = match whose {
        Whose::Own if !refused => caller,
        _ => &world.stranger,
    };
    let orders_of_own = refused || whose != Whose::Own || who.may(Permission::OrdersWrite);
    let pick = |id: String| {
        if whose == Whose::Absent {
            absent(&id)
        } else {
            id
        }
    };
    let at = |id: String| {
        let (before, rest) = path.split_once('{').unwrap();
        format!("{before}{}{}", pick(id), rest.split_once('}').unwrap().1)
    };
    Some(match (method, generic.as_str()) {
        ("get", "/api/v1/{vertical}/offers") => Sent::get(search(&vertical, 60)),
        ("get", "/api/v1/{vertical}/offers/{offer_id}") => {
            Sent::get(at(world.offer(&vertical).await))
        }
        ("post", "/api/v1/{vertical}/orders") => {
            Sent::with(path, order_of(&world.offer(&vertical).await, "Earhart"))
        }
        (_, order) if order.starts_with("/api/v1/{vertical}/orders/") => {
            orders_of_own.then_some(())?;
            Sent::get(at(world.order(&vertical, owner).await))
        }
        ("post", "/api/v1/{vertical}/cancellations/{cancellation_id}/confirm") => {
            orders_of_own.then_some(())?;
            Sent::get(at(world.quote(&vertical, owner).await))
        }
        ("get", "/api/v1/places") => Sent::get(format!("{path}?query=lon")),
        ("delete", "/api/v1/auth/me") | ("post", "/api/v1/auth/logout") => {
            Sent::get(path).by(world.disposable(who).await)
        }
        ("post", "/api/v1/auth/me/password") => {
            let new = "another walk over other hills";
            let body = json!({"current_password": PASSWORD, "new_password": new});
            Sent::with(path, body).by(world.disposable(who).await)
        }
        ("patch", "/api/v1/auth/me") => Sent::with(path, json!({"full_name": "Per Daughter"})),
        ("post", "/api/v1/auth/api-keys") => {
            Sent::with(path, json!({"name": "another", "scopes": ["offers:read"]}))
        }
        ("delete", "/api/v1/auth/api-keys/{id}") => Sent::get(at(world.api_key(owner).await)),
        ("delete", "/api/v1/auth/users/{id}") => Sent::get(at(world.user().await)),
        ("post", "/api/v1/auth/users/{id}/role") => {
            let mut role = Sent::get(at(world.user().await));
            role.body = Some(json!({"role": "support"}));
            role
        }
        ("post", CLIENTS) => Sent::with(path, new_client(&["offers:read"])),
        (_, client) if client.starts_with("/api/v1/auth/clients/{") => {
            let id = world.oauth_client().await["client_id"].as_str()?.to_owned();
            Sent::get(at(id))
        }
        ("post", "/api/v1/auth/signing-keys/rotations") => {
            Sent::with(path, json!({"compromised": false}))
        }
        // Whoever calls, what is sent here is refused for the same reason.
        ("post", _) if need == Need::Public => Sent::with(path, json!({})),
        ("get", _) if !path.contains('{') => Sent::get(path),
        _ => panic!("{method} {path} has no row in the matrix"),
    })
}

/// What a cell must answer, where it is not refused outright: 2xx or 404.
fn passes(method: &str, path: &str, who: Who, whose: Whose) -> bool {
    match whose {
        // A client on its own behalf has no account to read.
        Whose::None if path == "/api/v1/auth/me" => who != Who::Service,
        Whose::None | Whose::Own => true,
        // `:any` permissions read only.
        Whose::Foreign => {
            method == "get" && path.contains("/orders/") && who.may(Permission::OrdersReadAny)
        }
        Whose::Absent => false,
    }
}

/// Whose objects an operation can be asked about. Offers, people and clients belong to nobody who asks.
fn owners(path: &str) -> &'static [Whose] {
    const UNOWNED: [&str; 3] = ["/offers/", "/users/", "/clients/"];
    match path.contains('{') {
        false => &[Whose::None],
        true if UNOWNED.iter().any(|name| path.contains(name)) => &[Whose::Own, Whose::Absent],
        true => &[Whose::Own, Whose::Foreign, Whose::Absent],
    }
}

#[derive(Default)]
struct Count {
    operations: u32,
    cells: u32,
    successes: u32,
    wrong: Vec<String>,
}

impl Count {
    fn judge(&mut self, right: bool, cell: &str, answer: &Answer) {
        self.cells += 1;
        self.successes += u32::from((200..300).contains(&answer.status));
        if !right {
            self.wrong
                .push(format!("{cell}: {} {}", answer.status, answer.text));
        }
    }
}

async fn try_operation(world: &World, method: &str, path: &str, need: Need, count: &mut Count) {
    let mut public = None;
    for who in EVERYBODY {
        let mut absent_answer: Option<String> = None;
        for whose in owners(path).iter().rev() {
            let Some(sent) = sent(world, method, path, need, who, *whose).await else {
                continue;
            };
            let caller = sent.caller.as_ref().unwrap_or(&world.callers[&who]);
            let caller = match method {
                "post" => caller
                    .clone()
                    .with("idempotency-key", &format!("m-{}", world.number())),
                _ => caller.clone(),
            };
            let body = sent.body.as_ref().map(Value::to_string);
            let answer = caller
                .send(&method.to_uppercase(), &sent.path, body.as_deref())
                .await;
            let cell = format!("{method} {path} by {who:?} on {whose:?}");
            let right = match (need.refuses(who), need) {
                (Some((status, code)), _) => answer.status == status && answer.code() == code,
                (None, Need::Public) => {
                    answer.status < 500 && *public.get_or_insert(answer.status) == answer.status
                }
                (None, _) if passes(method, path, who, *whose) => {
                    (200..300).contains(&answer.status)
                }
                (None, _) => answer.status == 404 && answer.code() == "NOT_FOUND",
            };
            count.judge(right, &cell, &answer);
            if answer.status == 404 {
                let bytes = crate::refusals::same_for_all(&answer);
                let same = absent_answer.get_or_insert_with(|| bytes.clone()) == &bytes;
                count.judge(same, &format!("{cell}, beside an absent one"), &answer);
            }
        }
    }
}

fn service_of(path: &str) -> &'static str {
    match path.split('/').nth(3) {
        Some("flights" | "places") => "flight_service",
        Some("hotels") => "hotel_service",
        Some("cars") => "car_service",
        _ => "auth_service",
    }
}

/// No service answers whom no gateway speaks for, whatever token they bring.
async fn try_past_the_gateway(world: &World, method: &str, path: &str, count: &mut Count) {
    if path.starts_with("/.well-known/") {
        return;
    }
    let token = world.new_log_in(Role::Admin).await["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let service = world.stack.client(service_of(path));
    let path = path.replace(['{', '}'], "");
    for caller in [
        service.clone(),
        service.clone().bearer(&token),
        service.with("x-interline-identity", &token),
    ] {
        let answer = caller.send(&method.to_uppercase(), &path, None).await;
        let right = answer.status == 401;
        count.judge(right, &format!("{method} {path} past the gateway"), &answer);
    }
}

/// The operations of the merged document.
fn operations() -> Vec<(String, String, Need)> {
    let file = format!("{}/../openapi/interline.json", env!("CARGO_MANIFEST_DIR"));
    let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.clone(), path.clone(), Need::of(operation)))
    });
    operations.collect()
}

#[tokio::test]
async fn every_operation_lets_in_whom_it_names_and_nobody_else_the_whole_matrix() {
    let lifted = [
        (
            "auth_service",
            "registration.requests_per_address",
            "100000",
        ),
        (
            "auth_service",
            "password_reset.requests_per_address",
            "100000",
        ),
    ];
    let world = World::new(Stack::one_process(&lifted).await).await;
    let mut count = Count::default();
    for (method, path, need) in operations() {
        count.operations += 1;
        try_operation(&world, &method, &path, need, &mut count).await;
        try_past_the_gateway(&world, &method, &path, &mut count).await;
    }
    println!(
        "{} operations, {} kinds of credentials, {} cells, {} successes, {} wrong",
        count.operations,
        EVERYBODY.len(),
        count.cells,
        count.successes,
        count.wrong.len()
    );
    assert!(count.wrong.is_empty(), "{}", count.wrong.join("\n"));
    assert!(
        count.operations >= 50 && count.cells >= 800,
        "too little was tried"
    );
}
