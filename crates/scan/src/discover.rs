//! Discovers the login and other routes in an OpenAPI document.
//!
//! The document is walked as plain JSON: OpenAPI 3.0, 3.1 and Swagger 2.0 put what matters here in
//! nearly the same places, and real documents are often not quite valid.

use std::collections::HashMap;

use doorwarden_decision::{ACCOUNT, Login, PASSWORD, Shape};
use serde_json::Value;
use url::Url;

use crate::{
    Fields, Route,
    probe::{Probe, Stop},
};

/// The usual paths of documents.
const USUAL_PATHS: [&str; 6] = [
    "/openapi.json",
    "/swagger.json",
    "/api/openapi.json",
    "/api/swagger.json",
    "/v3/api-docs",
    "/apispec_1.json",
];

/// Maximum number of requests for discovery.
pub(crate) const MAX_REQUESTS: u32 = USUAL_PATHS.len() as u32;

/// Maximum number of consecutive `$ref`s that are followed: more are a cycle or a joke.
const MAX_REFS: usize = 16;

/// The routes that were discovered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Discovered {
    /// Logins, most likely first.
    pub(crate) logins: Vec<Login>,
    /// The registration.
    pub(crate) registration: Option<Login>,
    /// Routes that may require a token, most likely first, each with whether the document declares
    /// that it does.
    pub(crate) protected: Vec<(String, bool)>,
    /// The logout.
    pub(crate) logout: Option<Route>,
    /// The endpoint that exchanges refresh tokens.
    pub(crate) refresh: Option<Route>,
    /// The token introspection endpoint.
    pub(crate) introspection: Option<Route>,
    /// The token revocation endpoint.
    pub(crate) revocation: Option<Route>,
    /// The endpoint that requests a password-reset email.
    pub(crate) reset: Option<Fields>,
    /// The endpoint that changes a password.
    pub(crate) change_password: Option<Fields>,
    /// A route for objects that belong to one user each.
    pub(crate) object: Option<Object>,
    /// GET routes for administrators.
    pub(crate) admin: Vec<String>,
    /// Whether OAuth's password grant is declared.
    pub(crate) password_grant: bool,
    /// The path of the document, and the line of each of its paths.
    pub(crate) document: Option<(&'static str, HashMap<String, u32>)>,
}

/// A route with one parameter, which identifies the owner.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    /// The text before and after the parameter.
    around: (String, String),
    /// Whether the parameter is a username; otherwise it is an id.
    pub(crate) by_name: bool,
}

impl Object {
    /// Returns the path for this user.
    pub(crate) fn path(&self, whose: &str) -> String {
        let whose: String = url::form_urlencoded::byte_serialize(whose.as_bytes()).collect();
        format!(
            "{}{}{}",
            self.around.0,
            whose.replace('+', "%20"),
            self.around.1
        )
    }
}

impl Discovered {
    /// Returns all routes, each with its purpose.
    pub(crate) fn words(&self) -> Vec<(&'static str, String)> {
        let mut all: Vec<(&'static str, String)> = Vec::new();
        let route = |route: &Route| format!("{} {}", route.method, route.path);
        all.extend(self.logins.iter().map(|login| ("login", login.to_string())));
        all.extend(
            self.registration
                .iter()
                .map(|login| ("registration", login.to_string())),
        );
        let asks = |(path, _): &(String, bool)| ("protected", format!("GET {path}"));
        all.extend(self.protected.iter().take(MOST_SHOWN).map(asks));
        for (what, found) in [
            ("logout", &self.logout),
            ("refresh", &self.refresh),
            ("introspection", &self.introspection),
            ("revocation", &self.revocation),
        ] {
            all.extend(found.iter().map(|found| (what, route(found))));
        }
        for (what, found) in [
            ("reset", &self.reset),
            ("password change", &self.change_password),
        ] {
            let words =
                |found: &Fields| format!("{} {}", route(&found.route), found.names.join(" "));
            all.extend(found.iter().map(|found| (what, words(found))));
        }
        let object = self
            .object
            .iter()
            .map(|object| ("object of a user", format!("GET {}", object.path("…"))));
        all.extend(object);
        all.extend(
            self.admin
                .iter()
                .map(|path| ("for administrators", format!("GET {path}"))),
        );
        all
    }
}

/// Maximum number of protected routes that are shown; more are not tried.
const MOST_SHOWN: usize = 3;

/// Why discovery failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undiscovered {
    #[error("no OpenAPI document was found at {}; name the login with --login", USUAL_PATHS.join(", "))]
    NoDocument,
    #[error("{path} is not a valid OpenAPI document: {reason}; name the login with --login")]
    Malformed { path: &'static str, reason: String },
    #[error(
        "{0} does not describe a login with a username and password; name the login with --login"
    )]
    NoLogin(&'static str),
    #[error(transparent)]
    Stop(#[from] Stop),
}

/// Finds and reads the document. With `needs_login`, a document without a login is an error.
pub(crate) async fn discover(
    probe: &mut Probe,
    needs_login: bool,
) -> Result<Discovered, Undiscovered> {
    // A single-page application returns 200 with HTML for every path: an invalid document is
    // reported only if no other path has a valid one.
    let mut first = None;
    for path in USUAL_PATHS {
        let answer = probe.get(path).await?;
        if answer.status == 200 {
            match read(path, &answer.body) {
                Ok(found) if found.logins.is_empty() && needs_login => {
                    return Err(Undiscovered::NoLogin(path));
                }
                Ok(found) => return Ok(found),
                Err(error) => first = first.or(Some(error)),
            }
        }
    }
    Err(first.unwrap_or(Undiscovered::NoDocument))
}

fn read(path: &'static str, body: &[u8]) -> Result<Discovered, Undiscovered> {
    let malformed = |reason: String| Undiscovered::Malformed { path, reason };
    let document: Value = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        malformed(format!("invalid JSON at line {line}, column {column}"))
    })?;
    if !document["paths"].is_object() {
        return Err(malformed("no object `paths`".into()));
    }
    let mut found = in_document(&document);
    found.document = Some((path, lines(&document, &String::from_utf8_lossy(body))));
    Ok(found)
}

/// Returns the line of each path, counted from 1, keyed by the path with its base.
fn lines(document: &Value, text: &str) -> HashMap<String, u32> {
    let base = base(document);
    let is_path = |key: &str| document["paths"].get(key).is_some();
    let mut lines = HashMap::new();
    let (mut line, mut rest) = (1, text);
    // In one pass, since a document may have any number of paths.
    while let Some(at) = rest.find("\"/") {
        line += rest[..at].bytes().filter(|byte| *byte == b'\n').count() as u32;
        rest = &rest[at + 1..];
        let key = rest.split('"').next().unwrap_or_default();
        if is_path(key) {
            lines.entry(format!("{base}{key}")).or_insert(line);
        }
    }
    lines
}

/// Returns the prefix of all paths: Swagger's `basePath`, or the path of OpenAPI's first server.
fn base(document: &Value) -> String {
    let server = document["servers"][0]["url"].as_str().unwrap_or("");
    let server = match Url::parse(server) {
        Ok(url) => url.path().to_owned(),
        Err(_) => server.to_owned(),
    };
    let base = document["basePath"].as_str().unwrap_or(&server);
    let base = base.trim_end_matches('/');
    if base.starts_with('/') {
        base.to_owned()
    } else {
        String::new()
    }
}

/// Returns true if a path from a document can be requested and shown.
fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|b| b.is_ascii_graphic())
        && !path.contains(['{', '?', '#'])
}

fn in_document(document: &Value) -> Discovered {
    let base = base(document);
    let mut logins: Vec<(u32, Login)> = Vec::new();
    let mut registrations: Vec<(bool, Login)> = Vec::new();
    let paths = document["paths"].as_object();
    for (path, item) in paths.into_iter().flatten() {
        let operation = &item["post"];
        let Some(shape) = credentials(document, operation) else {
            continue;
        };
        let lower = path.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if !is_plain(&format!("{base}{path}")) || has(&["reset", "forgot", "change", "update"]) {
            continue;
        }
        let login = Login {
            method: "POST".into(),
            path: format!("{base}{path}"),
            shape,
        };
        if has(&["register", "signup", "sign-up", "sign_up"]) {
            registrations.push((false, login));
        } else if has(&["login", "signin", "sign-in", "sign_in"]) {
            logins.push((0, login));
        } else if has(&["token", "auth", "session"]) {
            logins.push((1, login));
        } else if has(&["user", "account"]) {
            // If it requires a token, it is for existing users who add others.
            if !secure(&operation["security"]) {
                registrations.push((true, login));
            }
        } else {
            logins.push((2, login));
        }
    }
    logins.sort_by(|a, b| (a.0, &a.1.path).cmp(&(b.0, &b.1.path)));
    // Within the same kind, in the document's order.
    registrations.sort_by_key(|(only_likely, _)| *only_likely);
    let route = |methods: &[&str], words: &[&str]| routes(document, methods, words).next();
    Discovered {
        logins: logins.into_iter().map(|(_, login)| login).collect(),
        registration: registrations.into_iter().next().map(|(_, login)| login),
        protected: protected(document),
        document: None,
        introspection: route(&["post"], &["introspect"]),
        revocation: route(&["post"], &["revoke", "revocation"]),
        reset: reset(document),
        change_password: change_password(document),
        object: object(document),
        admin: routes(document, &["get"], &["admin"])
            .map(|route| route.path)
            .take(MOST_ADMIN)
            .collect(),
        password_grant: password_grant(document),
        logout: route(
            &["post", "delete", "get"],
            &["logout", "signout", "sign-out", "sign_out"],
        ),
        refresh: route(&["post"], &["refresh"]),
    }
}

/// Maximum number of administrator routes that are tried.
const MOST_ADMIN: usize = 3;

/// Returns the fields of an operation, and whether it takes them as JSON.
fn taken(document: &Value, operation: &Value) -> Option<(bool, Vec<String>)> {
    let of_schema = |schema: &Value| -> Option<Vec<String>> {
        let properties = resolve(document, schema)["properties"].as_object()?;
        Some(properties.keys().cloned().collect())
    };
    let parameters = operation["parameters"].as_array();
    let mut parameters = parameters.into_iter().flatten();
    if let Some(body) = parameters.find(|parameter| parameter["in"] == "body") {
        return Some((true, of_schema(&body["schema"])?));
    }
    let content = &resolve(document, &operation["requestBody"])["content"];
    let form = &content["application/x-www-form-urlencoded"]["schema"];
    let json = of_schema(&content["application/json"]["schema"]).map(|names| (true, names));
    json.or_else(|| Some((false, of_schema(form)?)))
}

/// Returns the operations with these methods whose path contains one of these words, with their
/// fields.
fn operations<'a>(
    document: &'a Value,
    methods: &'a [&str],
    words: &'a [&str],
) -> impl Iterator<Item = (Route, bool, Vec<String>)> + 'a {
    let base = base(document);
    routes(document, methods, words).filter_map(move |route| {
        let path = route.path.strip_prefix(&base).unwrap_or(&route.path);
        let operation = &document["paths"][path][route.method.to_lowercase()];
        let (json, names) = taken(document, operation)?;
        Some((route, json, names))
    })
}

fn reset(document: &Value) -> Option<Fields> {
    let words = ["forgot", "reset", "recover"];
    operations(document, &["post"], &words).find_map(|(route, json, names)| {
        // An endpoint that takes the new password is the step after the email.
        let asks = names
            .iter()
            .all(|name| !name.to_lowercase().contains("password"));
        let account = names.into_iter().find(|name| is_account(name))?;
        asks.then(|| Fields {
            route,
            json,
            names: vec![account],
        })
    })
}

fn change_password(document: &Value) -> Option<Fields> {
    let methods = ["post", "put", "patch"];
    operations(document, &methods, &["password"]).find_map(|(route, json, names)| {
        let field = |words: [&str; 2]| {
            names.iter().find(|name| {
                let plain = name.to_lowercase().replace(['_', '-'], "");
                words.contains(&&*plain)
            })
        };
        let old = field(["oldpassword", "currentpassword"])?.clone();
        let new = field(["newpassword", "newpassword1"])?.clone();
        Some(Fields {
            route,
            json,
            names: vec![old, new],
        })
    })
}

/// Returns a GET route with one parameter, which identifies the owner.
fn object(document: &Value) -> Option<Object> {
    let base = base(document);
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut objects = paths.filter_map(|(path, item)| {
        let (before, rest) = path.split_once('{')?;
        let (parameter, after) = rest.split_once('}')?;
        let parameter = parameter.to_lowercase().replace(['_', '-'], "");
        let of_users = ["user", "account", "profile", "member", "customer"];
        let theirs = of_users
            .iter()
            .any(|word| before.to_lowercase().contains(word));
        let by_name = ["username", "name", "user", "login", "email"].contains(&&*parameter);
        let by_id = ["id", "userid", "uuid", "pk", "accountid"].contains(&&*parameter);
        let plain = is_plain(&format!("{base}{before}{after}")) && !before.contains("admin");
        (item["get"].is_object() && plain && theirs && (by_name || by_id)).then(|| Object {
            around: (format!("{base}{before}"), after.to_owned()),
            by_name,
        })
    });
    objects.next()
}

/// Returns true if a scheme has the flow `password`, in the place of OpenAPI or of Swagger.
fn password_grant(document: &Value) -> bool {
    let places = [
        &document["components"]["securitySchemes"],
        &document["securityDefinitions"],
    ];
    let schemes = places.into_iter().filter_map(Value::as_object).flatten();
    let mut schemes = schemes.map(|(_, scheme)| resolve(document, scheme));
    schemes.any(|scheme| scheme["flows"]["password"].is_object() || scheme["flow"] == "password")
}

/// Returns the operations whose path contains one of these words.
fn routes<'a>(
    document: &'a Value,
    methods: &'a [&str],
    words: &'a [&str],
) -> impl Iterator<Item = Route> + 'a {
    let base = base(document);
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.filter_map(move |(path, item)| {
        let lower = path.to_lowercase();
        let method = methods.iter().find(|method| item[**method].is_object())?;
        let path = format!("{base}{path}");
        let says = words.iter().any(|word| lower.contains(word)) && is_plain(&path);
        says.then(|| Route {
            method: method.to_uppercase(),
            path,
        })
    })
}

/// Returns true if a `security` declares anything.
fn secure(security: &Value) -> bool {
    security.as_array().is_some_and(|all| !all.is_empty())
}

/// Returns the GET routes that may require a token, by declaration or by name.
fn protected(document: &Value) -> Vec<(String, bool)> {
    let base = base(document);
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let operation = &item["get"];
        let whole = format!("{base}{path}");
        let lower = path.to_lowercase();
        // A route for administrators rejects an ordinary token.
        let leaves = ["logout", "signout", "login", "verify", "callback", "admin"];
        if !operation.is_object()
            || !is_plain(&whole)
            || leaves.iter().any(|word| lower.contains(word))
        {
            continue;
        }
        // What a document declares for all routes often does not hold for each of them.
        let declared = secure(&operation["security"]);
        let meant = declared || secure(&document["security"]) && operation["security"].is_null();
        let last = lower.rsplit('/').next().unwrap_or_default();
        let personal =
            ["me", "profile", "account", "user", "userinfo", "protected"].contains(&last);
        if meant || personal {
            found.push((!personal, !declared, whole));
        }
    }
    found.sort();
    let likely = found.into_iter();
    likely
        .map(|(_, undeclared, path)| (path, !undeclared))
        .collect()
}

/// Returns the shape of an operation that takes a username and a password.
fn credentials(document: &Value, operation: &Value) -> Option<Shape> {
    if let Some(parameters) = operation["parameters"].as_array() {
        // Swagger 2.0: a form's fields are parameters.
        let field = |wanted: fn(&str) -> bool| {
            let form = parameters.iter().filter(|p| p["in"] == "formData");
            form.filter_map(|p| p["name"].as_str())
                .find(|name| wanted(name))
                .map(str::to_owned)
        };
        if let (Some(account), Some(password)) = (field(is_account), field(is_password)) {
            return Some(Shape::Form { account, password });
        }
        let body = parameters.iter().find(|p| p["in"] == "body");
        if let Some(body) = body {
            return json_shape(document, &body["schema"]);
        }
    }
    let content = &resolve(document, &operation["requestBody"])["content"];
    let form = &content["application/x-www-form-urlencoded"]["schema"];
    if let Some((account, password)) = fields(document, form) {
        return Some(Shape::Form { account, password });
    }
    json_shape(document, &content["application/json"]["schema"])
}

fn json_shape(document: &Value, schema: &Value) -> Option<Shape> {
    let (account, password) = fields(document, schema)?;
    if let Some(template) = with_required(document, schema, &account, &password) {
        return Some(Shape::Body(template));
    }
    let pointer = |name: String| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    Some(Shape::Json {
        account: pointer(account),
        password: pointer(password),
    })
}

/// Returns a body with all required fields, if there are any besides the username and the password.
fn with_required(
    document: &Value,
    schema: &Value,
    account: &str,
    password: &str,
) -> Option<String> {
    let schema = resolve(document, schema);
    let required = schema["required"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str);
    let others: Vec<&str> = required
        .filter(|name| *name != account && *name != password)
        .collect();
    if others.is_empty() {
        return None;
    }
    let mut body = serde_json::Map::new();
    body.insert(account.to_owned(), ACCOUNT.into());
    body.insert(password.to_owned(), PASSWORD.into());
    for name in others {
        let of = resolve(document, &schema["properties"][name]);
        let told = [
            &of["const"],
            &of["default"],
            &of["enum"][0],
            &of["example"],
            &of["examples"][0],
        ];
        let told = told.into_iter().find(|value| !value.is_null()).cloned();
        let plain = || match of["type"].as_str() {
            Some("boolean") => false.into(),
            Some("integer" | "number") => 0.into(),
            Some("array") => Value::Array(Vec::new()),
            Some("object") => Value::Object(serde_json::Map::new()),
            _ => "doorwarden".into(),
        };
        body.insert(name.to_owned(), told.unwrap_or_else(plain));
    }
    Some(Value::Object(body).to_string())
}

fn fields(document: &Value, schema: &Value) -> Option<(String, String)> {
    let schema = resolve(document, schema);
    let properties = schema["properties"].as_object()?;
    let required = schema["required"].as_array();
    let is_required = |name: &str| {
        required.is_some_and(|required| required.iter().any(|one| one.as_str() == Some(name)))
    };
    // A registration may take an optional email address besides the required username.
    let field = |wanted: fn(&str) -> bool| {
        let named = || properties.keys().filter(|name| wanted(name));
        let first = named().find(|name| is_required(name));
        first.or_else(|| named().next()).cloned()
    };
    Some((field(is_account)?, field(is_password)?))
}

fn resolve<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    for _ in 0..MAX_REFS {
        let reference = value["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
        match reference.and_then(|pointer| document.pointer(pointer)) {
            Some(target) => value = target,
            None => break,
        }
    }
    value
}

fn is_account(name: &str) -> bool {
    let name = name.to_lowercase().replace(['_', '-'], "");
    [
        "username", "email", "login", "user", "account", "name", "userid",
    ]
    .contains(&name.as_str())
}

fn is_password(name: &str) -> bool {
    ["password", "passwd", "pass", "pwd", "secret"].contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(document: Value) -> (Vec<String>, Option<String>) {
        let found = in_document(&document);
        let logins = found.logins.iter().map(Login::to_string).collect();
        (logins, found.registration.map(|login| login.to_string()))
    }

    #[test]
    fn fastapi_is_understood() {
        let document = json!({"openapi": "3.1.0", "paths": {
            "/token": {"post": {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Body_login"}}}}}},
            "/api/auth/login": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Login"}}}}}},
            "/users": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Login"}}}}}},
            "/users/me": {"get": {}}
        }, "components": {"schemas": {
            "Body_login": {"properties": {"grant_type": {}, "username": {}, "password": {}, "scope": {}}},
            "Login": {"properties": {"email": {}, "password": {}}}
        }}});
        let (logins, registration) = words(document);
        assert_eq!(
            logins,
            [
                "POST /api/auth/login json:/email json:/password",
                "POST /token form:username form:password"
            ]
        );
        assert_eq!(
            registration.as_deref(),
            Some("POST /users json:/email json:/password")
        );
    }

    #[test]
    fn who_adds_others_registers_nobody() {
        let schema = json!({"properties": {"username": {}, "password": {}}});
        let body = json!({"content": {"application/json": {"schema": schema}}});
        let open = json!({"post": {"requestBody": body}});
        let guarded = json!({"post": {"requestBody": body, "security": [{"bearer": []}]}});
        let found = |paths: Value| words(json!({"paths": paths})).1;
        assert_eq!(found(json!({"/admin/users": guarded})), None);
        let registration = Some("POST /register json:/username json:/password".to_owned());
        let paths = json!({"/accounts": open, "/admin/users": guarded, "/register": open});
        assert_eq!(found(paths), registration);
    }

    #[test]
    fn a_required_username_is_preferred_to_an_optional_email() {
        let schema = json!({"required": ["username", "password"],
            "properties": {"email": {}, "username": {}, "password": {}}});
        let found = fields(&json!({}), &schema);
        assert_eq!(found, Some(("username".into(), "password".into())));
        let schema = json!({"properties": {"email": {}, "password": {}}});
        let found = fields(&json!({}), &schema);
        assert_eq!(found, Some(("email".into(), "password".into())));
    }

    #[test]
    fn what_else_is_required_is_sent_along() {
        let schema = json!({"required": ["username", "password", "device", "remember", "tenant"], "properties": {
            "username": {}, "password": {}, "device": {"enum": ["web", "app"]}, "remember": {"type": "boolean"}, "tenant": {"type": "string"}}});
        let login =
            json!({"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}});
        let (logins, _) = words(json!({"paths": {"/login": login}}));
        assert_eq!(
            logins,
            [
                r#"POST /login body:{"device":"web","password":"{{password}}","remember":false,"tenant":"doorwarden","username":"{{account}}"}"#
            ]
        );
    }

    #[test]
    fn swagger_2_is_understood() {
        let document = json!({"swagger": "2.0", "basePath": "/v1/", "paths": {
            "/login": {"post": {"parameters": [{"in": "formData", "name": "user"}, {"in": "formData", "name": "pass"}]}},
            "/session": {"post": {"parameters": [{"in": "body", "schema": {"properties": {"login": {}, "password": {}}}}]}}
        }});
        let (logins, _) = words(document);
        assert_eq!(
            logins,
            [
                "POST /v1/login form:user form:pass",
                "POST /v1/session json:/login json:/password"
            ]
        );
    }

    #[test]
    fn servers_are_a_base_and_terminal_codes_are_no_path() {
        let login = json!({"post": {"requestBody": {"content": {"application/json": {"schema": {"properties": {"user": {}, "password": {}}}}}}}});
        for (url, path) in [
            ("/v2/", "/v2/login"),
            ("https://example.org/api", "/api/login"),
            ("{x}", "/login"),
        ] {
            let (logins, _) = words(json!({"servers": [{"url": url}], "paths": {"/login": login}}));
            assert_eq!(logins, [format!("POST {path} json:/user json:/password")]);
        }
        assert_eq!(
            words(json!({"paths": {"/login\u{1b}]0;x": login}})),
            (vec![], None)
        );
    }

    #[test]
    fn cycles_and_nonsense_end() {
        let document = json!({"paths": {
            "/login": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/a"}}}}}},
            "/x": 7, "/y": {"post": []}, "nonsense": null
        }, "a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}});
        assert_eq!(words(document), (vec![], None));
    }

    #[test]
    fn a_malformed_document_is_told_with_its_place() {
        let message = read("/openapi.json", b"{\"paths\":\n oops")
            .unwrap_err()
            .to_string();
        assert!(message.contains("line 2, column 2"), "{message}");
        let message = read("/openapi.json", b"<html>").unwrap_err().to_string();
        assert!(message.contains("--login"), "{message}");
        assert!(matches!(
            read("/openapi.json", b"{}"),
            Err(Undiscovered::Malformed { .. })
        ));
        let empty = read("/openapi.json", b"{\"paths\":{}}").unwrap();
        assert!(empty.logins.is_empty() && empty.protected.is_empty());
        let text = b"{\"basePath\": \"/v1\",\n\"paths\": {\n\"/login\": {}}}";
        let (_, lines) = read("/openapi.json", text).unwrap().document.unwrap();
        assert_eq!(lines, HashMap::from([("/v1/login".to_owned(), 3)]));
    }

    #[test]
    fn the_password_grant_is_found_in_either_place() {
        let flows = json!({"s": {"type": "oauth2", "flows": {"password": {"tokenUrl": "token"}}}});
        let flow = json!({"s": {"type": "oauth2", "flow": "password"}});
        assert!(password_grant(
            &json!({"components": {"securitySchemes": flows}})
        ));
        assert!(password_grant(&json!({"securityDefinitions": flow})));
        assert!(!password_grant(
            &json!({"securityDefinitions": {"s": {"type": "basic"}}})
        ));
    }

    #[test]
    fn what_is_about_accounts_is_found() {
        let takes = |names: &[&str]| {
            let properties: HashMap<_, _> = names.iter().map(|name| (*name, json!({}))).collect();
            json!({"requestBody": {"content": {"application/json": {"schema": {"properties": properties}}}}})
        };
        let found = in_document(&json!({"servers": [{"url": "/v1"}], "paths": {
            "/password/reset/confirm": {"post": takes(&["token", "new_password"])},
            "/password/reset": {"post": takes(&["email"])},
            "/me/password": {"put": takes(&["current_password", "new_password"])},
            "/users/{user_id}": {"get": {}}, "/items/{id}": {"get": {}},
            "/admin/users": {"get": {}}, "/admin/users/{id}": {"get": {}}, "/oauth/revoke": {"post": {}}
        }}));
        assert_eq!(
            found.reset,
            Fields::reset("POST /v1/password/reset json:/email").ok()
        );
        let change = "PUT /v1/me/password json:/current_password json:/new_password";
        assert_eq!(found.change_password, Fields::change(change).ok());
        let path = |object: &Object| object.path("a b/c");
        assert_eq!(
            found.object.as_ref().map(path).as_deref(),
            Some("/v1/users/a%20b%2Fc")
        );
        assert_eq!(found.admin, ["/v1/admin/users"]);
        assert_eq!(
            found.revocation,
            Route::parse("/v1/oauth/revoke", "POST").ok()
        );
    }

    #[test]
    fn what_asks_for_a_token_is_found() {
        let secure = json!({"get": {"security": [{"bearer": []}]}});
        let found = in_document(&json!({"paths": {
            "/items": secure, "/items/{id}": secure, "/users/me": secure, "/health": {"get": {}},
            "/profile": {"get": {}}, "/open": {"get": {"security": []}}, "/auth/logout": {"get": {}, "post": {}}, "/auth/refresh": {"post": {}}
        }}));
        let protected = ["/users/me", "/profile", "/items"].map(str::to_owned);
        let declared = [true, false, true];
        assert_eq!(
            found.protected,
            protected.into_iter().zip(declared).collect::<Vec<_>>()
        );
        let whole = json!({"security": [{"bearer": []}], "paths": {"/a": {"get": {}}, "/b": {"get": {"security": []}}}});
        assert_eq!(in_document(&whole).protected, [("/a".to_owned(), false)]);
        assert_eq!(found.logout, Route::parse("/auth/logout", "POST").ok());
        assert_eq!(found.refresh, Route::parse("/auth/refresh", "POST").ok());
    }
}
