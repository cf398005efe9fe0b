//! The OpenAPI document of a login.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use serde_json::json;

use crate::site::Site;

pub(crate) async fn openapi(State(site): State<Arc<Site>>) -> Json<serde_json::Value> {
    let mut schemes = json!({"bearer": {"type": "http", "scheme": "bearer"}});
    if site.specimen.declares_password_grant {
        schemes["oauth2"] =
            json!({"type": "oauth2", "flows": {"password": {"tokenUrl": "login", "scopes": {}}}});
    }
    let credentials = json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Credentials"}}}});
    let fields = |names: &[&str]| {
        let properties: HashMap<_, _> = names
            .iter()
            .map(|name| (*name, json!({"type": "string"})))
            .collect();
        json!({"content": {"application/json": {"schema": {"type": "object", "required": names, "properties": properties}}}})
    };
    let responses = |status: &str| json!({status: {"description": "done"}});
    let bearer = json!([{"bearer": []}]);
    let get = |id: &str| json!({"get": {"operationId": id, "security": bearer, "responses": responses("200")}});
    Json(json!({
        "openapi": "3.1.0",
        "info": {"title": "lab", "version": "1"},
        "paths": {
            "/login": {"post": {"operationId": "login", "requestBody": credentials, "responses": responses("200")}},
            "/register": {"post": {"operationId": "register", "requestBody": credentials, "responses": responses("201")}},
            "/me": get("me"),
            "/users/{name}": get("user"),
            "/admin/accounts": get("accounts"),
            "/logout": {"post": {"operationId": "logout", "security": bearer, "responses": responses("204")}},
            "/refresh": {"post": {"operationId": "refresh", "requestBody": fields(&["refresh_token"]), "responses": responses("200")}},
            "/password": {"post": {"operationId": "change_password", "security": bearer, "requestBody": fields(&["current_password", "new_password"]), "responses": responses("204")}},
            "/forgot": {"post": {"operationId": "forgot", "requestBody": fields(&["username"]), "responses": responses("202")}},
            "/revoke": {"post": {"operationId": "revoke", "responses": responses("200")}}
        },
        "components": {"securitySchemes": schemes, "schemas": {"Credentials": {"type": "object", "required": ["username", "password"], "properties": {
            "username": {"type": "string"}, "password": {"type": "string", "format": "password"}
        }}}}
    }))
}
