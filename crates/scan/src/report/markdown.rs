//! The report as Markdown, for a comment on a pull request or the summary of a job.

use std::fmt::Write;

use super::{Judgement, Report};

impl Report {
    /// Returns the report as Markdown.
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        // Writing to a String can't fail.
        let _ = self.write_markdown(&mut page);
        page
    }

    fn write_markdown(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "## Doorwarden: {}\n", plain(&self.target))?;
        writeln!(page, "{}\n", plain(&self.headline()))?;
        if let Some(reason) = &self.aborted {
            writeln!(page, "**The scan ended early:** {}\n", plain(reason))?;
        }
        if let Some(score) = &self.score {
            writeln!(
                page,
                "**Score {} of 100, grade {}.**\n",
                score.score, score.grade
            )?;
        }
        let found = self.findings();
        if !found.is_empty() {
            writeln!(
                page,
                "| check | severity | finding | fix |\n|---|---|---|---|"
            )?;
        }
        for finding in found {
            writeln!(page, "{}", row(finding))?;
        }
        if let Some(baseline) = &self.baseline {
            writeln!(page, "\nBaseline:\n")?;
            for line in baseline.lines() {
                writeln!(page, "- {}", plain(&line))?;
            }
        }
        for (title, judgements) in self.sections() {
            if judgements.is_empty() {
                continue;
            }
            writeln!(
                page,
                "\n<details><summary>{title}: {}</summary>\n",
                judgements.len()
            )?;
            for judgement in judgements {
                writeln!(
                    page,
                    "- `{}`: {}",
                    judgement.check,
                    plain(&judgement.reason)
                )?;
            }
            writeln!(page, "\n</details>")?;
        }
        let seconds = self.duration_ms as f64 / 1000.0;
        writeln!(page, "\n{} requests in {seconds:.1} s.", self.requests)
    }
}

fn row(finding: &Judgement) -> String {
    let severity = finding
        .severity
        .map(|severity| format!("{severity:?}").to_lowercase());
    format!(
        "| `{}` | {} | {} | {} |",
        finding.check,
        severity.unwrap_or_default(),
        plain(&finding.reason),
        plain(&finding.fix)
    )
}

/// Escapes Markdown and HTML, and puts the text on one line: it may contain what a target sent.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '@' => {
                out.extend(['\\', c])
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::{Severity, report::tests::report};

    #[test]
    fn what_a_target_sent_is_escaped() {
        let mut report = report(&[("cookie-flags", Severity::Medium)]);
        report.verdicts[0].reason = "<img src=x> | [a](b)\n# `x`".into();
        let page = report.markdown();
        assert!(
            page.contains("&lt;img src=x&gt; \\| \\[a\\](b) \\# \\`x\\`"),
            "{page}"
        );
        assert!(page.contains("| `cookie-flags` | medium |"), "{page}");
    }
}
