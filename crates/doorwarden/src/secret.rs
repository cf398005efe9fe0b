//! The secret of `guard` and `serve`, from where each may take it.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use doorwarden_gate::Secret;
use zeroize::Zeroizing;

use crate::Failure;

/// The environment variable.
const VARIABLE: &str = "DOORWARDEN_SECRET";

/// Only the owner may read a secret.
const PRIVATE: u32 = 0o600;

/// Reads the secret from the environment. A variable that is set and empty is an error: it stands for a
/// secret that was not delivered, and another one would lock all data away.
pub(crate) fn from_environment() -> Result<Option<Secret>, Failure> {
    let Some(value) = env::var_os(VARIABLE) else {
        return Ok(None);
    };
    let text = Zeroizing::new(value.into_string().unwrap_or_default());
    parse(&text, VARIABLE).map(Some)
}

/// Reads the secret that a program prints.
#[cfg(feature = "serve")]
pub(crate) fn from_command(program: &str, arguments: &[String]) -> Result<Secret, Failure> {
    let failed = |how: String| Failure::usage(format!("failed to get the secret: {program} {how}"));
    let output = std::process::Command::new(program).args(arguments).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("exited with {}", output.status)));
    }
    let text = Zeroizing::new(String::from_utf8(output.stdout).unwrap_or_default());
    parse(&text, &format!("the output of {program}"))
}

/// Reads the secret from a file.
pub(crate) fn from_file(path: &Path) -> Result<Secret, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("failed to read {shown}: {error}")))?;
    parse(&Zeroizing::new(text), &shown.to_string())
}

/// Reads the secret of a directory, which is created with a new one if it has none.
pub(crate) fn of_directory(folder: &Path) -> Result<Secret, Failure> {
    let path = folder.join("secret");
    if !path.exists() {
        fs::create_dir_all(folder)
            .and_then(|()| create(folder, &path))
            .map_err(|error| {
                Failure::usage(format!("failed to write {}: {error}", path.display()))
            })?;
    }
    from_file(&path)
}

/// Creates a secret that is there whole or not at all. Of two processes that create one at once, one wins.
fn create(folder: &Path, path: &Path) -> io::Result<()> {
    let fresh = folder.join(format!("secret.{}", std::process::id()));
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(io::Error::other)?;
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    let digits: Zeroizing<String> = Zeroizing::new(digits.collect());
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(PRIVATE)
        .open(&fresh)?;
    file.write_all(digits.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Parses a secret of 64 hexadecimal digits; `source` names where it came from.
fn parse(text: &str, source: &str) -> Result<Secret, Failure> {
    let digits = text.trim().as_bytes();
    let pairs = digits.chunks_exact(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    let bytes: Option<Vec<u8>> = pairs.collect();
    let bytes = bytes.filter(|_| digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit));
    let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.map(Secret::new).ok_or_else(|| {
        Failure::usage(format!(
            "{source} is not a valid secret: expected 64 hexadecimal digits, such as the output of `openssl rand -hex 32`"
        ))
    })
}
