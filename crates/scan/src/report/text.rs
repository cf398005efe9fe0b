//! The report as plain text for a terminal: 80 columns, no colour.

use std::fmt::Write;

use super::{Judgement, Report};
use crate::Severity;

const WIDTH: usize = 80;

impl Report {
    /// Returns the report as plain text.
    pub fn text(&self) -> String {
        let mut page = String::new();
        // Writing to a String can't fail.
        let _ = self.write_text(&mut page);
        page
    }

    fn write_text(&self, page: &mut String) -> std::fmt::Result {
        writeln!(page, "{}", wrap(&self.headline(), ""))?;
        if let Some(reason) = &self.aborted {
            writeln!(
                page,
                "{}",
                wrap(&format!("The scan ended early: {reason}."), "")
            )?;
        }
        writeln!(page)?;
        writeln!(page, "target    {}", self.target)?;
        for endpoint in &self.endpoints {
            let path: String = endpoint.path.chars().flat_map(escape).collect();
            let (method, kind) = (&endpoint.method, endpoint.kind.replace('_', " "));
            match kind.as_str() {
                "login" => writeln!(page, "login     {method} {path}")?,
                _ => writeln!(page, "route     {method} {path} ({kind})")?,
            }
        }
        if let Some(score) = &self.score {
            let cap = score
                .cap
                .as_ref()
                .map(|cap| format!(" ({cap})"))
                .unwrap_or_default();
            writeln!(
                page,
                "score     {} of 100, grade {}{cap}",
                score.score, score.grade
            )?;
        }
        let seconds = self.duration_ms as f64 / 1000.0;
        writeln!(
            page,
            "sent      {} requests in {seconds:.1} s",
            self.requests
        )?;
        let findings = [("Findings", self.findings())];
        for (title, judgements) in findings.into_iter().chain(self.sections()) {
            if !judgements.is_empty() {
                writeln!(page, "\n{title}")?;
            }
            for judgement in judgements {
                judgement.write_text(page)?;
            }
        }
        if let Some(baseline) = &self.baseline {
            writeln!(page, "\nBaseline")?;
            for line in baseline.lines() {
                writeln!(page, "{}", wrap(&line, "  "))?;
            }
        }
        if let Some(score) = &self.score {
            writeln!(page, "\nHow the score is calculated")?;
            for line in &score.accounts.calculation {
                writeln!(page, "{}", wrap(line, "  "))?;
            }
        }
        writeln!(page, "\nSide effects on the target")?;
        if self.side_effects.is_empty() {
            writeln!(page, "  none")?;
        }
        for effect in &self.side_effects {
            writeln!(page, "{}", wrap(effect, "  "))?;
        }
        if !self.other_logins.is_empty() {
            writeln!(page, "\nOther logins, not scanned; scan each with --login")?;
        }
        for login in &self.other_logins {
            writeln!(page, "{}", wrap(login, "  "))?;
        }
        Ok(())
    }
}

impl Judgement {
    fn write_text(&self, page: &mut String) -> std::fmt::Result {
        match (self.severity, self.confidence) {
            (Some(severity), Some(confidence)) if severity > Severity::Info => {
                let rank =
                    format!("{severity:?} severity, {confidence:?} confidence").to_lowercase();
                writeln!(page, "  {}  [{rank}]", self.check)?;
                writeln!(page, "{}", wrap(&self.reason, "    "))?;
                writeln!(page, "{}", wrap(&format!("Fix: {}", self.fix), "    "))?;
                if self.policy.is_empty() {
                    return Ok(());
                }
                writeln!(
                    page,
                    "    Or use the guard: doorwarden explain {}",
                    self.check
                )
            }
            _ => {
                writeln!(page, "  {}", self.check)?;
                writeln!(page, "{}", wrap(&self.reason, "    "))
            }
        }
    }
}

/// Wraps text at spaces to the width of the page; a longer word stays whole. The text may contain
/// what a target sent, so control characters are escaped.
fn wrap(text: &str, indent: &str) -> String {
    let mut out = String::from(indent);
    let mut column = indent.len();
    for (i, word) in text.split_whitespace().enumerate() {
        let word: String = word.chars().flat_map(escape).collect();
        let width = word.chars().count();
        if i > 0 && column + 1 + width > WIDTH {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word);
        column += width;
    }
    out
}

fn escape(c: char) -> Vec<char> {
    if c.is_control() {
        c.escape_default().collect()
    } else {
        vec![c]
    }
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_fit_and_control_characters_are_shown() {
        let text = wrap(&"word ".repeat(60), "  ");
        assert!(
            text.lines()
                .all(|line| line.len() <= 80 && line.starts_with("  "))
        );
        assert_eq!(wrap("a\x1b[31mb", ""), "a\\u{1b}[31mb");
    }
}
