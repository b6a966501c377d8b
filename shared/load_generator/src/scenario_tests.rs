use super::*;
use crate::template::{Counters, Values};

fn built(requests: Requests) -> Result<Scenario, InputError> {
    build(&requests, "2026-12-01".parse().unwrap())
}

fn of_urls(urls: &[&str]) -> Requests {
    Requests {
        urls: urls.iter().map(|url| (*url).to_owned()).collect(),
        ..Requests::default()
    }
}

fn written(template: &Template, tokens: &[String]) -> String {
    let counters = Counters::default();
    let mut bytes = Vec::new();
    template.write(&mut Values::new(&counters, tokens, 3), &mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_url_becomes_a_head_and_keeps_its_variables() {
    let scenario = built(Requests {
        headers: vec!["Accept: text/plain".to_owned()],
        has_tokens: true,
        ..of_urls(&["http://[::1]:8080/a?day={date+1}#part"])
    })
    .unwrap();
    assert_eq!(
        scenario.origins,
        [Origin {
            host: "::1".to_owned(),
            port: 8080,
            authority: "[::1]:8080".to_owned(),
        }]
    );
    assert_eq!(
        written(&scenario.flows[0].steps[0].head, &["abc".to_owned()]),
        "GET /a?day=2026-12-02 HTTP/1.1\r\nhost: [::1]:8080\r\naccept: text/plain\r\n\
         authorization: Bearer abc\r\n"
    );
}

#[test]
fn urls_of_one_host_share_its_connections() {
    let scenario = built(of_urls(&["http://a/1", "http://a:80/2", "http://b/"])).unwrap();
    assert_eq!(scenario.origins.len(), 2);
    assert_eq!(scenario.flows.len(), 3);
}

#[test]
fn a_scenario_file_passes_values_from_step_to_step() {
    let text = r#"
        [[flow]]
        weight = 3
        [[flow.step]]
        name = "search"
        url = "/offers?day={date+30}"
        capture = { offer = "/data/0/id" }
        [[flow.step]]
        name = "price"
        url = "/offers/{offer}/price"
        body = '{"id":"{offer}"}'
        expect = "201"
        headers = { "idempotency-key" = "{uuid}" }
    "#;
    let scenario = built(Requests {
        scenario: Some(text.to_owned()),
        ..of_urls(&["http://localhost:8080/"])
    })
    .unwrap();
    assert_eq!(scenario.step_names, ["search", "price"]);
    assert_eq!(scenario.names, 1);
    let [search, price] = scenario.flows[0].steps.as_slice() else {
        panic!("two steps")
    };
    assert_eq!(written(&search.target, &[]), "/offers?day=2026-12-31");
    assert_eq!(search.capture, [(0, "/data/0/id".to_owned())]);
    assert_eq!(price.method, Method::POST);
    assert!(price.expect.allows(201) && !price.expect.allows(200));
}

#[test]
fn the_presets_are_scenarios() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/load");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let scenario = built(Requests {
            scenario: Some(std::fs::read_to_string(&path).unwrap()),
            has_tokens: true,
            ..of_urls(&["http://localhost:8080"])
        });
        scenario.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        read += 1;
    }
    assert!(read >= 3, "{read} presets");
}

#[test]
fn a_wrong_input_is_named() {
    let file = |text: &str| Requests {
        scenario: Some(text.to_owned()),
        ..of_urls(&["http://a"])
    };
    let step = |more: &str| file(&format!("[[flow]]\n[[flow.step]]\nname=\"s\"\n{more}"));
    for (requests, told) in [
        (of_urls(&[]), "URL"),
        (of_urls(&["localhost:8080"]), "does not begin with http://"),
        (of_urls(&["https://a/"]), "TLS"),
        (of_urls(&["http://a:99999/"]), "URL"),
        (of_urls(&["http://u:p@a/"]), "a user in the URL"),
        (of_urls(&["http://a/<b>"]), "percent-encoded"),
        (of_urls(&["http://a/with space"]), "percent-encoded"),
        (of_urls(&["http://a/{nobody}"]), "{nobody}"),
        (of_urls(&["http://a/{token}"]), "--token-file"),
        (
            Requests {
                method: Some("G T".into()),
                ..of_urls(&["http://a"])
            },
            "--method",
        ),
        (
            Requests {
                headers: vec!["x".into()],
                ..of_urls(&["http://a"])
            },
            "--header",
        ),
        (
            Requests {
                headers: vec!["x: a\nb".into()],
                ..of_urls(&["http://a"])
            },
            "--header",
        ),
        (
            Requests {
                headers: vec!["Content-Length: 1".into()],
                ..of_urls(&["http://a"])
            },
            "--header",
        ),
        (
            Requests {
                expect: Some("ok".into()),
                ..of_urls(&["http://a"])
            },
            "--expect",
        ),
        (file("flow = 1"), "--scenario"),
        (file("[[flow]]\nstep = []"), "no step"),
        (
            file("[[flow]]\nweight = 0\n[[flow.step]]\nname=\"s\"\nurl=\"/\""),
            "weight",
        ),
        (step("url=\"/\"\nspeed=1"), "speed"),
        (
            step("url=\"/{offer}\"\ncapture = { offer = \"/id\" }"),
            "step 's'",
        ),
        (
            step("url=\"/\"\ncapture = { offer = \"id\" }"),
            "must begin with '/'",
        ),
    ] {
        let error = built(requests).unwrap_err().to_string();
        assert!(error.contains(told), "'{error}' does not say '{told}'");
    }
}
