//! Ctrl-C and SIGTERM.

#[cfg(feature = "scan")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Returns a future that waits for Ctrl-C or, on Unix, SIGTERM. Signals are caught from this call on, not
/// from the first poll: a server that has said that it listens may be ended at once.
pub(crate) fn interrupted() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
    };
    async move {
        #[cfg(unix)]
        if let [Ok(mut interrupt), Ok(mut terminate)] = signals {
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

/// Returns a flag that the first interrupt sets; the second one ends the process.
#[cfg(feature = "scan")]
pub(crate) fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    let first = interrupted();
    tokio::spawn(async move {
        first.await;
        raised.store(true, Ordering::Relaxed);
        interrupted().await;
        std::process::exit(130);
    });
    flag
}
