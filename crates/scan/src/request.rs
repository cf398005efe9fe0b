//! Builds requests: logins in the shape of a login, forms, JSON, batches and malformed requests.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use doorwarden_decision::{ACCOUNT, Login, PASSWORD, Shape};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::Fields;

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Vec<u8>,
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Returns a request whose body is a JSON object with one string.
    pub(crate) fn json(method: &str, path: &str, field: &str, text: &str) -> Self {
        Self::json_of(method, path, [(field, text)])
    }

    fn json_of<'a>(
        method: &str,
        path: &str,
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let texts = texts.into_iter();
        let document: Map<String, Value> = texts
            .map(|(field, text)| (field.to_owned(), text.into()))
            .collect();
        Self {
            headers: vec![("content-type".into(), JSON.into())],
            body: Value::Object(document).to_string().into_bytes(),
            ..Self::new(method, path)
        }
    }

    /// Returns a request to a route with its fields set to these values.
    pub(crate) fn filled(fields: &Fields, texts: &[&str]) -> Self {
        let names = fields.names.iter().map(String::as_str);
        let pairs = names.zip(texts.iter().copied());
        let (method, path) = (&fields.route.method, &fields.route.path);
        if fields.json {
            return Self::json_of(method, path, pairs);
        }
        let mut body = form_urlencoded::Serializer::new(String::new());
        Self {
            headers: vec![("content-type".into(), FORM.into())],
            body: body.extend_pairs(pairs).finish().into_bytes(),
            ..Self::new(method, path)
        }
    }

    /// Returns the same request for another path.
    pub(crate) fn at(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// Returns logins with several passwords in one request, each with a description: a list in
    /// place of the password, a list of logins, and for GraphQL one field under several aliases.
    pub(crate) fn batched(
        login: &Login,
        account: &str,
        passwords: &[&str],
    ) -> Vec<(&'static str, Self)> {
        let document = |password: &str| {
            let one = Self::login(login, account, password);
            let value: Option<Value> = serde_json::from_slice(&one.body).ok();
            value.filter(Value::is_object)
        };
        let all: Option<Vec<Value>> = passwords.iter().map(|one| document(one)).collect();
        let Some(all) = all.filter(|all| !all.is_empty()) else {
            return Vec::new();
        };
        let whole = Self::login(login, account, "");
        let with = |value: &Value| Self {
            body: value.to_string().into_bytes(),
            ..whole.clone()
        };
        let mut batches = Vec::new();
        if let Shape::Json { password: at, .. } = &login.shape {
            let mut list = all[0].clone();
            put(&mut list, at, passwords.into());
            batches.push(("a list of passwords", with(&list)));
        }
        if let Some(aliased) = aliased(&all) {
            batches.push(("aliases in one GraphQL query", with(&aliased)));
        }
        batches.push(("a list of logins", with(&Value::Array(all))));
        batches
    }

    /// Returns a request whose body is a form with one field.
    pub(crate) fn form(path: &str, field: &str, text: &str) -> Self {
        let mut body = form_urlencoded::Serializer::new(String::new());
        Self {
            headers: vec![("content-type".into(), FORM.into())],
            body: body.append_pair(field, text).finish().into_bytes(),
            ..Self::new("POST", path)
        }
    }

    /// Returns malformed logins, each with a description: values of the wrong type, a body that
    /// does not parse, and a password of `long` characters.
    pub(crate) fn malformed(
        login: &Login,
        account: &str,
        password: &str,
        long: usize,
    ) -> Vec<(&'static str, Self)> {
        let whole = Self::login(login, account, password);
        let with = |body: Vec<u8>| Self {
            body,
            ..whole.clone()
        };
        let mut odd = Vec::new();
        if let Shape::Json { account: at, .. } = &login.shape {
            let kinds = [
                ("a number as the username", Value::from(7)),
                ("a list as the username", Value::from(vec![account])),
            ];
            for (what, value) in kinds {
                let mut document: Value = serde_json::from_slice(&whole.body).unwrap_or_default();
                put(&mut document, at, value);
                odd.push((what, with(document.to_string().into_bytes())));
            }
        }
        if login.shape == Shape::Basic {
            let header = (Cow::from("authorization"), "Basic %%%".to_owned());
            let headers = whole
                .headers
                .iter()
                .filter(|(name, _)| *name != "authorization");
            odd.push((
                "credentials that are not valid Base64",
                Self {
                    headers: headers.cloned().chain([header]).collect(),
                    ..whole.clone()
                },
            ));
        } else {
            let half = whole.body[..whole.body.len() / 2].to_vec();
            odd.push((
                "half of the body",
                with([half, b"\xff\xfe\x00".to_vec()].concat()),
            ));
        }
        let long = Self::login(
            login,
            account,
            &password.repeat(long / password.len().max(1)),
        );
        odd.push(("a very long password", long));
        odd
    }

    /// Returns the login of `account` with `password`.
    pub(crate) fn login(login: &Login, account: &str, password: &str) -> Self {
        let (header, body) = match &login.shape {
            Shape::Form {
                account: a,
                password: p,
            } => {
                let pairs = [(a, account), (p, password)];
                let body = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(pairs)
                    .finish();
                (("content-type", FORM.to_owned()), body)
            }
            Shape::Json {
                account: a,
                password: p,
            } => {
                let mut document = Value::Object(Map::new());
                put(&mut document, a, account.into());
                put(&mut document, p, password.into());
                (("content-type", JSON.to_owned()), document.to_string())
            }
            Shape::Basic => {
                let token = BASE64_STANDARD.encode(format!("{account}:{password}"));
                (("authorization", format!("Basic {token}")), String::new())
            }
            Shape::Body(template) => fill(template, account, password),
        };
        Self {
            method: login.method.clone(),
            path: login.path.clone(),
            headers: vec![
                (
                    "accept".into(),
                    "application/json, text/html;q=0.9, */*;q=0.1".into(),
                ),
                (header.0.into(), header.1),
            ],
            body: body.into_bytes(),
        }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// Adds a header whose name the operator chose.
    pub(crate) fn with_named_header(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned().into(), value));
        self
    }
}

fn fill(template: &str, account: &str, password: &str) -> ((&'static str, String), String) {
    let json = template.trim_start().starts_with(['{', '[']);
    let encode = |text: &str| {
        if json {
            let quoted = Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        } else {
            form_urlencoded::byte_serialize(text.as_bytes()).collect()
        }
    };
    let body = match in_query(template, account, password) {
        Some(document) => document.to_string(),
        None => template
            .replace(ACCOUNT, &encode(account))
            .replace(PASSWORD, &encode(password)),
    };
    let kind = if json { JSON } else { FORM };
    (("content-type", kind.to_owned()), body)
}

/// Fills a GraphQL document whose query contains the credentials as string literals: these are
/// escaped as in JSON, inside a JSON string.
fn in_query(template: &str, account: &str, password: &str) -> Option<Value> {
    let mut document: Value = serde_json::from_str(template).ok()?;
    let query = document.get("query")?.as_str()?;
    let quoted = |text: &str| Value::from(text).to_string();
    let inner = |text: &str| quoted(text)[1..quoted(text).len() - 1].to_owned();
    let filled = query
        .replace(ACCOUNT, &inner(account))
        .replace(PASSWORD, &inner(password));
    let is_written_in = query.contains(ACCOUNT) && query.contains(PASSWORD);
    document["query"] = filled.into();
    is_written_in.then_some(document)
}

/// Returns one GraphQL document with the selections of all documents, each under an alias; `None`
/// if the credentials are not part of the query.
fn aliased(documents: &[Value]) -> Option<Value> {
    let mut selections = String::new();
    for (number, document) in documents.iter().enumerate() {
        let query = document["query"].as_str()?;
        let inner = query.get(query.find('{')? + 1..query.rfind('}')?)?.trim();
        selections.push_str(&format!(" dw{number}: {inner}"));
    }
    let queries = documents.iter().map(|document| &document["query"]);
    let differ = queries
        .collect::<Vec<_>>()
        .windows(2)
        .all(|two| two[0] != two[1]);
    let query = documents[0]["query"].as_str()?;
    let mut document = documents[0].clone();
    document["query"] = format!("{}{{{selections} }}", &query[..query.find('{')?]).into();
    differ.then_some(document)
}

/// Sets the value at a JSON pointer, creating objects on the way.
fn put(document: &mut Value, pointer: &str, value: Value) {
    let mut place = document;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[step];
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(login: &str) -> String {
        let request = Request::login(&login.parse().unwrap(), "al\"ice", "p&q");
        String::from_utf8(request.body).unwrap()
    }

    #[test]
    fn each_shape_is_filled() {
        assert_eq!(body("POST /t form:u form:p"), "u=al%22ice&p=p%26q");
        assert_eq!(
            body("POST /t json:/a/u json:/p"),
            r#"{"a":{"u":"al\"ice"},"p":"p&q"}"#
        );
        let template = r#"POST /t body:{"u":"{{account}}","m":"{{account}}@x","p":"{{password}}"}"#;
        assert_eq!(
            body(template),
            r#"{"u":"al\"ice","m":"al\"ice@x","p":"p&q"}"#
        );
        assert_eq!(
            body("POST /t body:u={{account}}&p={{password}}&s=1"),
            "u=al%22ice&p=p%26q&s=1"
        );
        let graphql = r#"POST /g body:{"query":"mutation { login(u:\"{{account}}\", p:\"{{password}}\") { token } }"}"#;
        let batched = |login: &str| Request::batched(&login.parse().unwrap(), "a", &["x", "y"]);
        let bodies = |login: &str| -> Vec<String> {
            let batches = batched(login).into_iter();
            batches
                .map(|(_, request)| String::from_utf8(request.body).unwrap())
                .collect()
        };
        assert_eq!(
            bodies("POST /t json:/u json:/p"),
            [
                r#"{"p":["x","y"],"u":"a"}"#,
                r#"[{"p":"x","u":"a"},{"p":"y","u":"a"}]"#
            ]
        );
        let aliases = "mutation { dw0: login(u:\\\"a\\\", p:\\\"x\\\") { token } dw1: login(u:\\\"a\\\", p:\\\"y\\\") { token } }";
        assert!(
            bodies(graphql)[0].contains(aliases),
            "{:?}",
            bodies(graphql)
        );
        assert!(batched("POST /t form:u form:p").is_empty());
        let odd = r#"POST /t body:{"u":"{{account}}","p":"{{password}}","query":"}{"}"#;
        assert_eq!(batched(odd).len(), 1);
        let basic = Request::login(&"GET /t basic".parse().unwrap(), "a", "b");
        assert!(
            basic
                .headers
                .contains(&("authorization".into(), "Basic YTpi".into()))
        );
    }
}
