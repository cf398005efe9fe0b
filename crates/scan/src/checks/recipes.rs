//! How the usual frameworks mend a fault. The checks of one family share them; what a check's own
//! remedy says comes first.

use schemars::JsonSchema;
use serde::Serialize;

/// One way for each.
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
    /// Each with its framework's name.
    pub fn all(&self) -> [(&'static str, &'static str); 5] {
        [
            ("FastAPI", self.fastapi),
            ("Flask", self.flask),
            ("Django", self.django),
            ("Express", self.express),
            ("nginx", self.nginx),
        ]
    }
}

const NOT_NGINX: &str = "It can't: nginx does not know what the application verifies.";

pub(super) static LIMITS: Recipes = Recipes {
    fastapi: "In the login's function, before the password is verified: charge a counter for the account and one for the address (limits.aio with Redis), and take both back after a right password. A slowapi decorator limits the address alone.",
    flask: "Flask-Limiter twice on the login: key_func=get_remote_address, and a key_func that returns the folded name of the request, with deduct_when=lambda response: response.status_code == 401.",
    django: "django-axes with AXES_LOCKOUT_PARAMETERS = [\"username\", \"ip_address\"] (either of them, not [[\"username\", \"ip_address\"]], which is the pair), and AXES_RESET_ON_SUCCESS for the account alone.",
    express: "rate-limiter-flexible: one limiter consumed by name, one by address, before passport.authenticate; reward() both after success.",
    nginx: "limit_req_zone on $binary_remote_addr bounds the address; the name is in the body, which nginx does not read. Put doorwarden guard behind it.",
};

pub(super) static UNIFORM: Recipes = Recipes {
    fastapi: "One HTTPException for both cases, and verify against a dummy hash of the current parameters where there is no user.",
    flask: "One jsonify for both cases; check_password_hash(DUMMY, password) where there is no user. Flask-Security: SECURITY_RETURN_GENERIC_RESPONSES = True.",
    django: "ModelBackend hashes for unknown names already; use authenticate() and say only that it returned None. Registration and reset: answer as PasswordResetView does.",
    express: "passport-local: done(null, false) with the same message in both cases, and compare with a dummy hash where there is no user.",
    nginx: "error_page can make the bodies alike, and no times.",
};

pub(super) static PASSWORDS: Recipes = Recipes {
    fastapi: "FastAPI-users: UserManager.validate_password with a list of common passwords; pwdlib with Argon2 has no limit of 72 bytes.",
    flask: "Flask-Security: SECURITY_PASSWORD_CHECK_BREACHED = \"strict\" and SECURITY_PASSWORD_LENGTH_MIN = 15; Argon2 in SECURITY_PASSWORD_HASH.",
    django: "AUTH_PASSWORD_VALIDATORS with CommonPasswordValidator and MinimumLengthValidator; Argon2PasswordHasher first, or BCryptSHA256PasswordHasher.",
    express: "zxcvbn-ts or a list of common passwords before hashing with argon2; bcrypt cuts at 72 bytes.",
    nginx: NOT_NGINX,
};

pub(super) static JWT: Recipes = Recipes {
    fastapi: "PyJWT: jwt.decode(token, key, algorithms=[\"RS256\"], audience=…, issuer=…, options={\"require\": [\"exp\", \"iat\", \"jti\"]}); the key from the environment, 32 random bytes or a key pair.",
    flask: "Flask-JWT-Extended: JWT_ALGORITHM, JWT_DECODE_ALGORITHMS with one entry, JWT_DECODE_AUDIENCE, JWT_DECODE_ISSUER, JWT_ACCESS_TOKEN_EXPIRES of minutes.",
    django: "djangorestframework-simplejwt: SIMPLE_JWT with ALGORITHM, SIGNING_KEY of its own, AUDIENCE, ISSUER and ACCESS_TOKEN_LIFETIME of minutes.",
    express: "jsonwebtoken.verify(token, key, { algorithms: [\"RS256\"], audience, issuer }); express-jwt wants algorithms as well.",
    nginx: "auth_jwt of NGINX Plus verifies; open-source nginx passes tokens on unread.",
};

pub(super) static TOKENS: Recipes = Recipes {
    fastapi: "Keep sessions or jtis in a store and look there on each request; end them at logout and at a new password; rotate refresh tokens. Response headers: Cache-Control: no-store.",
    flask: "Flask-JWT-Extended: token_in_blocklist_loader and a store of jtis; Flask-Login sessions: SECURITY_FRESHNESS and a change of fs_uniquifier end them.",
    django: "simplejwt: token_blacklist, ROTATE_REFRESH_TOKENS, BLACKLIST_AFTER_ROTATION, CHECK_REVOKE_TOKEN; sessions end with logout() and a new password by themselves.",
    express: "express-session: req.session.destroy and regenerate, with a store; JWTs: a list of ended jtis.",
    nginx: "It can add Cache-Control: no-store (add_header … always) and keep tokens out of its log (log_format without $args); it can end none.",
};

pub(super) static ACCESS: Recipes = Recipes {
    fastapi: "A dependency on the router: APIRouter(dependencies=[Depends(current_user)]), and the owner in the query: select(Item).where(Item.owner == user.id).",
    flask: "before_request on the blueprint, with @login_required as a reminder; query through current_user.items.",
    django: "DEFAULT_PERMISSION_CLASSES = [IsAuthenticated], IsAdminUser on an administrator's views, get_queryset filtered by request.user.",
    express: "router.use(authenticate) before the routes, a role check on the prefix, and the owner in the WHERE of each query.",
    nginx: "auth_request asks the application on each path; whose an object is, it can't know.",
};

pub(super) static SIGNATURES: Recipes = Recipes {
    fastapi: "http-message-signatures: HTTPMessageVerifier in a dependency, with max_age, and nonces in Redis (SET … NX EX).",
    flask: "http-message-signatures in before_request, with max_age; hmac.compare_digest for schemes of your own.",
    django: "A middleware with http-message-signatures and max_age; nonces by cache.add, which is atomic.",
    express: "http-message-signatures of npm with maxAge; crypto.timingSafeEqual for schemes of your own.",
    nginx: NOT_NGINX,
};

pub(super) static TRANSPORT: Recipes = Recipes {
    fastapi: "HTTPSRedirectMiddleware, set_cookie(secure=True, httponly=True, samesite=\"lax\"), CORSMiddleware with a list of origins and never \"*\" with allow_credentials.",
    flask: "Flask-Talisman; SESSION_COOKIE_SECURE, SESSION_COOKIE_HTTPONLY, SESSION_COOKIE_SAMESITE; flask-cors with origins=[…].",
    django: "SECURE_SSL_REDIRECT, SECURE_HSTS_SECONDS, SESSION_COOKIE_SECURE, CSRF_COOKIE_SECURE; CORS_ALLOWED_ORIGINS.",
    express: "helmet(); cookie: { secure: true, httpOnly: true, sameSite: \"lax\" }; cors({ origin: [...], credentials: true }).",
    nginx: "return 308 https://$host$request_uri on port 80; add_header Strict-Transport-Security \"max-age=63072000\" always; proxy_cookie_flags ~ secure httponly samesite=lax.",
};

pub(super) static INPUT: Recipes = Recipes {
    fastapi: "A pydantic model for the body answers 422 by itself; no debug=True in production.",
    flask: "request.get_json(silent=True), then isinstance(…, str) for both fields; no app.debug in production.",
    django: "A serializer with CharFields and is_valid(raise_exception=True); DEBUG = False.",
    express: "express.json() and a schema (zod, ajv); an error handler that answers 400 and no stack; NODE_ENV=production.",
    nginx: "client_max_body_size bounds the size; proxy_intercept_errors with error_page hides stack traces.",
};

pub(super) static FACTORS: Recipes = Recipes {
    fastapi: "py_webauthn for passkeys, pyotp for one-time codes, asked for after the password and before the token.",
    flask: "Flask-Security: SECURITY_TWO_FACTOR and SECURITY_WEBAUTHN.",
    django: "django-allauth with its mfa application, or django-otp with two_factor.",
    express: "@simplewebauthn/server for passkeys, otplib for one-time codes.",
    nginx: NOT_NGINX,
};
