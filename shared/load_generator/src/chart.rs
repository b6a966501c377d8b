//! Line charts as inline SVG. Drawn 360 units wide, so that they read at that width without being
//! scaled down.

use std::fmt::Write as _;

use crate::html::escape;
use crate::units::{digits, human_ms};

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;

/// How values lie on the y axis, and how they are written.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Counts, from 0.
    Count,
    /// Milliseconds, by powers of ten.
    LogMs,
}

/// A line.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    /// Of the style sheet: `a`, `b`, `c`.
    pub(crate) class: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A chart.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) scale: Scale,
    pub(crate) lines: Vec<Line>,
    /// Positions and labels of the x axis.
    pub(crate) ticks: Vec<(f64, String)>,
}

impl Chart {
    /// The SVG with its legend; nothing where there is nothing to draw.
    pub(crate) fn svg(&self) -> String {
        let mut svg = String::new();
        // Writing to a String never fails.
        let _ = self.draw(&mut svg);
        svg
    }

    fn draw(&self, svg: &mut String) -> std::fmt::Result {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let xs = range(points().map(|(x, _)| *x));
        let (Some((x_low, x_high)), Some((y_low, y_high))) = (xs, self.bounds()) else {
            return Ok(());
        };
        let x_span = (x_high - x_low).max(f64::MIN_POSITIVE);
        let at_x = |x: f64| LEFT + (x - x_low) / x_span * (WIDTH - LEFT - RIGHT);
        let at_y = |y: f64| {
            let share = (self.place(y) - y_low) / (y_high - y_low);
            HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
        };
        let title = escape(self.title);
        writeln!(
            svg,
            r#"<figure><figcaption>{title}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">"#
        )?;
        for value in self.y_ticks(y_low, y_high) {
            let y = at_y(value);
            let label = match self.scale {
                Scale::Count => short_count(value),
                Scale::LogMs => short_ms(value),
            };
            writeln!(
                svg,
                r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                escape(&label)
            )?;
        }
        let within = |(at, _): &&(f64, String)| (x_low..=x_high).contains(at);
        for (position, label) in self.ticks.iter().filter(within) {
            let x = at_x(*position);
            writeln!(
                svg,
                r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{:.1}"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                HEIGHT - BOTTOM,
                HEIGHT - 8.0,
                escape(label)
            )?;
        }
        for line in &self.lines {
            write!(svg, r#"<polyline class="{}" points=""#, line.class)?;
            for (x, y) in &line.points {
                write!(svg, "{:.1},{:.1} ", at_x(*x), at_y(*y))?;
            }
            writeln!(svg, r#""/>"#)?;
        }
        writeln!(svg, "</svg>")?;
        writeln!(svg, r#"<p class="legend">"#)?;
        for line in &self.lines {
            let name = escape(line.name);
            writeln!(svg, r#"<span class="key {}">{name}</span>"#, line.class)?;
        }
        writeln!(svg, "</p></figure>")
    }

    /// Where a value lies: the axis is linear in this.
    fn place(&self, y: f64) -> f64 {
        match self.scale {
            Scale::Count => y,
            Scale::LogMs => y.max(1e-6).log10(),
        }
    }

    fn bounds(&self) -> Option<(f64, f64)> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        match self.scale {
            Scale::Count => {
                let (_, high) = range(points.map(|(_, y)| *y))?;
                Some((0.0, (high * 1.05).max(1.0)))
            }
            Scale::LogMs => {
                let positive = points.map(|(_, y)| *y).filter(|y| *y > 0.0);
                let (low, high) = range(positive.map(|y| self.place(y)))?;
                Some((low - 0.1, high + 0.1))
            }
        }
    }

    fn y_ticks(&self, low: f64, high: f64) -> Vec<f64> {
        match self.scale {
            Scale::Count => {
                let step = round_step(high / 4.0);
                let values = std::iter::successors(Some(0.0), move |y| Some(y + step));
                values.take_while(|y| *y <= high).collect()
            }
            Scale::LogMs => {
                let decades = std::iter::successors(Some(1e-4), |y| Some(y * 10.0)).take(12);
                let within = |y: &f64| (low..=high).contains(&y.log10());
                // As many within a decade as there is room for.
                let factors: &[f64] = match high - low {
                    ..1.5 => &[1.0, 2.0, 5.0],
                    ..3.5 => &[1.0, 3.0],
                    _ => &[1.0],
                };
                let values = decades.flat_map(|decade| factors.iter().map(move |f| decade * f));
                values.filter(within).collect()
            }
        }
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |found, value| {
        let (low, high) = found.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// A round step of at least this size: 1, 2 or 5 times a power of ten.
fn round_step(at_least: f64) -> f64 {
    let power = 10_f64.powf(at_least.max(1e-9).log10().floor());
    let fitting = [1.0, 2.0, 5.0].map(|factor| factor * power);
    let fitting = fitting.into_iter().find(|step| *step >= at_least);
    fitting.unwrap_or(power * 10.0)
}

/// `1 ms`, `200 µs`: a tick needs no digits after the point.
fn short_ms(ms: f64) -> String {
    let text = human_ms(ms);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!(
                "{} {unit}",
                number.trim_end_matches('0').trim_end_matches('.')
            )
        }
        _ => text,
    }
}

fn short_count(count: f64) -> String {
    match count {
        count if count >= 1e6 => format!("{}M", digits(count / 1e6)),
        count if count >= 1e4 => format!("{}k", digits(count / 1e3)),
        count => format!("{count}"),
    }
}

/// Ticks of a time axis of this many seconds.
pub(crate) fn time_ticks(seconds: f64) -> Vec<(f64, String)> {
    let step = round_step(seconds / 6.0);
    let positions = std::iter::successors(Some(0.0), |at| Some(at + step));
    let label = |at: f64| (at, format!("{at} s"));
    positions
        .take_while(|at| *at <= seconds)
        .map(label)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            [0.7, 1.0, 3.0, 42.0, 51.0].map(round_step),
            [1.0, 1.0, 5.0, 50.0, 100.0]
        );
        assert_eq!(
            [0.2, 1.0, 50.0, 2000.0].map(short_ms),
            ["200 µs", "1 ms", "50 ms", "2 s"]
        );
        assert_eq!([500.0, 20_000.0].map(short_count), ["500", "20.0k"]);
    }

    #[test]
    fn nothing_to_draw_is_no_chart() {
        let chart = Chart {
            title: "empty",
            scale: Scale::LogMs,
            lines: Vec::new(),
            ticks: Vec::new(),
        };
        assert_eq!(chart.svg(), "");
    }

    #[test]
    fn only_what_lies_on_the_axes_is_drawn() {
        let chart = Chart {
            title: "a",
            scale: Scale::LogMs,
            lines: vec![Line {
                name: "b",
                class: "a",
                points: vec![(1.0, 0.5), (2.0, 20.0)],
            }],
            ticks: time_ticks(3.0),
        };
        let svg = chart.svg();
        assert!(svg.contains(">1 s<") && svg.contains(">2 s<"), "{svg}");
        assert!(!svg.contains(">0 s<") && !svg.contains(">3 s<"), "{svg}");
        let labels = ["300 µs", "1 ms", "3 ms", "10 ms", "30 ms"];
        let drawn = labels.map(|label| svg.contains(&format!(">{label}<")));
        assert_eq!(drawn, [false, true, true, true, false], "{svg}");
    }
}
