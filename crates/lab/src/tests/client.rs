//! A client with an IP address of its own, and logins to send requests to.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use crate::{Server, Specimen, start};

pub(super) struct Client {
    server: SocketAddr,
    source: IpAddr,
    forwarded_for: Option<String>,
}

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

/// The name of one of the accounts that a login has.
pub(super) fn account(number: u8) -> String {
    format!("user{number:02}")
}

/// The password of an account.
pub(super) fn password_of(name: &str) -> String {
    format!("the password of {name}")
}

/// Starts a specimen whose hashes take no time, with 40 accounts.
pub(super) async fn start_fast(specimen: &Specimen) -> Server {
    let fast = Specimen {
        fast_hash: Some(Duration::ZERO),
        ..specimen.clone()
    };
    let accounts = (0..40).map(account);
    let accounts = accounts.map(|name| (name.clone(), password_of(&name)));
    start(fast, accounts.collect()).await.unwrap()
}

impl Client {
    /// A client at 127.9.9.`number`.
    pub(super) fn new(server: &Server, number: u8) -> Self {
        Self {
            server: server.address(),
            source: IpAddr::from([127, 9, 9, number]),
            forwarded_for: None,
        }
    }

    /// The same client, which claims to forward requests of another.
    pub(super) fn forwarding_for(&self, address: String) -> Self {
        Self {
            forwarded_for: Some(address),
            ..*self
        }
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: lab\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        if let Some(address) = &self.forwarded_for {
            request += &format!("x-forwarded-for: {address}\r\n");
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("\r\n{body}");
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(self.source, 0)).unwrap();
        let mut stream = socket.connect(self.server).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        Response {
            status: head[9..12].parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Response {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", &*bearer)];
        self.send("GET", path, &headers, "").await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Response {
        let headers = [("content-type", "application/json")];
        self.send("POST", path, &headers, &body.to_string()).await
    }

    pub(super) async fn post_form(&self, path: &str, body: &str) -> Response {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", path, &headers, body).await
    }

    pub(super) async fn log_in(&self, name: &str, password: &str) -> Response {
        let body = json!({"username": name, "password": password});
        self.post("/login", body).await
    }

    /// Returns true if the correct password of an account logs in.
    pub(super) async fn can_log_in(&self, name: &str) -> bool {
        let response = self.log_in(name, &password_of(name)).await;
        response.token().is_some()
    }

    /// Logs in to an account and returns its token.
    pub(super) async fn token(&self, name: &str) -> String {
        let response = self.log_in(name, &password_of(name)).await;
        response.token().unwrap()
    }

    /// Returns true if a token grants access to `/me`.
    pub(super) async fn accepts(&self, token: &str) -> bool {
        self.get("/me", token).await.status == 200
    }
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = fields.filter(|field| field.0.eq_ignore_ascii_case(name));
        values.next().map(|field| field.1)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Returns the token of a successful login, in the body or in a cookie.
    pub(super) fn token(&self) -> Option<String> {
        let body = self.json();
        let cookie = || self.header("set-cookie")?.strip_prefix("session=");
        let token = body["access_token"].as_str().or_else(cookie)?;
        token.split(';').next().map(str::to_owned)
    }

    /// Returns what an attacker can compare.
    pub(super) fn answer(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}
