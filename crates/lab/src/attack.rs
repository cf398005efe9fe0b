//! A bounded spray against the lab's own accounts, to measure how many it compromises. It reaches
//! loopback only and tries only names that its caller made up and seeded.

use std::net::{IpAddr, SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::{Duration, timeout},
};

/// The maximum of attempts of one spray.
const MAX_ATTEMPTS: usize = 2_000;

/// A login to spray.
pub struct SprayTarget<'a> {
    /// The address that it listens on; must be on loopback.
    pub address: SocketAddr,
    /// Its path.
    pub path: &'a str,
    /// The content type of its body.
    pub content_type: &'a str,
    /// Returns the body for a name and a password.
    pub body: fn(&str, &str) -> String,
}

/// The result of a spray.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SprayResult {
    /// The number of attempts.
    pub attempts: usize,
    /// The compromised accounts.
    pub compromised: Vec<String>,
}

impl SprayTarget<'_> {
    /// Tries each password on each name once, password by password, each attempt from another
    /// address of 127.0.0.0/8. `on_attempt` is called after each attempt.
    ///
    /// # Errors
    ///
    /// If the address is not on loopback, if there would be more than 2,000 attempts, or if the
    /// login is unreachable.
    pub async fn spray(
        &self,
        names: &[String],
        passwords: &[&str],
        on_attempt: impl Fn(),
    ) -> std::io::Result<SprayResult> {
        if !self.address.ip().is_loopback() || names.len() * passwords.len() > MAX_ATTEMPTS {
            return Err(std::io::Error::other(
                "a spray is limited to loopback and to 2,000 attempts",
            ));
        }
        let mut result = SprayResult::default();
        for password in passwords {
            for name in names {
                let source = source_address(result.attempts);
                result.attempts += 1;
                let is_compromised = self.attempt(source, name, password).await?;
                if is_compromised && !result.compromised.contains(name) {
                    result.compromised.push(name.clone());
                }
                on_attempt();
            }
        }
        Ok(result)
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
            // If loopback has one address only, all attempts come from it.
            let _ = socket.bind(SocketAddr::new(source, 0));
            let mut stream = socket.connect(self.address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut response = Vec::new();
            stream.take(64 * 1024).read_to_end(&mut response).await?;
            Ok::<_, std::io::Error>(response)
        };
        let response = timeout(Duration::from_secs(30), exchange).await??;
        Ok(response.starts_with(b"HTTP/1.1 200"))
    }
}

/// Returns the address of an attempt, outside of the range that scans use.
fn source_address(attempt: usize) -> IpAddr {
    let [.., high, low] = (attempt as u32).to_be_bytes();
    IpAddr::from([127, 255, high, low.saturating_add(1)])
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::HashSet};

    use super::*;
    use crate::{naive, sound, start};

    const WEAK: &str = "Winter2026!";

    fn target(address: SocketAddr) -> SprayTarget<'static> {
        SprayTarget {
            address,
            path: "/login",
            content_type: "application/json",
            body: |name, password| {
                serde_json::json!({"username": name, "password": password}).to_string()
            },
        }
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("user{number}")).collect()
    }

    #[tokio::test]
    async fn a_spray_reaches_loopback_only() {
        for address in ["192.0.2.1:80", "0.0.0.0:80", "[2001:db8::1]:80"] {
            let target = target(address.parse().unwrap());
            let error = target.spray(&names(1), &[WEAK], || {}).await.unwrap_err();
            assert!(error.to_string().contains("loopback"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_spray_is_bounded() {
        // Nothing listens there: it would fail in another way if it tried.
        let target = target("127.0.0.1:1".parse().unwrap());
        let attempts = Cell::new(0);
        let count = || attempts.set(attempts.get() + 1);
        let error = target.spray(&names(1001), &[WEAK, "x"], count).await;
        assert!(error.unwrap_err().to_string().contains("2,000"));
        assert_eq!(attempts.get(), 0);
    }

    #[test]
    fn each_attempt_has_an_address_of_its_own_on_loopback() {
        let addresses: HashSet<_> = (0..MAX_ATTEMPTS).map(source_address).collect();
        assert!(addresses.iter().all(IpAddr::is_loopback));
        assert!(
            addresses.len() > MAX_ATTEMPTS * 99 / 100,
            "{}",
            addresses.len()
        );
    }

    #[tokio::test]
    async fn a_spray_compromises_weak_accounts_of_a_naive_login_and_not_of_a_sound_one() {
        let names = names(20);
        let password = |(number, name): (usize, &String)| match number % 2 {
            0 => (name.clone(), WEAK.to_owned()),
            _ => (name.clone(), format!("a long password of {name}")),
        };
        let accounts: Vec<_> = names.iter().enumerate().map(password).collect();
        let weak: Vec<_> = names.iter().step_by(2).cloned().collect();
        let mut results = Vec::new();
        for specimen in [naive(), sound()] {
            let server = start(specimen, accounts.clone()).await.unwrap();
            let passwords = ["Password1!", WEAK];
            let target = target(server.address());
            results.push(target.spray(&names, &passwords, || {}).await.unwrap());
            assert_eq!(server.attempts(), 40);
        }
        assert_eq!(results[0].attempts, 40);
        assert_eq!(results[0].compromised, weak);
        assert!(
            results[1].compromised.len() < weak.len(),
            "{:?}",
            results[1].compromised
        );
    }
}
