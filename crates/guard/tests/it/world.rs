//! An application, a guard in front of it, and a client.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use doorwarden_decision::Policy;
use doorwarden_guard::{Config, Event, Guard, ProtectedLogin};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

pub fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// The application: its login takes `right` for every name but `nobody`.
#[derive(Default)]
pub struct Application {
    /// Requests that it saw, as "METHOD path".
    pub seen: Mutex<Vec<String>>,
    /// Heads of the requests that it saw.
    pub heads: Mutex<Vec<http::HeaderMap>>,
}

impl Application {
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        self.seen
            .lock()
            .unwrap()
            .push(format!("{} {path}", request.method()));
        self.heads.lock().unwrap().push(request.headers().clone());
        match path.to_lowercase().trim_end_matches('/') {
            // However it is spelt: frameworks and proxies differ in what they take for one path.
            path if path.contains("ogin") => login(request).await,
            "/echo" => Response::new(request.into_body().map_err(Into::into).boxed_unsync()),
            "/count" => {
                let mut body = request.into_body();
                let mut bytes = 0;
                while let Some(Ok(frame)) = body.frame().await {
                    bytes += frame.data_ref().map_or(0, Bytes::len);
                }
                Response::new(full(bytes.to_string()))
            }
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                Response::new(full("slow"))
            }
            "/hang" => std::future::pending().await,
            _ => Response::new(full("home")),
        }
    }
}

async fn login(request: Request<Incoming>) -> Response<Body> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let answer = |status, text: &str| {
        let mut response = Response::new(full(text.to_owned()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert("x-app", "1".parse().unwrap());
        response
    };
    match (
        value["username"].as_str().unwrap(),
        value["password"].as_str().unwrap(),
    ) {
        (_, "right") => answer(200, r#"{"access_token":"t"}"#),
        (_, "crash") => answer(500, "oops"),
        (_, hang) if hang.starts_with("hang") => std::future::pending().await,
        ("nobody", _) => answer(404, r#"{"detail":"no such user"}"#),
        ("locked", _) => answer(403, r#"{"detail":"account locked"}"#),
        _ => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer(401, r#"{"detail":"wrong password"}"#)
        }
    }
}

/// A guard in front of the application, both running.
pub struct World {
    pub app: Arc<Application>,
    pub address: SocketAddr,
    pub admin: Option<SocketAddr>,
    pub events: Arc<Mutex<Vec<serde_json::Value>>>,
    stop: Option<oneshot::Sender<()>>,
    guard: JoinHandle<()>,
}

pub const LOGIN: &str = "POST /login json:/username json:/password";

impl World {
    pub async fn start() -> Self {
        Self::start_with(|_| {}, Policy::default()).await
    }

    pub async fn start_with(configure: impl FnOnce(&mut Config), policy: Policy) -> Self {
        let app = Arc::new(Application::default());
        let upstream = serve(Arc::clone(&app)).await;
        Self::in_front_of(app, upstream, configure, policy).await
    }

    /// A guard in front of any address.
    pub async fn in_front_of(
        app: Arc<Application>,
        upstream: SocketAddr,
        configure: impl FnOnce(&mut Config),
        policy: Policy,
    ) -> Self {
        let login = ProtectedLogin::new(LOGIN.parse().unwrap()).unwrap();
        let mut config = Config::new(format!("http://{upstream}").parse().unwrap(), vec![login]);
        config.listen = ([127, 0, 0, 1], 0).into();
        configure(&mut config);
        let events: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
        let told = Arc::clone(&events);
        let sink = move |event: &Event| {
            told.lock()
                .unwrap()
                .push(serde_json::to_value(event).unwrap())
        };
        let guard = Guard::bind(config, policy, Box::new(sink)).await.unwrap();
        let address = guard.address();
        let admin = guard.admin_address();
        let (stop, stopped) = oneshot::channel();
        let guard = tokio::spawn(guard.run(async {
            let _ = stopped.await;
        }));
        Self {
            app,
            address,
            admin,
            events,
            stop: Some(stop),
            guard,
        }
    }

    /// Asks the guard to end, and waits for it.
    pub async fn shut_down(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        (&mut self.guard).await.unwrap();
    }

    pub fn outcomes(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events
            .iter()
            .map(|event| event["outcome"].as_str().unwrap().to_owned())
            .collect()
    }

    /// One question at another address, by a name.
    pub async fn get(&self, address: SocketAddr, path: &str, host: &str) -> Answer {
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::get(format!("http://{address}{path}")).header("host", host);
        let answered = client
            .request(request.body(full("")).unwrap())
            .await
            .unwrap();
        Answer::read(answered).await
    }

    /// One request over HTTP/1.1.
    pub async fn send(&self, request: Request<Body>) -> Response<Incoming> {
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
        let (mut parts, body) = request.into_parts();
        parts.uri = format!("http://{}{}", self.address, parts.uri)
            .parse()
            .unwrap();
        client
            .request(Request::from_parts(parts, body))
            .await
            .unwrap()
    }

    pub async fn post(&self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
        let request = Request::post(path)
            .header("content-type", content_type)
            .body(full(body))
            .unwrap();
        Answer::read(self.send(request).await).await
    }

    pub async fn try_login(&self, username: &str, password: &str) -> Answer {
        let body = serde_json::json!({"username": username, "password": password});
        self.post("/login", "application/json", body.to_string())
            .await
    }

    /// Bytes as they are, and all that comes back until the guard closes or `quiet` has passed.
    pub async fn raw(&self, bytes: &[u8], quiet: Duration) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(Ok(n)) = tokio::time::timeout(quiet, stream.read(&mut buffer)).await {
            if n == 0 {
                break;
            }
            answer.extend_from_slice(&buffer[..n]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// An answer with its whole body.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub async fn read(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let mut headers: Vec<(String, String)> = parts
            .headers
            .iter()
            .filter(|(name, _)| *name != "date")
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        Self {
            status: parts.status.as_u16(),
            headers,
            body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

async fn serve(app: Arc<Application>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let app = Arc::clone(&app);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = Arc::clone(&app).answer(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    address
}
