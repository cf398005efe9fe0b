//! `doorwarden token verify`.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use doorwarden_serve::jwt::{Algorithm, Expected, Jwks, verify};

use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Verify a token strictly; exits with 0 if it is valid, else with 1 and the reason
    Verify(Verify),
}

#[derive(clap::Args)]
struct Verify {
    /// A file with the keys: a JWKS (RFC 7517) or a single JWK
    #[arg(long)]
    jwks: PathBuf,
    /// The only algorithm to accept: HS256, RS256, PS256, ES256, EdDSA …
    #[arg(long)]
    alg: Algorithm,
    /// The required audience
    #[arg(long)]
    aud: Option<String>,
    /// The required issuer
    #[arg(long)]
    iss: Option<String>,
    /// The required type, such as at+jwt
    #[arg(long)]
    typ: Option<String>,
    /// The time to verify at, in seconds since 1970 [default: now]
    #[arg(long)]
    at: Option<u64>,
    /// The token [default: read from standard input]
    #[arg(allow_hyphen_values = true)]
    token: Option<String>,
}

/// Larger than any token.
const MOST_INPUT: u64 = 1 << 20;

pub(crate) fn token(args: Args) -> Result<u8, Failure> {
    let Command::Verify(args) = args.command;
    let shown = args.jwks.display();
    let text = fs::read_to_string(&args.jwks)
        .map_err(|error| Failure::usage(format!("failed to read {shown}: {error}")))?;
    let keys = Jwks::parse(&text).map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
    let token = match args.token {
        Some(token) => token,
        None => {
            let mut bytes = Vec::new();
            let read = io::stdin().take(MOST_INPUT).read_to_end(&mut bytes);
            read.map_err(|error| Failure::usage(format!("failed to read a token: {error}")))?;
            // Invalid UTF-8 fails verification. The trailing newline is the shell's.
            let token = String::from_utf8_lossy(&bytes);
            token.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let expected = Expected {
        algorithm: args.alg,
        audience: args.aud.as_deref(),
        issuer: args.iss.as_deref(),
        typ: args.typ.as_deref(),
        now: args.at.unwrap_or(now.map_or(0, |now| now.as_secs())),
    };
    match verify(&token, &keys, &expected) {
        Ok(_) => {
            say!("valid");
            Ok(0)
        }
        Err(invalid) => {
            say!("invalid: {invalid}");
            Ok(1)
        }
    }
}
