//! Mails: given to a program of the operator's, or written into the data directory.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt, process::Command};

/// How long the operator's program may take.
const LONGEST: Duration = Duration::from_secs(30);

/// How mails leave.
pub(crate) enum Mailer {
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
}

impl Mailer {
    /// Sends a mail (RFC 5322). The address was checked to be one line.
    pub(crate) async fn send(&self, to: &str, subject: &str, text: &str) -> Result<(), Unsent> {
        let mail = format!(
            "To: {to}\nSubject: {subject}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\n\n{text}\n"
        );
        match self {
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
