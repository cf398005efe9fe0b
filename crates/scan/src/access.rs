//! What a login hands out, and a route that asks for it.
//!
//! Every check of tokens judges by the same controls, which are measured once: the route's answer to
//! the own token (twice), to none, to garbage, and to the own token with one character changed. A
//! forged token is accepted where it is answered like the own one, and only there.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    Account, Evidence, Secret, TokenFrom, TokenPlace, Verdict,
    answer::Answer,
    checks::jwt_weak_secret,
    jwt::{Jwt, Key},
    learn::Class,
    probe::{Source, Stop},
    request::Request,
    scan::{self, Session},
};

/// Routes that are tried where no document names one.
const USUAL_PATHS: [&str; 3] = ["/me", "/users/me", "/protected"];

/// Routes that are asked with the own token before it is given up.
const MOST_CANDIDATES: usize = 3;

/// The most requests of the measurement: a login, a question to each candidate, the same with another
/// word before the token or without one, and the controls of one.
pub(crate) const MAX_REQUESTS: u32 = 1 + 3 * MOST_CANDIDATES as u32 + 3;

/// Shorter strings are no tokens.
const LEAST_TOKEN: usize = 8;

/// How a token is carried.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Credential {
    /// In a header, after a word (`Bearer`), which may be empty.
    Header {
        name: String,
        word: String,
        token: Secret,
    },
    Cookie {
        name: String,
        value: Secret,
    },
}

impl Credential {
    /// As RFC 6750 has it.
    pub(crate) fn bearer(token: Secret) -> Self {
        Self::Header {
            name: "authorization".into(),
            word: "Bearer".into(),
            token,
        }
    }

    pub(crate) fn token(&self) -> &str {
        match self {
            Self::Header { token, .. } | Self::Cookie { value: token, .. } => token.expose(),
        }
    }

    /// The same place, another token.
    pub(crate) fn with(&self, other: &str) -> Self {
        let mut credential = self.clone();
        match &mut credential {
            Self::Header { token, .. } | Self::Cookie { value: token, .. } => {
                *token = Secret::new(other.to_owned());
            }
        }
        credential
    }

    /// The same, after another word; `None` where it is not in `Authorization`.
    fn after(&self, other: &str) -> Option<Self> {
        let mut credential = self.clone();
        match &mut credential {
            Self::Header { name, word, .. } if name == "authorization" => *word = other.to_owned(),
            _ => return None,
        }
        Some(credential)
    }

    fn header(&self) -> (&str, String) {
        match self {
            Self::Header { name, word, token } => (
                name,
                format!("{word} {}", token.expose()).trim_start().to_owned(),
            ),
            Self::Cookie { name, value } => ("cookie", format!("{name}={}", value.expose())),
        }
    }
}

/// What a right login was answered.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) credential: Credential,
    /// The refresh token, and the field that it came in.
    pub(crate) refresh: Option<(String, Secret)>,
    /// The whole answer.
    pub(crate) answer: Answer,
}

/// A route that answers the own token otherwise than none.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) path: String,
    valid: Answer,
    none: Answer,
    garbage: Answer,
    /// Answers to the same vary by themselves, so only their status is compared.
    coarse: bool,
    /// What the own token was answered with one character changed.
    changed: Answer,
}

/// All that the checks of tokens rest on.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// `None`: the answer to a right login holds no token and no cookie.
    pub(crate) issued: Option<Issued>,
    /// Why there is none, else.
    pub(crate) door: Result<Door, String>,
    /// A route that is declared to ask for a token and does not: its path and answer.
    pub(crate) open: Option<(String, String)>,
}

impl Door {
    /// A door from the answers to its controls; `again` is the second answer to what is right.
    pub(crate) fn of(path: String, answers: [Answer; 5]) -> Self {
        let [valid, again, none, garbage, changed] = answers;
        Self {
            coarse: again.signature() != valid.signature(),
            path,
            valid,
            none,
            garbage,
            changed,
        }
    }

    /// Whether nothing at all is answered like what is right.
    pub(crate) fn takes_nothing(&self) -> bool {
        self.opens(&self.none) == Some(true)
    }

    /// Whether an answer is that to the own token; `None` where it is like neither control.
    pub(crate) fn opens(&self, answer: &Answer) -> Option<bool> {
        if self.alike(answer, &self.valid) {
            return Some(true);
        }
        // A limit of the route says nothing of the token.
        if matches!(answer.status, 408 | 425 | 429) {
            return None;
        }
        let refused = matches!(answer.status, 400..500);
        let like_none = self.alike(answer, &self.none) || self.alike(answer, &self.garbage);
        (refused || like_none || self.sends_away(answer)).then_some(false)
    }

    /// The route as it answers another token that opens it: a page may list one's sessions, or greet. `None`
    /// where the token does not open it.
    pub(crate) fn shown_to(&self, answer: Answer) -> Option<Self> {
        let told_by_status = [&self.none, &self.garbage, &self.changed]
            .iter()
            .all(|refused| refused.status != self.valid.status);
        let opens = self.opens(&answer) == Some(true)
            || (told_by_status && answer.status == self.valid.status);
        opens.then(|| Self {
            valid: answer,
            ..self.clone()
        })
    }

    /// Whether it leads where the answer to no token leads: to the login.
    fn sends_away(&self, answer: &Answer) -> bool {
        let to = |answer: &Answer| {
            let path = answer.header("location")?.split(['?', '#']).next()?;
            Some(path.to_owned())
        };
        let redirects = (300..400).contains(&answer.status) && answer.status == self.none.status;
        redirects && to(answer).is_some() && to(answer) == to(&self.none)
    }

    fn alike(&self, one: &Answer, other: &Answer) -> bool {
        let (one, other) = (one.signature(), other.signature());
        if self.coarse {
            one.status == other.status
        } else {
            one == other
        }
    }

    pub(crate) fn takes_garbage(&self) -> bool {
        self.opens(&self.garbage) == Some(true)
    }

    pub(crate) fn takes_changed(&self) -> bool {
        self.opens(&self.changed) == Some(true)
    }

    /// The controls, for a finding's evidence.
    pub(crate) fn controls(&self) -> [(String, String); 3] {
        let asked = |with: &str| format!("GET {} with {with}", self.path);
        [
            (asked("the own token"), self.valid.describe()),
            (asked("no token"), self.none.describe()),
            (asked("garbage"), self.garbage.describe()),
        ]
    }
}

/// Names of the token in a login's answer, without marks and in small letters.
const TOKENS: [&str; 6] = [
    "accesstoken",
    "token",
    "access",
    "jwt",
    "authtoken",
    "sessiontoken",
];

/// The same of a refresh token.
const REFRESH_TOKENS: [&str; 2] = ["refreshtoken", "refresh"];

impl Issued {
    /// The token in a right answer, where the operator says that it is.
    fn at(answer: &Answer, place: &TokenPlace) -> Option<Self> {
        let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let in_header = |token: &str| {
            let (name, word) = place.header.clone();
            is_token(token).then(|| Credential::Header {
                name,
                word,
                token: Secret::new(token.to_owned()),
            })
        };
        let credential = match &place.from {
            TokenFrom::Json(pointer) => in_header(json.as_ref()?.pointer(pointer)?.as_str()?)?,
            TokenFrom::Header(name) => {
                let value = answer.header(name)?;
                in_header(value.strip_prefix("Bearer ").unwrap_or(value))?
            }
            TokenFrom::Cookie(wanted) => {
                let (name, value) = cookies(answer).find(|(name, _)| name == wanted)?;
                let value = Secret::new(value.to_owned());
                Credential::Cookie { name, value }
            }
        };
        Some(Self {
            credential,
            refresh: json
                .as_ref()
                .and_then(|json| find(json, &REFRESH_TOKENS, 3)),
            answer: answer.clone(),
        })
    }

    /// The token in a right answer: in its JSON, else in a cookie that wrong answers don't set.
    pub(crate) fn of(answer: &Answer, usual_cookies: &[String]) -> Option<Self> {
        let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let found = |names: &[&str]| json.as_ref().and_then(|json| find(json, names, 3));
        let access = found(&TOKENS);
        let credential = match access {
            Some((_, token)) => Credential::bearer(token),
            None => cookie(answer, usual_cookies)?,
        };
        Some(Self {
            credential,
            refresh: found(&REFRESH_TOKENS),
            answer: answer.clone(),
        })
    }

    /// Whether there is a token under a usual name.
    pub(crate) fn is_in(json: &Value) -> bool {
        find(json, &TOKENS, 3).is_some()
    }

    /// Whether the token is not a cookie.
    pub(crate) fn is_in_body(&self) -> bool {
        matches!(self.credential, Credential::Header { .. })
    }

    pub(crate) fn jwt(&self) -> Option<Jwt> {
        Jwt::parse(self.credential.token())
    }
}

impl Access {
    /// The own token, where it is a JWT.
    pub(crate) fn jwt(&self) -> Result<Jwt, &str> {
        let issued = self.issued.as_ref().ok_or(NO_TOKEN)?;
        issued.jwt().ok_or("the token is no JWT")
    }

    /// The route, where it refuses what is no right token: else a forged one proves nothing.
    pub(crate) fn discerning_door(&self) -> Result<&Door, &str> {
        let door = self.door.as_ref().map_err(String::as_str)?;
        let discerns = !door.takes_garbage() && !door.takes_changed();
        discerns
            .then_some(door)
            .ok_or("the route takes any token, which token-not-checked tells")
    }

    /// The route and what was handed out for it.
    pub(crate) fn at_door(&self) -> Result<(&Door, &Issued), &str> {
        let issued = self.issued.as_ref().ok_or(NO_TOKEN)?;
        Ok((self.discerning_door()?, issued))
    }

    /// What it takes to send forged JWTs.
    pub(crate) fn jwt_at_door(&self) -> Result<(Jwt, &Issued, &Door), &str> {
        let issued = self.issued.as_ref().ok_or(NO_TOKEN)?;
        Ok((self.jwt()?, issued, self.discerning_door()?))
    }
}

/// Why a token that was signed anew says nothing.
pub(crate) const NOT_THE_KEY: &str =
    "the own claims, signed anew, are refused: the key is not the one that signs the tokens";

/// The own JWT and the key that signs it: the operator's, or a well-known one.
pub(crate) fn keyed_jwt(session: &Session, access: &Access) -> Result<(Jwt, Key), Box<Verdict>> {
    let (jwt, ..) = access
        .jwt_at_door()
        .map_err(|reason| Box::new(Verdict::not_applicable(reason)))?;
    let key = match &session.jwt_key {
        Some(key) => Key::of(key).map_err(|reason| Box::new(Verdict::inconclusive(reason)))?,
        None => {
            let known = jwt_weak_secret::well_known(&jwt);
            let unknown = "it takes the key that signs the tokens; give it in DOORWARDEN_JWT_KEY";
            let unknown = || Box::new(Verdict::not_applicable(unknown));
            Key::Secret(known.ok_or_else(unknown)?.into())
        }
    };
    Ok((jwt, key))
}

const NO_TOKEN: &str = "the answer to a right login holds no token and no session cookie";

/// Evidence with the route's controls.
pub(crate) fn shown(evidence: Evidence, door: &Door) -> Evidence {
    let controls = door.controls().into_iter();
    controls.fold(evidence, |evidence, (request, answer)| {
        evidence.exhibit(request, answer)
    })
}

/// A finding with what it rests on and the route's controls beside it.
pub(crate) fn with_controls(
    verdict: Verdict,
    door: &Door,
    rests_on: Option<(String, String)>,
) -> Verdict {
    let Verdict::Find(mut finding) = verdict else {
        return verdict;
    };
    if let Some((request, answer)) = rests_on {
        finding.evidence = finding.evidence.exhibit(request, answer);
    }
    finding.evidence = shown(finding.evidence, door);
    Verdict::Find(finding)
}

/// The first string under one of these names, and the name as it is spelled.
fn find(json: &Value, names: &[&str], depth: usize) -> Option<(String, Secret)> {
    let object = json.as_object()?;
    for wanted in names {
        for (name, value) in object {
            let plain = name.to_lowercase().replace(['_', '-'], "");
            let token = value.as_str().filter(|token| token.len() >= LEAST_TOKEN);
            if let Some(token) = token.filter(|token| plain == *wanted && is_token(token)) {
                return Some((name.clone(), Secret::new(token.to_owned())));
            }
        }
    }
    let deeper = object.values().filter(|_| depth > 1);
    deeper
        .into_iter()
        .find_map(|value| find(value, names, depth - 1))
}

/// Whether it can be sent in a header.
fn is_token(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\",;".contains(&byte))
}

fn says(name: &str, words: &[&str]) -> bool {
    let name = name.to_lowercase();
    words.iter().any(|word| name.contains(word))
}

/// The cookies that an answer sets.
fn cookies(answer: &Answer) -> impl Iterator<Item = (String, &str)> {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let pairs = cookies.filter_map(|value| value.to_str().ok()?.split(';').next()?.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim()))
}

fn cookie(answer: &Answer, usual: &[String]) -> Option<Credential> {
    let pairs = cookies(answer);
    // A token against forged requests comes with many a session and is none.
    let is_new = |name: &String| !usual.contains(name) && !says(name, &["csrf", "xsrf"]);
    let new =
        pairs.filter(|(name, value)| value.len() >= LEAST_TOKEN && is_token(value) && is_new(name));
    // The likeliest by its name, else the first.
    let unlikely =
        |(name, _): &(String, &str)| !says(name, &["sess", "sid", "auth", "jwt", "token"]);
    let (name, value) = new.min_by_key(unlikely)?;
    Some(Credential::Cookie {
        name,
        value: Secret::new(value.to_owned()),
    })
}

/// The controls, measured at the first question for them.
/// The same without an account: whether a route that is declared to ask for a token answers without one.
pub(crate) async fn of_nobody(session: &mut Session) -> Result<Access, Stop> {
    let mut open = None;
    for (path, declared) in candidates(session) {
        if !declared {
            continue;
        }
        let none = ask(session, &path, None).await?;
        if (200..300).contains(&none.status) {
            open = Some((path, none.describe()));
            break;
        }
    }
    Ok(Access {
        issued: None,
        door: Err(scan::NEEDS_ACCOUNT.into()),
        open,
    })
}

pub(crate) async fn access(session: &mut Session) -> Result<Arc<Access>, Stop> {
    if let Some(access) = &session.access {
        return Ok(Arc::clone(access));
    }
    let access = Arc::new(measure(session).await?);
    session.access = Some(Arc::clone(&access));
    Ok(access)
}

async fn measure(session: &mut Session) -> Result<Access, Stop> {
    let Some(mut issued) = log_in(session).await? else {
        return Ok(Access {
            issued: None,
            door: Err(NO_TOKEN.into()),
            open: None,
        });
    };
    let mut open = None;
    for (path, declared) in candidates(session) {
        let mut valid = ask(session, &path, Some(&issued.credential)).await?;
        // Some want another word before the token, and say which (RFC 9110 section 11.6.1).
        let wanted = scheme(&valid).and_then(|word| issued.credential.after(word));
        if let Some(credential) = wanted.filter(|wanted| *wanted != issued.credential) {
            valid = ask(session, &path, Some(&credential)).await?;
            session.token_word = scheme_of(&credential);
            issued.credential = credential;
        }
        if !(200..300).contains(&valid.status) {
            continue;
        }
        let none = ask(session, &path, None).await?;
        if none.signature() == valid.signature() {
            if declared {
                open.get_or_insert((path, none.describe()));
            }
            continue;
        }
        let again = ask(session, &path, Some(&issued.credential)).await?;
        let coarse = again.signature() != valid.signature();
        if coarse && none.status == valid.status {
            let reason =
                format!("the answers of {path} vary by themselves; name another: --protected /me");
            return Ok(Access {
                issued: Some(issued),
                door: Err(reason),
                open,
            });
        }
        let garbage = issued.credential.with("garbage-garbage-garbage-garbage");
        let garbage = ask(session, &path, Some(&garbage)).await?;
        let changed = issued.credential.with(&changed(issued.credential.token()));
        let changed = ask(session, &path, Some(&changed)).await?;
        let door = Door {
            path,
            valid,
            none,
            garbage,
            coarse,
            changed,
        };
        return Ok(Access {
            issued: Some(issued),
            door: Ok(door),
            open,
        });
    }
    let reason = match &open {
        Some((path, _)) => format!(
            "{path} answers without a token, and no other route was found that asks for one"
        ),
        None => "no route was found that asks for the token; name one: --protected /me".into(),
    };
    Ok(Access {
        issued: Some(issued),
        door: Err(reason),
        open,
    })
}

/// The word before the token in `Authorization`.
fn scheme_of(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Header { word, .. } => Some(word.clone()),
        Credential::Cookie { .. } => None,
    }
}

/// A fresh login's token, which opens the route now, and the route as it shows itself to it; `Err` says
/// why there is none.
pub(crate) async fn fresh(
    session: &mut Session,
    door: &Door,
) -> Result<Result<(Issued, Door), &'static str>, Stop> {
    let Some(issued) = log_in(session).await? else {
        return Ok(Err("a fresh login was given no token"));
    };
    let answer = ask(session, &door.path, Some(&issued.credential)).await?;
    Ok(match door.shown_to(answer) {
        Some(door) => Ok((issued, door)),
        None => Err("the token of a fresh login does not open the route"),
    })
}

/// The scheme that a refusal asks for, where it may be one of tokens.
fn scheme(answer: &Answer) -> Option<&str> {
    let scheme = answer
        .header("www-authenticate")?
        .split([' ', ','])
        .next()?;
    let others = ["bearer", "basic", "digest", "negotiate", "ntlm", "dpop"];
    let is_other = others
        .iter()
        .any(|other| scheme.eq_ignore_ascii_case(other));
    let is_word = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
    (answer.status == 401 && is_word && !is_other).then_some(scheme)
}

/// Judges the own token by what it says, where it is a JWT.
pub(crate) async fn judge_jwt(
    session: &mut Session,
    judge: fn(&Jwt) -> Verdict,
) -> Result<Verdict, Stop> {
    Ok(match access(session).await?.jwt() {
        Ok(jwt) => judge(&jwt),
        Err(reason) => Verdict::not_applicable(reason),
    })
}

/// A right login of the scanner's own account, and what it was given.
pub(crate) async fn log_in(session: &mut Session) -> Result<Option<Issued>, Stop> {
    let own = session.own();
    log_in_as(session, &own).await
}

/// The same for another of the test accounts.
pub(crate) async fn log_in_as(
    session: &mut Session,
    account: &Account,
) -> Result<Option<Issued>, Stop> {
    let (answer, class) = session.right(None, account).await?;
    if class != Class::Right {
        return Err(Stop::Check(
            "a right login of a test account was refused".into(),
        ));
    }
    let mut issued = match &session.token {
        Some(place) => Issued::at(&answer, place),
        None => Issued::of(&answer, &session.learned.wrong_cookies()),
    };
    if let (Some(issued), Some(word)) = (&mut issued, &session.token_word) {
        let after = issued.credential.after(word);
        issued.credential = after.unwrap_or(issued.credential.clone());
    }
    Ok(issued)
}

/// Where the token may be asked for, each with whether the document says that it is.
fn candidates(session: &Session) -> Vec<(String, bool)> {
    let found = &session.found.protected;
    let usual = USUAL_PATHS.map(|path| (path.to_owned(), false));
    let unknown = usual
        .into_iter()
        .filter(|(path, _)| found.iter().all(|(other, _)| other != path));
    let mut all: Vec<(String, bool)> = found.iter().cloned().chain(unknown).collect();
    all.truncate(MOST_CANDIDATES);
    all
}

/// Asks a route with a token or without.
pub(crate) async fn ask(
    session: &mut Session,
    path: &str,
    credential: Option<&Credential>,
) -> Result<Answer, Stop> {
    ask_from(session, None, path, credential).await
}

/// The same from another address.
pub(crate) async fn ask_from(
    session: &mut Session,
    source: Source,
    path: &str,
    credential: Option<&Credential>,
) -> Result<Answer, Stop> {
    let request = Request::get(path);
    session.ask_from(source, with(request, credential)).await
}

/// A request that carries a token.
pub(crate) fn with(request: Request, credential: Option<&Credential>) -> Request {
    match credential.map(Credential::header) {
        Some((name, value)) => request.with_named_header(name, value),
        None => request,
    }
}

/// A token with one character changed: in the middle of a JWT's signature, or of the whole.
fn changed(token: &str) -> String {
    let from = token.rfind('.').map_or(0, |dot| dot + 1);
    let place = from + (token.len() - from) / 2;
    let change = |(at, c): (usize, char)| match c {
        _ if at != place => c,
        'A' | '0' => 'B',
        _ => 'A',
    };
    token.char_indices().map(change).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::answer::tests::answer;

    /// A route that answers 401 without a token, and so to garbage and to a changed one.
    pub(crate) fn door(garbage: u16, changed: u16) -> Door {
        let valid = |status| match status {
            200 => answer(200, &[], r#"{"username":"a"}"#),
            _ => answer(status, &[], "no"),
        };
        Door {
            path: "/me".into(),
            valid: valid(200),
            none: valid(401),
            garbage: valid(garbage),
            coarse: false,
            changed: valid(changed),
        }
    }

    /// An opaque token at a route.
    pub(crate) fn access(door: Result<Door, String>) -> Access {
        let right = answer(200, &[], r#"{"access_token":"abcdefgh1"}"#);
        Access {
            issued: Issued::of(&right, &[]),
            door,
            open: None,
        }
    }

    #[test]
    fn a_page_may_show_another_token_something_else() {
        let other = answer(200, &[], "<ul><li>this session<li>another</ul>");
        let door = door(401, 401);
        assert_eq!(door.opens(&other), None);
        let shown = door.shown_to(other.clone()).unwrap();
        assert_eq!(shown.opens(&other), Some(true));
        assert_eq!(shown.opens(&answer(401, &[], "no")), Some(false));
        assert!(door.shown_to(answer(401, &[], "no")).is_none());
        assert!(door.shown_to(answer(500, &[], "broken")).is_none());
        // Where the status does not tell, nothing is taken for granted.
        let blurred = super::tests::door(200, 401);
        assert!(blurred.shown_to(other).is_none());
    }

    #[test]
    fn tokens_are_found_where_logins_put_them() {
        let bearer = |token: &str| Some(Credential::bearer(Secret::new(token.into())));
        let of = |answer: Answer| Issued::of(&answer, &["csrftoken".into()]);
        let cases = [
            (
                r#"{"access_token":"abcdefgh1","token_type":"bearer"}"#,
                "abcdefgh1",
            ),
            (
                r#"{"data":{"user":{"id":1},"accessToken":"abcdefgh2"}}"#,
                "abcdefgh2",
            ),
            (
                r#"{"refresh":"rrrrrrrrr","access":"abcdefgh3"}"#,
                "abcdefgh3",
            ),
        ];
        for (body, token) in cases {
            assert_eq!(
                of(answer(200, &[], body)).map(|issued| issued.credential),
                bearer(token)
            );
        }
        let refresh = of(answer(200, &[], cases[2].0)).and_then(|issued| issued.refresh);
        assert_eq!(refresh.map(|(name, _)| name).as_deref(), Some("refresh"));
        let cookies = [
            ("set-cookie", "csrftoken=aaaaaaaaaa"),
            ("set-cookie", "sid=bbbbbbbbbb; Path=/"),
        ];
        let django = [
            ("set-cookie", "XSRF=aaaaaaaaaa"),
            ("set-cookie", "theme=dark-and-blue"),
            ("set-cookie", "sessionid=bbbbbbbbbb"),
        ];
        for (cookies, session) in [(&cookies[..], "sid"), (&django[..], "sessionid")] {
            let issued = of(answer(303, cookies, "")).map(|issued| issued.credential);
            assert!(matches!(issued, Some(Credential::Cookie { name, .. }) if name == session));
        }
        assert!(
            of(answer(
                200,
                &[],
                r#"{"token":"short","message":"access granted"}"#
            ))
            .is_none()
        );
    }

    #[test]
    fn an_answer_is_like_the_own_tokens_or_it_is_not_accepted() {
        let sound = door(422, 401);
        assert!(access(Ok(sound.clone())).discerning_door().is_ok());
        for (status, body, opens) in [
            (200, r#"{"username":"a"}"#, Some(true)),
            (401, "no", Some(false)),
            (422, "other words", Some(false)),
            (200, "<html>log in", None),
            (500, "oops", None),
            (429, "slow down", None),
        ] {
            assert_eq!(
                sound.opens(&answer(status, &[], body)),
                opens,
                "{status} {body}"
            );
        }
        let moved = |to: &str| answer(302, &[("location", to)], "");
        let page = Door {
            none: moved("/login?next=/me"),
            ..sound
        };
        assert_eq!(page.opens(&moved("/login?next=/me%3Ft")), Some(false));
        assert_eq!(page.opens(&moved("/elsewhere")), None);
        let any = access(Ok(door(200, 200)));
        assert!(
            any.discerning_door()
                .unwrap_err()
                .contains("token-not-checked")
        );
    }

    #[test]
    fn tokens_are_found_where_the_operator_says() {
        let body = r#"{"response":{"user":{"authentication_token":"abcdefgh1"}}}"#;
        let one = answer(
            200,
            &[("set-cookie", "a=1"), ("x-auth", "Bearer abcdefgh2")],
            body,
        );
        let at = |words: &str| {
            let issued = Issued::at(&one, &words.parse().unwrap());
            issued.map(|issued| {
                let (name, value) = issued.credential.header();
                format!("{name}: {value}")
            })
        };
        assert_eq!(
            at("json:/response/user/authentication_token header:Authentication-Token").as_deref(),
            Some("authentication-token: abcdefgh1")
        );
        assert_eq!(
            at("header:x-auth").as_deref(),
            Some("authorization: Bearer abcdefgh2")
        );
        assert_eq!(at("cookie:a").as_deref(), Some("cookie: a=1"));
        assert_eq!(at("json:/nowhere"), None);
        let asks =
            |value| scheme(&answer(401, &[("www-authenticate", value)], "")).map(str::to_owned);
        assert_eq!(asks("Token realm=x").as_deref(), Some("Token"));
        assert_eq!((asks("Bearer"), asks("Basic realm=x")), (None, None));
    }

    #[test]
    fn one_character_is_changed() {
        for token in ["aaa.bbb.cccc", "lab-00000007", "AAAA"] {
            let other = changed(token);
            let differ = token.bytes().zip(other.bytes()).filter(|(a, b)| a != b);
            assert_eq!((other.len(), differ.count()), (token.len(), 1), "{other}");
        }
    }
}
