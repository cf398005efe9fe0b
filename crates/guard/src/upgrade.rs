//! Tunnels: WebSocket, and whatever else leaves HTTP by an upgrade.

use http::{Response, StatusCode, header::UPGRADE};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;

/// Joins the two connections once both sides have left HTTP. Ends when either side closes.
pub(crate) fn join(client: OnUpgrade, response: &mut Response<Incoming>) {
    let application = hyper::upgrade::on(response);
    tokio::spawn(async move {
        if let (Ok(client), Ok(application)) = tokio::join!(client, application) {
            let (mut client, mut application) = (TokioIo::new(client), TokioIo::new(application));
            // An error here is one side going away; the other is closed by the drop.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut application).await;
        }
    });
}

/// Whether the application agreed.
pub(crate) fn agreed(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS && response.headers().contains_key(UPGRADE)
}
