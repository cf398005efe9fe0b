//! What is traced, and what is not.

use std::{
    fmt::Debug,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::service::{PASSWORD, Service, text};

/// Keeps all spans and events, one line for each set of fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>, Arc<AtomicU64>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

impl Lines {
    fn keep(&self, begin: String, record: impl FnOnce(&mut Line)) {
        let mut line = Line(begin);
        record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("doorwarden")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let begin = format!("span {}", span.metadata().name());
        self.keep(begin, |line| span.record(line));
        Id::from_u64(self.1.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.keep("record".to_owned(), |line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let begin = event.metadata().level().to_string();
        self.keep(begin, |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn requests_are_traced_without_names_and_secrets() {
    let lines = Lines::default();
    // With just one, a callsite that another test reaches first is cached as of interest to nobody.
    let _another = tracing::Dispatch::new(Lines::default());
    let _guard = tracing::subscriber::set_default(lines.clone());
    let service = Service::start("traces").await;
    service.register("alice@example.org").await;
    let tokens = service.log_in("alice@example.org", PASSWORD).await;
    let access = text(&tokens, "access_token");
    let root = service.administrator().await;
    service
        .send_as(&root, "/admin/users/alice@example.org/enable", &[])
        .await;
    service.send_as(&root, "/admin/keys/rotate", &[]).await;
    let asked = [("username", "alice@example.org")];
    service.send("/password/reset", &asked).await;
    let unknown = service.get("/canary-path?canary=query");
    unknown.send().await.unwrap();
    let url = format!("{}/login", service.url);
    let method = reqwest::Method::from_bytes(b"CANARY").unwrap();
    let odd = reqwest::Client::new().request(method, url);
    assert_eq!(odd.send().await.unwrap().status(), 405);
    // The email leaves in the background.
    let delivered = |line: &String| line.contains("email delivery finished");
    for _ in 0..500 {
        if lines.0.lock().unwrap().iter().any(delivered) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    service.stop().await;
    let all = lines.0.lock().unwrap().join("\n");
    for expected in [
        "INFO message=server started",
        "INFO message=server stopped",
        "INFO message=signing key rotated",
        "INFO message=signing keys loaded",
        "span request method=\"POST\" route=\"/login\"",
        "span request method=\"POST\" route=\"/admin/users/{name}/enable\"",
        "span request method=\"GET\" route=\"unmatched\"",
        "span request method=\"other\" route=\"/login\"",
        "record status=200",
        "record elapsed_ms=",
        "DEBUG message=hashing request queued",
        "DEBUG message=email queued",
        "DEBUG message=email delivery finished",
    ] {
        assert!(all.contains(expected), "no {expected} in\n{all}");
    }
    for secret in [PASSWORD, &access, &root, "alice", "root", "anary", "CANARY"] {
        assert!(!all.contains(secret), "{secret} in\n{all}");
    }
}
