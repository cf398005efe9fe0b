//! The tests of the service, on one PostgreSQL.

#[path = "../../../crates/serve/tests/postgres/server.rs"]
#[allow(dead_code, reason = "tests of the store use more of it")]
mod server;

use super::{WORKSPACE, nextest_command};
use crate::process;

/// Starts a server, which ends with this function, and runs the tests on it.
pub(super) fn run() -> Result<(), String> {
    let server = server::Postgres::start();
    let mut command = nextest_command("postgres")?;
    command
        .args(WORKSPACE.split_whitespace())
        .env("DOORWARDEN_TEST_POSTGRES", server.url(""));
    process::run(&mut command)
}
