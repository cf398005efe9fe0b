//! Deliberately faulty and deliberately sound logins for tests, the scanner's oracle and
//! `doorwarden demo`.
//!
//! They are test fixtures, not for production: they listen on loopback only, this crate is not
//! published, and the binary contains it only if it is built with the feature `demo`. Each
//! [`Specimen`] is a real HTTP login with registration, an OpenAPI document and a password hash that
//! takes time. All are the same sound login with one thing missing or changed, so that what a check
//! sees is that thing.
//!
//! ```text
//! POST /register  {"username","password"}  -> 201
//! POST /login     {"username","password"}  -> 200 {"access_token","refresh_token"}
//! GET  /me        Authorization: Bearer …  -> 200 {"username"}
//! POST /refresh   {"refresh_token"}        -> 200 {"access_token",…}
//! POST /logout    Authorization: Bearer …  -> 204
//! POST /password  {"current_password","new_password"} -> 204
//! POST /forgot    {"username"}             -> 202
//! GET  /users/{name}, /admin/accounts, POST /revoke, /introspect
//! GET  /signed    a signature              -> 200
//! GET  /.well-known/jwks.json
//! GET  /openapi.json
//! ```
//!
//! The files, each of which uses only those below it:
//!
//! ```text
//! attack.rs                       a bounded spray against a login on loopback
//! server.rs                       starts a specimen and ends it
//! login.rs account.rs signed.rs openapi.rs   the routes
//! site.rs                         the state that the routes share
//! specimens.rs                    the table of logins
//! specimen.rs                     what a login is made of
//! limits.rs passwords.rs tokens.rs signatures.rs   its parts
//! ```

mod account;
mod attack;
mod limits;
mod login;
mod openapi;
mod passwords;
mod server;
mod signatures;
mod signed;
mod site;
mod specimen;
mod specimens;
#[cfg(test)]
mod tests;
mod tokens;

pub use attack::{SprayResult, SprayTarget};
pub use server::{Server, start};
pub use specimen::Specimen;
pub use specimens::{naive, sound, specimens, timed};
