//! A signed message by the Standard Webhooks specification (version 1.0.0): the receiver knows who
//! sent it, that nothing was changed, and that it is not an old one.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, redirect};
use sha2::Sha256;
use url::Url;

/// Where messages go, and the secret that signs them.
pub struct Webhook {
    url: Url,
    secret: Vec<u8>,
}

/// One message; the same id each time it is sent, so that a receiver can take it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// When it was made, in seconds since 1970.
    pub at: i64,
    /// A JSON document.
    pub body: String,
}

/// Why a secret is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the webhook's secret is not of the form whsec_… with 24 to 64 bytes in Base64; make one: \
     echo whsec_$(openssl rand -base64 32)"
)]
pub struct InvalidSecret;

/// Why a message was not delivered. It is kept, and tried again after the next scan.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// No answer.
    #[error("failed to deliver to the webhook: no answer ({0})")]
    NoAnswer(String),
    /// An answer that is not 2xx.
    #[error("failed to deliver to the webhook: it answered {0}")]
    Refused(u16),
}

/// How often one message is tried in a row, and the first pause between; each is twice the last.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// How long one answer may take (the specification recommends 15 to 30 s).
const TIMEOUT: Duration = Duration::from_secs(15);

impl Message {
    /// A new message.
    pub fn new(at: i64, body: String) -> Self {
        let mut bytes = [0; 16];
        // Without randomness the time alone has to tell messages apart.
        let _ = getrandom::fill(&mut bytes);
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            id: format!("msg_{at}_{id}"),
            at,
            body,
        }
    }
}

impl Webhook {
    /// A webhook; the secret is as the specification writes it, `whsec_` and Base64.
    pub fn new(url: Url, secret: &str) -> Result<Self, InvalidSecret> {
        let secret = secret.trim().strip_prefix("whsec_").ok_or(InvalidSecret)?;
        let secret = BASE64_STANDARD.decode(secret).map_err(|_| InvalidSecret)?;
        if !(24..=64).contains(&secret.len()) {
            return Err(InvalidSecret);
        }
        Ok(Self { url, secret })
    }

    /// What goes into `webhook-signature`, for a message that is sent at this second.
    fn signature(&self, message: &Message, now: i64) -> String {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.secret);
        let tag = mac.map(|mac| {
            let signed = format!("{}.{now}.{}", message.id, message.body);
            mac.chain_update(signed).finalize().into_bytes().to_vec()
        });
        format!("v1,{}", BASE64_STANDARD.encode(tag.unwrap_or_default()))
    }

    /// Sends a message, up to three times. Redirects are not followed.
    pub async fn send(
        &self,
        message: &Message,
        now: impl Fn() -> i64,
    ) -> Result<(), DeliveryError> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("doorwarden-watch/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(no_answer)?;
        let mut failed = DeliveryError::Refused(0);
        for tried in 0..TRIES {
            if tried > 0 {
                tokio::time::sleep(PAUSE * 2u32.pow(tried - 1)).await;
            }
            let at = now();
            let request = client
                .post(self.url.clone())
                .header("content-type", "application/json")
                .header("webhook-id", &message.id)
                .header("webhook-timestamp", at)
                .header("webhook-signature", self.signature(message, at))
                .body(message.body.clone());
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => failed = DeliveryError::Refused(answer.status().as_u16()),
                Err(error) => failed = no_answer(error),
            }
        }
        Err(failed)
    }
}

/// The innermost cause: an address may hold a secret, and it is not among these.
fn no_answer(error: reqwest::Error) -> DeliveryError {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    DeliveryError::NoAnswer(cause.to_string().escape_debug().to_string())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    fn webhook(url: &str) -> Webhook {
        Webhook::new(
            url.parse().unwrap(),
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        )
        .unwrap()
    }

    #[test]
    fn the_example_of_the_specification_is_signed_alike() {
        // standard-webhooks/libraries, the test vector of its clients.
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(),
            at: 0,
            body: r#"{"test": 2432232314}"#.into(),
        };
        assert_eq!(
            webhook("http://127.0.0.1").signature(&message, 1_614_265_330),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_of_another_form_is_told() {
        let url: Url = "http://127.0.0.1".parse().unwrap();
        for secret in ["", "secret", "whsec_short", "whsec_%%%"] {
            assert!(Webhook::new(url.clone(), secret).is_err());
        }
    }

    #[tokio::test]
    async fn a_message_is_sent_again_until_it_is_taken() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let mut heads = Vec::new();
            for status in ["500 Oops", "204 No Content"] {
                let (mut peer, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 4096];
                let length = peer.read(&mut head).await.unwrap();
                heads.push(String::from_utf8_lossy(&head[..length]).into_owned());
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                peer.write_all(answer.as_bytes()).await.unwrap();
            }
            heads
        });
        let message = Message::new(7, "{}".into());
        webhook(&url)
            .send(&message, || 1_614_265_330)
            .await
            .unwrap();
        let heads = server.await.unwrap();
        let id = format!("webhook-id: {}", message.id);
        assert!(
            heads
                .iter()
                .all(|head| head.contains(&id) && head.contains("webhook-signature: v1,")),
            "{heads:?}"
        );
    }
}
