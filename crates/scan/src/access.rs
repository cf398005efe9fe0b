//! The token that a login returns, and a route that requires it.
//!
//! All token checks use the same controls, which are measured once: the route's responses to the
//! scanner's token (twice), to no token, to garbage, and to the token with one character changed. A
//! forged token is accepted if and only if it gets the same response as the scanner's token.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::OnceCell;

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

/// Routes that are tried if no document names one.
const USUAL_PATHS: [&str; 3] = ["/me", "/users/me", "/protected"];

/// Maximum number of routes that are tried with the token.
const MOST_CANDIDATES: usize = 3;

/// Maximum number of requests of the measurement: a login, for each candidate a request with the
/// token, one with another scheme and one without a token, and the remaining controls of one route.
pub(crate) const MAX_REQUESTS: u32 = 1 + 3 * MOST_CANDIDATES as u32 + 3;

/// Minimum length of a token.
const LEAST_TOKEN: usize = 8;

/// How a token is carried.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Credential {
    /// In a header, after a scheme (`Bearer`), which may be empty.
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
    /// Returns a bearer token in `Authorization` (RFC 6750).
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

    /// Returns another token, carried in the same way.
    pub(crate) fn with(&self, other: &str) -> Self {
        let mut credential = self.clone();
        match &mut credential {
            Self::Header { token, .. } | Self::Cookie { value: token, .. } => {
                *token = Secret::new(other.to_owned());
            }
        }
        credential
    }

    /// Returns the token with another scheme; `None` if it is not in `Authorization`.
    fn after(&self, other: &str) -> Option<Self> {
        let mut credential = self.clone();
        match &mut credential {
            Self::Header { name, word, .. } if name == "authorization" => *word = other.to_owned(),
            _ => return None,
        }
        Some(credential)
    }

    /// Returns the scheme before the token; `None` in a cookie.
    pub(crate) fn scheme(&self) -> Option<&str> {
        match self {
            Self::Header { word, .. } => Some(word),
            Self::Cookie { .. } => None,
        }
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

/// What the response to a successful login contained.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) credential: Credential,
    /// The name of the field with the refresh token, and the token.
    pub(crate) refresh: Option<(String, Secret)>,
    /// The whole response.
    pub(crate) answer: Answer,
}

/// A route that responds differently with and without the scanner's token, with its controls.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) path: String,
    valid: Answer,
    none: Answer,
    garbage: Answer,
    /// Equal requests get different responses, so only the status is compared.
    coarse: bool,
    /// The response to the token with one character changed.
    changed: Answer,
}

/// What all token checks use.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// The issued token; `None` if the response to a successful login contains no token and no
    /// cookie.
    pub(crate) issued: Option<Issued>,
    /// The route, or why there is none.
    pub(crate) door: Result<Door, String>,
    /// A route that is declared to require a token and does not: its path and response.
    pub(crate) open: Option<(String, String)>,
}

impl Door {
    /// Returns a route from the responses to its controls; the first two are to valid requests.
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

    /// Returns true if a request without a token is accepted.
    pub(crate) fn takes_nothing(&self) -> bool {
        self.opens(&self.none) == Some(true)
    }

    /// Returns true if a response means that the token was accepted, false if it was rejected, and
    /// `None` if the response matches no control.
    pub(crate) fn opens(&self, answer: &Answer) -> Option<bool> {
        if self.alike(answer, &self.valid) {
            return Some(true);
        }
        // A limit of the route says nothing about the token.
        if matches!(answer.status, 408 | 425 | 429) {
            return None;
        }
        let refused = matches!(answer.status, 400..500);
        let like_none = self.alike(answer, &self.none) || self.alike(answer, &self.garbage);
        (refused || like_none || self.sends_away(answer)).then_some(false)
    }

    /// Returns the route with the response to another accepted token as its control, since a page
    /// may list the user's sessions; `None` if the token is rejected.
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

    /// Returns true if the response redirects where the one without a token does: to the login.
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

    /// Returns the controls as evidence for a finding.
    pub(crate) fn controls(&self) -> [(String, String); 3] {
        let asked = |with: &str| format!("GET {} with {with}", self.path);
        [
            (asked("the scanner's token"), self.valid.describe()),
            (asked("no token"), self.none.describe()),
            (asked("garbage"), self.garbage.describe()),
        ]
    }
}

/// Names of the token in the response to a login, in lower case and without separators.
const TOKENS: [&str; 6] = [
    "accesstoken",
    "token",
    "access",
    "jwt",
    "authtoken",
    "sessiontoken",
];

/// Names of a refresh token.
const REFRESH_TOKENS: [&str; 2] = ["refreshtoken", "refresh"];

impl Issued {
    /// Reads the token from a response, at the place that the operator named.
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

    /// Finds the token in a response: in its JSON, or in a cookie that failed logins do not set.
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

    /// Returns true if there is a token under a usual name.
    pub(crate) fn is_in(json: &Value) -> bool {
        find(json, &TOKENS, 3).is_some()
    }

    /// Returns true if the token is not a cookie.
    pub(crate) fn is_in_body(&self) -> bool {
        matches!(self.credential, Credential::Header { .. })
    }

    pub(crate) fn jwt(&self) -> Option<Jwt> {
        Jwt::parse(self.credential.token())
    }
}

impl Access {
    /// Returns the scanner's token if it is a JWT, or why there is none.
    pub(crate) fn jwt(&self) -> Result<Jwt, &str> {
        let issued = self.issued.as_ref().ok_or(NO_TOKEN)?;
        issued.jwt().ok_or("the token is not a JWT")
    }

    /// Returns the route if it rejects invalid tokens; otherwise a forged token proves nothing.
    pub(crate) fn discerning_door(&self) -> Result<&Door, &str> {
        let door = self.door.as_ref().map_err(String::as_str)?;
        let discerns = !door.takes_garbage() && !door.takes_changed();
        discerns
            .then_some(door)
            .ok_or("the route accepts any token; see token-not-checked")
    }

    /// Returns the route and the token that it accepts.
    pub(crate) fn at_door(&self) -> Result<(&Door, &Issued), &str> {
        let issued = self.issued.as_ref().ok_or(NO_TOKEN)?;
        Ok((self.discerning_door()?, issued))
    }

    /// Returns what is needed to send forged JWTs.
    pub(crate) fn jwt_at_door(&self) -> Result<(Jwt, &Issued, &Door), &str> {
        let issued = self.issued.as_ref().ok_or(NO_TOKEN)?;
        Ok((self.jwt()?, issued, self.discerning_door()?))
    }
}

/// Why a re-signed token proves nothing.
pub(crate) const NOT_THE_KEY: &str = "a token with unchanged claims, signed with the known key, is rejected: it is not the key that signs the tokens";

/// Returns the scanner's JWT and the key that signs it: the operator's, or a well-known one.
pub(crate) fn keyed_jwt(session: &Session, access: &Access) -> Result<(Jwt, Key), Box<Verdict>> {
    let (jwt, ..) = access
        .jwt_at_door()
        .map_err(|reason| Box::new(Verdict::not_applicable(reason)))?;
    let key = match &session.jwt_key {
        Some(key) => Key::of(key).map_err(|reason| Box::new(Verdict::inconclusive(reason)))?,
        None => {
            let known = jwt_weak_secret::well_known(&jwt);
            let unknown = "this check needs the key that signs the tokens; set DOORWARDEN_JWT_KEY";
            let unknown = || Box::new(Verdict::not_applicable(unknown));
            Key::Secret(known.ok_or_else(unknown)?.into())
        }
    };
    Ok((jwt, key))
}

const NO_TOKEN: &str = "the response to a successful login contains no token and no session cookie";

/// Adds the route's controls to evidence.
pub(crate) fn shown(evidence: Evidence, door: &Door) -> Evidence {
    let controls = door.controls().into_iter();
    controls.fold(evidence, |evidence, (request, answer)| {
        evidence.exhibit(request, answer)
    })
}

/// Adds the decisive exhibit and the route's controls to a finding.
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

/// Returns the first token under one of these names, and the name as spelled.
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

/// Returns true if the text can be sent as a token in a header.
fn is_token(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\",;".contains(&byte))
}

fn says(name: &str, words: &[&str]) -> bool {
    let name = name.to_lowercase();
    words.iter().any(|word| name.contains(word))
}

/// Returns the cookies that a response sets.
fn cookies(answer: &Answer) -> impl Iterator<Item = (String, &str)> {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let pairs = cookies.filter_map(|value| value.to_str().ok()?.split(';').next()?.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim()))
}

fn cookie(answer: &Answer, usual: &[String]) -> Option<Credential> {
    let pairs = cookies(answer);
    // A CSRF token often comes with a session cookie and is not one.
    let is_new = |name: &String| !usual.contains(name) && !says(name, &["csrf", "xsrf"]);
    let new =
        pairs.filter(|(name, value)| value.len() >= LEAST_TOKEN && is_token(value) && is_new(name));
    // The most likely one by its name, otherwise the first.
    let unlikely =
        |(name, _): &(String, &str)| !says(name, &["sess", "sid", "auth", "jwt", "token"]);
    let (name, value) = new.min_by_key(unlikely)?;
    Some(Credential::Cookie {
        name,
        value: Secret::new(value.to_owned()),
    })
}

/// Measures what is possible without an account: whether a route that is declared to require a
/// token responds without one.
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

/// The controls, or why they could not be measured; shared by all checks of a scan.
pub(crate) type Shared = Arc<OnceCell<Result<Arc<Access>, Stop>>>;

/// Returns the controls, which are measured at the first call. Checks that run concurrently wait
/// for the first of them, so that no two logins overlap.
pub(crate) async fn access(session: &mut Session) -> Result<Arc<Access>, Stop> {
    let shared = Arc::clone(&session.access);
    let measured = shared.get_or_init(async || Ok(Arc::new(measure(session).await?)));
    measured.await.clone()
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
        // Some routes require another scheme and name it (RFC 9110 section 11.6.1).
        let wanted = scheme(&valid).and_then(|word| issued.credential.after(word));
        if let Some(credential) = wanted.filter(|wanted| *wanted != issued.credential) {
            valid = ask(session, &path, Some(&credential)).await?;
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
            let reason = format!(
                "responses of {path} are not stable; choose another route with --protected"
            );
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
            "{path} responds without a token, and no other route that requires one was found"
        ),
        None => "no route that requires the token was found; name one with --protected".into(),
    };
    Ok(Access {
        issued: Some(issued),
        door: Err(reason),
        open,
    })
}

/// Logs in again; returns the new token and the route with the response to it as its control, or
/// why there is none.
pub(crate) async fn fresh(
    session: &mut Session,
    door: &Door,
) -> Result<Result<(Issued, Door), &'static str>, Stop> {
    let Some(issued) = log_in(session).await? else {
        return Ok(Err("a new login returned no token"));
    };
    let answer = ask(session, &door.path, Some(&issued.credential)).await?;
    Ok(match door.shown_to(answer) {
        Some(door) => Ok((issued, door)),
        None => Err("the route rejects the token of a new login"),
    })
}

/// Returns the scheme that a rejection requires, if it may be one for tokens.
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

/// Judges the scanner's token by its contents, if it is a JWT.
pub(crate) async fn judge_jwt(
    session: &mut Session,
    judge: fn(&Jwt) -> Verdict,
) -> Result<Verdict, Stop> {
    Ok(match access(session).await?.jwt() {
        Ok(jwt) => judge(&jwt),
        Err(reason) => Verdict::not_applicable(reason),
    })
}

/// Logs in to the scanner's own account and returns the token.
pub(crate) async fn log_in(session: &mut Session) -> Result<Option<Issued>, Stop> {
    let own = session.own();
    log_in_as(session, &own).await
}

/// Logs in to a test account and returns the token.
pub(crate) async fn log_in_as(
    session: &mut Session,
    account: &Account,
) -> Result<Option<Issued>, Stop> {
    let (answer, class) = session.right(None, account).await?;
    if class != Class::Right {
        return Err(Stop::Check(
            "a login of a test account with the correct password was rejected".into(),
        ));
    }
    let mut issued = match &session.token {
        Some(place) => Issued::at(&answer, place),
        None => Issued::of(&answer, &session.learned.wrong_cookies()),
    };
    if let (Some(issued), Some(word)) = (&mut issued, session.token_word()) {
        let after = issued.credential.after(word);
        issued.credential = after.unwrap_or(issued.credential.clone());
    }
    Ok(issued)
}

/// Returns the routes that may require the token, each with whether the document declares it.
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

/// Requests a route with or without a token.
pub(crate) async fn ask(
    session: &mut Session,
    path: &str,
    credential: Option<&Credential>,
) -> Result<Answer, Stop> {
    ask_from(session, None, path, credential).await
}

/// Like [`ask`], from another source address.
pub(crate) async fn ask_from(
    session: &mut Session,
    source: Source,
    path: &str,
    credential: Option<&Credential>,
) -> Result<Answer, Stop> {
    let request = Request::get(path);
    session.ask_from(source, with(request, credential)).await
}

/// Adds a token to a request.
pub(crate) fn with(request: Request, credential: Option<&Credential>) -> Request {
    match credential.map(Credential::header) {
        Some((name, value)) => request.with_named_header(name, value),
        None => request,
    }
}

/// Returns a token with one character changed, in the middle of a JWT's signature or of the whole.
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

    /// Returns a route that responds with 401 without a token, and with these statuses to garbage
    /// and to a changed token.
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

    /// Returns an opaque token with a route.
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
        // If the status does not distinguish them, nothing is assumed.
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
