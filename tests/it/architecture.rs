//! Who may depend on whom.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Lower layers first. A crate may depend on crates of lower layers only; layers 1 and 2 keep to
/// themselves where the table says so.
fn layer(name: &str) -> Option<u8> {
    Some(match name {
        "travel_types" => 0,
        "settings" | "telemetry" => 1,
        "caching" | "storage" | "messages" | "auth" | "supplier_client" => 2,
        "service_kit" => 3,
        "vertical_kit" | "testkit" => 4,
        "supplier_platforms" => 5,
        "api_gateway" => 6,
        name if name.ends_with("_service") || name == "sandbox" => 6,
        "cli" => 7,
        "tests" => 8,
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
