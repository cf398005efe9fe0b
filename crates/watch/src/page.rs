//! The history of a target as one HTML file that asks the network for nothing.

use askama::Template;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{Change, Recorded};

#[derive(Template)]
#[template(path = "trend.html")]
struct Page<'a> {
    target: &'a str,
    plot: Plot,
    rows: Vec<Row>,
}

/// Scores over time, from 0 at the bottom to 100 at the top.
struct Plot {
    /// Points of the line, as SVG wants them.
    line: String,
    dots: Vec<Dot>,
    first: String,
    last: String,
}

struct Dot {
    x: String,
    y: String,
    title: String,
}

struct Row {
    at: String,
    grade: String,
    score: String,
    accounts: String,
    findings: usize,
    change: String,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 160.0;
/// Room at the left and right, so that the first and last dots are whole.
const MARGIN: f64 = 36.0;

/// The page of a target's scans, the oldest first. Fails only when a value can't be written, which
/// is a fault of ours.
pub fn page(target: &str, scans: &[Recorded]) -> Result<String, askama::Error> {
    let mut rows = Vec::new();
    let mut before: Option<crate::Summary> = None;
    for scan in scans {
        let change = before
            .as_ref()
            .and_then(|before| before.change_to(&scan.summary));
        rows.push(Row::of(scan, change.as_ref()));
        before = Some(match &before {
            Some(before) => scan.summary.carried_over(before),
            None => scan.summary.clone(),
        });
    }
    rows.reverse();
    let plot = Plot::of(scans);
    Page { target, plot, rows }.render()
}

impl Row {
    fn of(scan: &Recorded, change: Option<&Change>) -> Self {
        let summary = &scan.summary;
        let none = || "–".to_owned();
        let words = |change: &Change| {
            let mut parts = Vec::new();
            for (word, checks) in [
                ("new", &change.new),
                ("worse", &change.worse),
                ("fixed", &change.fixed),
            ] {
                parts.extend(checks.iter().map(|check| format!("{word}: {check}")));
            }
            parts.extend(change.broken_off.clone());
            parts.join("; ")
        };
        Self {
            at: when(scan.at),
            grade: summary.grade.map_or_else(none, String::from),
            score: summary.score.map_or_else(none, |score| score.to_string()),
            accounts: summary
                .accounts_a_day
                .map_or_else(none, |taken| format!("{taken:.1}")),
            findings: summary.findings.len(),
            change: change.map_or_else(String::new, words),
        }
    }
}

impl Plot {
    fn of(scans: &[Recorded]) -> Self {
        let (first, last) = (scans.first(), scans.last());
        let seconds = |at: OffsetDateTime| at.unix_timestamp() as f64;
        let start = first.map_or(0.0, |scan| seconds(scan.at));
        let span = last.map_or(1.0, |scan| seconds(scan.at) - start).max(1.0);
        let dot = |scan: &Recorded| {
            let score = scan.summary.score?;
            let along = (seconds(scan.at) - start) / span;
            Some(Dot {
                x: format!("{:.1}", MARGIN + along * (WIDTH - 2.0 * MARGIN)),
                y: format!("{:.1}", HEIGHT - f64::from(score.min(100)) / 100.0 * HEIGHT),
                title: format!("{}: {score}", when(scan.at)),
            })
        };
        let dots: Vec<Dot> = scans.iter().filter_map(dot).collect();
        let points = dots.iter().map(|dot| format!("{},{}", dot.x, dot.y));
        let day = |scan: Option<&Recorded>| scan.map_or_else(String::new, |scan| when(scan.at));
        Self {
            line: points.collect::<Vec<_>>().join(" "),
            dots,
            first: day(first),
            last: day(last),
        }
    }
}

fn when(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Summary;

    #[test]
    fn each_scan_is_a_dot_and_a_row() {
        let scan = |at, score| Recorded {
            at: OffsetDateTime::from_unix_timestamp(at).unwrap(),
            summary: Summary {
                score,
                ..Summary::default()
            },
        };
        let scans = [scan(0, Some(100)), scan(50, None), scan(100, Some(0))];
        let html = page("http://<x>", &scans).unwrap();
        assert!(html.contains("36.0,0.0 604.0,160.0"), "{html}");
        assert_eq!(html.matches("<circle").count(), 2);
        assert_eq!(html.matches("<tr><td>").count(), 3);
        assert!(
            !html.contains("http://<x>"),
            "what a target is called is no markup"
        );
        assert!(page("t", &[]).is_ok());
    }
}
