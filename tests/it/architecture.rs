//! Who may depend on whom.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Lower layers first. A crate may depend on crates of lower layers only; layers 1 and 2 keep to
/// themselves where the table says so.
fn layer(name: &str) -> Option<u8> {
    Some(match name {
        "travel_types" => 0,
        "settings" | "telemetry" => 1,
        "caching" | "http_engine" | "load_generator" | "storage" | "messages" | "auth"
        | "rate_limits" | "request_validation" | "response_cache" | "supplier_client" => 2,
        "service_kit" | "audit" | "upstreams" => 3,
        "personal_data" | "testkit" => 4,
        "vertical_kit" => 5,
        "supplier_platforms" => 6,
        "api_gateway" => 7,
        name if name.ends_with("_service") || name == "sandbox" => 7,
        "cli" => 8,
        "tests" => 9,
        _ => return None,
    })
}

#[test]
fn dependencies_go_down_and_never_across() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let members: BTreeMap<String, _> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.to_string(), package))
        .collect();
    for (name, package) in &members {
        let own = layer(name).unwrap_or_else(|| panic!("{name} has no place in the layers"));
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            if !members.contains_key(to) {
                continue;
            }
            let test_only = dependency.kind == DependencyKind::Development;
            let allowed = match (name.as_str(), to) {
                // Tests may start the kit and the sandbox.
                (_, "testkit" | "sandbox" | "service_kit") if test_only => true,
                // Simulators are no judge of adapters that share their code.
                (
                    "sandbox",
                    "supplier_client" | "supplier_platforms" | "vertical_kit" | "travel_types",
                ) => false,
                _ => layer(to).is_some_and(|to| to < own),
            };
            assert!(allowed, "{name} must not depend on {to}");
        }
    }
}

#[test]
fn every_folder_is_named_as_its_package() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().unwrap().file_name().unwrap();
        assert_eq!(folder, package.name.as_str());
    }
}

/// The kit's crates, which must fit every vertical and supplier.
const KIT: [&str; 8] = [
    "caching",
    "personal_data",
    "service_kit",
    "settings",
    "storage",
    "supplier_client",
    "travel_types",
    "vertical_kit",
];

/// Files of the kit's sources, without their tests.
fn kit_sources() -> Vec<(String, String)> {
    fn collect(folder: &std::path::Path, into: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                collect(&path, into);
            } else if name.ends_with(".rs") && !name.contains("tests") {
                let text = std::fs::read_to_string(&path).unwrap();
                // A module of tests stands at a file's end.
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                into.push((path.display().to_string(), code.to_owned()));
            }
        }
    }
    let shared = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let mut sources = Vec::new();
    for name in KIT {
        collect(&shared.join(name).join("src"), &mut sources);
    }
    sources
}

#[test]
fn the_kit_knows_no_vertical_and_no_supplier_by_name() {
    let mut names: Vec<&str> = vec!["flights", "hotels", "cars"];
    for (service, suppliers) in testkit::VERTICALS {
        names.push(service);
        names.extend(suppliers);
    }
    let mut searched = 0;
    for (file, code) in kit_sources() {
        for (number, line) in code.lines().enumerate() {
            let line = line.trim();
            if line.starts_with("//") || line.starts_with("#[schema(example") {
                continue;
            }
            for literal in line.split('"').skip(1).step_by(2) {
                searched += 1;
                let words = literal.split(|c: char| !c.is_alphanumeric() && c != '_');
                let known = words.into_iter().find(|word| names.contains(word));
                assert_eq!(known, None, "{file}:{}: {line}", number + 1);
            }
        }
    }
    assert!(searched > 500, "only {searched} texts were looked at");
}

#[test]
fn no_trait_of_the_vertical_kit_asks_a_vertical_or_supplier_for_a_flag() {
    let mut methods = 0;
    for (file, code) in kit_sources() {
        if !file.contains("vertical_kit") {
            continue;
        }
        for body in code.split("pub trait ").skip(1) {
            let body = body.split("\n}").next().unwrap();
            methods += body.matches("fn ").count();
            assert!(!body.contains("-> bool"), "{file}: {body}");
        }
    }
    assert!(methods >= 12, "only {methods} methods were looked at");
}
