//! The report as one HTML file that loads nothing from the network.

use askama::Template;

use super::{Judgement, Report};
use crate::Times;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    headline: String,
    findings: Vec<&'a Judgement>,
    sections: [(&'static str, Vec<&'a Judgement>); 4],
    seconds: String,
}

impl Report {
    /// Returns the report as an HTML page. An error is a bug in the template.
    pub fn html(&self) -> Result<String, askama::Error> {
        Page {
            report: self,
            headline: self.headline(),
            findings: self.findings(),
            sections: self.sections(),
            seconds: format!("{:.1}", self.duration_ms as f64 / 1000.0),
        }
        .render()
    }
}

impl Page<'_> {
    fn lower(&self, value: &impl std::fmt::Debug) -> String {
        format!("{value:?}").to_lowercase()
    }

    fn strip(&self, times: &Times) -> Strip {
        Strip::of(times)
    }
}

/// Two rows of dots on one axis of milliseconds.
struct Strip {
    rows: [Row; 2],
    ticks: Vec<Tick>,
}

struct Row {
    name: &'static str,
    y: u32,
    xs: Vec<String>,
}

struct Tick {
    x: String,
    label: String,
}

impl Strip {
    const LEFT: f64 = 90.0;
    const WIDTH: f64 = 520.0;

    fn of(times: &Times) -> Self {
        let all = times.existing_ms.iter().chain(&times.absent_ms);
        let most = all.fold(1.0_f64, |most, ms| most.max(*ms));
        let x = |ms: f64| format!("{:.1}", Self::LEFT + Self::WIDTH * ms / most);
        let row = |name, y, ms: &[f64]| Row {
            name,
            y,
            xs: ms.iter().map(|ms| x(*ms)).collect(),
        };
        let tick = |quarter: u32| {
            let ms = most * f64::from(quarter) / 4.0;
            Tick {
                x: x(ms),
                label: format!("{ms:.1} ms"),
            }
        };
        Self {
            rows: [
                row("exists", 22, &times.existing_ms),
                row("absent", 50, &times.absent_ms),
            ],
            ticks: (0..=4).map(tick).collect(),
        }
    }
}
