//! Runs the steps: all are tried, so that one run reports all that is wrong.

use std::{
    env,
    io::{IsTerminal, stderr},
    process, thread,
    time::{Duration, Instant},
};

use super::Command;
use crate::{
    Error,
    steps::{self, PHASES, PartOf, Step},
    supervise::{self, Ended},
};

pub(crate) const COMMAND: Command = Command {
    name: "test",
    arguments: "[--step NAME]... | --quick | --list",
    about: "Run everything that CI runs, or some of its steps",
    run,
};

fn run(args: &[&str]) -> Result<(), Error> {
    let phases = match args {
        [] => select(|step| step.part_of != PartOf::Quick),
        ["--quick"] => select(|step| step.part_of != PartOf::Full),
        ["--list"] => {
            list();
            return Ok(());
        }
        _ => {
            let names = names(args)?;
            select(|step| names.contains(&step.name))
        }
    };
    let started = Instant::now();
    let done: Vec<Done> = phases
        .iter()
        .flat_map(|phase| side_by_side(phase))
        .collect();
    println!("\n{:<15} {:>7}  result", "step", "time");
    for step in &done {
        println!("{}", step.row());
    }
    println!("{:<15} {:>5} s", "total", started.elapsed().as_secs());
    match done
        .iter()
        .filter(|step| step.ended != Ended::Passed)
        .count()
    {
        0 => Ok(()),
        1 => Err(Error::Failed("1 step failed".into())),
        failed => Err(Error::Failed(format!("{failed} steps failed"))),
    }
}

/// Steps that run in order.
type Lane = Vec<&'static Step>;

/// Returns the phases with the steps that are wanted.
fn select(is_wanted: impl Fn(&Step) -> bool) -> Vec<Vec<Lane>> {
    let lane = |steps: &'static [Step]| -> Lane {
        let steps = steps.iter();
        steps.filter(|step| is_wanted(step)).collect()
    };
    let phase = |lanes: &'static [&[Step]]| -> Vec<Lane> {
        let lanes = lanes.iter().map(|steps| lane(steps));
        lanes.filter(|lane| !lane.is_empty()).collect()
    };
    let phases = PHASES.iter().map(|lanes| phase(lanes));
    phases.filter(|phase| !phase.is_empty()).collect()
}

/// Reads `--step NAME`, which may be repeated.
fn names<'a>(args: &[&'a str]) -> Result<Vec<&'a str>, Error> {
    let pairs = args.chunks(2).map(|pair| match pair {
        ["--step", name] => match steps::find(name) {
            Ok(_) => Ok(*name),
            Err(message) => Err(Error::Usage(message)),
        },
        ["--step"] => Err(Error::Usage("--step needs a name".into())),
        [other, ..] => Err(Error::Usage(format!("unexpected argument `{other}`"))),
        [] => unreachable!("chunks are not empty"),
    });
    pairs.collect()
}

fn list() {
    for step in select(|_| true).concat().concat() {
        println!("{:<15} {:>3} min  {}", step.name, step.minutes, step.about);
    }
}

/// A step that has ended.
struct Done {
    step: &'static Step,
    ended: Ended,
    took: Duration,
}

impl Done {
    fn row(&self) -> String {
        let name = self.step.name;
        let result = match self.ended {
            Ended::Passed => "passed".to_owned(),
            Ended::Failed => format!("FAILED; repeat it: cargo xtask test --step {name}"),
            Ended::TimedOut => format!(
                "TIMED OUT after {} min; repeat it: cargo xtask test --step {name}",
                self.step.minutes
            ),
        };
        format!("{name:<15} {:>5} s  {result}", self.took.as_secs())
    }
}

/// Runs the lanes of a phase side by side.
fn side_by_side(phase: &[Lane]) -> Vec<Done> {
    // The output of a lane that runs alone needs no label.
    let is_labelled = phase.len() > 1;
    let run = |lane: &Lane| -> Vec<Done> {
        let steps = lane.iter();
        steps.map(|step| attempt(step, is_labelled)).collect()
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = phase.iter().map(|lane| scope.spawn(|| run(lane))).collect();
        let ended = lanes.into_iter().map(|lane| lane.join());
        ended.flat_map(|done| done.expect("a lane")).collect()
    })
}

/// Runs a step in a process of its own, and reports how it ended.
fn attempt(step: &'static Step, is_labelled: bool) -> Done {
    eprintln!("== {}: {}", step.name, step.about);
    let started = Instant::now();
    let label = is_labelled.then_some(step.name);
    let mut command = process::Command::new(env::current_exe().unwrap_or_default());
    command.args(["run-step", step.name]);
    if is_labelled && stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let limit = Duration::from_secs(step.minutes * 60);
    let ended = supervise::run(command, limit, label).unwrap_or_else(|error| {
        eprintln!("failed to start {}: {error}", step.name);
        Ended::Failed
    });
    let took = started.elapsed();
    let done = Done { step, ended, took };
    eprintln!("== {}", done.row());
    done
}
