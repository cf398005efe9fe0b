//! When do two paths name the same route?

use percent_encoding::percent_decode_str;

/// A path with everything removed that some framework or proxy ignores: case, empty and dot
/// segments, a slash at the end, `;` parameters, percent-encoding. A login must not be reachable
/// past the gate by another spelling; a spelling that matches too much is merely counted.
pub(crate) fn canonical(path: &str) -> String {
    let mut decoded = path.to_owned();
    // Twice: some proxies decode once before the application does.
    for _ in 0..2 {
        decoded = percent_decode_str(&decoded)
            .decode_utf8_lossy()
            .into_owned();
    }
    let mut segments: Vec<String> = Vec::new();
    for segment in decoded.split(['/', '\\']) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_route() {
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
        ] {
            assert_eq!(canonical(spelling), "/login", "{spelling}");
        }
        assert_ne!(canonical("/login/me"), "/login");
        assert_ne!(canonical("/logins"), "/login");
    }
}
