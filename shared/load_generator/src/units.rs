//! Durations and rates as people write them.

use std::time::Duration;

/// Reads `10s`, `500ms`, `2m`, `250us`, `1.5s`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time; write 10s, 500ms, 250us or 2m");
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "" | "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Reads a share: `0.01` or `1%`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let parsed = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    match parsed {
        Ok(share @ 0.0..=1.0) => Ok(share),
        _ => Err(format!("'{text}' is no share; write 0.01 or 1%")),
    }
}

/// Reads a rate: `5000` or `5000/s`.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.strip_suffix("/s").unwrap_or(text).parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 && rate <= 1e7 => Ok(rate),
        _ => Err(format!(
            "'{text}' is no rate; write requests a second, such as 5000"
        )),
    }
}

/// A time in milliseconds in the unit in which it is read best.
pub(crate) fn human_ms(ms: f64) -> String {
    match ms {
        0.0 => "0".to_owned(),
        ms if ms < 1.0 => format!("{} µs", digits(ms * 1e3)),
        ms if ms < 1000.0 => format!("{} ms", digits(ms)),
        ms => format!("{} s", digits(ms / 1e3)),
    }
}

/// Three digits that count.
pub(crate) fn digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_unit() {
        for (text, micros) in [
            ("10s", 10_000_000),
            ("10", 10_000_000),
            ("1.5s", 1_500_000),
            ("500ms", 500_000),
            ("250us", 250),
            ("2m", 120_000_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for wrong in ["", "s", "ten", "-1s", "5 s", "1d", "1.2.3s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_and_rates_have_bounds() {
        assert_eq!(share("1%"), Ok(0.01));
        assert_eq!(share("0.5"), Ok(0.5));
        assert!(share("2").is_err() && share("-1%").is_err() && share("NaN").is_err());
        assert_eq!(rate("5000/s"), Ok(5000.0));
        assert!(rate("0").is_err() && rate("inf").is_err() && rate("fast").is_err());
    }

    #[test]
    fn times_are_shown_with_three_digits() {
        let shown = [0.0123, 0.5, 9.999, 12.34, 999.0, 2500.0].map(human_ms);
        let expected = [
            "12.3 µs", "500 µs", "10.0 ms", "12.3 ms", "999 ms", "2.50 s",
        ];
        assert_eq!(shown, expected);
    }
}
