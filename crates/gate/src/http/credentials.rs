//! Reads credentials from a login request. Ambiguous requests are rejected: the application might
//! verify a different password from the one that is counted.

use base64::{Engine, prelude::BASE64_STANDARD};
use doorwarden_decision::{InvalidAccount, Login, Shape};
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE},
};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::json::{DUPLICATE, Unambiguous};

/// A name and a password, for as long as it takes to count them.
#[derive(Debug)]
pub struct Credentials {
    /// The account name as it was sent.
    pub account: String,
    /// The password.
    pub password: Password,
}

/// A password. `Debug` redacts it, and it is wiped from memory when dropped.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Wraps a password.
    pub fn new(password: String) -> Self {
        Self(Zeroizing::new(password))
    }

    /// Returns the password itself, to be marked and not to be kept.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// Where a login request carries the credentials, with the placeholders of a template resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Two fields of a form.
    Form {
        /// The field with the account name.
        account: String,
        /// The field with the password.
        password: String,
    },
    /// Two JSON pointers.
    Json {
        /// The pointer to the account name.
        account: String,
        /// The pointer to the password.
        password: String,
    },
    /// `Authorization: Basic`.
    Basic,
}

/// The credentials of a body template can't be located.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unsupported body template of `{0}`: {{{{account}}}} and {{{{password}}}} must each be a whole JSON \
     string or a whole form value, and GraphQL is not supported"
)]
pub struct UnreadableTemplate(String);

/// Why the credentials of a request could not be read. Worded for the client; reveals no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The content type is not that of the login.
    #[error("unsupported Content-Type; send {0}")]
    ContentType(&'static str),
    /// The body is compressed.
    #[error("unsupported Content-Encoding; send the body uncompressed")]
    ContentEncoding,
    /// A header appears more than once.
    #[error("duplicate header {0}")]
    RepeatedHeader(HeaderName),
    /// The body is not JSON.
    #[error("invalid JSON (line {line}, column {column})")]
    Json {
        /// From 1.
        line: usize,
        /// From 1; 0 at the very start of a line.
        column: usize,
    },
    /// A JSON object has a key more than once.
    #[error("duplicate key in a JSON object (line {line}, column {column})")]
    DuplicateKey {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A field appears more than once, possibly in another spelling.
    #[error("duplicate field {0:?}, possibly in another spelling")]
    DuplicateField(String),
    /// The query contains a field of the credentials: some applications would read it from there.
    #[error("field {0:?} in the query; send it only in the body")]
    InQuery(String),
    /// The request contains invalid UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// A field is missing or not a string.
    #[error("field {0:?} is missing or not a string")]
    Missing(String),
    /// The Basic credentials are missing or malformed.
    #[error("missing or malformed Basic credentials in the Authorization header")]
    Basic,
    /// The account name is invalid.
    #[error("{0}")]
    Account(#[from] InvalidAccount),
}

impl Unreadable {
    /// Returns the status of the response: 415 for an unsupported kind of body, otherwise 400.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ContentType(_) | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl Place {
    /// Returns where requests of `login` carry the credentials.
    pub fn of(login: &Login) -> Result<Self, UnreadableTemplate> {
        match &login.shape {
            Shape::Form { account, password } => Ok(Self::Form {
                account: account.clone(),
                password: password.clone(),
            }),
            Shape::Json { account, password } => Ok(Self::Json {
                account: account.clone(),
                password: password.clone(),
            }),
            Shape::Basic => Ok(Self::Basic),
            Shape::Body(template) => place_in(template)
                .ok_or_else(|| UnreadableTemplate(format!("{} {}", login.method, login.path))),
        }
    }

    /// Reads the credentials of a request; `query` is the query string of its target.
    pub fn read(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Credentials, Unreadable> {
        if headers.contains_key(CONTENT_ENCODING) {
            return Err(Unreadable::ContentEncoding);
        }
        self.not_in(query.unwrap_or_default())?;
        match self {
            Self::Form { account, password } => {
                expect_type(headers, FORM)?;
                from_form(body, account, password)
            }
            Self::Json { account, password } => {
                expect_type(headers, JSON)?;
                from_json(body, account, password)
            }
            Self::Basic => from_basic(headers),
        }
    }
}

impl Place {
    /// Rejects a query that contains one of the fields.
    fn not_in(&self, query: &str) -> Result<(), Unreadable> {
        let fields = match self {
            Self::Form { account, password } => [account.as_str(), password],
            Self::Json { account, password } => {
                [account, password].map(|pointer| pointer.rsplit('/').next().unwrap_or_default())
            }
            Self::Basic => return Ok(()),
        };
        for pair in query.split(['&', ';']) {
            let name = pair.split('=').next().unwrap_or_default().replace('+', " ");
            let name = percent_decode_str(&name).decode_utf8_lossy().into_owned();
            if fields.iter().any(|field| could_be(&name, field)) {
                return Err(Unreadable::InQuery(name.chars().take(40).collect()));
            }
        }
        Ok(())
    }
}

/// A field's name as the laxest application reads it: Go and .NET ignore case, PHP drops leading
/// spaces, ends at NUL and takes dots and spaces for underscores. Two names that fold to one could
/// be the same field there.
fn fold(name: &str) -> String {
    let lower: String = name.nfkc().flat_map(char::to_lowercase).collect();
    let end = lower.find('\0').unwrap_or(lower.len());
    lower[..end].trim().replace(['.', ' '], "_")
}

/// Whether a form's field could be taken for the wanted one. Where that has no brackets of its own
/// (`user[email]` has), PHP also takes `username[…]` for it.
fn could_be(name: &str, wanted: &str) -> bool {
    let (name, wanted) = (fold(name), fold(wanted));
    let end = name.find('[').unwrap_or(name.len());
    name == wanted || (!wanted.contains('[') && name[..end] == wanted)
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn place_in(template: &str) -> Option<Place> {
    use doorwarden_decision::{ACCOUNT, PASSWORD};
    if template.trim_start().starts_with(['{', '[']) {
        let Unambiguous(value) = serde_json::from_str(template).ok()?;
        // GraphQL: the document beside the variables could hold more logins than are counted.
        if value.get("query").is_some() {
            return None;
        }
        Some(Place::Json {
            account: pointer_to(&value, ACCOUNT)?,
            password: pointer_to(&value, PASSWORD)?,
        })
    } else {
        let fields = form_fields(template.as_bytes()).ok()?;
        let field = |placeholder: &str| {
            let found = fields
                .iter()
                .find(|(_, value)| value.as_str() == placeholder);
            found.map(|(name, _)| name.clone())
        };
        Some(Place::Form {
            account: field(ACCOUNT)?,
            password: field(PASSWORD)?,
        })
    }
}

/// The JSON pointer of the string that is exactly `wanted`.
fn pointer_to(value: &Value, wanted: &str) -> Option<String> {
    let below = |(step, inner): (String, &Value)| {
        let step = step.replace('~', "~0").replace('/', "~1");
        pointer_to(inner, wanted).map(|rest| format!("/{step}{rest}"))
    };
    match value {
        Value::String(text) => (text == wanted).then(String::new),
        Value::Object(object) => object
            .iter()
            .map(|(key, v)| (key.clone(), v))
            .find_map(below),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .find_map(below),
        _ => None,
    }
}

fn expect_type(headers: &HeaderMap, expected: &'static str) -> Result<(), Unreadable> {
    let value = once(headers, CONTENT_TYPE)?.ok_or(Unreadable::ContentType(expected))?;
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    // A charset other than UTF-8 would make the application read other text than is counted.
    let allowed = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"').to_ascii_lowercase();
        parameter.is_empty()
            || (name.trim().eq_ignore_ascii_case("charset")
                && ["utf-8", "utf8"].contains(&value.as_str()))
    };
    if essence.eq_ignore_ascii_case(expected) && parts.all(allowed) {
        Ok(())
    } else {
        Err(Unreadable::ContentType(expected))
    }
}

fn once(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Unreadable> {
    let mut values = headers.get_all(&name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Unreadable::RepeatedHeader(name));
    }
    first
        .map(|value| value.to_str().map_err(|_| Unreadable::NotUtf8))
        .transpose()
}

fn from_form(body: &[u8], account: &str, password: &str) -> Result<Credentials, Unreadable> {
    let mut fields = form_fields(body)?;
    let mut take = |wanted: &str| {
        let alike = fields
            .iter()
            .filter(|(name, _)| could_be(name, wanted))
            .count();
        let place = fields.iter().position(|(name, _)| name == wanted);
        match (alike, place) {
            // Some old parsers part fields at `;` too; encoders write it as %3B.
            (1, Some(_)) if parted(body, wanted) => {
                Err(Unreadable::DuplicateField(wanted.to_owned()))
            }
            (1, Some(place)) => Ok(std::mem::take(&mut *fields[place].1)),
            (0 | 1, _) => Err(Unreadable::Missing(wanted.to_owned())),
            _ => Err(Unreadable::DuplicateField(wanted.to_owned())),
        }
    };
    Ok(Credentials {
        account: take(account)?,
        password: Password::new(take(password)?),
    })
}

/// Returns whether the wanted field follows a bare `;`.
fn parted(body: &[u8], wanted: &str) -> bool {
    let pieces = body
        .split(|byte| *byte == b'&')
        .flat_map(|pair| pair.split(|byte| *byte == b';').skip(1));
    pieces.into_iter().any(|piece| {
        let name = piece.split(|byte| *byte == b'=').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).replace('+', " ");
        could_be(&percent_decode_str(&name).decode_utf8_lossy(), wanted)
    })
}

/// The fields of a form (WHATWG URL §5.1), except that what isn't UTF-8 is refused.
fn form_fields(body: &[u8]) -> Result<Vec<(String, Zeroizing<String>)>, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::NotUtf8)?;
    let decode = |part: &str| {
        let spaced = Zeroizing::new(part.replace('+', " "));
        let decoded = percent_decode_str(&spaced).decode_utf8();
        decoded
            .map(|text| text.into_owned())
            .map_err(|_| Unreadable::NotUtf8)
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, Zeroizing::new(decode(value)?)))
        })
        .collect()
}

fn from_json(body: &[u8], account: &str, password: &str) -> Result<Credentials, Unreadable> {
    let Unambiguous(mut value) = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.to_string().starts_with(DUPLICATE) {
            Unreadable::DuplicateKey { line, column }
        } else {
            Unreadable::Json { line, column }
        }
    })?;
    for pointer in [account, password] {
        if !stands_alone(&value, pointer) {
            return Err(Unreadable::DuplicateField(pointer.to_owned()));
        }
    }
    let mut take = |pointer: &str| match value.pointer_mut(pointer) {
        Some(Value::String(text)) => Ok(std::mem::take(text)),
        _ => Err(Unreadable::Missing(pointer.to_owned())),
    };
    Ok(Credentials {
        account: take(account)?,
        password: Password::new(take(password)?),
    })
}

/// Returns whether no key on the path of a pointer also appears in another spelling.
fn stands_alone(value: &Value, pointer: &str) -> bool {
    let mut place = Some(value);
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if let Some(object) = place.and_then(Value::as_object) {
            let alike = object.keys().filter(|key| fold(key) == fold(&step)).count();
            if alike > 1 {
                return false;
            }
        }
        place = place.and_then(|value| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            value => value.get(&step),
        });
    }
    true
}

fn from_basic(headers: &HeaderMap) -> Result<Credentials, Unreadable> {
    let value = once(headers, AUTHORIZATION)?.ok_or(Unreadable::Basic)?;
    let (scheme, token) = value.split_once(' ').ok_or(Unreadable::Basic)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Unreadable::Basic);
    }
    let decoded = Zeroizing::new(
        BASE64_STANDARD
            .decode(token.trim())
            .map_err(|_| Unreadable::Basic)?,
    );
    let text = std::str::from_utf8(&decoded).map_err(|_| Unreadable::NotUtf8)?;
    let (account, password) = text.split_once(':').ok_or(Unreadable::Basic)?;
    Ok(Credentials {
        account: account.to_owned(),
        password: Password::new(password.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(login: &str, content_type: &str, body: &[u8]) -> Result<(String, String), Unreadable> {
        let place = Place::of(&login.parse().unwrap()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        let read = place.read(&headers, None, body)?;
        Ok((read.account, read.password.expose().to_owned()))
    }

    const FORM_LOGIN: &str = "POST /token form:username form:password";
    const JSON_LOGIN: &str = "POST /login json:/user/name json:/user/password";

    fn pair(account: &str, password: &str) -> Result<(String, String), Unreadable> {
        Ok((account.to_owned(), password.to_owned()))
    }

    #[test]
    fn each_shape_is_read() {
        let body = b"grant_type=password&username=al+ice%40x&password=p%26%C3%A9";
        assert_eq!(read(FORM_LOGIN, FORM, body), pair("al ice@x", "p&é"));
        let body = br#"{"user":{"name":"alice","password":"p","n":[1,null]}}"#;
        assert_eq!(
            read(JSON_LOGIN, "application/json; charset=utf-8", body),
            pair("alice", "p")
        );
        let template = r#"POST /l body:{"a":[{"b/c":"{{account}}"}],"p":"{{password}}","x":1}"#;
        let body = br#"{"a":[{"b/c":"alice"}],"p":"p","x":2}"#;
        assert_eq!(read(template, JSON, body), pair("alice", "p"));
        let template = "POST /l body:u={{account}}&p={{password}}&stay=1";
        assert_eq!(read(template, FORM, b"u=alice&p=p"), pair("alice", "p"));
    }

    #[test]
    fn basic_is_read() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Basic YWxpY2U6cDpx".parse().unwrap());
        let read = Place::Basic.read(&headers, None, b"").unwrap();
        assert_eq!(
            (read.account.as_str(), read.password.expose()),
            ("alice", "p:q")
        );
        headers.append(AUTHORIZATION, "Basic Ym9iOng=".parse().unwrap());
        let twice = Place::Basic.read(&headers, None, b"").unwrap_err();
        assert_eq!(twice, Unreadable::RepeatedHeader(AUTHORIZATION));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        use Unreadable as U;
        let twice = br#"{"user":{"name":"a","password":"p","password":"q"}}"#;
        assert!(matches!(
            read(JSON_LOGIN, JSON, twice),
            Err(U::DuplicateKey { line: 1, .. })
        ));
        let twice = b"username=a&password=p&password=q";
        assert_eq!(
            read(FORM_LOGIN, FORM, twice),
            Err(U::DuplicateField("password".into()))
        );
        assert_eq!(
            read(FORM_LOGIN, FORM, b"username=a&password=%ff"),
            Err(U::NotUtf8)
        );
        assert_eq!(read(FORM_LOGIN, FORM, b"username=a\xff"), Err(U::NotUtf8));
        assert_eq!(read(FORM_LOGIN, JSON, b"{}"), Err(U::ContentType(FORM)));
        assert_eq!(
            read(JSON_LOGIN, "application/json; charset=utf-16", b"{}"),
            Err(U::ContentType(JSON))
        );
        assert_eq!(
            read(JSON_LOGIN, JSON, b"{"),
            Err(U::Json { line: 1, column: 1 })
        );
        let null = br#"{"user":{"name":null,"password":["p"]}}"#;
        assert_eq!(
            read(JSON_LOGIN, JSON, null),
            Err(U::Missing("/user/name".into()))
        );
        assert_eq!(
            read(FORM_LOGIN, FORM, b""),
            Err(U::Missing("username".into()))
        );
    }

    #[test]
    fn another_spelling_beside_the_field_is_a_duplicate() {
        use Unreadable as U;
        for body in [
            r#"{"user":{"name":"decoy","password":"p","Name":"victim"}}"#,
            r#"{"user":{"name":"decoy","password":"p","paſſword":"q"}}"#,
        ] {
            let read = read(JSON_LOGIN, JSON, body.as_bytes());
            assert!(matches!(read, Err(U::DuplicateField(_))), "{body}");
        }
        for more in [
            "+username=v",
            "username%00z=v",
            "USERNAME=v",
            "username[]=v",
            "username%5Bx%5D=v",
            "a=b;username=v",
        ] {
            let body = format!("username=decoy&password=p&{more}");
            let read = read(FORM_LOGIN, FORM, body.as_bytes());
            assert_eq!(read, Err(U::DuplicateField("username".into())), "{more}");
        }
        for content_type in [
            "application/json; charset=utf-7; x=utf-8",
            "application/json; charset=utf-16",
        ] {
            assert_eq!(
                read(JSON_LOGIN, content_type, b"{}"),
                Err(U::ContentType(JSON))
            );
        }
    }

    #[test]
    fn honest_shapes_are_read() {
        let devise = "POST /users/sign_in form:user[email] form:user[password]";
        let body = b"user%5Bemail%5D=a%40x&user%5Bpassword%5D=p&user%5Bremember_me%5D=1&items[]=1&items[]=2";
        assert_eq!(read(devise, FORM, body), pair("a@x", "p"));
        let body = br#"{"user":{"name":"a","password":"p"},"fp":{"w":1,"W":2,"i[0]":1,"i[1]":1}}"#;
        assert_eq!(read(JSON_LOGIN, JSON, body), pair("a", "p"));
    }

    #[test]
    fn a_query_that_holds_a_field_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, FORM.parse().unwrap());
        let place = Place::of(&FORM_LOGIN.parse().unwrap()).unwrap();
        let read = |query| place.read(&headers, Some(query), b"username=a&password=p");
        assert!(read("next=%2Fhome").is_ok());
        for query in [
            "username=v",
            "a=1&PassWord=g",
            "user%6eame=v",
            "a;username=v",
        ] {
            assert!(
                matches!(read(query), Err(Unreadable::InQuery(_))),
                "{query}"
            );
        }
    }

    #[test]
    fn a_template_that_can_not_be_read_backwards_is_refused() {
        let login = r#"POST /l body:{"q":"login(u: {{account}}, p: {{password}})"}"#;
        assert!(Place::of(&login.parse().unwrap()).is_err());
        let login =
            r#"POST /l body:{"query":"…","variables":{"u":"{{account}}","p":"{{password}}"}}"#;
        assert!(Place::of(&login.parse().unwrap()).is_err());
    }

    #[test]
    fn a_password_is_not_printed() {
        assert_eq!(
            format!("{:?}", Password::new("canary".into())),
            "Password(redacted)"
        );
    }

    proptest! {
        #[test]
        fn untrusted_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(FORM_LOGIN, FORM, &body);
            let _ = read(JSON_LOGIN, JSON, &body);
        }

        #[test]
        fn a_form_is_read_as_it_was_written(account in ".{1,20}", password in ".{0,20}") {
            let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
            let body = format!("username={}&password={}", encode(&account), encode(&password));
            prop_assert_eq!(read(FORM_LOGIN, FORM, body.as_bytes()), Ok((account, password)));
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let body = "[".repeat(100_000);
        assert!(matches!(
            read(JSON_LOGIN, JSON, body.as_bytes()),
            Err(Unreadable::Json { .. })
        ));
    }
}
