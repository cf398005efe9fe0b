//! Each login has the faults that it claims, and no other: shown by requests, without the scanner.

mod accounts;
mod client;
mod limits;
mod signatures;
mod tokens;

use std::collections::BTreeMap;

use crate::{Specimen, specimens};

/// Faults that were looked for, by the check that is for them, and whether they were there.
type Faults = BTreeMap<&'static str, bool>;

async fn observe(specimen: &Specimen) -> Faults {
    let mut faults = Faults::new();
    faults.extend(limits::observe(specimen).await);
    faults.extend(accounts::observe(specimen).await);
    faults.extend(tokens::observe(specimen).await);
    faults.extend(signatures::observe(specimen).await);
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn each_login_has_the_faults_that_it_claims_and_no_other() {
    let mut differences = Vec::new();
    for specimen in specimens() {
        let observed = observe(&specimen).await;
        for (check, is_there) in &observed {
            if *is_there != specimen.fires(check) {
                differences.push(format!("{}: {check} is {is_there}", specimen.id));
            }
        }
        for check in specimen.fires {
            assert!(observed.contains_key(check), "{check} has no observation");
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn ids_are_unique() {
    let mut ids: Vec<_> = specimens().iter().map(|specimen| specimen.id).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
}
