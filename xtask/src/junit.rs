//! Reads the results that nextest writes as JUnit XML.

/// One test that ran.
#[derive(Debug, PartialEq)]
pub(crate) struct Ran {
    /// Its binary: `doorwarden-serve::it`, or the package for tests of a library.
    pub(crate) binary: String,
    /// Its path in the binary: `flows::a_token_is_issued`.
    pub(crate) name: String,
    pub(crate) passed: bool,
}

/// Returns the tests of a file. It skips what it does not understand: such a test is missing, and does not
/// count as passed.
pub(crate) fn read(xml: &str) -> Vec<Ran> {
    // Text is escaped: a `<` is markup.
    let cases = xml.split("<testcase ").skip(1);
    let ran = |case: &str| {
        let (head, body) = case.split_once('>')?;
        let body = body.split("</testcase>").next().unwrap_or_default();
        let ends_at_once = head.ends_with('/');
        let failed = ["<failure", "<error", "<skipped"]
            .iter()
            .any(|element| body.contains(element));
        Some(Ran {
            binary: attribute(head, "classname")?,
            name: attribute(head, "name")?,
            passed: ends_at_once || !failed,
        })
    };
    cases.filter_map(ran).collect()
}

fn attribute(head: &str, name: &str) -> Option<String> {
    let start = format!(" {name}=\"");
    // The element's name was split off.
    let head = format!(" {head}");
    let (_, value) = head.split_once(&start)?;
    Some(value.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_and_failed_tests_are_told_apart() {
        let read = read(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3">
    <testsuite name="doorwarden-gate" tests="3">
        <testcase name="gate::tests::one" classname="doorwarden-gate" time="0.009"/>
        <testcase name="gate::tests::two" classname="doorwarden-gate" time="0.009">
            <failure message="thread panicked at &lt;testcase &gt;" type="test failure">at x.rs</failure>
        </testcase>
        <testcase name="gate::tests::three" classname="doorwarden-gate" time="0.009">
        </testcase>
    </testsuite>
</testsuites>"#,
        );
        let read: Vec<_> = read
            .iter()
            .map(|ran| (ran.name.as_str(), ran.passed))
            .collect();
        assert_eq!(
            read,
            [
                ("gate::tests::one", true),
                ("gate::tests::two", false),
                ("gate::tests::three", true)
            ]
        );
    }
}
