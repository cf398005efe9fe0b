//! Messages signed by the Standard Webhooks specification (version 1.0.0): the receiver can verify
//! who sent a message, that it was not modified, and that it is not a replay.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use doorwarden_scan::Target;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, redirect};
use serde_json::json;
use sha2::Sha256;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use crate::{Change, Summary};

/// A receiver of messages, and the secret that signs them.
pub struct Webhook {
    url: Url,
    secret: Vec<u8>,
}

/// A message. Its id stays the same when it is sent again, so that a receiver can ignore
/// duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The message's id.
    pub(crate) id: String,
    /// When the message was created, in seconds since 1970.
    pub(crate) created_at: i64,
    /// The payload, a JSON document.
    pub(crate) body: String,
}

/// The error of an invalid webhook secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid webhook secret: it must be `whsec_` followed by 24 to 64 bytes in Base64; generate one \
     with: echo whsec_$(openssl rand -base64 32)"
)]
pub struct InvalidSecret;

/// Why a message was not delivered. It stays queued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    /// There was no response.
    #[error("failed to deliver to the webhook: no response ({0})")]
    NoResponse(String),
    /// The response was not 2xx.
    #[error("failed to deliver to the webhook: it responded with status {0}")]
    Rejected(u16),
}

/// Attempts per delivery.
const ATTEMPTS: u32 = 3;

/// The delay before the second attempt. Each further delay is twice the previous one.
const DELAY: Duration = Duration::from_secs(1);

/// The timeout of an attempt (the specification recommends 15 to 30 s).
const TIMEOUT: Duration = Duration::from_secs(15);

impl Message {
    /// Creates a message with a new id.
    pub(crate) fn new(created_at: i64, body: String) -> Self {
        let mut bytes = [0; 16];
        // Without randomness the time alone has to make ids unique.
        let _ = getrandom::fill(&mut bytes);
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            id: format!("msg_{created_at}_{id}"),
            created_at,
            body,
        }
    }

    /// Creates the message about a change, of type `doorwarden.scan.changed`.
    pub(crate) fn about_change(
        target: &Target,
        time: OffsetDateTime,
        change: &Change,
        previous: Option<&Summary>,
        current: &Summary,
    ) -> Self {
        let body = json!({
            "type": "doorwarden.scan.changed",
            "timestamp": time.format(&Rfc3339).unwrap_or_default(),
            "data": {
                "target": target.to_string(),
                "change": change,
                "previous": previous,
                "current": current,
            },
        });
        Self::new(time.unix_timestamp(), body.to_string())
    }
}

impl Webhook {
    /// Creates a webhook. The secret is in the specification's form, `whsec_` and Base64.
    pub fn new(url: Url, secret: &str) -> Result<Self, InvalidSecret> {
        let secret = secret.trim().strip_prefix("whsec_").ok_or(InvalidSecret)?;
        let secret = BASE64_STANDARD.decode(secret).map_err(|_| InvalidSecret)?;
        if !(24..=64).contains(&secret.len()) {
            return Err(InvalidSecret);
        }
        Ok(Self { url, secret })
    }

    /// Delivers a message, in at most three attempts. Redirects are not followed.
    pub(crate) async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        let client = build_client()?;
        let mut attempt = 1;
        loop {
            match self
                .attempt(&client, message, OffsetDateTime::now_utc())
                .await
            {
                Err(_) if attempt < ATTEMPTS => {
                    tokio::time::sleep(DELAY * 2u32.pow(attempt - 1)).await;
                    attempt += 1;
                }
                last => return last,
            }
        }
    }

    async fn attempt(
        &self,
        client: &Client,
        message: &Message,
        now: OffsetDateTime,
    ) -> Result<(), DeliveryError> {
        let now = now.unix_timestamp();
        let request = client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", self.sign(message, now))
            .body(message.body.clone());
        let status = request.send().await.map_err(no_response)?.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(DeliveryError::Rejected(status.as_u16()))
        }
    }

    /// Returns the receiver for the log: only the origin, as many services put a secret into the path.
    pub(crate) fn receiver(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Returns the value of `webhook-signature` for a message that is sent at this second.
    fn sign(&self, message: &Message, now: i64) -> String {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.secret);
        let tag = mac.map(|mac| {
            let signed = format!("{}.{now}.{}", message.id, message.body);
            mac.chain_update(signed).finalize().into_bytes().to_vec()
        });
        format!("v1,{}", BASE64_STANDARD.encode(tag.unwrap_or_default()))
    }
}

fn build_client() -> Result<Client, DeliveryError> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT)
        .user_agent(concat!("doorwarden-watch/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(no_response)
}

/// Returns an error with the innermost cause only: the URL may hold a secret, and it is not part of
/// that.
fn no_response(error: reqwest::Error) -> DeliveryError {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    DeliveryError::NoResponse(cause.to_string().escape_debug().to_string())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn webhook(url: &str) -> Webhook {
        Webhook::new(url.parse().unwrap(), SECRET).unwrap()
    }

    /// Responds to one request with each of these statuses and returns the requests' heads.
    async fn receiver(statuses: &'static [&str]) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/path?token=t0ken", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let mut heads = Vec::new();
            for status in statuses {
                let (mut peer, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 4096];
                let length = peer.read(&mut head).await.unwrap();
                heads.push(String::from_utf8_lossy(&head[..length]).into_owned());
                let response =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                peer.write_all(response.as_bytes()).await.unwrap();
            }
            heads
        });
        (url, server)
    }

    #[test]
    fn the_signature_matches_the_example_of_the_specification() {
        // standard-webhooks/libraries, the test vector of its clients.
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(),
            created_at: 0,
            body: r#"{"test": 2432232314}"#.into(),
        };
        assert_eq!(
            webhook("http://127.0.0.1").sign(&message, 1_614_265_330),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn an_invalid_secret_is_rejected() {
        let url: Url = "http://127.0.0.1".parse().unwrap();
        for secret in ["", "secret", "whsec_short", "whsec_%%%"] {
            assert!(Webhook::new(url.clone(), secret).is_err());
        }
    }

    #[test]
    fn the_payload_has_a_type_a_time_and_data() {
        let change = Change {
            new: vec!["spray-unseen".into()],
            ..Change::default()
        };
        let (target, now) = ("http://a".parse().unwrap(), OffsetDateTime::UNIX_EPOCH);
        let (previous, current) = (Summary::default(), Summary::from_failure("timeout"));
        let message = Message::about_change(&target, now, &change, Some(&previous), &current);
        let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(body["type"], "doorwarden.scan.changed");
        assert_eq!(body["timestamp"], "1970-01-01T00:00:00Z");
        let data = &body["data"];
        assert_eq!(data["target"], "http://a");
        assert_eq!(data["change"]["new"], json!(["spray-unseen"]));
        assert_eq!(data["previous"]["failure"], json!(null));
        assert_eq!(data["current"]["failure"], "timeout");
    }

    #[tokio::test]
    async fn delivery_is_retried_with_the_same_id() {
        let (url, server) = receiver(&["500 Oops", "204 No Content"]).await;
        let message = Message::new(7, "{}".into());
        webhook(&url).deliver(&message).await.unwrap();
        let heads = server.await.unwrap();
        let id = format!("webhook-id: {}", message.id);
        assert!(
            heads
                .iter()
                .all(|head| head.contains(&id) && head.contains("webhook-signature: v1,")),
            "{heads:?}"
        );
    }

    #[tokio::test]
    async fn errors_and_log_contain_neither_the_url_nor_the_secret() {
        let (client, message) = (build_client().unwrap(), Message::new(7, "{}".into()));
        let now = OffsetDateTime::UNIX_EPOCH;
        let closed = webhook("http://user:passw0rd@127.0.0.1:1/path?token=t0ken");
        let unreachable = closed.attempt(&client, &message, now).await.unwrap_err();
        assert!(matches!(unreachable, DeliveryError::NoResponse(_)));
        let (url, _) = receiver(&["302 Found"]).await;
        let redirected = webhook(&url).attempt(&client, &message, now).await;
        let rejected = redirected.unwrap_err();
        assert!(matches!(rejected, DeliveryError::Rejected(302)));
        let texts = [
            unreachable.to_string(),
            rejected.to_string(),
            closed.receiver(),
        ];
        for text in texts {
            for part in ["passw0rd", "/path", "t0ken", &SECRET[6..]] {
                assert!(!text.contains(part), "{part} in {text}");
            }
        }
    }
}
