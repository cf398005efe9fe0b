//! Fixes for common frameworks. The checks of one family share them; a check's own fix comes first.

use schemars::JsonSchema;
use serde::Serialize;

/// One fix for each framework; an empty one is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Recipes {
    /// FastAPI and Starlette.
    pub fastapi: &'static str,
    /// Flask.
    pub flask: &'static str,
    /// Django and Django REST framework.
    pub django: &'static str,
    /// Express.
    pub express: &'static str,
    /// nginx in front.
    pub nginx: &'static str,
}

impl Recipes {
    /// No fix in any framework, for a check whose own fix says it all.
    pub const NONE: Self = Self {
        fastapi: "",
        flask: "",
        django: "",
        express: "",
        nginx: "",
    };

    /// Returns each fix with its framework's name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = [
            ("FastAPI", self.fastapi),
            ("Flask", self.flask),
            ("Django", self.django),
            ("Express", self.express),
            ("nginx", self.nginx),
        ];
        all.into_iter().filter(|(_, how)| !how.is_empty())
    }
}

const NOT_NGINX: &str = "Not possible: nginx does not know what the application verifies.";

pub(super) static LIMITS: Recipes = Recipes {
    fastapi: "In the login function, before the password is verified: increment one counter for the account and one for the IP address (limits.aio with Redis), and decrement both after a successful login. A slowapi decorator limits the address alone.",
    flask: "Flask-Limiter twice on the login: key_func=get_remote_address, and a key_func that returns the normalized account name of the request, with deduct_when=lambda response: response.status_code == 401.",
    django: "django-axes with AXES_LOCKOUT_PARAMETERS = [\"username\", \"ip_address\"] (each on its own, not [[\"username\", \"ip_address\"]], which is the pair), and AXES_RESET_ON_SUCCESS for the account alone.",
    express: "rate-limiter-flexible: consume one limiter by account name and one by IP address before passport.authenticate; reward() both after a successful login.",
    nginx: "limit_req_zone on $binary_remote_addr limits each IP address; the account name is in the body, which nginx does not read. Put doorwarden guard behind it.",
};

pub(super) static UNIFORM: Recipes = Recipes {
    fastapi: "One HTTPException for both cases, and a verification against a dummy hash with the current parameters if the user does not exist.",
    flask: "One jsonify for both cases; check_password_hash(DUMMY, password) if the user does not exist. Flask-Security: SECURITY_RETURN_GENERIC_RESPONSES = True.",
    django: "ModelBackend already hashes for unknown names; use authenticate() and report only that it returned None. Registration and reset: respond as PasswordResetView does.",
    express: "passport-local: done(null, false) with the same message in both cases, and compare with a dummy hash if the user does not exist.",
    nginx: "error_page can make the bodies equal, but not the response times.",
};

pub(super) static PASSWORDS: Recipes = Recipes {
    fastapi: "FastAPI-users: UserManager.validate_password with a list of common passwords; pwdlib with Argon2 has no 72-byte limit.",
    flask: "Flask-Security: SECURITY_PASSWORD_CHECK_BREACHED = \"strict\" and SECURITY_PASSWORD_LENGTH_MIN = 15; Argon2 in SECURITY_PASSWORD_HASH.",
    django: "AUTH_PASSWORD_VALIDATORS with CommonPasswordValidator and MinimumLengthValidator; Argon2PasswordHasher first, or BCryptSHA256PasswordHasher.",
    express: "zxcvbn-ts or a list of common passwords before hashing with argon2; bcrypt truncates at 72 bytes.",
    nginx: NOT_NGINX,
};

pub(super) static JWT: Recipes = Recipes {
    fastapi: "PyJWT: jwt.decode(token, key, algorithms=[\"RS256\"], audience=…, issuer=…, options={\"require\": [\"exp\", \"iat\", \"jti\"]}); take the key from the environment: 32 random bytes or a key pair.",
    flask: "Flask-JWT-Extended: JWT_ALGORITHM, JWT_DECODE_ALGORITHMS with one entry, JWT_DECODE_AUDIENCE, JWT_DECODE_ISSUER, JWT_ACCESS_TOKEN_EXPIRES of a few minutes.",
    django: "djangorestframework-simplejwt: SIMPLE_JWT with ALGORITHM, a dedicated SIGNING_KEY, AUDIENCE, ISSUER and an ACCESS_TOKEN_LIFETIME of a few minutes.",
    express: "jsonwebtoken.verify(token, key, { algorithms: [\"RS256\"], audience, issuer }); express-jwt requires algorithms as well.",
    nginx: "auth_jwt of NGINX Plus verifies tokens; open-source nginx passes them on unread.",
};

pub(super) static TOKENS: Recipes = Recipes {
    fastapi: "Keep sessions or jtis in a store and look them up on each request; revoke them on logout and on a password change; rotate refresh tokens. Response header: Cache-Control: no-store.",
    flask: "Flask-JWT-Extended: token_in_blocklist_loader and a store of jtis; Flask-Login sessions: SECURITY_FRESHNESS and a change of fs_uniquifier end them.",
    django: "simplejwt: token_blacklist, ROTATE_REFRESH_TOKENS, BLACKLIST_AFTER_ROTATION, CHECK_REVOKE_TOKEN; sessions end automatically on logout() and on a password change.",
    express: "express-session: req.session.destroy and regenerate, with a store; JWTs: a list of revoked jtis.",
    nginx: "It can add Cache-Control: no-store (add_header … always) and keep tokens out of its log (log_format without $args); it cannot revoke any.",
};

pub(super) static ACCESS: Recipes = Recipes {
    fastapi: "A dependency on the router: APIRouter(dependencies=[Depends(current_user)]), and the owner in the query: select(Item).where(Item.owner == user.id).",
    flask: "before_request on the blueprint, with @login_required as a reminder; query through current_user.items.",
    django: "DEFAULT_PERMISSION_CLASSES = [IsAuthenticated], IsAdminUser on administrator views, get_queryset filtered by request.user.",
    express: "router.use(authenticate) before the routes, a role check on the prefix, and the owner in the WHERE of each query.",
    nginx: "auth_request asks the application for each path; it cannot know who owns an object.",
};

pub(super) static SIGNATURES: Recipes = Recipes {
    fastapi: "http-message-signatures: HTTPMessageVerifier in a dependency, with max_age, and nonces in Redis (SET … NX EX).",
    flask: "http-message-signatures in before_request, with max_age; hmac.compare_digest for your own schemes.",
    django: "A middleware with http-message-signatures and max_age; nonces by cache.add, which is atomic.",
    express: "http-message-signatures (npm) with maxAge; crypto.timingSafeEqual for your own schemes.",
    nginx: NOT_NGINX,
};

pub(super) static TRANSPORT: Recipes = Recipes {
    fastapi: "HTTPSRedirectMiddleware, set_cookie(secure=True, httponly=True, samesite=\"lax\"), CORSMiddleware with a list of origins, never \"*\" with allow_credentials.",
    flask: "Flask-Talisman; SESSION_COOKIE_SECURE, SESSION_COOKIE_HTTPONLY, SESSION_COOKIE_SAMESITE; flask-cors with origins=[…].",
    django: "SECURE_SSL_REDIRECT, SECURE_HSTS_SECONDS, SESSION_COOKIE_SECURE, CSRF_COOKIE_SECURE; CORS_ALLOWED_ORIGINS.",
    express: "helmet(); cookie: { secure: true, httpOnly: true, sameSite: \"lax\" }; cors({ origin: [...], credentials: true }).",
    nginx: "return 308 https://$host$request_uri on port 80; add_header Strict-Transport-Security \"max-age=63072000\" always; proxy_cookie_flags ~ secure httponly samesite=lax.",
};

pub(super) static INPUT: Recipes = Recipes {
    fastapi: "A pydantic model for the body returns 422 automatically; no debug=True in production.",
    flask: "request.get_json(silent=True), then isinstance(…, str) for both fields; no app.debug in production.",
    django: "A serializer with CharFields and is_valid(raise_exception=True); DEBUG = False.",
    express: "express.json() and a schema (zod, ajv); an error handler that returns 400 without a stack trace; NODE_ENV=production.",
    nginx: "client_max_body_size limits the size; proxy_intercept_errors with error_page hides stack traces.",
};

pub(super) static FACTORS: Recipes = Recipes {
    fastapi: "py_webauthn for passkeys, pyotp for one-time codes, required after the password and before the token is issued.",
    flask: "Flask-Security: SECURITY_TWO_FACTOR and SECURITY_WEBAUTHN.",
    django: "django-allauth with its mfa app, or django-otp with two_factor.",
    express: "@simplewebauthn/server for passkeys, otplib for one-time codes.",
    nginx: NOT_NGINX,
};
