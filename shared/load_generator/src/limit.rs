//! What a run must not exceed.

use std::str::FromStr;
use std::time::Duration;

use crate::report::Report;
use crate::units::{duration, human_ms};

/// A limit on latency, such as `p99=50ms`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    name: String,
    figure: Figure,
    most: Duration,
}

#[derive(Clone, Debug, PartialEq)]
enum Figure {
    Mean,
    Max,
    Quantile(f64),
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no limit; write p99=50ms, mean=5ms or max=1s");
        let (name, most) = text.split_once('=').ok_or_else(wrong)?;
        let figure = match name {
            "mean" => Figure::Mean,
            "max" => Figure::Max,
            name => {
                let percent = name.strip_prefix('p').and_then(|p| p.parse::<f64>().ok());
                let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
                Figure::Quantile(percent.ok_or_else(wrong)? / 100.0)
            }
        };
        Ok(Self {
            name: name.to_owned(),
            figure,
            most: duration(most)?,
        })
    }
}

impl Limit {
    /// In one sentence, how a result breaks the limit. A result without answers breaks every one.
    pub fn broken(&self, report: &Report) -> Option<String> {
        let is = match self.figure {
            Figure::Mean => report.latency.mean_ms,
            Figure::Max => report.latency.max_ms,
            Figure::Quantile(quantile) => report.latency_at(quantile),
        };
        let most = self.most.as_secs_f64() * 1e3;
        let Self { name, .. } = self;
        if report.latency.count == 0 {
            return Some(format!("{name}: there was no answer"));
        }
        (is > most).then(|| format!("{name} is {}, above {}", human_ms(is), human_ms(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_names_a_figure_and_a_time() {
        let limit: Limit = "p12.5=50ms".parse().unwrap();
        assert_eq!(limit.most, Duration::from_millis(50));
        assert_eq!(limit.figure, Figure::Quantile(0.125));
        assert_eq!("max=1s".parse::<Limit>().unwrap().figure, Figure::Max);
        for wrong in ["", "p99", "p101=1s", "q9=1s", "p99=fast", "pNaN=1s"] {
            assert!(wrong.parse::<Limit>().is_err(), "{wrong}");
        }
    }
}
