//! The system, or chosen parts of it, ready to be called.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use service_kit::{Running, ServiceSpec, bind, start};
use settings::Sources;
use travel_types::Clock;

use crate::{Answer, Client, Folder, Process};

/// What a test sets: service, key, value, e.g. `("flight_service", "order.deadline_ms", "500")`.
pub type Settings<'s> = &'s [(&'s str, &'s str, &'s str)];

/// A running system with stores of its own.
#[derive(Debug)]
pub struct Stack {
    urls: BTreeMap<String, String>,
    folder: Folder,
    running: Vec<Running>,
    processes: Vec<Process>,
    started: Vec<Started>,
}

/// The services of verticals, each with the suppliers that the sandbox simulates for it.
pub const VERTICALS: [(&str, &[&str]); 3] = [
    ("flight_service", &["duffel", "amadeus"]),
    ("hotel_service", &["rapid", "hotelbeds"]),
    ("car_service", &["duffel_cars", "amadeus_transfers"]),
];

/// Every service with a port of its own but the gateway. The sandbox first: the others are told where
/// it is; then those that the auth service calls.
fn inner_services() -> impl Iterator<Item = &'static str> {
    let verticals = VERTICALS.iter().map(|(service, _)| *service);
    std::iter::once("sandbox")
        .chain(verticals)
        .chain(["auth_service"])
}

/// How a program was started, so that it can be started again.
#[derive(Clone, Debug)]
struct Started {
    name: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Started {
    fn start(&self) -> Process {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Process::start(&self.name, &arguments, &self.variables)
    }
}

fn variable(service: &str, key: &str) -> String {
    let key = key.to_uppercase().replace('.', "__");
    format!("INTERLINE__{}__{key}", service.to_uppercase())
}

fn variables(settings: Settings<'_>) -> Vec<(String, String)> {
    let said: Vec<(String, String)> = settings
        .iter()
        .map(|(service, key, value)| (variable(service, key), (*value).to_owned()))
        .collect();
    let mut variables = at_ease();
    variables.retain(|(name, _)| said.iter().all(|(other, _)| other != name));
    variables.extend(said);
    variables
}

/// A gateway that neither counts a test's requests nor answers them from what it kept: stories about
/// something else meet the services. Those about limits and caches say so.
fn at_ease() -> Vec<(String, String)> {
    let limits = ["search", "read", "write", "login", "page"];
    let limits = limits.map(|class| (format!("limits.{class}.quota"), "0"));
    let caches = ["flights", "hotels", "cars", "places"];
    let caches = caches.map(|name| (format!("cache.{name}.fresh_seconds"), "0"));
    let settings = limits.into_iter().chain(caches);
    settings
        .map(|(key, value)| (variable("api_gateway", &key), value.to_owned()))
        .collect()
}

/// The address of a server that `tests/run.sh` starts.
fn server(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: use tests/run.sh, or eval \"$(tests/services.sh start)\"")
    })
}

impl Stack {
    /// Chosen services in this process, in the order given: each is told where those before it are.
    pub async fn in_process(specs: &[ServiceSpec], clock: Clock, settings: Settings<'_>) -> Self {
        let folder = Folder::new();
        let mut stack = Self::empty(folder);
        for spec in specs {
            let mut sources = Sources {
                environment: variables(settings),
                ..Sources::default()
            }
            .with("test", "listen.port", 0)
            .with(
                "test",
                "data_dir",
                stack.folder.path().display().to_string(),
            );
            for (key, url) in stack.addresses(spec.name) {
                sources = sources.with("test", &key, url);
            }
            let settings =
                settings::Settings::load(spec.name, &spec.defaults(), &sources).expect("settings");
            let listener = bind("127.0.0.1", 0).await.expect("a free port");
            let running = start(spec, settings, clock.clone(), listener)
                .await
                .unwrap_or_else(|error| panic!("{}: {error}", spec.name));
            stack.urls.insert(spec.name.to_owned(), running.url());
            stack.running.push(running);
        }
        stack
    }

    /// The one-process program on SQLite, as `cargo run` starts it.
    pub async fn one_process(settings: Settings<'_>) -> Self {
        let folder = Folder::new();
        let data_dir = folder.path().display().to_string();
        let mut variables = variables(settings);
        for service in inner_services() {
            variables.push((variable(service, "listen.port"), "0".to_owned()));
        }
        let arguments = ["--port", "0", "--data-dir", &data_dir];
        let started = Started {
            name: "interline".to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
            variables,
        };
        let mut process = started.start();
        process.line_with("Ctrl-C stops everything").await;
        let listeners = std::fs::read_to_string(folder.path().join("listeners.json"));
        let mut stack = Self::empty(folder);
        stack.started.push(started);
        stack.urls = serde_json::from_str(&listeners.expect("listeners.json")).expect("JSON");
        stack.processes.push(process);
        stack
    }

    /// Every service as a program of its own, on PostgreSQL and Redis.
    pub async fn apart(settings: Settings<'_>) -> Self {
        let folder = Folder::new();
        let data_dir = folder.path().display().to_string();
        let postgres = server("INTERLINE_TEST_POSTGRES_URL");
        let (server_url, _) = postgres.rsplit_once('/').expect("a database in the URL");
        let name = folder.path().file_name().expect("a name").to_string_lossy();
        let database = name.replace('-', "_");
        let common = [
            (
                variable("all", "store.url"),
                format!("{server_url}/{database}_{{service}}"),
            ),
            (variable("all", "store.max_connections"), "5".to_owned()),
            (
                variable("all", "cache.url"),
                server("INTERLINE_TEST_REDIS_URL"),
            ),
            (variable("all", "log.format"), "json".to_owned()),
        ];
        let mut stack = Self::empty(folder);
        for service in inner_services().chain(["api_gateway"]) {
            let mut variables = variables(settings);
            variables.extend(common.iter().cloned());
            for (key, url) in stack.addresses(service) {
                variables.push((variable(service, &key), url));
            }
            let arguments = ["--port", "0", "--data-dir", &data_dir];
            let mut started = Started {
                name: service.to_owned(),
                arguments: arguments.map(str::to_owned).to_vec(),
                variables,
            };
            let mut process = started.start();
            let line = process.line_with("\"listening\"").await;
            let line: Value = serde_json::from_str(&line).expect("a JSON line");
            let url = line["url"].as_str().expect("its url").to_owned();
            // Should it be started again, then where the others look for it.
            let port = url.rsplit(':').next().unwrap_or_default();
            started.arguments[1] = port.to_owned();
            stack.started.push(started);
            stack.urls.insert(service.to_owned(), url);
            stack.processes.push(process);
        }
        stack
    }

    /// Kills a program (`interline`, or a service that runs apart) without a warning.
    pub fn kill(&mut self, name: &str) {
        let index = self.index(name);
        self.processes[index].kill();
    }

    /// Starts a killed program again, on the same stores; the system is called at its new addresses.
    pub async fn start_again(&mut self, name: &str) {
        let index = self.index(name);
        self.processes[index] = self.started[index].start();
        if name == "interline" {
            let ready = "Ctrl-C stops everything";
            self.processes[index].line_with(ready).await;
            let listeners = std::fs::read_to_string(self.folder.path().join("listeners.json"));
            self.urls = serde_json::from_str(&listeners.expect("listeners.json")).expect("JSON");
        } else {
            self.processes[index].line_with("\"listening\"").await;
        }
    }

    fn index(&self, name: &str) -> usize {
        let found = self.started.iter().position(|started| started.name == name);
        found.expect("a program of the stack")
    }

    fn empty(folder: Folder) -> Self {
        Self {
            urls: BTreeMap::new(),
            folder,
            running: Vec::new(),
            processes: Vec::new(),
            started: Vec::new(),
        }
    }

    /// What a service must be told of those that run already.
    fn addresses(&self, service: &str) -> Vec<(String, String)> {
        if service == "api_gateway" {
            let inner = self.urls.iter().filter(|(name, _)| *name != "sandbox");
            return inner
                .map(|(name, url)| (format!("upstreams.{name}.url"), url.clone()))
                .collect();
        }
        if service == "auth_service" {
            let sandbox = self.urls.get("sandbox").into_iter();
            let mail = sandbox.map(|url| ("mail.url".to_owned(), format!("{url}/mail/messages")));
            let verticals = VERTICALS.iter().filter_map(|(name, _)| {
                let url = self.urls.get(*name)?;
                Some((format!("colleagues.{name}.url"), url.clone()))
            });
            return mail.chain(verticals).collect();
        }
        let vertical = VERTICALS.iter().find(|(name, _)| *name == service);
        let (Some((_, suppliers)), Some(url)) = (vertical, self.urls.get("sandbox")) else {
            return Vec::new();
        };
        suppliers
            .iter()
            .map(|supplier| {
                let key = format!("suppliers.{supplier}.base_url");
                (key, format!("{url}/{supplier}"))
            })
            .chain([("rates.base_url".to_owned(), format!("{url}/frankfurter"))])
            .collect()
    }

    /// The folder that the services share.
    pub fn data_dir(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A caller of one of the services, without credentials.
    pub fn client(&self, service: &str) -> Client {
        Client::new(self.urls.get(service).expect("a running service").clone())
    }

    /// A caller of the gateway, without credentials.
    pub fn gateway(&self) -> Client {
        self.client("api_gateway")
    }

    /// A caller of the gateway with one of the sandbox accounts: `traveller`, `agent` or `admin`.
    pub async fn log_in(&self, who: &str) -> Client {
        let gateway = self.gateway();
        let account = json!({
            "email": format!("{who}@interline.test"), "password": "interline-sandbox",
        });
        let answer = gateway.post("/api/v1/auth/login", &account).await;
        let token = answer.data()["access_token"].as_str();
        gateway.bearer(token.unwrap_or_else(|| panic!("{}", answer.text)))
    }

    /// What the simulated suppliers really did, oldest first.
    pub async fn journal(&self) -> Vec<Value> {
        let answer = self.client("sandbox").get("/_control/journal").await;
        answer.body["data"].as_array().expect("a list").clone()
    }

    /// The mails that were delivered to an address, oldest first.
    pub async fn mails(&self, to: &str) -> Vec<Value> {
        let to = to.replace('+', "%2B");
        let path = format!("/_control/mailbox?to={to}");
        let answer = self.client("sandbox").get(&path).await;
        answer.body["data"].as_array().expect("a list").clone()
    }

    /// Adds a fault to a simulated supplier.
    pub async fn fault(&self, supplier: &str, fault: &Value) {
        let path = format!("/_control/faults/{supplier}");
        let answer = self.client("sandbox").put(&path, fault).await;
        assert!(answer.status < 300, "{}", answer.text);
    }

    /// Removes all faults.
    pub async fn heal(&self) -> Answer {
        let sandbox = self.client("sandbox");
        sandbox.send("DELETE", "/_control/faults", None).await
    }

    /// The names of the services that run.
    pub fn services(&self) -> Vec<String> {
        self.urls.keys().cloned().collect()
    }

    /// The programs that run, when they are programs of their own.
    pub fn processes(&mut self) -> &mut [Process] {
        &mut self.processes
    }

    /// The process id of a program (`interline`, or a service that runs apart).
    pub fn process_id(&self, name: &str) -> u32 {
        self.processes[self.index(name)].id()
    }

    /// Ends everything that runs in this process, as a shutdown does.
    pub async fn stop(mut self) {
        for running in self.running.drain(..).rev() {
            running.stop().await;
        }
    }
}
