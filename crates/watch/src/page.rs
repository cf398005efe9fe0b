//! The history of a target as one HTML file that loads nothing from the network.

use askama::Template;
use doorwarden_scan::Target;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{Change, ScanRecord, Summary};

#[derive(Template)]
#[template(path = "trend.html")]
struct TrendPage<'a> {
    target: &'a Target,
    plot: Plot,
    rows: Vec<TableRow>,
}

/// A plot of scores over time, from 0 at the bottom to 100 at the top.
struct Plot {
    /// The line's points, in the syntax of SVG.
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

struct TableRow {
    time: String,
    grade: String,
    score: String,
    accounts: String,
    findings: usize,
    change: String,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 160.0;
/// Space at the left and right, so that the first and last dots are not cut off.
const MARGIN: f64 = 36.0;

/// Renders the page of a target's recorded scans, given oldest first. Fails only if a value can't
/// be formatted, which is a bug.
pub fn render_page(target: &Target, scans: &[ScanRecord]) -> Result<String, askama::Error> {
    let mut rows = Vec::new();
    let mut previous: Option<&Summary> = None;
    for scan in scans {
        let change = previous.and_then(|previous| previous.diff(&scan.summary));
        rows.push(TableRow::new(scan, change.as_ref()));
        previous = Some(&scan.summary);
    }
    rows.reverse();
    let plot = Plot::new(scans);
    TrendPage { target, plot, rows }.render()
}

impl TableRow {
    fn new(scan: &ScanRecord, change: Option<&Change>) -> Self {
        let summary = &scan.summary;
        let none = || "–".to_owned();
        Self {
            time: format_time(scan.finished_at),
            grade: summary.grade.map_or_else(none, String::from),
            score: summary.score.map_or_else(none, |score| score.to_string()),
            accounts: summary
                .accounts_per_day
                .map_or_else(none, |accounts| format!("{accounts:.1}")),
            findings: summary.findings.len(),
            change: change.map_or_else(String::new, describe_change),
        }
    }
}

fn describe_change(change: &Change) -> String {
    let mut parts = Vec::new();
    for (kind, checks) in [
        ("new", &change.new),
        ("worse", &change.worse),
        ("fixed", &change.fixed),
    ] {
        parts.extend(checks.iter().map(|check| format!("{kind}: {check}")));
    }
    if let Some(reason) = &change.failure {
        parts.push(format!("scan failed: {reason}"));
    }
    if change.recovered {
        parts.push("scan succeeded again".to_owned());
    }
    parts.join("; ")
}

impl Plot {
    fn new(scans: &[ScanRecord]) -> Self {
        let (first, last) = (scans.first(), scans.last());
        let seconds = |scan: &ScanRecord| scan.finished_at.unix_timestamp() as f64;
        let start = first.map_or(0.0, seconds);
        let span = last.map_or(1.0, |scan| seconds(scan) - start).max(1.0);
        let dot = |scan: &ScanRecord| {
            let score = scan.summary.score?;
            let along = (seconds(scan) - start) / span;
            Some(Dot {
                x: format!("{:.1}", MARGIN + along * (WIDTH - 2.0 * MARGIN)),
                y: format!("{:.1}", HEIGHT - f64::from(score.min(100)) / 100.0 * HEIGHT),
                title: format!("{}: {score}", format_time(scan.finished_at)),
            })
        };
        let dots: Vec<Dot> = scans.iter().filter_map(dot).collect();
        let points = dots.iter().map(|dot| format!("{},{}", dot.x, dot.y));
        let time = |scan: Option<&ScanRecord>| {
            scan.map_or_else(String::new, |scan| format_time(scan.finished_at))
        };
        Self {
            line: points.collect::<Vec<_>>().join(" "),
            dots,
            first: time(first),
            last: time(last),
        }
    }
}

fn format_time(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        "http://a".parse().unwrap()
    }

    fn scan(at: i64, summary: Summary) -> ScanRecord {
        ScanRecord {
            finished_at: OffsetDateTime::from_unix_timestamp(at).unwrap(),
            summary,
        }
    }

    #[test]
    fn each_scan_is_a_dot_and_a_row() {
        let scored = |at, score| {
            let summary = Summary {
                score,
                ..Summary::default()
            };
            scan(at, summary)
        };
        let scans = [scored(0, Some(100)), scored(50, None), scored(100, Some(0))];
        let html = render_page(&target(), &scans).unwrap();
        assert!(html.contains("36.0,0.0 604.0,160.0"), "{html}");
        assert_eq!(html.matches("<circle").count(), 2);
        assert_eq!(html.matches("<tr><td>").count(), 3);
        assert!(html.contains("<h1>Scans of http://a</h1>"), "{html}");
        assert!(render_page(&target(), &[]).is_ok());
    }

    #[test]
    fn a_row_describes_the_change() {
        let failed = Summary::from_failure("no <response>");
        let scans = [
            scan(0, Summary::default()),
            scan(1, failed),
            scan(2, Summary::default()),
        ];
        let html = render_page(&target(), &scans).unwrap();
        for change in [
            "<td>scan failed: no &#60;response&#62;</td>",
            "<td>scan succeeded again</td>",
            "<td></td>",
        ] {
            assert_eq!(html.matches(change).count(), 1, "{change} in {html}");
        }
    }
}
