//! Faults of limits, and of the responses beyond them.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Faults,
    client::{Client, Response, account, password_of, start_fast},
};
use crate::{Specimen, start, tokens};

/// Failures that exceed each limit of the lab.
const FAILURES: u8 = 15;

pub(super) async fn observe(specimen: &Specimen) -> Faults {
    // Limits have nothing to do with tokens, and some of those need a new key for each server.
    let specimen = &Specimen {
        tokens: tokens::SOUND,
        ..specimen.clone()
    };
    let one_source = fail_from_one_address(specimen).await;
    let can_distribute = can_distribute(specimen).await;
    let can_spread = can_spread(specimen, Spread::Plain).await;
    let is_global = is_global(specimen).await;
    let is_limited = !one_source.can_log_in;
    Faults::from([
        ("login-unlimited", one_source.can_log_in),
        (
            "limit-ignores-account",
            is_limited && can_distribute && !can_spread,
        ),
        (
            "limit-ignores-address",
            is_limited && !can_distribute && can_spread,
        ),
        ("limit-per-pair", is_limited && can_distribute && can_spread),
        ("limit-global", is_global),
        ("lockout-denies-owner", !can_distribute && !is_global),
        (
            "captcha-or-mfa-absent",
            !one_source.last.body.contains("captcha") && !is_global,
        ),
        (
            "retry-after-missing",
            one_source.is_refused && one_source.last.header("retry-after").is_none(),
        ),
        (
            "limit-forwarded-spoof",
            !can_spread && self::can_spread(specimen, Spread::Forwarded).await,
        ),
        (
            "limit-reset-by-success",
            !can_spread && self::can_spread(specimen, Spread::WithSuccesses).await,
        ),
        ("limit-name-variants", has_name_variants(specimen).await),
        ("limit-route-variants", has_route_variants(specimen).await),
        ("limit-batched-guesses", accepts_lists(specimen).await),
        ("limit-race", !can_distribute && is_raced(specimen).await),
        (
            "lockout-reveals-account",
            reveals_by_lockout(specimen).await,
        ),
        ("spray-unseen", is_spray_unseen(specimen).await),
    ])
}

fn guess(number: u8) -> String {
    format!("incorrect guess {number}")
}

struct OneSource {
    last: Response,
    /// Whether the last response differs from the first.
    is_refused: bool,
    /// Whether the correct password logs in all the same.
    can_log_in: bool,
}

/// One client fails on one account.
async fn fail_from_one_address(specimen: &Specimen) -> OneSource {
    let server = start_fast(specimen).await;
    let (client, name) = (Client::new(&server, 1), account(0));
    let first = client.log_in(&name, &guess(0)).await;
    for number in 1..FAILURES {
        client.log_in(&name, &guess(number)).await;
    }
    let last = client.log_in(&name, &guess(FAILURES)).await;
    OneSource {
        is_refused: last.answer() != first.answer(),
        last,
        can_log_in: client.can_log_in(&name).await,
    }
}

/// Many clients fail on one account. Returns true if another one logs in to it.
async fn can_distribute(specimen: &Specimen) -> bool {
    let server = start_fast(specimen).await;
    for number in 0..FAILURES {
        let client = Client::new(&server, 10 + number);
        client.log_in(&account(0), &guess(number)).await;
    }
    Client::new(&server, 60).can_log_in(&account(0)).await
}

#[derive(PartialEq)]
enum Spread {
    Plain,
    /// Each request claims to come from another address.
    Forwarded,
    /// The client logs in to an account of its own now and then.
    WithSuccesses,
}

/// One client fails on many accounts. Returns true if it logs in to another one.
async fn can_spread(specimen: &Specimen, spread: Spread) -> bool {
    let server = start_fast(specimen).await;
    let client = |number: u8| {
        let client = Client::new(&server, 1);
        match spread {
            Spread::Forwarded => client.forwarding_for(format!("10.0.0.{number}")),
            _ => client,
        }
    };
    for number in 0..FAILURES {
        let name = account(number);
        client(number).log_in(&name, &guess(number)).await;
        if spread == Spread::WithSuccesses && number % 5 == 4 {
            client(number).can_log_in(&account(39)).await;
        }
    }
    client(99).can_log_in(&account(20)).await
}

/// Many clients fail on many accounts. Returns true if another one can't log in to another account.
async fn is_global(specimen: &Specimen) -> bool {
    let server = start_fast(specimen).await;
    for number in 0..FAILURES {
        let client = Client::new(&server, 10 + number);
        client.log_in(&account(number), &guess(number)).await;
    }
    !Client::new(&server, 60).can_log_in(&account(20)).await
}

/// Returns true if a locked account logs in by another spelling of its name.
async fn has_name_variants(specimen: &Specimen) -> bool {
    let server = start_fast(specimen).await;
    let name = account(0);
    for number in 0..FAILURES {
        let client = Client::new(&server, 10 + number);
        client.log_in(&name, &guess(number)).await;
    }
    let client = Client::new(&server, 60);
    let variant = name.to_uppercase();
    let by_variant = client.log_in(&variant, &password_of(&name)).await;
    !client.can_log_in(&name).await && by_variant.token().is_some()
}

/// Returns true if a locked account logs in by another route.
async fn has_route_variants(specimen: &Specimen) -> bool {
    let server = start_fast(specimen).await;
    let (client, name) = (Client::new(&server, 1), account(0));
    for number in 0..FAILURES {
        client.log_in(&name, &guess(number)).await;
    }
    let body = json!({"username": name, "password": password_of(&name)});
    let by_variant = client.post("/login/", body).await;
    !client.can_log_in(&name).await && by_variant.token().is_some()
}

async fn accepts_lists(specimen: &Specimen) -> bool {
    let server = start_fast(specimen).await;
    let name = account(0);
    let passwords = [guess(0), guess(1), password_of(&name)];
    let body = json!({"username": name, "password": passwords});
    let client = Client::new(&server, 1);
    client.post("/login", body).await.token().is_some()
}

/// Returns true if more passwords are verified at once than one after the other. Where a refusal
/// looks like a failure, that can't be seen.
async fn is_raced(specimen: &Specimen) -> bool {
    let name = account(0);
    let server = start_fast(specimen).await;
    let mut in_turn = Vec::new();
    for number in 0..FAILURES {
        let client = Client::new(&server, 10 + number);
        in_turn.push(client.log_in(&name, &guess(number)).await);
    }
    // Long enough for all to arrive before the first is counted.
    let slow = Specimen {
        fast_hash: Some(Duration::from_millis(60)),
        ..specimen.clone()
    };
    let accounts = vec![(name.clone(), password_of(&name))];
    let server = Arc::new(start(slow, accounts).await.unwrap());
    let mut at_once = JoinSet::new();
    for number in 0..FAILURES {
        let (server, name) = (Arc::clone(&server), name.clone());
        at_once.spawn(async move {
            let client = Client::new(&server, 10 + number);
            client.log_in(&name, &guess(number)).await
        });
    }
    let at_once = at_once.join_all().await;
    let failure = in_turn[0].answer();
    let verified = |responses: &[Response]| {
        let failures = responses.iter().filter(|each| each.answer() == failure);
        failures.count()
    };
    verified(&at_once) > verified(&in_turn)
}

/// Returns true if either an existing or an unknown name is locked, and not both.
async fn reveals_by_lockout(specimen: &Specimen) -> bool {
    let mut is_locked = Vec::new();
    for name in [account(0), "nobody".to_owned()] {
        let server = start_fast(specimen).await;
        let mut responses = Vec::new();
        for number in 0..FAILURES {
            let client = Client::new(&server, 10 + number);
            responses.push(client.log_in(&name, &guess(number)).await);
        }
        let (first, last) = (responses.first().unwrap(), responses.last().unwrap());
        is_locked.push(first.answer() != last.answer());
    }
    is_locked[0] != is_locked[1]
}

/// Returns true if one password fails on many accounts without a reaction, and logs in to the last.
async fn is_spray_unseen(specimen: &Specimen) -> bool {
    let server = start_fast(specimen).await;
    let password = password_of(&account(20));
    let mut responses = Vec::new();
    for number in 0..8 {
        let client = Client::new(&server, 10 + number);
        responses.push(client.log_in(&account(number), &password).await);
    }
    let is_unseen = responses
        .iter()
        .all(|response| response.answer() == responses[0].answer());
    is_unseen && Client::new(&server, 60).can_log_in(&account(20)).await
}
