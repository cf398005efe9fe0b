//! What there is, for programs (OpenAPI 3.1) and for people.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL};
use serde_json::{Map, Value, json};

use super::{Shared, json, pages};

/// One operation, in a line of the table below.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// Fields of the body, those with `?` may be left out.
    fields: &'static [&'static str],
    takes: Takes,
    caller: Caller,
    /// The status of success, and the name of its schema; empty for none.
    success: (u16, &'static str),
}

/// What a body is written in.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    Both,
    Form,
    /// CSV, or a JSON object a line.
    Lines,
}

/// Who may call.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    Anybody,
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
        caller: Caller::Anybody,
        success: (200, "Anything"),
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

/// All operations but the pages.
const OPERATIONS: &[Operation] = &[
    operation("post", "/login", "Log in with a name and a password")
        .takes(Both, &["username", "password"])
        .gives(200, "Tokens"),
    operation("post", "/mfa/totp", "Log in: the second factor's code")
        .takes(Both, &["mfa_token", "code"])
        .gives(200, "Tokens"),
    operation(
        "post",
        "/mfa/recovery",
        "Log in: a recovery code instead, which is used up",
    )
    .takes(Both, &["mfa_token", "code"])
    .gives(200, "Tokens"),
    operation(
        "post",
        "/register",
        "Register an account; the answer is the same for names that are taken",
    )
    .takes(Both, &["username", "password", "mail?"])
    .gives(202, "Detail"),
    operation("get", "/me", "Who one is")
        .by(User)
        .gives(200, "Me"),
    operation("get", "/me/sessions", "One's sessions").by(User),
    operation("delete", "/me/sessions/{id}", "End a session of one's own")
        .by(User)
        .gives(204, ""),
    operation(
        "get",
        "/signed/me",
        "Who one is, by a signed request (RFC 9421)",
    )
    .gives(200, "Me"),
    operation(
        "post",
        "/me/signers",
        "Get a secret to sign requests with; it is shown once",
    )
    .takes(Both, &["password"])
    .by(User)
    .gives(201, "Anything"),
    operation(
        "post",
        "/me/signers/{id}/rotate",
        "Get the next; this one ends in a day",
    )
    .takes(Both, &["password"])
    .by(User)
    .gives(201, "Anything"),
    operation("delete", "/me/signers/{id}", "End a secret")
        .by(User)
        .gives(204, ""),
    operation("post", "/logout", "End this session and its tokens")
        .by(User)
        .gives(204, ""),
    operation("post", "/logout/all", "End all sessions")
        .by(User)
        .gives(204, ""),
    operation(
        "post",
        "/password/change",
        "Choose another password; ends all sessions",
    )
    .takes(Both, &["old_password", "new_password"])
    .by(User)
    .gives(200, "Detail"),
    operation(
        "post",
        "/password/reset",
        "Have a mail with a token sent, if there is such an account",
    )
    .takes(Both, &["username"])
    .gives(202, "Detail"),
    operation(
        "post",
        "/password/reset/confirm",
        "Choose a password by the mail's token; ends all sessions",
    )
    .takes(Both, &["token", "password"])
    .gives(200, "Detail"),
    operation(
        "post",
        "/mfa/totp/enroll",
        "Get a secret for an authenticator",
    )
    .takes(Both, &["password"])
    .by(User),
    operation(
        "post",
        "/mfa/totp/confirm",
        "Confirm it by its first code; gives recovery codes, once",
    )
    .takes(Both, &["enroll_token", "code"])
    .by(User),
    operation("post", "/mfa/totp/remove", "Remove the second factor")
        .takes(Both, &["password", "code"])
        .by(User)
        .gives(200, "Detail"),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys/login/options",
        "Log in with a passkey: what to hand to navigator.credentials.get",
    ),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys/login",
        "Log in with a passkey: its answer, as JSON in a text",
    )
    .takes(Both, &["token", "credential"])
    .gives(200, "Tokens"),
    #[cfg(feature = "passkeys")]
    operation("get", "/passkeys", "One's passkeys").by(User),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys/options",
        "Add a passkey: for navigator.credentials.create; a code too, after ten minutes",
    )
    .takes(Both, &["password", "code?"])
    .by(User),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys",
        "Add a passkey: its answer; gives recovery codes with the first factor, once",
    )
    .takes(Both, &["token", "credential", "name?"])
    .by(User)
    .gives(201, "Anything"),
    #[cfg(feature = "passkeys")]
    operation(
        "post",
        "/passkeys/{id}/remove",
        "Remove a passkey; a code too, after ten minutes",
    )
    .takes(Both, &["password", "code?"])
    .by(User)
    .gives(200, "Detail"),
    operation(
        "post",
        "/oauth/token",
        "Exchange a refresh token, or get a client's own token",
    )
    .takes(Form, &["grant_type", "refresh_token?"])
    .gives(200, "Tokens"),
    operation(
        "post",
        "/oauth/introspect",
        "Ask whether an access token is live (RFC 7662)",
    )
    .takes(Form, &["token", "token_type_hint?"])
    .by(Client)
    .gives(200, "Introspection"),
    operation("post", "/oauth/revoke", "End a token (RFC 7009)")
        .takes(Form, &["token", "token_type_hint?"])
        .by(Client)
        .gives(200, ""),
    operation(
        "get",
        "/.well-known/jwks.json",
        "The keys that sign access tokens",
    ),
    operation(
        "get",
        "/.well-known/oauth-authorization-server",
        "Metadata (RFC 8414)",
    ),
    operation("get", "/admin/users", "All accounts").by(User),
    operation(
        "post",
        "/admin/users",
        "Add an account; with `admin` as `true`, an administrator's",
    )
    .takes(Both, &["username", "password", "mail?", "admin?"])
    .by(User)
    .gives(201, "Anything"),
    operation(
        "post",
        "/admin/users/import",
        "Import accounts with foreign hashes: CSV, or a JSON object a line",
    )
    .takes(Lines, &[])
    .by(User),
    operation(
        "post",
        "/admin/users/{name}/disable",
        "Disable an account; its sessions end",
    )
    .by(User)
    .gives(204, ""),
    operation("post", "/admin/users/{name}/enable", "Enable it again")
        .by(User)
        .gives(204, ""),
    operation(
        "post",
        "/admin/users/{name}/unlock",
        "Let an account be tried again, as if nobody had failed on it",
    )
    .by(User)
    .gives(204, ""),
    operation(
        "post",
        "/admin/users/{name}/reset-factors",
        "Take an account's passkeys, authenticator and recovery codes away; its sessions end",
    )
    .by(User)
    .gives(204, ""),
    operation("get", "/admin/audit", "What happened, the newest first").by(User),
    operation(
        "get",
        "/admin/users/{name}/sessions",
        "An account's sessions",
    )
    .by(User),
    operation("delete", "/admin/users/{name}/sessions", "End them")
        .by(User)
        .gives(204, ""),
    operation(
        "post",
        "/admin/clients",
        "Add a client; its secret is shown once",
    )
    .takes(Both, &["name"])
    .by(User)
    .gives(201, "Anything"),
    operation("post", "/admin/keys/rotate", "Make the next signing key")
        .by(User)
        .gives(201, "Anything"),
    operation("get", "/healthz", "Whether it lives"),
    operation("get", "/readyz", "Whether the database answers"),
    operation(
        "get",
        "/metrics",
        "Figures for Prometheus, from this machine alone",
    )
    .gives(200, "text"),
    operation("get", "/openapi.json", "This document"),
    operation("get", "/docs", "This document, for people").gives(200, "html"),
    operation(
        "get",
        "/account",
        "The pages: login, sessions, password, second factor",
    )
    .gives(200, "html"),
];

/// A text; no text has U+0000.
fn text_schema(longest: u32) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[^\\u0000]+$"})
}

fn field_schema(name: &str) -> Value {
    match name {
        "grant_type" => json!({"type": "string", "enum": ["refresh_token", "client_credentials"]}),
        "mail" => {
            json!({"type": "string", "pattern": "^[a-z0-9]{1,60}@[a-z0-9]{1,60}\\.[a-z]{2,10}$"})
        }
        "username" => json!({"type": "string", "minLength": 1, "maxLength": 254,
            "pattern": "^[^\\s\\p{C}]([^\\p{C}]*[^\\s\\p{C}])?$"}),
        "password" | "old_password" | "new_password" => {
            let mut schema = text_schema(1024);
            schema["format"] = "password".into();
            schema
        }
        // An authenticator's answer.
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
        "" => json!({"description": "Done"}),
        "text" => {
            json!({"description": "Done", "content": {"text/plain": {"schema": {"type": "string"}}}})
        }
        "html" => {
            json!({"description": "A page", "content": {"text/html": {"schema": {"type": "string"}}}})
        }
        name => {
            let schema = json!({"$ref": format!("#/components/schemas/{name}")});
            json!({"description": "Done", "content": {"application/json": {"schema": schema}}})
        }
    };
    let mut all = Map::new();
    all.insert(status.to_string(), success);
    let refused = json!({
        "description": "Refused; the body says why. 429 and 503 say when to come back (Retry-After).",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
            "application/json": {"schema": {"$ref": "#/components/schemas/Error"}},
        },
    });
    all.insert("default".into(), refused);
    Value::Object(all)
}

/// The document.
pub(super) async fn document(State(app): State<Shared>) -> Response {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in OPERATIONS {
        let mut told = json!({
            "summary": operation.summary,
            "operationId": format!("{} {}", operation.method, operation.path),
            "responses": responses(operation),
        });
        if operation.takes != Takes::Nothing {
            told["requestBody"] = body(operation);
        }
        match operation.caller {
            Caller::Anybody => {}
            Caller::User => told["security"] = json!([{"login": []}, {"token": []}]),
            Caller::Client => told["security"] = json!([{"client": []}]),
        }
        let parameter = operation.path.split(['{', '}']).nth(1);
        if let Some(name) = parameter {
            told["parameters"] = json!([{"name": name, "in": "path", "required": true, "schema": text_schema(1000)}]);
        }
        paths
            .entry(operation.path)
            .or_default()
            .insert(operation.method.to_owned(), told);
    }
    let object = |properties: Value| json!({"type": "object", "properties": properties});
    let text = json!({"type": "string"});
    let number = json!({"type": "integer"});
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Doorwarden",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Logins and tokens. Every failed login is answered alike.",
        },
        "servers": [{"url": app.issuer}],
        "paths": paths,
        "components": {
            "schemas": {
                "Anything": {},
                "Detail": object(json!({"detail": text})),
                "Problem": object(json!({"type": text, "title": text, "status": number, "detail": text})),
                "Error": object(json!({"error": text, "error_description": text})),
                "Tokens": object(json!({"access_token": text, "token_type": text, "expires_in": number, "refresh_token": text})),
                "Introspection": object(json!({"active": {"type": "boolean"}})),
                "Me": object(json!({"sub": text, "username": text, "mail": {"type": ["string", "null"]},
                    "admin": {"type": "boolean"}, "second_factor": {"type": "boolean"}, "created": number})),
            },
            "securitySchemes": {
                // What Swagger UI's Authorize button fills in; the metadata of OAuth does not name it.
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
            Caller::Anybody => "anybody",
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
