//! Email: sent by SMTP, passed to a program, or written to the data directory.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{Config, ConfigError};

/// The timeout of a program or an SMTP command.
const LONGEST: Duration = Duration::from_secs(30);

/// How email is sent.
pub(crate) enum Mailer {
    /// A mail server and the sender.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>, Mailbox),
    /// A program and its arguments; the message is its standard input (as for `sendmail -t`).
    Command(Vec<String>),
    /// A directory with a file per message.
    Folder(PathBuf),
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsent {
    #[error("failed to write an email: {0}")]
    Write(#[from] std::io::Error),
    #[error("failed to send an email: {program}: {how}")]
    Command { program: String, how: String },
    /// Without the server's text, which repeats the address.
    #[error("failed to send an email: {}", describe(.0))]
    Smtp(#[from] lettre::transport::smtp::Error),
    #[error("failed to write an email: {0}")]
    Form(#[from] lettre::error::Error),
    #[error("failed to write an email: {0}")]
    Address(#[from] lettre::address::AddressError),
}

/// Describes an SMTP error by its kind and code.
fn describe(error: &lettre::transport::smtp::Error) -> String {
    let kind = match error {
        error if error.is_permanent() => "the server rejected it",
        error if error.is_transient() => "the server rejected it for now",
        error if error.is_timeout() => "the server did not respond in time",
        error if error.is_tls() => "TLS failed",
        _ => "the connection failed",
    };
    match error.status() {
        Some(code) => format!("{kind} ({code})"),
        None => kind.to_owned(),
    }
}

/// Returns the server of a URL. Password-reset tokens never cross a network unencrypted.
fn server(url: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parsed = url::Url::parse(url)
        .map_err(|_| "it must be smtps://NAME:PASSWORD@HOST or smtp://…?tls=required")?;
    let encrypted = parsed.scheme() == "smtps"
        || parsed
            .query_pairs()
            .any(|pair| pair == ("tls".into(), "required".into()));
    let host = parsed.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let address: Result<std::net::IpAddr, _> = host.parse();
    let here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if !encrypted && !here {
        return Err("email would cross a network unencrypted; add ?tls=required".into());
    }
    // The error may quote the URL, which has a password.
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
        .map_err(|_| "not the URL of an SMTP server")?;
    Ok(builder.timeout(Some(LONGEST)).build())
}

impl Mailer {
    pub(crate) fn of(config: &Config) -> Result<Self, ConfigError> {
        let (Some(url), Some(from)) = (&config.smtp, &config.mail_from) else {
            return Ok(match &config.mail_command[..] {
                [] => Self::Folder(config.data.join("mail")),
                words => Self::Command(words.to_vec()),
            });
        };
        let failed = |field, reason: String| ConfigError::Mail { field, reason };
        let server = server(url.expose()).map_err(|reason| failed("smtp", reason))?;
        let from = from.parse();
        let from = from.map_err(|error: lettre::address::AddressError| {
            failed("mail_from", error.to_string())
        })?;
        Ok(Self::Smtp(Box::new(server), from))
    }

    /// Sends a message (RFC 5322). The address has been checked to be one line.
    pub(crate) async fn send(&self, to: &str, subject: &str, text: &str) -> Result<(), Unsent> {
        let by = match self {
            Self::Smtp(..) => "smtp",
            Self::Command(_) => "command",
            Self::Folder(_) => "file",
        };
        let started = Instant::now();
        let sent = self.hand_over(to, subject, text).await;
        let elapsed_ms = started.elapsed().as_millis() as u64;
        tracing::debug!(
            by,
            elapsed_ms,
            sent = sent.is_ok(),
            "email delivery finished"
        );
        sent
    }

    async fn hand_over(&self, to: &str, subject: &str, text: &str) -> Result<(), Unsent> {
        let mail = format!(
            "To: {to}\nSubject: {subject}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\n\n{text}\n"
        );
        match self {
            Self::Smtp(server, from) => {
                let message = Message::builder()
                    .from(from.clone())
                    .to(to.parse()?)
                    .subject(subject)
                    .header(ContentType::TEXT_PLAIN)
                    .body(text.to_owned())?;
                server.send(message).await?;
                Ok(())
            }
            Self::Folder(folder) => {
                tokio::fs::create_dir_all(folder).await?;
                let mut random = [0; 8];
                getrandom::fill(&mut random).map_err(|_| {
                    std::io::Error::other("failed to get random bytes from the system")
                })?;
                let number = u64::from_le_bytes(random);
                let mut options = tokio::fs::OpenOptions::new();
                options.create_new(true).write(true).mode(0o600);
                let mut file = options
                    .open(folder.join(format!("{number:016x}.eml")))
                    .await?;
                file.write_all(mail.as_bytes()).await?;
                Ok(file.flush().await?)
            }
            Self::Command(words) => {
                let (program, arguments) = words
                    .split_first()
                    .ok_or_else(|| std::io::Error::other("`mail_command` is empty"))?;
                let failed = |how: String| Unsent::Command {
                    program: program.clone(),
                    how,
                };
                let mut child = Command::new(program)
                    .args(arguments)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .spawn()
                    .map_err(|error| failed(error.to_string()))?;
                let done = async {
                    if let Some(mut input) = child.stdin.take() {
                        input.write_all(mail.as_bytes()).await?;
                        input.shutdown().await?;
                    }
                    child.wait().await
                };
                match tokio::time::timeout(LONGEST, done).await {
                    Ok(Ok(status)) if status.success() => Ok(()),
                    Ok(Ok(status)) => Err(failed(status.to_string())),
                    Ok(Err(error)) => Err(failed(error.to_string())),
                    Err(_) => Err(failed(format!("timed out after {} s", LONGEST.as_secs()))),
                }
            }
        }
    }
}

/// Returns true if a text is one email address, in one line: a local part, an @, a domain.
pub(crate) fn is_address(text: &str) -> bool {
    let plain = text.len() <= 254
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"<>,;:\"\\()[]".contains(&byte));
    let parts: Vec<&str> = text.split('@').collect();
    plain
        && matches!(parts[..], [local, domain] if !local.is_empty() && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tokens_cross_no_network_unencrypted() {
        for fine in [
            "smtps://me:pw@mail.example.org",
            "smtp://mail.example.org:587?tls=required",
            "smtp://127.0.0.1:2525",
            "smtp://localhost",
        ] {
            assert!(server(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "smtp://me:canary@mail.example.org",
            "smtp://me:canary@mail.example.org?tls=opportunistic",
            "mail.example.org",
            "canary://me:canary@mail.example.org?tls=required",
        ] {
            let error = server(wrong).err().unwrap();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[tokio::test]
    async fn an_smtp_error_does_not_repeat_the_address() {
        use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            write.write_all(b"220 test\r\n").await.unwrap();
            let mut lines = BufReader::new(read).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let reply = match line.get(..4) {
                    Some("RCPT") => "550 5.1.1 <canary@example.org>: no such user\r\n",
                    _ => "250 fine\r\n",
                };
                let _ = write.write_all(reply.as_bytes()).await;
            }
        });
        let from = "doorwarden@example.org".parse().unwrap();
        let server = server(&format!("smtp://127.0.0.1:{port}")).unwrap();
        let mailer = Mailer::Smtp(Box::new(server), from);
        let error = mailer
            .send("canary@example.org", "s", "t")
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("550") && !text.contains("canary"), "{text}");
    }
}
