//! A running server, by its routes.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod flows;
mod operation;
#[allow(dead_code, reason = "others use more of it")]
mod postgres;
mod service;
mod times;
mod tokens;
mod traces;
mod wycheproof;

/// The same once more on PostgreSQL, all but those that know no database.
#[cfg(feature = "real-postgres")]
#[test]
fn all_of_it_on_postgres() {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again
        .args(["--skip", "all_of_it_on_postgres", "--skip", "wycheproof"])
        .env("DOORWARDEN_TEST_POSTGRES", "1");
    let ran = again.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");
    assert!(said.contains(" passed"), "{said}");
}
