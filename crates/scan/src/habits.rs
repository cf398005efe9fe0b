//! Finds the login without an OpenAPI document: in OAuth and OpenID metadata, in a GraphQL schema,
//! and at the usual paths of FastAPI, Flask, Django REST and Express applications.

use doorwarden_decision::{Login, Shape};
use serde_json::{Value, json};

use crate::{
    Account, Route,
    access::Issued,
    discover::Discovered,
    probe::{Probe, Stop},
    request::Request,
};

/// Authorization server metadata (RFC 8414) and OpenID Connect Discovery.
const METADATA: [&str; 2] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
];

const GRAPHQL: &str = "/graphql";

/// The logins of frameworks and their tutorials: FastAPI's tutorial, simplejwt and FastAPI-users,
/// Flask-Security, Express applications, Django's own.
const USUAL: [&str; 9] = [
    "POST /token form:username form:password",
    "POST /api/token/ json:/username json:/password",
    "POST /auth/jwt/login form:username form:password",
    "POST /login json:/username json:/password",
    "POST /login form:username form:password",
    "POST /api/login json:/username json:/password",
    "POST /auth/login json:/username json:/password",
    "POST /api/auth/login json:/username json:/password",
    "POST /accounts/login/ form:username form:password",
];

/// Maximum number of requests.
pub(crate) const MAX_REQUESTS: u32 = 2 + 1 + 2 * USUAL.len() as u32;

/// Adds what can be discovered without a document. With a test account, its correct password is
/// sent to the usual paths of the operator's own target: the one that returns a token is the login.
pub(crate) async fn find(
    probe: &mut Probe,
    account: Option<&Account>,
    found: &mut Discovered,
) -> Result<(), Stop> {
    for path in METADATA {
        let answer = probe.get(path).await?;
        let metadata: Option<Value> = serde_json::from_slice(&answer.body).ok();
        if let Some(metadata) = metadata.filter(|_| answer.status == 200) {
            read_metadata(probe, &metadata, found);
            break;
        }
    }
    if found.logins.is_empty() {
        let answer = probe.send(None, introspection()).await?;
        let schema: Option<Value> = serde_json::from_slice(&answer.body).ok();
        found.logins.extend(schema.as_ref().and_then(graphql_login));
    }
    let Some(account) = account.filter(|_| found.logins.is_empty()) else {
        return Ok(());
    };
    for login in USUAL.iter().filter_map(|words| words.parse::<Login>().ok()) {
        for login in spelled(login, &account.name) {
            let request = Request::login(&login, &account.name, account.password.expose());
            let answer = probe.send(None, request).await?;
            if answer.status < 400 && Issued::of(&answer, &[]).is_some() {
                found.logins.push(login);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Returns the login, and for an email address the same login with a field `email` first.
fn spelled(login: Login, name: &str) -> Vec<Login> {
    let mut all = vec![login.clone()];
    if let Shape::Json { password, .. } = &login.shape
        && name.contains('@')
    {
        let shape = Shape::Json {
            account: "/email".into(),
            password: password.clone(),
        };
        all.insert(0, Login { shape, ..login });
    }
    all
}

fn read_metadata(probe: &Probe, metadata: &Value, found: &mut Discovered) {
    let route = |name: &str| {
        let path = probe.path_on_target(metadata[name].as_str()?)?;
        Route::parse(&path, "POST").ok()
    };
    found.introspection = found
        .introspection
        .take()
        .or(route("introspection_endpoint"));
    found.revocation = found.revocation.take().or(route("revocation_endpoint"));
    let grants = metadata["grant_types_supported"].as_array();
    let password = grants.is_some_and(|grants| grants.iter().any(|grant| grant == "password"));
    if let Some(token) = route("token_endpoint").filter(|_| password) {
        found.password_grant = true;
        let body = "grant_type=password&username={{account}}&password={{password}}";
        found.logins.push(Login {
            method: "POST".into(),
            path: token.path,
            shape: Shape::Body(body.into()),
        });
    }
    let userinfo = route("userinfo_endpoint").map(|route| (route.path, true));
    found.protected.extend(userinfo);
}

/// Returns a query for the mutations with their arguments and results.
fn introspection() -> Request {
    let query = "{__schema{mutationType{fields{name args{name} type{fields{name type{name}} ofType{fields{name type{name}}}}}}}}";
    let mut request = Request::new("POST", GRAPHQL);
    request
        .headers
        .push(("content-type".into(), "application/json".into()));
    request.body = json!({"query": query}).to_string().into_bytes();
    request
}

/// Returns a mutation that is named like a login and takes a username and a password.
fn graphql_login(schema: &Value) -> Option<Login> {
    let mutations = schema["data"]["__schema"]["mutationType"]["fields"].as_array()?;
    let named = |list: &Value, wanted: &[&str]| -> Option<String> {
        let names = list
            .as_array()?
            .iter()
            .filter_map(|one| one["name"].as_str());
        let plain = |name: &&str| wanted.contains(&&*name.to_lowercase().replace('_', ""));
        let name = names.into_iter().find(plain)?;
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then(|| name.to_owned())
    };
    mutations.iter().find_map(|mutation| {
        let logs_in = ["login", "signin", "tokenauth", "authenticate", "tokencreate", "createtoken"];
        let name = named(&json!([mutation]), &logs_in)?;
        let account = named(&mutation["args"], &["username", "email", "login", "user", "name"])?;
        let password = named(&mutation["args"], &["password", "pass"])?;
        let kind = &mutation["type"];
        let tokens = ["token", "accesstoken", "access", "jwt"];
        let token = named(&kind["fields"], &tokens).or_else(|| named(&kind["ofType"]["fields"], &tokens));
        let selection = token.map_or_else(String::new, |token| format!(" {{ {token} }}"));
        let query = format!(
            "mutation {{ {name}({account}: \"{{{{account}}}}\", {password}: \"{{{{password}}}}\"){selection} }}"
        );
        Some(Login {
            method: "POST".into(),
            path: GRAPHQL.into(),
            shape: Shape::Body(json!({"query": query}).to_string()),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graphql_login_is_understood() {
        let schema = json!({"data": {"__schema": {"mutationType": {"fields": [
            {"name": "createPost", "args": [{"name": "title"}], "type": {}},
            {"name": "tokenAuth", "args": [{"name": "username"}, {"name": "password"}],
             "type": {"fields": [{"name": "payload"}, {"name": "token"}]}}
        ]}}}});
        let login = graphql_login(&schema).unwrap();
        let body = Request::login(&login, "a\"b", "p").body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body["query"],
            r#"mutation { tokenAuth(username: "a\"b", password: "p") { token } }"#
        );
        let evil = json!({"data": {"__schema": {"mutationType": {"fields": [
            {"name": "login", "args": [{"name": "username"}, {"name": "password"}], "type": {"fields": [{"name": "x} y"}]}}
        ]}}}});
        assert!(
            graphql_login(&evil).is_some_and(|login| login.to_string().contains("{{password}}"))
        );
        assert_eq!(graphql_login(&json!({"errors": []})), None);
    }

    #[test]
    fn the_usual_logins_are_of_the_grammar() {
        for words in USUAL {
            assert_eq!(
                words
                    .parse::<Login>()
                    .map(|login| login.to_string())
                    .as_deref(),
                Ok(words)
            );
        }
        let json = "POST /login json:/username json:/password".parse().unwrap();
        assert_eq!(spelled(json, "a@b.c").len(), 2);
    }
}
