//! All spellings under which a route may be served.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

/// The path of a route, with all spellings under which some framework or proxy serves it. A login must
/// not be reachable without passing the gate; an unrelated request that matches is merely counted.
pub(crate) struct Route(String);

impl Route {
    pub(crate) fn new(path: &str) -> Self {
        Self(canonical(path))
    }

    /// Whether a path could be served as this route: by any order of decoding (up to twice, as
    /// some proxies decode before the application does) and of dropping `;` parameters, with an
    /// extension (`/login.json`), behind a front controller (`/index.php/login`), or as
    /// a script with more path (`/login.php/x`).
    pub(crate) fn is_named_by(&self, path: &str) -> bool {
        readings(path).iter().any(|reading| {
            let parts = reading.split_once(".php/");
            let behind = parts.map(|(_, rest)| format!("/{rest}"));
            let script = parts.map(|(script, _)| format!("{script}.php"));
            let names = [Some(reading.as_str()), behind.as_deref(), script.as_deref()];
            names
                .into_iter()
                .flatten()
                .any(|name| name == self.0 || without_extension(name) == self.0)
        })
    }
}

/// What a path may be read as.
fn readings(path: &str) -> BTreeSet<String> {
    let mut readings = BTreeSet::new();
    let mut decoded = path.to_owned();
    for _ in 0..3 {
        let mut parameterless = without_parameters(&decoded);
        readings.insert(canonical(&decoded));
        for _ in 0..2 {
            readings.insert(canonical(&parameterless));
            parameterless = decode(&parameterless);
        }
        readings.insert(canonical(&parameterless));
        decoded = decode(&decoded);
    }
    readings
}

/// A path without case, empty and dot segments, `;` parameters, a slash at the end, and what a
/// decoded `?` or `#` cuts off.
fn canonical(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split(['/', '\\']) {
        let name = segment.split(';').next().unwrap_or_default().trim();
        match name {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name.to_lowercase()),
        }
    }
    format!("/{}", segments.join("/"))
}

fn without_parameters(path: &str) -> String {
    let names = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default());
    names.collect::<Vec<_>>().join("/")
}

fn decode(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn without_extension(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') && !stem.ends_with('/') => stem,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_route() {
        let login = Route::new("/login");
        for spelling in [
            "/login",
            "/login/",
            "//login",
            "/LOGIN",
            "/./login",
            "/x/../login",
            "/login;a=b",
            "/%6cogin",
            "/%256cogin",
            "/login%2f",
            "\\login",
            "/login/.",
            "/login%20",
            "/login;a%2fb",
            "/login;%2f..%2f..",
            "/login%3bx",
            "/login%3fx",
            "/login.json",
            "/index.php/login",
        ] {
            assert!(login.is_named_by(spelling), "{spelling}");
        }
        for other in ["/login/me", "/logins", "/", "/a/login", "/.login"] {
            assert!(!login.is_named_by(other), "{other}");
        }
        assert!(Route::new("/login.php").is_named_by("/login.php/x"));
        assert!(Route::new("/users/sign_in.json").is_named_by("/users/sign_in.json"));
    }
}
