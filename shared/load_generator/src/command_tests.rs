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
