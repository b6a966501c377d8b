use clap::{CommandFactory as _, Parser};

use super::*;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    bench: BenchOptions,
}

fn job(arguments: &str) -> Result<Job, String> {
    let arguments = std::iter::once("bench").chain(arguments.split_whitespace());
    let program = Program::try_parse_from(arguments).map_err(|error| error.to_string())?;
    let job = program.bench.job(&Clock::system());
    job.map_err(|error| error.to_string())
}

#[test]
fn options_become_a_job() {
    let job =
        job("http://a/ -r 500 --poisson -c 3 -d 2s -w 0 -t 250ms --http2 --streams 7").unwrap();
    assert_eq!(job.load, Load::Poisson(500.0));
    assert_eq!(job.protocol, Protocol::Http2 { streams: 7 });
    assert_eq!((job.connections, job.threads), (3, 1));
    assert_eq!(job.duration, Duration::from_secs(2));
    assert_eq!(job.warm_up, Duration::ZERO);
    assert_eq!(job.timeout, Duration::from_millis(250));
}

#[test]
fn a_wrong_option_is_named() {
    for (arguments, told) in [
        ("", "URL"),
        ("http://a -c 0", "--connections"),
        ("http://a -c 1 --threads 2", "--threads"),
        ("http://a -d 0", "--duration"),
        ("http://a -t 2h", "--timeout"),
        ("http://a -r fast", "--rate"),
        ("http://a --poisson", "--rate"),
        ("http://a --streams 3", "--http2"),
        ("http://a --fail-above p99", "--fail-above"),
        ("http://a --max-error-rate 2", "--max-error-rate"),
        ("http://a --pid 4294967295", "--pid"),
        ("http://a --token-file /does/not/exist", "--token-file"),
        ("http://a --body-file /does/not/exist", "--body-file"),
        ("http://a --scenario /does/not/exist", "--scenario"),
    ] {
        let error = job(arguments).unwrap_err();
        assert!(error.contains(told), "'{error}' does not name {told}");
    }
}

#[test]
fn the_help_has_examples_that_are_valid() {
    let help = Program::command().render_long_help().to_string();
    let examples: Vec<&str> = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("interline bench "))
        .filter(|line| !line.contains("--pid") && !line.contains("--scenario"))
        .collect();
    assert!(examples.len() >= 2, "{help}");
    for example in examples {
        job(example).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

/// Answers every request with this status, until the test ends. A thread, because the command has a
/// runtime of its own.
fn server(status: &'static str) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let requests = BufReader::new(stream.try_clone().unwrap());
                let ends = requests
                    .lines()
                    .map_while(Result::ok)
                    .filter(String::is_empty);
                for _ in ends {
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

fn measured(arguments: &str) -> Report {
    let arguments = std::iter::once("bench").chain(arguments.split_whitespace());
    measure(&Program::parse_from(arguments).bench).unwrap()
}

#[test]
fn a_good_result_breaks_no_limit_and_is_written_where_it_was_asked_for() {
    let url = server("200 OK");
    let folder = std::env::temp_dir().join(format!("bench-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let (json, html) = (folder.join("result.json"), folder.join("result.html"));
    let report = measured(&format!(
        "{url} -r 100 -d 200ms -w 0 --fail-above p99=1h --max-error-rate 0 --json {} --html {}",
        json.display(),
        html.display()
    ));
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let page = std::fs::read_to_string(html).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(report.broken_limits, Vec::<String>::new());
    assert_eq!(
        (report.requests, written["requests"].as_u64()),
        (20, Some(20))
    );
    assert!(page.ends_with("</main></body></html>\n"));
}

#[test]
fn broken_limits_are_told_and_end_with_a_failure() {
    let url = server("503 Service Unavailable");
    let arguments = format!("{url} -r 100 -d 200ms -w 0 --fail-above mean=1us --max-error-rate 1%");
    let report = measured(&arguments);
    let [mean, errors] = report.broken_limits.as_slice() else {
        panic!("two limits are broken: {:?}", report.broken_limits)
    };
    assert!(mean.starts_with("mean is "), "{mean}");
    assert_eq!(errors, "errors are 100 % of the requests, above 1.00 %");
    let arguments = std::iter::once("bench").chain(arguments.split_whitespace());
    let code = bench(&Program::parse_from(arguments).bench);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
}
