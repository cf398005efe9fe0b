//! Attackers, people and rival defences on a virtual clock: who was taken, and who was hurt.
//!
//! ```text
//! scenarios.rs   who attacks whom, how, for how long
//! people.rs      honest people: devices, networks, typos, lost cookies, robots, giving up
//! attackers/     one kind of attack a file
//! defences/      one defence a file; `doorwarden.rs` runs the code that ships
//! world.rs       the clock: everybody acts, sees what happens, and acts again
//! probed.rs      what a scan would measure of a defence, and what its score's attacker takes
//! measure.rs     what a run showed, and what many runs show together
//! board.rs       every defence against every scenario: tables, CSV, JSON, figures
//! ```
//!
//! A run is a function of its scenario, defence, number of accounts and seed: the same values, the
//! same result, byte for byte. Nothing here sends anything anywhere; attackers guess at made-up
//! accounts that live in this process.

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
