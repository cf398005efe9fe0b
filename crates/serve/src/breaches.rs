//! Passwords known from breaches: a filter built from a downloaded corpus, or a range API.
//!
//! The corpus has one `SHA1:COUNT` per line, in hexadecimal digits, as Have I Been Pwned's downloader writes
//! it. The filter (a binary fuse filter, Graf and Lemire 2022, arXiv:2201.01174) takes 2.3 bytes per
//! password, has no false negatives, and one false positive in 65,536.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    time::Duration,
};

use aws_lc_rs::digest;
use doorwarden_gate::http::credentials::Password;
use xorf::{BinaryFuse16, BinaryFuse16Ref, DmaSerializable, Filter, FilterRef};
use zerocopy::IntoBytes;

use crate::Config;

/// The first bytes of a filter file.
const MAGIC: &[u8; 8] = b"DWFUSE16";

/// The timeout of the range API; a password is accepted if it does not respond.
const LONGEST: Duration = Duration::from_secs(2);

/// The maximum response of the range API: some 800 lines of 40 bytes, and as much padding.
const LONGEST_ANSWER: usize = 512 * 1024;

/// Why a filter can't be built or read, or a range API not be used.
#[derive(Debug, thiserror::Error)]
pub enum BreachError {
    /// A file can't be read or written.
    #[error("failed to read or write {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A malformed line of the corpus.
    #[error(
        "{path}:{line}: malformed line; each line must be SHA1:COUNT, 40 hexadecimal digits and a number"
    )]
    Line {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
    },
    /// No password to build a filter from.
    #[error("failed to build a filter: no password in {0} is frequent enough")]
    Empty(String),
    /// Not a filter file, or a damaged one.
    #[error("failed to read {0}: not a filter, or damaged; `doorwarden breach build` creates one")]
    Filter(String),
    /// An invalid URL of the range API.
    #[error(
        "invalid `breach_range` {0:?}; it must be a URL, such as https://api.pwnedpasswords.com/range"
    )]
    Range(String),
}

/// The source of known passwords.
pub(crate) enum Breaches {
    /// None.
    Unknown,
    /// A filter in memory: its descriptor and its fingerprints.
    Filter([u8; BinaryFuse16::DESCRIPTOR_LEN], Vec<u16>),
    /// A range API: a URL that takes the first five digits of the hash.
    Range(reqwest::Client, String),
}

fn sha1(password: &Password) -> String {
    let hash = digest::digest(
        &digest::SHA1_FOR_LEGACY_USE_ONLY,
        password.expose().as_bytes(),
    );
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

/// Returns the key of a hash in the filter: its first 64 bits.
fn key(hash: &str) -> Option<u64> {
    let digits = hash.get(..16)?;
    u64::from_str_radix(digits, 16).ok()
}

impl Breaches {
    /// Opens what a configuration names.
    pub(crate) fn of(config: &Config) -> Result<Self, BreachError> {
        match (&config.breach_filter, &config.breach_range) {
            (Some(path), _) => Self::read(path),
            (None, Some(url)) => Self::range(url),
            (None, None) => Ok(Self::Unknown),
        }
    }

    /// Reads a filter.
    fn read(path: &Path) -> Result<Self, BreachError> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| BreachError::File {
            path: shown.clone(),
            reason: error.to_string(),
        })?;
        Self::parse(&bytes).ok_or(BreachError::Filter(shown))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<32>()?;
        let whole = digest::digest(&digest::SHA256, content).as_ref() == sum;
        let content = content.strip_prefix(MAGIC).filter(|_| whole)?;
        let (descriptor, fingerprints) =
            content.split_first_chunk::<{ BinaryFuse16::DESCRIPTOR_LEN }>()?;
        let pairs = fingerprints.chunks_exact(2);
        let even = pairs.remainder().is_empty();
        let numbers = pairs
            .map(|pair| u16::from_ne_bytes([pair[0], pair[1]]))
            .collect();
        even.then_some(Self::Filter(*descriptor, numbers))
    }

    /// Uses a range API.
    fn range(url: &str) -> Result<Self, BreachError> {
        let invalid = || BreachError::Range(url.escape_debug().to_string());
        let parsed = url::Url::parse(url).map_err(|_| invalid())?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(invalid());
        }
        let client = reqwest::Client::builder()
            .timeout(LONGEST)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("doorwarden-serve/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| invalid())?;
        Ok(Self::Range(client, url.trim_end_matches('/').to_owned()))
    }

    /// Returns true if a password is known. If the range API fails, `failed` is called and the password counts
    /// as unknown.
    pub(crate) async fn know(
        &self,
        password: &Password,
        failed: impl Fn(&dyn std::fmt::Display),
    ) -> bool {
        match self {
            Self::Unknown => false,
            Self::Filter(descriptor, fingerprints) => {
                let filter = BinaryFuse16Ref::from_dma(descriptor, fingerprints.as_bytes());
                key(&sha1(password)).is_some_and(|key| filter.contains(&key))
            }
            Self::Range(client, url) => {
                let hash = sha1(password);
                match ask(client, url, &hash).await {
                    Ok(known) => known,
                    // The URL in the error has a part of the hash.
                    Err(error) => {
                        failed(&format!(
                            "failed to query the range API: {}",
                            error.without_url()
                        ));
                        false
                    }
                }
            }
        }
    }
}

/// Requests all hashes with the same first five digits; the padding hides their number from
/// eavesdroppers.
async fn ask(client: &reqwest::Client, url: &str, hash: &str) -> Result<bool, reqwest::Error> {
    let (first, rest) = hash.split_at(5);
    let request = client
        .get(format!("{url}/{first}"))
        .header("add-padding", "true");
    let mut answer = request.send().await?.error_for_status()?;
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        text.extend_from_slice(&chunk);
        if text.len() > LONGEST_ANSWER {
            break;
        }
    }
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().any(|line| {
        let (suffix, count) = line.trim().split_once(':').unwrap_or_default();
        suffix.eq_ignore_ascii_case(rest) && count != "0"
    }))
}

/// Builds a filter of the hashes of a corpus with a count of at least `least`; returns their number.
/// `told` is called for every millionth line.
pub fn build(
    corpus: &Path,
    output: &Path,
    least: u64,
    told: impl Fn(u64),
) -> Result<usize, BreachError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| BreachError::File {
            path,
            reason: error.to_string(),
        }
    };
    let shown = corpus.display().to_string();
    let mut keys = Vec::new();
    let lines =
        BufReader::with_capacity(1 << 20, File::open(corpus).map_err(failed(corpus))?).lines();
    for (number, line) in (1..).zip(lines) {
        let line = line.map_err(failed(corpus))?;
        let line = line.trim();
        if number % 1_000_000 == 0 {
            told(number);
        }
        if line.is_empty() {
            continue;
        }
        let read = || {
            let (hash, count) = line.split_once(':')?;
            let digits = hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            let count: u64 = count.parse().ok()?;
            Some((key(hash).filter(|_| digits)?, count))
        };
        let (key, count) = read().ok_or_else(|| BreachError::Line {
            path: shown.clone(),
            line: number,
        })?;
        if count >= least {
            keys.push(key);
        }
    }
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Err(BreachError::Empty(shown));
    }
    let filter = BinaryFuse16::try_from(&keys).map_err(|reason| BreachError::File {
        path: shown,
        reason: reason.to_owned(),
    })?;
    let mut bytes = MAGIC.to_vec();
    let mut descriptor = [0; BinaryFuse16::DESCRIPTOR_LEN];
    filter.dma_copy_descriptor_to(&mut descriptor);
    bytes.extend_from_slice(&descriptor);
    bytes.extend_from_slice(filter.dma_fingerprints());
    let sum = digest::digest(&digest::SHA256, &bytes);
    bytes.extend_from_slice(sum.as_ref());
    // Renamed when complete: the file is whole, or not there.
    let fresh = output.with_extension("new");
    let write = || {
        let mut file = File::create(&fresh)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&fresh, output)
    };
    write().map_err(failed(output))?;
    Ok(keys.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_filter_knows_what_it_was_built_of() {
        let folder = std::env::temp_dir().join(format!("doorwarden-breach-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (corpus, output) = (folder.join("corpus.txt"), folder.join("filter"));
        let mut lines: Vec<String> = (0..5000)
            .map(|i| format!("{}:{}", sha1(&password(&format!("leaked {i}"))), 2 + i % 3))
            .collect();
        lines.push(format!("{}:1", sha1(&password("once"))));
        std::fs::write(&corpus, lines.join("\r\n")).unwrap();
        assert_eq!(build(&corpus, &output, 2, |_| {}).unwrap(), 5000);
        let filter = Breaches::read(&output).unwrap();
        let quiet = |_: &dyn std::fmt::Display| {};
        for i in 0..5000 {
            assert!(filter.know(&password(&format!("leaked {i}")), quiet).await);
        }
        let mut wrongly = 0;
        for i in 0..5000 {
            wrongly += u32::from(filter.know(&password(&format!("own {i}")), quiet).await);
        }
        assert!(
            wrongly <= 3,
            "{wrongly} of 5,000, where one in 65,536 is to be expected"
        );

        // What is not whole is no filter.
        let mut bytes = std::fs::read(&output).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        assert!(Breaches::parse(&bytes).is_none() && Breaches::parse(&[]).is_none());
        std::fs::write(&corpus, format!("{}\nnonsense\n", lines[0])).unwrap();
        assert!(matches!(
            build(&corpus, &output, 1, |_| {}),
            Err(BreachError::Line { line: 2, .. })
        ));
        std::fs::write(&corpus, "").unwrap();
        assert!(matches!(
            build(&corpus, &output, 1, |_| {}),
            Err(BreachError::Empty(_))
        ));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
