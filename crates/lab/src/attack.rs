//! A bounded spray on the lab's own accounts, to see what a login costs. It reaches loopback only
//! and tries only names that its caller made up and seeded.

use std::net::{IpAddr, SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::{Duration, timeout},
};

/// More attempts than these are no demonstration.
const MOST: usize = 2_000;

/// A login that a spray is for.
pub struct Sprayed<'a> {
    /// Where it listens; on loopback.
    pub address: SocketAddr,
    /// Its path.
    pub path: &'a str,
    /// The content type of its body.
    pub content_type: &'a str,
    /// Its body for a name and a password.
    pub body: fn(&str, &str) -> String,
}

/// What a spray did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Attempts that were made.
    pub attempts: usize,
    /// Names that were logged in.
    pub names: Vec<String>,
}

impl Sprayed<'_> {
    /// Tries each password on each name once, password by password, each attempt from another
    /// address of 127.0.0.0/8. `told` hears of each attempt.
    ///
    /// Fails for an address that is not on loopback, for more than 2,000 attempts, and when the
    /// login can't be reached.
    pub async fn spray(
        &self,
        names: &[String],
        passwords: &[&str],
        told: impl Fn(),
    ) -> std::io::Result<Taken> {
        if !self.address.ip().is_loopback() || names.len() * passwords.len() > MOST {
            return Err(std::io::Error::other(
                "a spray is for the lab, on loopback, and bounded",
            ));
        }
        let mut taken = Taken::default();
        for password in passwords {
            for name in names {
                let source = source(taken.attempts);
                taken.attempts += 1;
                if self.attempt(source, name, password).await? && !taken.names.contains(name) {
                    taken.names.push(name.clone());
                }
                told();
            }
        }
        Ok(taken)
    }

    async fn attempt(&self, source: IpAddr, name: &str, password: &str) -> std::io::Result<bool> {
        let body = (self.body)(name, password);
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.path,
            self.address,
            self.content_type,
            body.len()
        );
        let exchange = async {
            let socket = TcpSocket::new_v4()?;
            // Where loopback has one address only, all attempts come from it.
            let _ = socket.bind(SocketAddr::new(source, 0));
            let mut stream = socket.connect(self.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.take(64 * 1024).read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(Duration::from_secs(30), exchange).await??;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    }
}

/// Another address for each attempt, away from those that scans draw from the middle.
fn source(attempt: usize) -> IpAddr {
    let [.., high, low] = (attempt as u32).to_be_bytes();
    IpAddr::from([127, 255, high, low.saturating_add(1)])
}
