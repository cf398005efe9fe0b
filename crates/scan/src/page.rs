//! Reads the page of a login for what it expects back: hidden fields, among them a CSRF token, and
//! the cookie that belongs to it.

use serde_json::Value;
use url::form_urlencoded;

use crate::{
    answer::Answer,
    probe::{Probe, Stop},
    request::Request,
};

/// What each login sends back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Along {
    /// Hidden fields of the form.
    fields: Vec<(String, String)>,
    /// Cookies that the page set, as the value of a header.
    cookie: String,
    /// Headers that scripts derive from a cookie.
    headers: Vec<(&'static str, String)>,
}

/// Cookies that scripts send back in a header: Django; Angular and axios; Flask-WTF.
const ECHOED: [(&str, &str); 3] = [
    ("csrftoken", "x-csrftoken"),
    ("XSRF-TOKEN", "x-xsrf-token"),
    ("csrf_token", "x-csrf-token"),
];

/// Maximum number of hidden fields that are sent back.
const MOST_FIELDS: usize = 16;

/// Requests the page at the login's path; returns `None` if there is nothing to send back.
pub(crate) async fn along(probe: &mut Probe, path: &str) -> Result<Option<Along>, Stop> {
    let page = probe.get(path).await?;
    let along = Along::of(&page);
    Ok((along != Along::default()).then_some(along))
}

impl Along {
    fn of(page: &Answer) -> Self {
        let cookies = page.headers.get_all("set-cookie").iter();
        let pairs = cookies.filter_map(|value| {
            let pair = value.to_str().ok()?.split(';').next()?.trim();
            pair.split_once('=')
        });
        let pairs: Vec<(&str, &str)> = pairs.collect();
        let headers = pairs.iter().filter_map(|(name, value)| {
            let (_, header) = ECHOED.iter().find(|(echoed, _)| echoed == name)?;
            Some((*header, (*value).to_owned()))
        });
        let together = pairs.iter().map(|(name, value)| format!("{name}={value}"));
        Self {
            fields: hidden(&page.text()),
            headers: headers.collect(),
            cookie: together.collect::<Vec<_>>().join("; "),
        }
    }

    /// Adds what the page expects back to a login.
    pub(crate) fn send_with(&self, mut request: Request) -> Request {
        if !self.cookie.is_empty() {
            request = request.with_header("cookie", self.cookie.clone());
        }
        for (name, value) in &self.headers {
            request = request.with_header(name, value.clone());
        }
        let is = |kind: &str| {
            let mut headers = request.headers.iter();
            headers.any(|(name, value)| name == "content-type" && value.starts_with(kind))
        };
        if is("application/x-www-form-urlencoded") {
            let there = String::from_utf8_lossy(&request.body).into_owned();
            let mut body = form_urlencoded::Serializer::new(there.clone());
            let missing = |name: &str| {
                form_urlencoded::parse(there.as_bytes()).all(|(other, _)| other != name)
            };
            for (name, value) in self.fields.iter().filter(|(name, _)| missing(name)) {
                body.append_pair(name, value);
            }
            request.body = body.finish().into_bytes();
        } else if is("application/json")
            && let Ok(Value::Object(mut document)) = serde_json::from_slice(&request.body)
        {
            for (name, value) in &self.fields {
                document
                    .entry(name.clone())
                    .or_insert_with(|| value.clone().into());
            }
            request.body = Value::Object(document).to_string().into_bytes();
        }
        request
    }
}

/// Returns the hidden inputs of a page. This is not an HTML parser: fields that it misses are not
/// sent, and the login is then reported as one that cannot be learned.
fn hidden(html: &str) -> Vec<(String, String)> {
    let inputs = html.split("<input").skip(1);
    let fields = inputs.filter_map(|rest| {
        let tag = rest.split('>').next()?;
        let attribute = |name: &str| -> Option<String> {
            let at = tag.find(&format!(" {name}="))? + name.len() + 2;
            let (quote, rest) = (tag[at..].chars().next()?, &tag[at..]);
            let value = match quote {
                '"' | '\'' => rest[1..].split(quote).next()?,
                _ => rest.split([' ', '/']).next()?,
            };
            let plain = value.replace("&#34;", "\"").replace("&quot;", "\"");
            Some(
                plain
                    .replace("&#x27;", "'")
                    .replace("&#39;", "'")
                    .replace("&amp;", "&"),
            )
        };
        let is_hidden = attribute("type").is_some_and(|kind| kind.eq_ignore_ascii_case("hidden"));
        is_hidden.then(|| Some((attribute("name")?, attribute("value").unwrap_or_default())))?
    });
    fields.take(MOST_FIELDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    #[test]
    fn what_a_page_gives_is_sent_along() {
        let page = answer(
            200,
            &[
                ("set-cookie", "csrftoken=abc; Path=/"),
                ("set-cookie", "s=1"),
            ],
            r#"<form><input type="hidden" name="csrfmiddlewaretoken" value="t&amp;k"><input name="username"><INPUT>
               <input value='/next' type='hidden' name='next'/>"#,
        );
        let along = Along::of(&page);
        let form = Request::login(&"POST /l form:u form:p".parse().unwrap(), "a", "b");
        let sent = along.send_with(form);
        assert_eq!(
            String::from_utf8(sent.body).unwrap(),
            "u=a&p=b&csrfmiddlewaretoken=t%26k&next=%2Fnext"
        );
        assert!(
            sent.headers
                .contains(&("cookie".into(), "csrftoken=abc; s=1".into()))
        );
        assert!(sent.headers.contains(&("x-csrftoken".into(), "abc".into())));
        let json = Request::login(&"POST /l json:/u json:/p".parse().unwrap(), "a", "b");
        let body = String::from_utf8(along.send_with(json).body).unwrap();
        assert!(body.contains(r#""next":"/next""#), "{body}");
    }

    #[test]
    fn nonsense_gives_nothing() {
        for html in [
            "",
            "<input",
            "<input type=hidden",
            "<input type=hidden name=",
            "<input  type=\"hidden\" value='x",
        ] {
            assert_eq!(hidden(html), [], "{html}");
        }
    }
}
