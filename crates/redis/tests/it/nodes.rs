//! Several nodes on one store: together they allow what one would.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use doorwarden_decision::{Calibration, Outcome, Policy, SignalId};
use doorwarden_gate::{
    Admission, Asked, Counters, Gate, Keyring, MemoryStore, Outage, Parts, Secret, SharedCounters,
    Store,
    http::credentials::{Credentials, Password},
    now,
};
use doorwarden_redis::RedisStore;

use crate::server::{Cluster, Make, Server};

/// A gate as a node of its own would have it: own connection, own memory, the shared secret.
pub fn node(url: &str, nodes: u32, outage: Outage, events: Option<Arc<AtomicU32>>) -> Arc<Gate> {
    // Pressure would tighten the limit in the midst of the burst, by how it is interleaved.
    let policy = Policy {
        without: vec![SignalId::Pressure],
        ..Policy::default()
    };
    let secret = Secret::new([9; 32]);
    let store = RedisStore::new(url, &secret).unwrap();
    let own = MemoryStore::new(&policy, 1 << 20, 3);
    let shared = SharedCounters::new(Box::new(store), own, &policy, outage, nodes);
    Gate::new(Parts {
        counters: Counters {
            store: Store::Shared(Box::new(shared)),
            keyring: Keyring::shared(&secret, now()).unwrap(),
            calibration: Calibration::default(),
        },
        capacity: usize::MAX,
        shadow: false,
        policy,
        sink: Box::new(move |event| {
            if let (Some(turns), doorwarden_gate::Event::Store(_)) = (&events, event) {
                turns.fetch_add(1, Ordering::Relaxed);
            }
        }),
    })
}

/// An incorrect guess; whether it was verified.
pub async fn guess(gate: &Arc<Gate>, account: &str, number: u32) -> bool {
    let [_, a, b, c] = number.to_be_bytes();
    let credentials = Credentials {
        account: account.to_owned(),
        password: Password::new(format!("wrong {number}")),
    };
    let asked = Asked {
        route: "POST /login".into(),
        credentials,
        client: [10, a ^ c, b, c].into(),
        asn: None,
        tokens: Vec::new(),
    };
    match gate.admit(asked, now()).await.unwrap() {
        Admission::Allow(ticket) => {
            ticket.settle(Outcome::Failure, now()).await;
            true
        }
        Admission::Deny(_) => false,
    }
}

/// Parallel guesses at one account, spread over nodes.
pub async fn burst(nodes: &[Arc<Gate>], account: &str, from: u32, guesses: u32) -> usize {
    let all = (from..from + guesses).map(|number| {
        let gate = Arc::clone(&nodes[number as usize % nodes.len()]);
        let account = account.to_owned();
        tokio::spawn(async move { guess(&gate, &account, number).await })
    });
    let done = futures_util::future::join_all(all).await;
    done.into_iter()
        .filter(|verified| *verified.as_ref().unwrap())
        .count()
}

async fn never_more_than_the_limit(url: &str) {
    for count in [1, 2, 8] {
        let nodes: Vec<_> = (0..count)
            .map(|_| node(url, count, Outage::Closed, None))
            .collect();
        let account = format!("alice of {count}");
        let first = burst(&nodes, &account, 0, 120).await;
        // Some may meet others that are denied and taken back a moment later; more never pass.
        assert!(first <= 10, "{first} of {count} nodes");
        let mut verified = first;
        for number in 200..230 {
            verified +=
                usize::from(guess(&nodes[number as usize % nodes.len()], &account, number).await);
        }
        assert_eq!(
            verified, 10,
            "{count} nodes: splitting a burst changes nothing"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_two_and_eight_nodes_allow_what_one_does() {
    let server = Server::start(Make::Valkey);
    never_more_than_the_limit(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_do_nodes_on_a_cluster() {
    let cluster = Cluster::start(Make::Redis);
    never_more_than_the_limit(&cluster.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_known_on_every_node() {
    let server = Server::start(Make::Valkey);
    let nodes = [(); 2].map(|()| node(&server.url(), 2, Outage::Closed, None));
    let attempt = async |gate: &Arc<Gate>, tokens: &[String]| {
        let credentials = Credentials {
            account: "alice".into(),
            password: Password::new("right".into()),
        };
        let asked = Asked {
            route: "POST /login".into(),
            credentials,
            client: [10, 1, 1, 1].into(),
            asn: None,
            tokens: tokens.to_vec(),
        };
        match gate.admit(asked, now()).await.unwrap() {
            Admission::Allow(ticket) => ticket.settle(Outcome::Success, now()).await,
            Admission::Deny(_) => None,
        }
    };
    let token = attempt(&nodes[0], &[]).await.unwrap();
    burst(&nodes, "alice", 0, 60).await;
    assert!(attempt(&nodes[1], &[token]).await.is_some());
}
