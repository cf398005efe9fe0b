//! Attackers, users and rival defences on a virtual clock: how many accounts are compromised, and how
//! many legitimate users are affected.
//!
//! ```text
//! scenarios.rs   the attacks, with their sizes and lengths
//! people.rs      legitimate users: devices, networks, typos, lost cookies, old programs, giving up
//! passwords.rs   passwords as ranks, drawn by popularity
//! attackers/     one kind of attack per file
//! defences/      one defence per file; `doorwarden.rs` runs the code that ships
//! world.rs       the clock: users and attackers act, see the result, and act again
//! probed.rs      what a scan would measure of a defence, and what the attacker of the score compromises
//! measure.rs     the results of one run, and the summary of many runs
//! board.rs       every defence against every scenario: tables, CSV, JSON, goals
//! figures.rs     figures as SVG
//! ```
//!
//! A run is a function of its scenario, defence, number of accounts and seed: the same values give the
//! same result, byte for byte. Nothing here uses the network; attackers guess at made-up accounts inside
//! this process.

mod attackers;
mod board;
mod defences;
mod figures;
mod measure;
mod passwords;
mod people;
mod probed;
mod scenarios;
mod world;

pub use board::{Board, Cell, Goal, Progress, Request};
pub use defences::{DefenceId, PlainLimit, PlainLimits};
pub use measure::{Interval, Measured, Summary};
pub use probed::{Met, Probed, probe, taken_in_a_day};
pub use scenarios::{SCENARIOS, Scenario};
pub use world::play;

/// Random numbers: xoshiro256++, whose sequence is the same in every version and on every machine.
type Rng = rand_xoshiro::Xoshiro256PlusPlus;

/// Milliseconds.
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// When every world begins: any day will do.
const EPOCH: u64 = 1_700_006_400_000;
