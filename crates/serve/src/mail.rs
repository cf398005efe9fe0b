//! Mails: sent by SMTP, given to a program of the operator's, or written into the data directory.

use std::{path::PathBuf, process::Stdio, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{Config, ConfigError};

/// How long the operator's program may take.
const LONGEST: Duration = Duration::from_secs(30);

/// How mails leave.
pub(crate) enum Mailer {
    /// A mail server, and who mails are from.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>, Mailbox),
    /// A program and its arguments; the mail is its standard input (as sendmail -t takes it).
    Command(Vec<String>),
    /// A directory with a file for each.
    Folder(PathBuf),
}

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsent {
    #[error("failed to write a mail: {0}")]
    Write(#[from] std::io::Error),
    #[error("failed to send a mail: {program} {how}")]
    Command { program: String, how: String },
    #[error("failed to send a mail: {0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    #[error("failed to write a mail: {0}")]
    Form(#[from] lettre::error::Error),
    #[error("failed to write a mail: {0}")]
    Address(#[from] lettre::address::AddressError),
}

/// The server of a URL. Tokens for new passwords cross no network unencrypted.
fn server(url: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let parsed = url::Url::parse(url)
        .map_err(|_| "it takes smtps://NAME:PASSWORD@HOST, or smtp://…?tls=required")?;
    let encrypted = parsed.scheme() == "smtps"
        || parsed
            .query_pairs()
            .any(|pair| pair == ("tls".into(), "required".into()));
    let host = parsed.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let address: Result<std::net::IpAddr, _> = host.parse();
    let here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if !encrypted && !here {
        return Err("mails would cross a network unencrypted; add ?tls=required".into());
    }
    // What it says of the URL may quote it, and there is a password in it.
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
        .map_err(|_| "it is no URL of a mail server")?;
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

    /// Sends a mail (RFC 5322). The address was checked to be one line.
    pub(crate) async fn send(&self, to: &str, subject: &str, text: &str) -> Result<(), Unsent> {
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
                getrandom::fill(&mut random)
                    .map_err(|_| std::io::Error::other("there is no randomness"))?;
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
                    .ok_or_else(|| std::io::Error::other("no program"))?;
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
                    Ok(Ok(status)) => Err(failed(format!("ended with {status}"))),
                    Ok(Err(error)) => Err(failed(error.to_string())),
                    Err(_) => Err(failed(format!("took over {} s", LONGEST.as_secs()))),
                }
            }
        }
    }
}

/// Whether a text is one mail address, in one line: something, an @, a domain.
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
}
