//! Runs a program in a process group of its own, for a limited time.

use std::{
    io::{self, BufRead, BufReader, PipeReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Passed,
    Failed,
    TimedOut,
}

/// Ends its whole group when its standard input closes: when [`Group`] is dropped, and when xtask
/// itself ends, even by SIGKILL. The ten seconds let nextest end the tests that it runs, which are
/// in groups of their own.
const KEEPER: &str = "trap '' TERM; cat; kill -TERM 0; sleep 10; kill -KILL 0";

/// A process group, led by a shell that ends it.
struct Group(Child);

impl Group {
    fn start() -> io::Result<Self> {
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER]).process_group(0);
        keeper.stdin(Stdio::piped());
        let keeper = keeper.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self(keeper))
    }

    fn id(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

/// Runs a command for at most `limit`, then ends it with everything that it started. With a label
/// its output is prefixed by it; otherwise it goes to the terminal as it is.
pub(crate) fn run(mut command: Command, limit: Duration, label: Option<&str>) -> io::Result<Ended> {
    let group = Group::start()?;
    command.process_group(group.id()).stdin(Stdio::null());
    let mut printed = None;
    if let Some(label) = label {
        let (reader, writer) = io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        printed = Some(print(reader, label.to_owned()));
    }
    let mut child = command.spawn()?;
    // Its ends of the pipe.
    drop(command);
    let started = Instant::now();
    let ended = loop {
        match child.try_wait()? {
            Some(status) if status.success() => break Ended::Passed,
            Some(_) => break Ended::Failed,
            None if started.elapsed() > limit => break Ended::TimedOut,
            None => thread::sleep(Duration::from_millis(50)),
        }
    };
    drop(group);
    child.wait()?;
    if let Some(printed) = printed {
        // What it left running may hold the pipe.
        let _ = printed.recv_timeout(Duration::from_secs(2));
    }
    Ok(ended)
}

/// Prints lines with a label; the receiver hears when the last one is printed.
fn print(reader: PipeReader, label: String) -> mpsc::Receiver<()> {
    let (done, printed) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            eprintln!("{label:<13} | {}", String::from_utf8_lossy(&line));
        }
        let _ = done.send(());
    });
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn success_and_failure_are_told_apart() {
        let limit = Duration::from_secs(30);
        assert_eq!(run(sh("true"), limit, None).ok(), Some(Ended::Passed));
        assert_eq!(run(sh("exit 3"), limit, None).ok(), Some(Ended::Failed));
    }

    #[test]
    fn a_program_that_takes_too_long_ends_with_its_children() {
        let started = Instant::now();
        let (reader, writer) = io::pipe().expect("a pipe");
        let mut command = sh("sleep 60 & sleep 60");
        command.stdout(writer);
        let ended = run(command, Duration::from_millis(200), None);
        assert_eq!(ended.ok(), Some(Ended::TimedOut));
        // At its end all who could write to it have ended.
        assert_eq!(io::copy(&mut { reader }, &mut io::sink()).ok(), Some(0));
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
