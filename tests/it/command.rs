//! The `interline` command as a person meets it.

use std::os::unix::fs::PermissionsExt as _;

use testkit::{Folder, Process};
use tokio::time::{Duration, Instant};

fn inner_ports_are_free() -> Vec<(String, String)> {
    cli::services()
        .iter()
        .filter(|spec| spec.name != "api_gateway")
        .map(|spec| {
            let service = spec.name.to_uppercase();
            (
                format!("INTERLINE__{service}__LISTEN__PORT"),
                "0".to_owned(),
            )
        })
        .collect()
}

/// Runs it to its end, which must be a failure told in one line.
async fn refusal(arguments: &[&str], variables: &[(String, String)]) -> String {
    let mut process = Process::start("interline", arguments, variables);
    let status = process.ended().await;
    assert!(!status.success());
    let told = process.line_with("interline: ").await;
    let logged = process.logged();
    let lines: Vec<&str> = logged.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, [told.as_str()], "one line, no more");
    told
}

#[tokio::test]
async fn it_says_what_listens_where_and_gives_a_first_request_that_works() {
    let folder = Folder::new();
    let data_dir = folder.path().join("data").display().to_string();
    let mut process = Process::start(
        "interline",
        &["--port", "0", "--data-dir", &data_dir],
        &inner_ports_are_free(),
    );
    process.line_with("Ctrl-C stops everything").await;
    let printed = process.printed();
    for part in [
        "api_gateway",
        "auth_service",
        "flight_service",
        "hotel_service",
        "car_service",
        "sandbox",
        "http://",
        "/api-docs",
        "traveller@interline.test",
        "agent@interline.test",
        "admin@interline.test",
        "interline-sandbox",
    ] {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
    assert!(!printed.contains('\u{1b}'), "colours without a terminal");
    let request = printed
        .split("curl ")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let shell = std::process::Command::new("sh")
        .args(["-c", &format!("curl {request}")])
        .output()
        .unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&shell.stdout).unwrap();
    assert_eq!(answer["status"], "success");
    assert_eq!(answer["data"].as_array().unwrap().len(), 3);

    let began = Instant::now();
    process.interrupt();
    assert!(process.ended().await.success());
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(folder.path().join("data/flight_service.db").exists());
}

#[tokio::test]
async fn ephemeral_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut variables = inner_ports_are_free();
    variables.push(("TMPDIR".to_owned(), folder.path().display().to_string()));
    let mut process = Process::start("interline", &["--port", "0", "--ephemeral"], &variables);
    process.line_with("Ctrl-C stops everything").await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    process.interrupt();
    assert!(process.ended().await.success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn tokens_and_metadata_name_the_port_that_was_chosen() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let arguments = ["--port", &port, "--ephemeral"];
    let mut process = Process::start("interline", &arguments, &inner_ports_are_free());
    process.line_with("Ctrl-C stops everything").await;
    let gateway = testkit::Client::new(format!("http://127.0.0.1:{port}"));
    let issuer = format!("http://localhost:{port}");
    let metadata = gateway.get("/.well-known/openid-configuration").await.body;
    assert_eq!(metadata["issuer"], issuer);
    assert_eq!(
        metadata["jwks_uri"],
        format!("{issuer}/.well-known/jwks.json")
    );
    let account = r#"{"email":"agent@interline.test","password":"interline-sandbox"}"#;
    let login = gateway
        .send("POST", "/api/v1/auth/login", Some(account))
        .await;
    let token = login.data()["access_token"].as_str().unwrap();
    let me = gateway.bearer(token).get("/api/v1/auth/me").await;
    assert_eq!(me.status, 200, "{}", me.text);
}

#[tokio::test]
async fn a_taken_port_of_the_gateway_is_one_clear_line_and_an_inner_one_moves() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let told = refusal(&["--ephemeral", "--port", &port], &inner_ports_are_free()).await;
    assert!(told.contains(&port) && told.contains("--port"), "{told}");

    let mut variables = inner_ports_are_free();
    variables.push(("INTERLINE__SANDBOX__LISTEN__PORT".to_owned(), port.clone()));
    let mut process = Process::start("interline", &["--port", "0", "--ephemeral"], &variables);
    process.line_with("Ctrl-C stops everything").await;
    assert!(
        !process.printed().contains(&format!(":{port}")),
        "{}",
        process.printed()
    );
}

#[tokio::test]
async fn an_unwritable_folder_and_a_bad_key_are_one_clear_line() {
    let folder = Folder::new();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    let below = file.join("data").display().to_string();
    let told = refusal(
        &["--port", "0", "--data-dir", &below],
        &inner_ports_are_free(),
    )
    .await;
    assert!(
        told.contains("a-file") && told.contains("--data-dir"),
        "{told}"
    );

    for (variable, value, hint) in [
        (
            "INTERLINE__FLIGHT_SERVICE__SEARCH__DEADLINE",
            "1",
            "search.deadline_ms",
        ),
        (
            "INTERLINE__FLIGHT_SERVICE__SEARCH__DEADLINE_MS",
            "soon",
            "search.deadline_ms",
        ),
        (
            "INTERLINE__FLIHGT_SERVICE__SEARCH__DEADLINE_MS",
            "1",
            "flight_service",
        ),
        ("INTERLINE__ALL__PROFILE", "staging", "production"),
    ] {
        let mut variables = inner_ports_are_free();
        variables.push((variable.to_owned(), value.to_owned()));
        let told = refusal(&["--ephemeral", "--port", "0"], &variables).await;
        assert!(told.contains(hint), "{told}");
    }
}

#[tokio::test]
async fn every_key_is_listed_with_its_default_source_and_meaning_and_secrets_are_masked() {
    for service in cli::services() {
        let variables = [
            (
                "INTERLINE__ALL__HTTP__DRAIN_MS".to_owned(),
                "7000".to_owned(),
            ),
            (
                "INTERLINE__ALL__STORE__URL".to_owned(),
                "postgres://me:s3cret@db/x".to_owned(),
            ),
        ];
        let mut process = Process::start("interline", &["config", service.name], &variables);
        assert!(process.ended().await.success());
        let line = process.line_with("http.drain_ms = 7000").await;
        assert_eq!(line, "http.drain_ms = 7000");
        let printed = process.printed();
        assert!(printed.contains("source: environment INTERLINE__ALL__HTTP__DRAIN_MS"));
        assert!(printed.contains("default 6000"));
        assert!(!printed.contains("s3cret") && printed.contains("store.url = \"***\""));
        for pair in printed.lines().collect::<Vec<_>>().chunks(2) {
            let meaning = pair[1].trim_start();
            assert!(!meaning.starts_with('['), "no meaning: {}", pair[0]);
        }
    }
}

#[tokio::test]
async fn production_does_not_start_on_what_development_makes_up() {
    for service in cli::services().iter().map(|spec| spec.name) {
        let folder = Folder::new();
        let data_dir = folder.path().display().to_string();
        let variables = [(
            "INTERLINE__ALL__PROFILE".to_owned(),
            "production".to_owned(),
        )];
        let arguments = ["serve", service, "--port", "0", "--data-dir", &data_dir];
        let mut process = Process::start("interline", &arguments, &variables);
        assert!(!process.ended().await.success(), "{service}");
        let told = process.line_with("interline: ").await;
        assert!(told.len() > 40, "{service}: {told}");
    }
}

#[tokio::test]
async fn health_tells_a_service_that_is_well_from_one_that_is_not_or_not_there() {
    let folder = Folder::new();
    let data_dir = folder.path().display().to_string();
    let asked = async |url: &str| {
        let mut process = Process::start("interline", &["health", url], &[]);
        let status = process.ended().await;
        (status.success(), process.printed(), process.logged())
    };
    // The gateway cannot reach the service that it needs.
    let arguments = [
        "serve",
        "api_gateway",
        "--port",
        "0",
        "--data-dir",
        &data_dir,
    ];
    let variables = [(
        "INTERLINE__API_GATEWAY__UPSTREAMS__AUTH_SERVICE__URL".to_owned(),
        "http://127.0.0.1:1".to_owned(),
    )];
    let mut process = Process::start("interline", &arguments, &variables);
    let line = process.line_with("listening").await;
    let url = line.split_whitespace().find_map(|word| {
        let (_, url) = word.split_once("url=")?;
        Some(url.trim_matches('"').to_owned())
    });
    let url = url.unwrap_or_else(|| panic!("no address in: {line}"));
    let (well, told, _) = asked(&format!("{url}/health/live")).await;
    assert!(well && told.contains(r#""status":"pass""#), "{told}");
    let (well, _, told) = asked(&url).await;
    assert!(!well, "not ready");
    assert!(told.starts_with(&format!("interline: {url}: ")), "{told}");
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");

    process.interrupt();
    assert!(process.ended().await.success());
    let (well, _, told) = asked(&url).await;
    assert!(!well && told.starts_with("interline: "), "{told}");
    assert!(!asked("localhost").await.0);
}

/// The audit log's verification, run as an operator would; its exit code and what it printed.
fn audit_verify(arguments: &[&str]) -> (i32, String, String) {
    let programs = std::env::current_exe().unwrap();
    let program = programs.parent().unwrap().parent().unwrap();
    let output = std::process::Command::new(program.join("interline"))
        .args(["audit", "verify"])
        .args(arguments)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test]
async fn the_audit_log_is_verified_while_it_is_written_and_as_a_copy_and_damage_is_named() {
    let folder = Folder::new();
    let data_dir = folder.path().join("data").display().to_string();
    let mut process = Process::start(
        "interline",
        &["--port", "0", "--data-dir", &data_dir],
        &inner_ports_are_free(),
    );
    process.line_with("Ctrl-C stops everything").await;
    let listeners = std::fs::read_to_string(folder.path().join("data/listeners.json")).unwrap();
    let listeners: serde_json::Value = serde_json::from_str(&listeners).unwrap();
    let gateway = testkit::Client::new(listeners["api_gateway"].as_str().unwrap());
    let account = serde_json::json!({
        "email": "admin@interline.test", "password": "interline-sandbox",
    });
    let login = gateway.post("/api/v1/auth/login", &account).await;
    let admin = gateway.bearer(login.data()["access_token"].as_str().unwrap());
    for _ in 0..5 {
        let found = admin.get("/api/v1/auth/audit-logs/verify").await;
        assert_eq!(found.status, 200, "{}", found.text);
        assert_eq!(found.data()["valid"], true, "{}", found.text);
    }

    let (code, told, logged) = audit_verify(&["--data-dir", &data_dir]);
    assert_eq!((code, logged.as_str()), (0, ""), "while the service runs");
    assert!(told.starts_with("The audit log is valid: "), "{told}");
    process.interrupt();
    assert!(process.ended().await.success());
    let (code, told, _) = audit_verify(&["--data-dir", &data_dir, "--json"]);
    assert_eq!(code, 0);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["valid"], true);
    let records = told["records"].as_i64().unwrap();
    assert!(records >= 5);
    assert_eq!(
        told["head"]["seq"], records,
        "the end is signed at shutdown"
    );

    // A copy without its last record.
    let copy = folder.path().join("copy.db");
    let original = folder.path().join("data/auth_service.db");
    let into = format!("VACUUM INTO '{}'", copy.display());
    change(&format!("sqlite:{}", original.display()), &[&into]).await;
    let before = std::fs::read(&copy).unwrap();
    let url = format!("sqlite:{}", copy.display());
    let verify_copy = |json: &[&str]| {
        let mut arguments = vec!["--data-dir", data_dir.as_str(), "--store", url.as_str()];
        arguments.extend(json);
        audit_verify(&arguments)
    };
    assert_eq!(verify_copy(&[]).0, 0);
    assert_eq!(std::fs::read(&copy).unwrap(), before, "nothing is changed");
    change(
        &url,
        &[
            "UPDATE audit_head SET seq = seq - 1, hash = (SELECT previous FROM audit_log \
             WHERE audit_log.seq = audit_head.seq)",
            "DELETE FROM audit_log WHERE seq > (SELECT seq FROM audit_head)",
        ],
    )
    .await;
    let (code, told, logged) = verify_copy(&[]);
    assert_eq!((code, told.as_str()), (1, ""));
    assert_eq!(logged.lines().count(), 1, "{logged}");
    assert!(
        logged.contains(&format!("First bad index: {records}.")),
        "{logged}"
    );
    assert!(logged.contains("was cut off"), "{logged}");
    change(
        &url,
        &["UPDATE audit_log SET actor = 'usr_forged' WHERE seq = 2"],
    )
    .await;
    let (code, told, logged) = verify_copy(&["--json"]);
    assert_eq!((code, logged.as_str()), (1, ""));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["valid"], false);
    assert_eq!(told["first_bad_index"], 2);

    for (arguments, words) in [
        (
            ["--heads", "/nowhere/heads.jsonl"],
            "/nowhere/heads.jsonl cannot be used",
        ),
        (["--store", "sqlite:/nowhere/log.db"], "store"),
        (["--data-dir", "/nowhere"], "audit.pem"),
    ] {
        let mut all = vec!["--data-dir", data_dir.as_str()];
        if arguments[0] == "--data-dir" {
            all.clear();
        }
        all.extend(arguments);
        let (code, _, logged) = audit_verify(&all);
        assert_eq!(code, 1, "{logged}");
        assert!(
            logged.starts_with("interline: ") && logged.contains(words),
            "{logged}"
        );
        assert_eq!(logged.lines().count(), 1, "{logged}");
    }
    assert!(!std::path::Path::new("/nowhere").exists());
}

async fn change(url: &str, statements: &[&str]) {
    let db = storage::Db::open(&storage::StoreOptions::new(url))
        .await
        .unwrap();
    for statement in statements {
        let done = storage::query(storage::sqlx::AssertSqlSafe((*statement).to_owned()))
            .execute(db.pool())
            .await;
        done.unwrap();
    }
    db.close().await;
}
