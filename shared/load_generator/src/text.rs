//! The result as a table for the terminal.

use std::fmt::Write as _;

use crate::report::{Latency, Report};
use crate::units::{digits, human_ms};

/// The result in lines of text.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String never fails.
    let _ = write_table(&mut text, report);
    text
}

fn write_table(text: &mut String, report: &Report) -> std::fmt::Result {
    let settings = &report.settings;
    writeln!(text, "{}", settings.targets.join(", "))?;
    writeln!(
        text,
        "{}, {} connections, {}, {} s after {} s of warm-up",
        settings.load,
        settings.connections,
        settings.protocol,
        settings.duration_s,
        settings.warm_up_s
    )?;
    writeln!(text)?;
    writeln!(
        text,
        "requests   {}   {:.1}/s   {} MB/s   errors {} ({} %)",
        report.requests,
        report.rate,
        digits(report.megabytes_per_s),
        report.errors,
        digits(report.error_rate * 100.0)
    )?;
    writeln!(text)?;
    heading(text)?;
    row(text, "latency", &report.latency)?;
    if let Some(service) = &report.service {
        row(text, "service", service)?;
    }
    if report.steps.len() > 1 {
        for step in &report.steps {
            row(text, &step.name, &step.latency)?;
        }
    }
    writeln!(text)?;
    let statuses = report.statuses.iter();
    let statuses: Vec<String> = statuses.map(|(code, n)| format!("{code}: {n}")).collect();
    if !statuses.is_empty() {
        writeln!(text, "status     {}", statuses.join("   "))?;
    }
    for (kind, failures) in &report.error_kinds {
        let (name, count) = (kind.name(), failures.count);
        writeln!(
            text,
            "error      {name}: {count}   (first: {})",
            failures.example
        )?;
    }
    if settings.idle_connections > 0 {
        let idle = &report.idle;
        writeln!(
            text,
            "idle       {} opened, {} refused, {} closed by the server",
            idle.opened, idle.refused, idle.closed_by_server
        )?;
    }
    for process in &report.processes {
        let (name, pid) = (&process.name, process.pid);
        let (Some(cpu), Some(cores)) = (process.cpu_us_per_request, process.cores) else {
            writeln!(text, "CPU        {name} ({pid}): not there throughout")?;
            continue;
        };
        writeln!(
            text,
            "CPU        {name} ({pid}): {} µs/request, {cores:.2} cores, {} MiB at most",
            digits(cpu),
            digits(process.rss_peak_mib)
        )?;
    }
    if let (Some(cpu), Some(cores)) = (report.generator.cpu_us_per_request, report.generator.cores)
    {
        let cpu = digits(cpu);
        write!(text, "generator  {cpu} µs/request, {cores:.2} cores")?;
        if report.service.is_some() {
            let lateness = human_ms(report.generator.lateness_p99_ms);
            let late = report.generator.late;
            write!(
                text,
                ", sends late by {lateness} (p99), {late} by more than 5 ms"
            )?;
        }
        writeln!(text)?;
    }
    for note in &report.notes {
        writeln!(text, "note       {note}")?;
    }
    for broken in &report.broken_limits {
        writeln!(text, "BROKEN     {broken}")?;
    }
    Ok(())
}

const FIGURES: [&str; 8] = [
    "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max", "count",
];

fn heading(text: &mut String) -> std::fmt::Result {
    write!(text, "{:<10}", "")?;
    for figure in FIGURES {
        write!(text, " {figure:>9}")?;
    }
    writeln!(text)
}

fn row(text: &mut String, name: &str, latency: &Latency) -> std::fmt::Result {
    // A long name has a line of its own, so that the columns stay.
    match name.chars().count() {
        ..=10 => write!(text, "{name:<10}")?,
        _ => write!(text, "{name}\n{:<10}", "")?,
    }
    for ms in [
        latency.mean_ms,
        latency.p50_ms,
        latency.p90_ms,
        latency.p99_ms,
        latency.p99_9_ms,
        latency.p99_99_ms,
        latency.max_ms,
    ] {
        write!(text, " {:>9}", human_ms(ms))?;
    }
    writeln!(text, " {:>9}", latency.count)
}
