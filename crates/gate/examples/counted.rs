//! Makes as many attempts as the argument says, to count instructions:
//! `cargo xtask bench` runs it under callgrind.

use doorwarden_decision::{
    AccountKey, Attempt, Mark, Marks, Outcome, Policy, SourceKey, Thresholds, Timestamp, decide,
    plan, settle,
};
use doorwarden_gate::MemoryStore;

fn main() {
    let attempts = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    let policy = Policy::default();
    let store = MemoryStore::new(&policy, 16 << 20, 7);
    for i in 0..attempts {
        std::hint::black_box(counted(&store, &policy, i));
    }
}

/// Plans, charges, decides and settles one incorrect guess of a stranger.
#[inline(never)]
fn counted(store: &MemoryStore, policy: &Policy, i: u64) -> bool {
    let now = Timestamp::from_millis(1_700_000_000_000 + i);
    let marks = Marks {
        current: Some(Mark::from_parts(1, i as u32)),
        previous: None,
        exact: Some(i as u32),
    };
    let source = SourceKey::new((i as u32).to_be_bytes().into());
    let attempt = Attempt::new(
        AccountKey::from_u64(i.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        source,
        marks,
    );
    let counts = store.charge(&plan(&attempt, policy), now);
    let decision = decide(&attempt, policy, &Thresholds::default(), &counts).decision;
    let outcome = if decision.verifies() {
        Outcome::Failure
    } else {
        Outcome::Unverified
    };
    store.charge(&settle(&attempt, policy, &counts, decision, outcome), now);
    decision.verifies()
}
