//! The controls of the checks of signed requests: two that are rightly signed, and three that are
//! not. Measured once.

use std::sync::Arc;

use crate::{
    Verdict,
    access::Door,
    probe::Stop,
    scan::Session,
    signed::{Said, Signed},
};

/// The most requests of the controls.
pub(crate) const MAX_REQUESTS: u32 = 5;

const NOT_NAMED: &str = "no route of signed requests was named; name it: --signed 'GET /orders'";

/// The route with its controls; why there is none, else.
pub(crate) async fn door(session: &mut Session) -> Result<Arc<Result<Door, String>>, Stop> {
    if let Some(door) = &session.signing {
        return Ok(Arc::clone(door));
    }
    let door = match session.signed.clone() {
        Some(signed) => measure(session, &signed).await?,
        None => Err(NOT_NAMED.to_owned()),
    };
    let door = Arc::new(door);
    session.signing = Some(Arc::clone(&door));
    Ok(door)
}

async fn measure(session: &mut Session, signed: &Signed) -> Result<Result<Door, String>, Stop> {
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
        return Ok(Err(format!(
            "a rightly signed request is answered {told}; look at --signed, --signing and the key"
        )));
    }
    let path = signed.route.path.clone();
    Ok(match answers.try_into() {
        Ok(answers) => Ok(Door::of(path, answers)),
        Err(_) => Err("not all was answered".into()),
    })
}

/// The route, where it refuses what is wrongly signed.
pub(crate) async fn discerning(
    session: &mut Session,
) -> Result<Result<(Door, Signed), String>, Stop> {
    let door = door(session).await?;
    let Some(signed) = session.signed.clone() else {
        return Ok(Err(NOT_NAMED.to_owned()));
    };
    Ok(match &*door {
        Ok(door) if door.takes_nothing() || door.takes_garbage() || door.takes_changed() => {
            Err("the route takes any signature, which signature-not-checked tells".into())
        }
        Ok(door) => Ok((door.clone(), signed)),
        Err(reason) => Err(reason.clone()),
    })
}

/// What a new request says of itself, signed so many seconds ago.
pub(crate) fn said(session: &mut Session, signed: &Signed, age: u64) -> Said {
    let now = session.now() as u64;
    let nonce = session.random_word();
    signed.said(now.saturating_sub(age), nonce)
}

/// What a check says without controls.
pub(crate) fn untold(reason: &str) -> Verdict {
    match reason.starts_with("a rightly signed") {
        true => Verdict::inconclusive(reason),
        false => Verdict::not_applicable(reason),
    }
}
