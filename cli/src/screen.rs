//! What is shown on the terminal: plain where it is not one, or where `NO_COLOR` is set.

use std::io::{IsTerminal as _, Write as _};

/// Standard output for people.
pub(crate) struct Screen {
    colour: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self {
            colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// A line. A reader that went away is no reason to stop.
    pub(crate) fn line(&self, text: &str) {
        drop(writeln!(std::io::stdout(), "{text}"));
        drop(std::io::stdout().flush());
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Rows with aligned columns.
    pub(crate) fn table(&self, rows: &[[String; 3]]) {
        let width = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let (first, second) = (width(0), width(1));
        for [a, b, c] in rows {
            let line = format!("  {a:<first$}  {b:<second$}  {}", self.dim(c));
            self.line(line.trim_end());
        }
    }
}
