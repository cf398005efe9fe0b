//! The documentation of the API: OpenAPI 3.1, and a page.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL};
use serde_json::{Map, Value, json};

use super::{Shared, json, pages};

/// An operation of the API.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// Fields of the body; those with `?` are optional.
    fields: &'static [&'static str],
    takes: Takes,
    caller: Caller,
    /// The status of success, and the name of its schema, or empty for none.
    success: (u16, &'static str),
}

/// The format of a body.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    Both,
    Form,
    /// CSV, or one JSON object per line.
    Lines,
}

/// The callers of an operation.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Anyone,
    User,
    Client,
}

const fn operation(method: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation {
        method,
        path,
        summary,
        fields: &[],
        takes: Takes::Nothing,
        caller: Caller::Anyone,
        success: (200, "AnyValue"),
    }
}

impl Operation {
    const fn takes(mut self, takes: Takes, fields: &'static [&'static str]) -> Self {
        self.takes = takes;
        self.fields = fields;
        self
    }

    const fn by(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    const fn gives(mut self, status: u16, schema: &'static str) -> Self {
        self.success = (status, schema);
        self
    }
}

use Caller::{Client, User};
use Takes::{Both, Form, Lines};

/// All operations, without those of the pages.
const OPERATIONS: &[Operation] = &[
    operation("post", "/login", "Log in with a username and a password")
        .takes(Both, &["username", "password"])
        .gives(200, "Tokens"),
    operation("post", "/mfa/totp", "Complete a login with an authenticator's code")
        .takes(Both, &["mfa_token", "code"])
        .gives(200, "Tokens"),
    operation(
        "post",
        "/mfa/recovery",
        "Complete a login with a recovery code, which is consumed",
    )
    .takes(Both, &["mfa_token", "code"])
    .gives(200, "Tokens"),
    operation(
        "post",
        "/register",
        "Register an account. The response is the same if the name is taken",
    )
    .takes(Both, &["username", "password", "email?"])
    .gives(202, "Detail"),
    operation("get", "/me", "The current user")
        .by(User)
        .gives(200, "Me"),
    operation("get", "/me/sessions", "The current user's sessions").by(User),
    operation("delete", "/me/sessions/{id}", "End one of the current user's sessions")
        .by(User)
        .gives(204, ""),
    operation(
        "get",
        "/signed/me",
        "The current user, by a signed request (RFC 9421)",
    )
    .gives(200, "Me"),
    operation(
        "post",
        "/me/signers",
        "Create a signing secret for requests (RFC 9421); it is shown once",
    )
    .takes(Both, &["password"])
    .by(User)
    .gives(201, "AnyValue"),
    operation(
        "post",
        "/me/signers/{id}/rotate",
        "Replace a signing secret; the old one expires in a day",
    )
    .takes(Both, &["password"])
    .by(User)
    .gives(201, "AnyValue"),
    operation("delete", "/me/signers/{id}", "Revoke a signing secret")
        .by(User)
        .gives(204, ""),
    operation("post", "/logout", "End the current session and its tokens")
        .by(User)
        .gives(204, ""),
    operation("post", "/logout/all", "End all sessions of the current user")
        .by(User)
        .gives(204, ""),
    operation(
        "post",
        "/password/change",
        "Change the password; ends all sessions",
    )
    .takes(Both, &["old_password", "new_password"])
    .by(User)
    .gives(200, "Detail"),
    operation(
        "post",
        "/password/reset",
        "Request a password-reset email",
    )
    .takes(Both, &["username"])
    .gives(202, "Detail"),
    operation(
        "post",
        "/password/reset/confirm",
        "Reset the password with the emailed token; ends all sessions",
    )
    .takes(Both, &["token", "password"])
    .gives(200, "Detail"),
    operation(
        "post",
        "/mfa/totp/enroll",
        "Begin to set up an authenticator; returns its secret",
    )
    .takes(Both, &["password"])
    .by(User),
    operation(
        "post",
        "/mfa/totp/confirm",
        "Confirm an authenticator with its first code; returns recovery codes, once",
    )
    .takes(Both, &["enroll_token", "code"])
    .by(User),
    operation("post", "/mfa/totp/remove", "Remove the authenticator")
        .takes(Both, &["password", "code"])
        .by(User)
        .gives(200, "Detail"),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys/login/options",
        "Begin a passkey login; returns options for navigator.credentials.get",
    ),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys/login",
        "Log in with a passkey; `credential` is the browser's response as a JSON string",
    )
    .takes(Both, &["token", "credential"])
    .gives(200, "Tokens"),
    #[cfg(feature = "passkeys")]
    operation("get", "/passkeys", "The current user's passkeys").by(User),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys/options",
        "Begin to add a passkey; returns options for navigator.credentials.create. If the user has a second factor, `code` is required ten minutes after the login",
    )
    .takes(Both, &["password", "code?"])
    .by(User),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys",
        "Add a passkey; `credential` is the browser's response as a JSON string. The first second factor returns recovery codes, once",
    )
    .takes(Both, &["token", "credential", "name?"])
    .by(User)
    .gives(201, "AnyValue"),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys/{id}/remove",
        "Remove a passkey. `code` is required ten minutes after the login",
    )
    .takes(Both, &["password", "code?"])
    .by(User)
    .gives(200, "Detail"),
    operation(
        "post",
        "/oauth/token",
        "Exchange a refresh token, or get a token for the client itself",
    )
    .takes(Form, &["grant_type", "refresh_token?"])
    .gives(200, "Tokens"),
    operation(
        "post",
        "/oauth/introspect",
        "Introspect an access token (RFC 7662)",
    )
    .takes(Form, &["token", "token_type_hint?"])
    .by(Client)
    .gives(200, "Introspection"),
    operation("post", "/oauth/revoke", "Revoke a token (RFC 7009)")
        .takes(Form, &["token", "token_type_hint?"])
        .by(Client)
        .gives(200, ""),
    operation(
        "get",
        "/.well-known/jwks.json",
        "The public keys of access tokens (RFC 7517)",
    ),
    operation(
        "get",
        "/.well-known/oauth-authorization-server",
        "Authorization server metadata (RFC 8414)",
    ),
    operation("get", "/admin/users", "List all accounts").by(User),
    operation(
        "post",
        "/admin/users",
        "Add an account; `admin` is `true` for an administrator",
    )
    .takes(Both, &["username", "password", "email?", "admin?"])
    .by(User)
    .gives(201, "AnyValue"),
    operation(
        "post",
        "/admin/users/import",
        "Import accounts with password hashes of other systems, as CSV or one JSON object per line",
    )
    .takes(Lines, &[])
    .by(User),
    operation(
        "post",
        "/admin/users/{name}/disable",
        "Disable an account; ends its sessions",
    )
    .by(User)
    .gives(204, ""),
    operation("post", "/admin/users/{name}/enable", "Enable an account")
        .by(User)
        .gives(204, ""),
    operation(
        "post",
        "/admin/users/{name}/unlock",
        "Unlock an account: reset its failed attempts",
    )
    .by(User)
    .gives(204, ""),
    operation(
        "post",
        "/admin/users/{name}/reset-factors",
        "Remove an account's passkeys, authenticator and recovery codes; ends its sessions",
    )
    .by(User)
    .gives(204, ""),
    operation("get", "/admin/audit", "The audit log, newest events first").by(User),
    operation(
        "get",
        "/admin/users/{name}/sessions",
        "List an account's sessions",
    )
    .by(User),
    operation("delete", "/admin/users/{name}/sessions", "End all sessions of an account")
        .by(User)
        .gives(204, ""),
    operation(
        "post",
        "/admin/clients",
        "Add a client; its secret is shown once",
    )
    .takes(Both, &["name"])
    .by(User)
    .gives(201, "AnyValue"),
    operation("post", "/admin/keys/rotate", "Rotate the signing key")
        .by(User)
        .gives(201, "AnyValue"),
    operation("get", "/healthz", "Liveness"),
    operation("get", "/readyz", "Readiness: the database responds"),
    operation(
        "get",
        "/metrics",
        "Metrics for Prometheus, from this machine only",
    )
    .gives(200, "text"),
    operation("get", "/openapi.json", "This document"),
    operation("get", "/docs", "This document as a page").gives(200, "html"),
    operation(
        "get",
        "/account",
        "The account pages: login, sessions, password, second factors",
    )
    .gives(200, "html"),
];

/// Returns the schema of a string; none contains U+0000.
fn text_schema(longest: u32) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[^\\u0000]+$"})
}

fn field_schema(name: &str) -> Value {
    match name {
        "grant_type" => json!({"type": "string", "enum": ["refresh_token", "client_credentials"]}),
        "email" => {
            json!({"type": "string", "pattern": "^[a-z0-9]{1,60}@[a-z0-9]{1,60}\\.[a-z]{2,10}$"})
        }
        "username" => json!({"type": "string", "minLength": 1, "maxLength": 254,
            "pattern": "^[^\\s\\p{C}]([^\\p{C}]*[^\\s\\p{C}])?$"}),
        "password" | "old_password" | "new_password" => {
            let mut schema = text_schema(1024);
            schema["format"] = "password".into();
            schema
        }
        // An authenticator's response.
        "credential" => text_schema(12_000),
        _ => text_schema(1000),
    }
}

fn body(operation: &Operation) -> Value {
    if operation.takes == Takes::Lines {
        let text = json!({"schema": {"type": "string"}});
        return json!({"required": true, "content": {"text/csv": text, "application/x-ndjson": text}});
    }
    let name = |field: &'static str| field.trim_end_matches('?');
    let required: Vec<&str> = operation
        .fields
        .iter()
        .filter(|field| !field.ends_with('?'))
        .copied()
        .collect();
    let mut properties = Map::new();
    for field in operation.fields {
        let schema = field_schema(name(field));
        properties.insert(name(field).to_owned(), schema);
    }
    let schema = json!({"type": "object", "required": required, "properties": properties, "additionalProperties": {"type": ["string", "null"], "pattern": "^[^\\u0000]*$"}});
    let mut content = Map::new();
    if operation.takes == Takes::Both {
        content.insert("application/json".into(), json!({"schema": schema}));
    }
    content.insert(
        "application/x-www-form-urlencoded".into(),
        json!({"schema": schema}),
    );
    json!({"required": true, "content": content})
}

fn responses(operation: &Operation) -> Value {
    let (status, schema) = operation.success;
    let success = match schema {
        "" => json!({"description": "Success"}),
        "text" => {
            json!({"description": "Success", "content": {"text/plain": {"schema": {"type": "string"}}}})
        }
        "html" => {
            json!({"description": "An HTML page", "content": {"text/html": {"schema": {"type": "string"}}}})
        }
        name => {
            let schema = json!({"$ref": format!("#/components/schemas/{name}")});
            json!({"description": "Success", "content": {"application/json": {"schema": schema}}})
        }
    };
    let mut all = Map::new();
    all.insert(status.to_string(), success);
    let refused = json!({
        "description": "An error. 429 and 503 have a Retry-After header.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
            "application/json": {"schema": {"$ref": "#/components/schemas/Error"}},
        },
    });
    all.insert("default".into(), refused);
    Value::Object(all)
}

/// `GET /openapi.json`.
pub(super) async fn document(State(app): State<Shared>) -> Response {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in OPERATIONS {
        let mut described = json!({
            "summary": operation.summary,
            "operationId": format!("{} {}", operation.method, operation.path),
            "responses": responses(operation),
        });
        if operation.takes != Takes::Nothing {
            described["requestBody"] = body(operation);
        }
        match operation.caller {
            Caller::Anyone => {}
            Caller::User => described["security"] = json!([{"login": []}, {"token": []}]),
            Caller::Client => described["security"] = json!([{"client": []}]),
        }
        let parameter = operation.path.split(['{', '}']).nth(1);
        if let Some(name) = parameter {
            described["parameters"] = json!([{"name": name, "in": "path", "required": true, "schema": text_schema(1000)}]);
        }
        paths
            .entry(operation.path)
            .or_default()
            .insert(operation.method.to_owned(), described);
    }
    let object = |properties: Value| json!({"type": "object", "properties": properties});
    let text = json!({"type": "string"});
    let number = json!({"type": "integer"});
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Doorwarden",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Logins and tokens. All failed logins get the same response.",
        },
        "servers": [{"url": app.issuer}],
        "paths": paths,
        "components": {
            "schemas": {
                "AnyValue": {},
                "Detail": object(json!({"detail": text})),
                "Problem": object(json!({"type": text, "title": text, "status": number, "detail": text})),
                "Error": object(json!({"error": text, "error_description": text})),
                "Tokens": object(json!({"access_token": text, "token_type": text, "expires_in": number, "refresh_token": text})),
                "Introspection": object(json!({"active": {"type": "boolean"}})),
                "Me": object(json!({"sub": text, "username": text, "email": {"type": ["string", "null"]},
                    "admin": {"type": "boolean"}, "second_factor": {"type": "boolean"}, "created": number})),
            },
            "securitySchemes": {
                // For the Authorize button of Swagger UI; not in the OAuth metadata.
                "login": {"type": "oauth2", "flows": {"password": {"tokenUrl": "/login", "refreshUrl": "/oauth/token", "scopes": {}}}},
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "client": {"type": "http", "scheme": "basic"},
            },
        },
    });
    let mut response = json(StatusCode::OK, &document);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Docs {
    operations: &'static [Operation],
}

impl Operation {
    fn method(&self) -> String {
        self.method.to_uppercase()
    }

    fn body(&self) -> String {
        let fields: Vec<String> = self
            .fields
            .iter()
            .map(|field| {
                field
                    .strip_suffix('?')
                    .map_or((*field).to_owned(), |name| format!("[{name}]"))
            })
            .collect();
        fields.join(", ")
    }

    fn caller(&self) -> &'static str {
        match self.caller {
            Caller::Anyone => "anyone",
            Caller::User if self.path.starts_with("/admin") => "administrators",
            Caller::User => "users",
            Caller::Client => "clients",
        }
    }
}

/// `GET /docs`.
pub(super) async fn page() -> Response {
    pages::shown(
        StatusCode::OK,
        &Docs {
            operations: OPERATIONS,
        },
    )
}
