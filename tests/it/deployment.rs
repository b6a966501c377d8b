//! The deployment files agree with the code and with the catalogue.

fn checked_in(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_files_that_follow_from_the_code_are_what_it_says() {
    for (name, text) in cli::deployment_files().unwrap() {
        assert_eq!(
            checked_in(&format!("deploy/{name}")),
            text,
            "deploy/{name} is stale: cargo run -- services --out deploy"
        );
    }
}

#[test]
fn the_chart_deploys_every_service_of_the_catalogue_on_its_port() {
    let chart = checked_in("deploy/helm/interline/services.yaml");
    let described: Vec<&str> = chart.split("  - name: ").skip(1).collect();
    assert_eq!(described.len(), cli::services().len());
    for service in &api_gateway::catalog().unwrap().services {
        let begin = format!("{}\n    title: \"{}\"\n", service.name, service.title);
        let own = described.iter().find(|text| text.starts_with(&begin));
        let own = own.unwrap_or_else(|| panic!("{} is not in services.yaml", service.name));
        assert!(
            own.contains(&format!("    port: {}\n", service.port)),
            "{own}"
        );
    }
}

/// The compose file's text of one service.
fn composed<'a>(compose: &'a str, service: &str) -> &'a str {
    let begin = format!("\n  {}:\n", service.replace('_', "-"));
    let (_, rest) = compose
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{service} is not in docker-compose.yml"));
    rest.split("\n\n").next().unwrap()
}

#[test]
fn compose_runs_every_service_and_asks_each_on_its_own_port_and_publishes_the_gateways_alone() {
    let compose = checked_in("docker-compose.yml");
    let chart = checked_in("deploy/helm/interline/services.yaml");
    for spec in cli::services() {
        let own = composed(&compose, spec.name);
        assert!(
            own.contains(&format!("    command: [serve, {}]\n", spec.name)),
            "{own}"
        );
        let (_, described) = chart
            .split_once(&format!("- name: {}\n", spec.name))
            .unwrap();
        let (_, port) = described.split_once("    port: ").unwrap();
        let port = port.lines().next().unwrap();
        assert!(
            own.contains(&format!("INTERLINE_HEALTH_URL: http://127.0.0.1:{port}\n")),
            "{own}"
        );
        assert_eq!(
            own.contains("    ports:\n"),
            spec.name == "api_gateway",
            "{own}"
        );
    }
    assert_eq!(compose.matches("    ports:\n").count(), 1);
}
