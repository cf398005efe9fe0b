//! Deliberately faulty and deliberately sound logins.
//!
//! For tests, demos and the scanner's oracle bench; never for use, never published. Each
//! [`Specimen`] is a real HTTP login with a registration, an OpenAPI document and a password hash
//! that takes its time. All are the same sound login with one thing missing or changed, so that
//! what a check sees is that thing.
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

mod account;
mod attack;
mod limits;
mod login;
mod passwords;
mod signed;
mod specimens;
mod tokens;

pub use attack::{Sprayed, Taken};
pub use login::{Running, start};
pub use specimens::{Specimen, naive, sound, specimens, timed};
