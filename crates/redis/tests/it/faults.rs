//! The store killed, paused and cut off in mid-attack: the declared mode holds, within its bound,
//! and says so.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use doorwarden_gate::{Gate, Outage};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

use crate::{
    nodes::{burst, guess, node},
    server::{Make, Server},
};

/// The standard policy's limit, and each of four nodes' share of it.
const LIMIT: usize = 10;
const NODES: usize = 4;
const SHARE: usize = LIMIT / NODES;

fn nodes(url: &str, outage: Outage) -> Vec<Arc<Gate>> {
    (0..NODES)
        .map(|_| node(url, NODES as u32, outage, None))
        .collect()
}

/// After a failure nobody asks for a second.
const PAUSE: Duration = Duration::from_millis(1_200);

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_mid_attack_the_nodes_own_counters_hold() {
    let mut server = Server::start(Make::Valkey);
    let nodes = nodes(&server.url(), Outage::Local);
    let before = burst(&nodes, "alice", 0, 40).await;
    assert!(before <= LIMIT);
    server.kill();
    let during = burst(&nodes, "alice", 100, 200).await;
    assert!(during > 0, "logins go on");
    assert!(
        during <= NODES * SHARE,
        "{during} on the nodes' own counters"
    );
    assert!(
        nodes[0]
            .metrics()
            .contains("doorwarden_store_unavailable 1")
    );
    server.restart();
    sleep(PAUSE).await;
    let after = burst(&nodes, "alice", 400, 200).await;
    // What it had counted died with it: once more the limit, and no more.
    assert!(after <= LIMIT, "{after}");
    let total = before + during + after;
    assert!(total <= 2 * LIMIT + NODES * SHARE, "{total}");
    // Whoever has not noticed yet asks once more.
    for gate in &nodes {
        guess(gate, "bob", 1).await;
    }
    sleep(PAUSE).await;
    for gate in &nodes {
        guess(gate, "bob", 2).await;
        assert!(
            gate.metrics().contains("doorwarden_store_unavailable 0"),
            "{}",
            gate.metrics()
        );
        assert!(gate.metrics().contains("doorwarden_store_outages_total 1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_it_keeps_what_it_counted() {
    let server = Server::start(Make::Valkey);
    let nodes = nodes(&server.url(), Outage::Local);
    let before = burst(&nodes, "alice", 0, 40).await;
    server.pause();
    let during = burst(&nodes, "alice", 100, 200).await;
    server.go_on();
    sleep(PAUSE).await;
    let after = burst(&nodes, "alice", 400, 200).await;
    let total = before + during + after;
    assert!(during <= NODES * SHARE, "{during}");
    assert!(
        total <= LIMIT + NODES * SHARE,
        "{before} + {during} + {after}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_that_is_cut_off_counts_by_itself() {
    let server = Server::start(Make::Valkey);
    let (cut, connected) = watch::channel(true);
    let through = cable(server.port, connected).await;
    let lonely = node(
        &format!("redis://127.0.0.1:{through}"),
        NODES as u32,
        Outage::Local,
        None,
    );
    let others = nodes(&server.url(), Outage::Local);
    assert!(guess(&lonely, "alice", 1).await);
    cut.send(false).unwrap();
    let verified = burst(&[Arc::clone(&lonely)], "alice", 10, 50).await;
    assert_eq!(verified, SHARE);
    let with_others = burst(&others, "alice", 100, 100).await;
    assert!(
        with_others < LIMIT,
        "the others know of the first: {with_others}"
    );
    assert!(lonely.metrics().contains("doorwarden_store_unavailable 1"));
    assert!(
        others[0]
            .metrics()
            .contains("doorwarden_store_unavailable 0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_and_open_are_what_they_say() {
    let mut server = Server::start(Make::Valkey);
    let turns = Arc::default();
    let closed = node(&server.url(), 1, Outage::Closed, Some(Arc::clone(&turns)));
    let open = node(&server.url(), 1, Outage::DangerOpen, None);
    assert!(guess(&closed, "alice", 1).await);
    assert!(guess(&open, "alice", 2).await);
    server.kill();
    assert_eq!(burst(&[Arc::clone(&closed)], "alice", 10, 50).await, 0);
    assert_eq!(burst(&[open], "alice", 100, 50).await, 50);
    assert_eq!(
        turns.load(Ordering::Relaxed),
        1,
        "one event says that it is away"
    );
    server.restart();
    sleep(PAUSE).await;
    guess(&closed, "alice", 2).await;
    sleep(PAUSE).await;
    assert!(guess(&closed, "alice", 3).await);
    assert_eq!(turns.load(Ordering::Relaxed), 2, "and one that it is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_never_there_is_away() {
    let gone = Server::start(Make::Valkey).url();
    let local = node(&gone, 1, Outage::Local, None);
    assert_eq!(burst(&[local], "alice", 0, 50).await, LIMIT);
}

/// A cable to a server that can be pulled: what is connected stays so and hears nothing more.
async fn cable(port: u16, connected: watch::Receiver<bool>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut connected = connected.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let pulled = async {
                    let _ = connected.wait_for(|connected| !connected).await.map(drop);
                };
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                    () = pulled => std::future::pending().await,
                }
            });
        }
    });
    own
}
