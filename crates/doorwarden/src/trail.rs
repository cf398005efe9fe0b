//! The audit trail: one JSON object per line, written on a thread of its own.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
    sync::mpsc::{SyncSender, sync_channel},
    thread::JoinHandle,
};

use doorwarden_gate::{Event, EventSink};

use crate::Failure;

/// The capacity of the queue. When it is full, attempts wait: no event is lost.
const QUEUE: usize = 65_536;

/// A queue of audit events and the thread that writes them.
pub(crate) struct AuditTrail {
    lines: SyncSender<Option<String>>,
    writer: JoinHandle<()>,
}

impl AuditTrail {
    /// Opens a file to append to, or standard output.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let mut out: Box<dyn Write + Send> = match path {
            None => Box::new(io::stdout()),
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let failed =
                    |error| Failure::usage(format!("failed to write {}: {error}", path.display()));
                Box::new(file.map_err(failed)?)
            }
        };
        let (lines, queue) = sync_channel::<Option<String>>(QUEUE);
        let writer = std::thread::spawn(move || {
            let mut has_failed = false;
            while let Ok(Some(line)) = queue.recv() {
                let written = writeln!(out, "{line}").and_then(|()| out.flush());
                // Reported once: a full disk would otherwise fill the log too.
                if let (Err(error), false) = (written, has_failed) {
                    has_failed = true;
                    tracing::error!("failed to write audit events: {error}");
                }
            }
        });
        Ok(Self { lines, writer })
    }

    /// Returns a sink that queues events here.
    pub(crate) fn sink(&self) -> EventSink {
        let lines = self.lines.clone();
        Box::new(move |event: &Event| {
            if let Ok(line) = serde_json::to_string(event) {
                // Fails only after the writer has ended, at the end of the process.
                let _ = lines.send(Some(line));
            }
        })
    }

    /// Writes what is queued and ends the thread.
    pub(crate) fn close(self) {
        let _ = self.lines.send(None);
        let _ = self.writer.join();
    }
}
