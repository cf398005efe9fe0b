//! Requests whose framing two servers could read in two ways.

use std::time::Duration;

use crate::world::World;

const QUIET: Duration = Duration::from_millis(300);

#[tokio::test]
async fn doubtful_framing_is_refused_and_never_reaches_the_application() {
    let world = World::start().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for head in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "content-length: 5, 5x\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding:\u{b}chunked\r\n",
        "host: b\r\n",
        "x: 1\r\n folded: 2\r\n",
        "connection: close, authorization\r\n",
    ] {
        let request = format!("POST /count HTTP/1.1\r\nhost: a\r\n{head}\r\n0\r\n\r\n{smuggled}");
        let answer = world.raw(request.as_bytes(), QUIET).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{head:?}: {answer}");
    }
    for request in [
        format!("POST /count HTTP/1.1\r\n\r\n{smuggled}"),
        format!("CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n{smuggled}"),
        format!(
            "POST /count HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
        ),
    ] {
        let answer = world.raw(request.as_bytes(), QUIET).await;
        assert!(
            answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.0 400"),
            "{answer}"
        );
    }
    assert_eq!(world.app.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn both_lengths_at_once_end_the_connection() {
    let world = World::start().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for head in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
    ] {
        let request = format!("POST /count HTTP/1.1\r\nhost: a\r\n{head}\r\n0\r\n\r\n{smuggled}");
        let answer = world.raw(request.as_bytes(), QUIET).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{head:?}: {answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert_eq!(world.app.seen(), ["POST /count", "POST /count"]);
    let heads = world.app.heads.lock().unwrap();
    assert!(heads.iter().all(
        |head| !(head.contains_key("content-length") && head.contains_key("transfer-encoding"))
    ));
}
