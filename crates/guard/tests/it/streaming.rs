//! Everything that is no login streams through untouched.

use std::time::Duration;

use bytes::Bytes;
use doorwarden_decision::Policy;
use futures_util::stream;
use http::{Request, Version};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::world::{Answer, Application, Body, World, full};

/// A chunked body of so many megabytes, made as it is sent.
fn megabytes(n: usize) -> Body {
    let chunk = Bytes::from(vec![7; 1024 * 1024]);
    let frames = (0..n).map(move |_| Ok(Frame::data(chunk.clone())));
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let world = World::start().await;
    let up = world
        .send(Request::post("/count").body(megabytes(64)).unwrap())
        .await;
    assert_eq!(Answer::read(up).await.body, (64 * 1024 * 1024).to_string());
    let both = world
        .send(Request::post("/echo").body(megabytes(64)).unwrap())
        .await;
    let mut body = both.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().data_ref().map_or(0, Bytes::len);
    }
    assert_eq!(bytes, 64 * 1024 * 1024);
}

#[tokio::test]
async fn an_answer_arrives_as_it_is_made() {
    let world = World::start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let frames = stream::unfold(receiver, |mut receiver| async {
        let chunk = receiver.recv().await?;
        Some((
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Frame::data(chunk)),
            receiver,
        ))
    });
    let body = StreamBody::new(frames).boxed_unsync();
    sender.send("first".into()).await.unwrap();
    let mut answer = world
        .send(Request::post("/echo").body(body).unwrap())
        .await
        .into_body();
    let first = answer.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first");
    // Only now is the second chunk sent: nothing waited for the whole.
    sender.send("second".into()).await.unwrap();
    drop(sender);
    assert_eq!(answer.collect().await.unwrap().to_bytes(), "second");
}

#[tokio::test]
async fn a_websocket_tunnels() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let application = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: x\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        let mut ping = [0; 4];
        stream.read_exact(&mut ping).await.unwrap();
        stream.write_all(b"pong").await.unwrap();
        (String::from_utf8(head).unwrap().to_lowercase(), ping)
    });
    let app = std::sync::Arc::new(Application::default());
    let world = World::in_front_of(app, upstream, |_| {}, Policy::default()).await;
    let mut client = TcpStream::connect(world.address).await.unwrap();
    let request = b"GET /ws HTTP/1.1\r\nhost: site\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\nsec-websocket-version: 13\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(
        head.starts_with("http/1.1 101") && head.contains("upgrade: websocket"),
        "{head}"
    );
    client.write_all(b"ping").await.unwrap();
    let mut pong = [0; 4];
    client.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"pong");
    let (head, ping) = application.await.unwrap();
    assert_eq!(&ping, b"ping");
    assert!(
        head.contains("sec-websocket-key: k") && head.contains("host: site"),
        "{head}"
    );
}

#[tokio::test]
async fn http_2_is_served() {
    let world = World::start().await;
    let client: Client<_, Body> = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let uri = |path: &str| format!("http://{}{path}", world.address);
    let echo = Request::post(uri("/echo")).body(megabytes(3)).unwrap();
    let answer = client.request(echo).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes().len(),
        3 * 1024 * 1024
    );
    let body = r#"{"username":"alice","password":"wrong"}"#;
    let login = Request::post(uri("/login"))
        .header("content-type", "application/json")
        .body(full(body))
        .unwrap();
    assert_eq!(client.request(login).await.unwrap().status(), 401);
    let heads = world.app.heads.lock().unwrap();
    assert_eq!(heads[0]["host"], world.address.to_string().as_str());
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_application_s_work() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let app = std::sync::Arc::new(Application::default());
    let world = World::in_front_of(app, upstream, |_| {}, Policy::default()).await;
    let mut client = TcpStream::connect(world.address).await.unwrap();
    client
        .write_all(b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let (mut application, _) = listener.accept().await.unwrap();
    let mut head = [0; 1024];
    assert!(application.read(&mut head).await.unwrap() > 0);
    drop(client);
    let closed = tokio::time::timeout(Duration::from_secs(5), application.read(&mut head)).await;
    assert_eq!(closed.expect("the guard kept the connection").unwrap(), 0);
}

#[tokio::test]
async fn a_shutdown_lets_requests_in_flight_end() {
    let mut world = World::start().await;
    let address = world.address;
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(format!("http://{address}/slow"))
        .body(full(""))
        .unwrap();
    let slow =
        tokio::spawn(async move { Answer::read(client.request(request).await.unwrap()).await });
    while world.app.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.shut_down().await;
    assert_eq!(slow.await.unwrap().body, "slow");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_slow_upload_is_the_client_s_time_and_not_the_application_s() {
    let world = World::start_with(
        |config| config.upstream_timeout_seconds = 1,
        Policy::default(),
    )
    .await;
    let chunks = stream::unfold(0, |sent| async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let frame =
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Frame::data(Bytes::from("x")));
        (sent < 5).then_some((frame, sent + 1))
    });
    let body = StreamBody::new(chunks).boxed_unsync();
    let answer = world
        .send(Request::post("/count").body(body).unwrap())
        .await;
    assert_eq!(Answer::read(answer).await.body, "5");
    let hanging = world
        .send(Request::get("/hang").body(full("")).unwrap())
        .await;
    assert_eq!(hanging.status(), 504);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let world = World::start().await;
    for begun in ["", "PRI * HT", "GET / HTTP/1.1\r\n"] {
        let mut silent = TcpStream::connect(world.address).await.unwrap();
        silent.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(30), silent.read_to_end(&mut answer));
        assert!(closed.await.is_ok(), "{begun:?} is kept open");
    }
}

#[tokio::test]
async fn no_upgrade_but_a_websocket_is_passed_on() {
    let world = World::start().await;
    let request = "GET /h2c HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = world
        .raw(request.as_bytes(), Duration::from_millis(300))
        .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let heads = world.app.heads.lock().unwrap();
    assert!(!heads[0].contains_key("upgrade") && !heads[0].contains_key("http2-settings"));
}

#[tokio::test]
async fn a_shutdown_ends_tunnels_too() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let app = std::sync::Arc::new(Application::default());
    let mut world = World::in_front_of(app, upstream, |_| {}, Policy::default()).await;
    let mut client = TcpStream::connect(world.address).await.unwrap();
    let request =
        b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    client.write_all(request).await.unwrap();
    let (mut application, _) = listener.accept().await.unwrap();
    let mut buffer = [0; 1024];
    assert!(application.read(&mut buffer).await.unwrap() > 0);
    let answer =
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
    application.write_all(answer).await.unwrap();
    assert!(client.read(&mut buffer).await.unwrap() > 0);
    world.shut_down().await;
    let ended = tokio::time::timeout(Duration::from_secs(5), client.read(&mut buffer)).await;
    assert_eq!(ended.expect("the tunnel outlives the guard").unwrap(), 0);
}
