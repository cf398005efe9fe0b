//! Ctrl-C and SIGTERM.

#[cfg(feature = "scan")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask the process to end. They are caught from here on, and not from the first wait: a
/// server that has said that it listens may be ended at once.
struct Interrupts {
    #[cfg(unix)]
    signals: Option<[Signal; 2]>,
}

impl Interrupts {
    fn catch() -> Self {
        Self {
            #[cfg(unix)]
            signals: match [SignalKind::interrupt(), SignalKind::terminate()].map(signal) {
                [Ok(interrupt), Ok(terminate)] => Some([interrupt, terminate]),
                _ => None,
            },
        }
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some([interrupt, terminate]) = &mut self.signals {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        // Without signal handling only the end of the process ends the wait.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The exit code after a second interrupt, or that of an interrupted demo.
pub(crate) const INTERRUPTED: u8 = 130;

/// Returns a future that waits for the first interrupt.
#[cfg(any(feature = "guard", feature = "serve"))]
pub(crate) fn interrupted() -> impl Future<Output = ()> {
    let mut interrupts = Interrupts::catch();
    async move { interrupts.next().await }
}

/// Ends the process at the second interrupt, whatever it waits for then.
#[cfg(any(feature = "guard", feature = "serve"))]
pub(crate) fn end_at_second() {
    let mut interrupts = Interrupts::catch();
    tokio::spawn(async move {
        interrupts.next().await;
        interrupts.next().await;
        std::process::exit(INTERRUPTED.into());
    });
}

/// Returns a flag that the first interrupt sets; the second one ends the process.
#[cfg(feature = "scan")]
pub(crate) fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    let mut interrupts = Interrupts::catch();
    tokio::spawn(async move {
        interrupts.next().await;
        raised.store(true, Ordering::Relaxed);
        interrupts.next().await;
        std::process::exit(INTERRUPTED.into());
    });
    flag
}
