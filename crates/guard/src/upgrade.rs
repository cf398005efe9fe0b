//! WebSocket tunnels.

use std::time::Duration;

use http::{Response, StatusCode};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy, split};

use crate::{hop, server::Line};

/// How long the other direction may go on when one has ended.
const LINGER: Duration = Duration::from_secs(5);

/// Joins the two connections once both sides have left HTTP. Ends when a side closes, or when the
/// server does; until then it holds the connection's place.
pub(crate) fn join(client: OnUpgrade, response: &mut Response<Incoming>, line: Line) {
    let application = hyper::upgrade::on(response);
    tokio::spawn(async move {
        let mut closing = line.closing.clone();
        let tunnel = async {
            let (Ok(client), Ok(application)) = tokio::join!(client, application) else {
                return;
            };
            let (mut from_client, mut to_client) = split(TokioIo::new(client));
            let (mut from_app, mut to_app) = split(TokioIo::new(application));
            // An error here is one side going away; both are closed by the drop.
            let up = async {
                let _ = copy(&mut from_client, &mut to_app).await;
                let _ = to_app.shutdown().await;
            };
            let down = async {
                let _ = copy(&mut from_app, &mut to_client).await;
                let _ = to_client.shutdown().await;
            };
            let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
            tokio::select! {
                () = &mut up => { let _ = tokio::time::timeout(LINGER, down).await; }
                () = &mut down => { let _ = tokio::time::timeout(LINGER, up).await; }
            }
        };
        tokio::select! {
            () = tunnel => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        drop(line);
    });
}

/// Whether the application agreed to a WebSocket.
pub(crate) fn agreed(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS && hop::names_websocket(response.headers())
}
