//! Adds lines to source files where their text says.

use std::fs;

/// A source file to be changed.
pub(crate) struct Source {
    path: &'static str,
    text: String,
}

impl Source {
    pub(crate) fn read(path: &'static str) -> Result<Self, String> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| format!("failed to read {path}: {error}"))?;
        Ok(Self { path, text })
    }

    /// Inserts lines before the line of the first `before` that follows `after`, whose parts follow each
    /// other. A `before` of `"\n"` inserts after the line of the last part.
    pub(crate) fn insert(
        &mut self,
        after: &[&str],
        before: &str,
        lines: &str,
    ) -> Result<(), String> {
        let found = find(&self.text, after)
            .and_then(|start| Some(start + self.text[start..].find(before)?));
        let Some(found) = found else {
            return Err(format!(
                "failed to change {}: there is no `{}` after `{}`; insert this by hand:\n{lines}",
                self.path,
                before.trim(),
                after.join("`, `").trim()
            ));
        };
        let indent = before.len() - before.trim_start().len();
        let line = self.text[..found + indent].rfind('\n');
        self.text.insert_str(line.map_or(0, |end| end + 1), lines);
        Ok(())
    }

    /// Declares a module where rustfmt wants it: in the order of the names.
    pub(crate) fn declare(&mut self, module: &str) -> Result<(), String> {
        let mut mods = self.text.lines().filter(|line| declared(line).is_some());
        let next = mods.clone().find(|line| declared(line) > Some(module));
        let (after, before) = match (next, mods.next_back()) {
            (Some(next), _) => (String::new(), format!("\n{next}\n")),
            (None, last) => (format!("\n{}", last.unwrap_or("mod ")), "\n".to_owned()),
        };
        self.insert(&[&after], &before, &format!("mod {module};\n"))
    }

    /// Adds to the number that follows `after`.
    pub(crate) fn raise(&mut self, after: &[&str], by: usize) -> Result<(), String> {
        let number = find(&self.text, after).and_then(|start| {
            let digits = self.text[start..].bytes().take_while(u8::is_ascii_digit);
            let range = start..start + digits.count();
            let number: usize = self.text[range.clone()].parse().ok()?;
            Some((range, number))
        });
        let after = after.join("`, `");
        let (range, number) = number.ok_or_else(|| {
            format!(
                "failed to change {}: no number follows `{after}`",
                self.path
            )
        })?;
        self.text.replace_range(range, &(number + by).to_string());
        Ok(())
    }

    pub(crate) fn write(&self) -> Result<(), String> {
        write(self.path, &self.text)
    }
}

pub(crate) fn write(path: &str, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("failed to write {path}: {error}"))
}

/// Returns where the last of the parts ends.
fn find(text: &str, parts: &[&str]) -> Option<usize> {
    parts.iter().try_fold(0, |start, part| {
        Some(start + text[start..].find(part)? + part.len())
    })
}

/// Returns the name of the file for an id, which must be lowercase words joined by `joint`.
pub(crate) fn file_name(id: &str, joint: char) -> Result<String, String> {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if id.split(joint).all(is_word) {
        Ok(id.replace(joint, "_"))
    } else {
        Err(format!("`{id}` is not lowercase words joined by `{joint}`"))
    }
}

/// Returns the type's name for a file's name.
pub(crate) fn type_name(file: &str) -> String {
    let upper = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    file.split('_').map(upper).collect()
}

/// Returns the module that a line declares.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
    line.strip_prefix("mod ")?.strip_suffix(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source {
            path: "x.rs",
            text: text.into(),
        }
    }

    #[test]
    fn lines_are_inserted_before_a_whole_line() {
        let mut source = source("a {\n    b;\n}\nc {\n    d;\n}\n");
        let inserted = source.insert(&["c {"], "}", "    e;\n");
        assert_eq!(inserted, Ok(()));
        assert_eq!(source.text, "a {\n    b;\n}\nc {\n    d;\n    e;\n}\n");
        let missing = source.insert(&["x {"], "}", "    e;\n");
        assert!(missing.is_err_and(|error| error.contains("by hand:\n    e;")));
    }

    #[test]
    fn modules_are_declared_in_order() {
        let mut source = source("use x;\n\nmod a;\npub(crate) mod c;\n\nuse y;\nmod tests {}\n");
        for module in ["b", "d", "0"] {
            assert_eq!(source.declare(module), Ok(()));
        }
        let expected = "mod 0;\nmod a;\nmod b;\npub(crate) mod c;\nmod d;\n";
        assert!(source.text.contains(expected), "{}", source.text);
    }

    #[test]
    fn numbers_are_raised() {
        let mut source = source("const ALL: [Self; 9] = [];");
        assert_eq!(source.raise(&["ALL: [Self; "], 1), Ok(()));
        assert_eq!(source.text, "const ALL: [Self; 10] = [];");
        assert!(source.raise(&["NONE"], 1).is_err());
    }

    #[test]
    fn names_are_lowercase_words() {
        assert_eq!(file_name("a-b2", '-'), Ok("a_b2".into()));
        for id in ["", "A", "a--b", "a-2", "a_b", "../a"] {
            assert!(file_name(id, '-').is_err(), "{id}");
        }
        assert_eq!(type_name("moon_phase"), "MoonPhase");
    }
}
