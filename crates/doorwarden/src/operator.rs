//! The operator's key: created once, readable by its owner only.

use std::{fs, io, path::PathBuf};

use doorwarden_scan::OperatorKey;

use crate::Failure;

const VARIABLE: &str = "DOORWARDEN_OPERATOR_KEY";

/// Reads the key from the environment or the file, if there is one.
pub(crate) fn read() -> Result<Option<OperatorKey>, Failure> {
    // CI sets the variable of a missing secret to an empty string.
    if let Some(hex) = std::env::var(VARIABLE).ok().filter(|hex| !hex.is_empty()) {
        let wrong = || Failure::usage(format!("{VARIABLE} is not 64 hexadecimal digits"));
        return OperatorKey::from_hex(&hex).ok_or_else(wrong).map(Some);
    }
    let path = path()?;
    match fs::read_to_string(&path) {
        Ok(hex) => {
            let wrong = || {
                Failure::usage(format!(
                    "{} is not 64 hexadecimal digits; restore it, or remove it to create a new one",
                    path.display()
                ))
            };
            OperatorKey::from_hex(&hex).ok_or_else(wrong).map(Some)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::usage(format!(
            "failed to read {}: {error}",
            path.display()
        ))),
    }
}

/// Reads the key, or creates one.
pub(crate) fn read_or_create() -> Result<OperatorKey, Failure> {
    if let Some(key) = read()? {
        return Ok(key);
    }
    let path = path()?;
    let failed = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "failed to write {}: {error}; or set {VARIABLE}",
            path.display()
        ))
    };
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| failed(&error))?;
    let key = OperatorKey::new(bytes);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    write_private(&path, &key.to_hex()).map_err(|error| failed(&error))?;
    eprintln!(
        "Created an operator key in {}. Keep it, and set {VARIABLE} from it in CI.",
        path.display()
    );
    Ok(key)
}

fn write_private(path: &PathBuf, text: &str) -> io::Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

fn path() -> Result<PathBuf, Failure> {
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    let nowhere = || {
        Failure::usage(format!(
            "no home directory for the operator key; set {VARIABLE}"
        ))
    };
    Ok(folder.ok_or_else(nowhere)?.join("doorwarden/operator.key"))
}
