//! Ctrl-C and SIGTERM.

#[cfg(feature = "scan")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Waits for Ctrl-C or, on Unix, SIGTERM.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without signal handling only the end of the process ends the wait.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Returns a flag that the first interrupt sets; the second one ends the process.
#[cfg(feature = "scan")]
pub(crate) fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    tokio::spawn(async move {
        interrupted().await;
        raised.store(true, Ordering::Relaxed);
        interrupted().await;
        std::process::exit(130);
    });
    flag
}
