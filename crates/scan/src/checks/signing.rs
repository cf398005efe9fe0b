//! The controls of the checks of signed requests: two with a correct signature and three without.
//! Measured once.

use std::sync::Arc;

use crate::{
    Verdict,
    access::Door,
    probe::Stop,
    scan::Session,
    signed::{Said, Signed},
};

/// Maximum number of requests of the controls.
pub(crate) const MAX_REQUESTS: u32 = 5;

/// The route with its controls, or the verdict of the checks that need them.
pub(crate) type Controls = Result<Door, Box<Verdict>>;

const NOT_NAMED: &str = "no route for signed requests was given; name one: --signed 'GET /orders'";

/// Returns the route with its controls, or the verdict of the checks if there is none.
pub(crate) async fn door(session: &mut Session) -> Result<Arc<Controls>, Stop> {
    if let Some(door) = &session.signing {
        return Ok(Arc::clone(door));
    }
    let door = match session.signed.clone() {
        Some(signed) => measure(session, &signed).await?,
        None => Err(Box::new(Verdict::not_applicable(NOT_NAMED))),
    };
    let door = Arc::new(door);
    session.signing = Some(Arc::clone(&door));
    Ok(door)
}

async fn measure(session: &mut Session, signed: &Signed) -> Result<Controls, Stop> {
    let [first, second, third, fourth] = [0; 4].map(|age| said(session, signed, age));
    let mut changed = signed.tag(&fourth);
    if let Some(byte) = changed.first_mut() {
        *byte ^= 1;
    }
    let requests = [
        signed.request(&first),
        signed.request(&second),
        signed.bare(),
        signed.with_tag(&third, &[0x5a; 32]),
        signed.with_tag(&fourth, &changed),
    ];
    let mut answers = Vec::new();
    for request in requests {
        answers.push(session.ask(request).await?);
    }
    if let Some(refused) = answers[..2].iter().find(|answer| answer.status >= 400) {
        let told = refused.describe();
        return Ok(Err(Box::new(Verdict::inconclusive(format!(
            "a correctly signed request was rejected: {told}; check --signed, --signing and the key"
        )))));
    }
    let path = signed.route.path.clone();
    Ok(match answers.try_into() {
        Ok(answers) => Ok(Door::of(path, answers)),
        Err(_) => Err(Box::new(Verdict::inconclusive(
            "a request was not answered",
        ))),
    })
}

/// Returns the route, if it rejects incorrect signatures.
pub(crate) async fn discerning(
    session: &mut Session,
) -> Result<Result<(Door, Signed), Box<Verdict>>, Stop> {
    let door = door(session).await?;
    let Some(signed) = session.signed.clone() else {
        return Ok(Err(Box::new(Verdict::not_applicable(NOT_NAMED))));
    };
    Ok(match &*door {
        Ok(door) if door.takes_nothing() || door.takes_garbage() || door.takes_changed() => {
            Err(Box::new(Verdict::not_applicable(
                "the route accepts any signature; see signature-not-checked",
            )))
        }
        Ok(door) => Ok((door.clone(), signed)),
        Err(verdict) => Err(verdict.clone()),
    })
}

/// Returns the signed components of a new request, with a timestamp this many seconds ago.
pub(crate) fn said(session: &mut Session, signed: &Signed, age: u64) -> Said {
    let now = session.now() as u64;
    let nonce = session.random_word();
    signed.said(now.saturating_sub(age), nonce)
}
