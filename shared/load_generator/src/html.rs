//! The result as one page that needs nothing else: no script, no network, light and dark.

use std::fmt::Write as _;

use crate::chart::{Chart, Line, Scale, time_ticks};
use crate::report::{Latency, Report, Second};
use crate::units::{digits, human_ms};

/// More points than a chart can show are joined.
const MOST_POINTS: usize = 180;

/// The page.
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a String never fails.
    let _ = write_page(&mut page, report);
    page
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    let targets = escape(&report.settings.targets.join(", "));
    writeln!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <title>Load on {targets}</title><style>\n{}</style></head><body><main>",
        include_str!("page.css")
    )?;
    writeln!(
        page,
        "<h1>{targets}</h1><p>{}</p>",
        escape(&summary(report))
    )?;
    for broken in &report.broken_limits {
        writeln!(
            page,
            r#"<p class="bad">Limit broken: {}</p>"#,
            escape(broken)
        )?;
    }
    for note in &report.notes {
        writeln!(page, r#"<p class="note">{}</p>"#, escape(note))?;
    }
    figures(page, report)?;
    writeln!(page, r#"<div class="charts">"#)?;
    for chart in [percentiles(report), throughput(report), over_time(report)] {
        page.push_str(&chart.svg());
    }
    writeln!(page, "</div>")?;
    latencies(page, report)?;
    answers(page, report)?;
    processes(page, report)?;
    settings(page, report)?;
    writeln!(page, "</main></body></html>")
}

fn summary(report: &Report) -> String {
    let settings = &report.settings;
    format!(
        "{} over {} connections ({}), {} s from {}",
        settings.load,
        settings.connections,
        settings.protocol,
        digits(report.measured_s),
        report.started_at
    )
}

fn figures(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, r#"<dl class="figures">"#)?;
    let mut figures = vec![
        ("requests a second", digits(report.rate)),
        ("median", human_ms(report.latency.p50_ms)),
        ("99 %", human_ms(report.latency.p99_ms)),
        ("99.9 %", human_ms(report.latency.p99_9_ms)),
        ("errors", format!("{} %", digits(report.error_rate * 100.0))),
    ];
    if let Some(cpu) = report.processes.iter().find_map(|p| p.cpu_us_per_request) {
        figures.push(("CPU a request", format!("{} µs", digits(cpu))));
    }
    for (name, value) in figures {
        writeln!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
    }
    writeln!(page, "</dl>")
}

/// On an axis of nines: 90 %, 99 %, 99.9 % … are equally far apart, so that the tail has room.
fn percentiles(report: &Report) -> Chart {
    let nines = |quantile: f64| -(1.0 - quantile).max(1e-12).log10();
    let point = |point: &crate::CurvePoint, ms: f64| (nines(point.quantile), ms);
    let latency = report.curve.iter().map(|p| point(p, p.latency_ms));
    let mut lines = vec![Line {
        name: "latency, from when it was due",
        class: "a",
        points: latency.collect(),
    }];
    if report.service.is_some() {
        let service = report.curve.iter();
        lines.push(Line {
            name: "service time, from the sending",
            class: "b",
            points: service
                .filter_map(|p| Some(point(p, p.service_ms?)))
                .collect(),
        });
    }
    let last = report.curve.last().map_or(0.0, |p| nines(p.quantile));
    let ticks = [
        (0.0, "0 %"),
        (1.0, "90 %"),
        (2.0, "99 %"),
        (3.0, "99.9 %"),
        (4.0, "99.99 %"),
        (5.0, "99.999 %"),
    ];
    let ticks = ticks.into_iter().filter(|(at, _)| *at <= last);
    Chart {
        title: "Latency by percentile",
        scale: Scale::LogMs,
        lines,
        ticks: ticks.map(|(at, label)| (at, label.to_owned())).collect(),
    }
}

/// Seconds, joined where there are too many: rates are averaged, latencies are the worst.
fn over_seconds(report: &Report, of: fn(&Second) -> f64, worst: bool) -> Vec<(f64, f64)> {
    let size = report.seconds.len().div_ceil(MOST_POINTS).max(1);
    let join = |seconds: &[Second]| {
        let at = seconds.last()?.at_s;
        let values = seconds.iter().map(of);
        let value = match worst {
            true => values.fold(0.0, f64::max),
            false => values.sum::<f64>() / u32::try_from(seconds.len()).map_or(1.0, f64::from),
        };
        Some((at, value))
    };
    report.seconds.chunks(size).filter_map(join).collect()
}

fn throughput(report: &Report) -> Chart {
    let line = |name, class, of: fn(&Second) -> f64| Line {
        name,
        class,
        points: over_seconds(report, of, false),
    };
    Chart {
        title: "Requests a second",
        scale: Scale::Count,
        lines: vec![
            line("answered or failed", "a", |second| second.rate),
            line("failed", "c", |second| crate::number::real(second.errors)),
        ],
        ticks: time_ticks(report.measured_s),
    }
}

fn over_time(report: &Report) -> Chart {
    let line = |name, class, of: fn(&Second) -> f64| Line {
        name,
        class,
        points: over_seconds(report, of, true),
    };
    Chart {
        title: "Latency over time",
        scale: Scale::LogMs,
        lines: vec![
            line("median", "a", |second| second.p50_ms),
            line("99 %", "b", |second| second.p99_ms),
            line("slowest", "c", |second| second.max_ms),
        ],
        ticks: time_ticks(report.measured_s),
    }
}

fn latencies(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        page,
        "<h2>Latency</h2><div class=\"wide\"><table><thead><tr><th></th><th>mean</th><th>p50</th>\
         <th>p90</th><th>p99</th><th>p99.9</th><th>p99.99</th><th>slowest</th></tr></thead><tbody>"
    )?;
    let mut row = |name: &str, latency: &Latency| {
        write!(page, "<tr><th>{}</th>", escape(name))?;
        for ms in [
            latency.mean_ms,
            latency.p50_ms,
            latency.p90_ms,
            latency.p99_ms,
            latency.p99_9_ms,
            latency.p99_99_ms,
            latency.max_ms,
        ] {
            write!(page, "<td>{}</td>", human_ms(ms))?;
        }
        writeln!(page, "</tr>")
    };
    row("latency", &report.latency)?;
    if let Some(service) = &report.service {
        row("service time", service)?;
    }
    if report.steps.len() > 1 {
        for step in &report.steps {
            row(&step.name, &step.latency)?;
        }
    }
    writeln!(page, "</tbody></table></div>")
}

fn answers(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "<h2>Answers</h2><table><tbody>")?;
    for (status, count) in &report.statuses {
        writeln!(page, "<tr><th>status {status}</th><td>{count}</td></tr>")?;
    }
    for (kind, failures) in &report.error_kinds {
        writeln!(
            page,
            "<tr class=\"bad\"><th>error: {}</th><td>{}</td><td class=\"text\">{}</td></tr>",
            kind.name(),
            failures.count,
            escape(&failures.example)
        )?;
    }
    if report.settings.idle_connections > 0 {
        let idle = &report.idle;
        writeln!(
            page,
            "<tr><th>idle connections</th><td>{}</td><td class=\"text\">{} refused, {} closed by the \
             server</td></tr>",
            idle.opened, idle.refused, idle.closed_by_server
        )?;
    }
    writeln!(page, "</tbody></table>")
}

fn processes(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        page,
        "<h2>Processes</h2><div class=\"wide\"><table><thead><tr><th></th><th>CPU a request</th>\
         <th>cores</th><th>memory, at most</th></tr></thead><tbody>"
    )?;
    let cpu = |cpu: Option<f64>| cpu.map_or("–".to_owned(), |cpu| format!("{} µs", digits(cpu)));
    let cores = |cores: Option<f64>| cores.map_or("–".to_owned(), |cores| format!("{cores:.2}"));
    for process in &report.processes {
        writeln!(
            page,
            "<tr><th>{} ({})</th><td>{}</td><td>{}</td><td>{} MiB</td></tr>",
            escape(&process.name),
            process.pid,
            cpu(process.cpu_us_per_request),
            cores(process.cores),
            digits(process.rss_peak_mib)
        )?;
    }
    let generator = &report.generator;
    writeln!(
        page,
        "<tr><th>the generator</th><td>{}</td><td>{}</td><td>–</td></tr></tbody></table></div>",
        cpu(generator.cpu_us_per_request),
        cores(generator.cores)
    )
}

fn settings(page: &mut String, report: &Report) -> std::fmt::Result {
    let settings = &report.settings;
    writeln!(page, "<h2>Settings</h2><table><tbody>")?;
    for (name, value) in [
        ("load", settings.load.clone()),
        ("protocol", settings.protocol.clone()),
        ("connections", settings.connections.to_string()),
        ("idle connections", settings.idle_connections.to_string()),
        ("threads", settings.threads.to_string()),
        ("warm-up", format!("{} s", settings.warm_up_s)),
        ("duration", format!("{} s", settings.duration_s)),
        ("time-out", format!("{} s", settings.timeout_s)),
        ("bearer tokens", settings.tokens.to_string()),
    ] {
        let value = escape(&value);
        writeln!(
            page,
            "<tr><th>{name}</th><td class=\"text\">{value}</td></tr>"
        )?;
    }
    writeln!(page, "</tbody></table>")
}
