-- Times are seconds since 1970. What is a secret of ours is sealed (AES-256-GCM); what is a secret of
-- somebody else is kept as its SHA-256 where it is random, as a password hash where it is chosen.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- The name as it is compared: NFKC, small letters.
    key TEXT NOT NULL UNIQUE,
    mail TEXT,
    hash TEXT NOT NULL,
    admin INTEGER NOT NULL DEFAULT 0,
    disabled INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    totp BLOB,
    -- The last step whose code was used (RFC 6238 §5.2: each code once).
    totp_step INTEGER NOT NULL DEFAULT 0,
    -- Grows with each change of a password or a factor.
    credentials INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE recovery (
    hash BLOB PRIMARY KEY,
    "user" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX recovery_of ON recovery ("user");

-- A login on a device: what its tokens descend from.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    "user" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client TEXT,
    device TEXT NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    -- The thumbprint of the key that its tokens are bound to (DPoP).
    bound TEXT,
    ended INTEGER
) STRICT;
CREATE INDEX sessions_of ON sessions ("user");

CREATE TABLE refresh (
    hash BLOB PRIMARY KEY,
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    used INTEGER
) STRICT;
CREATE INDEX refresh_of ON refresh (session);

-- Opaque tokens: sessions of pages.
CREATE TABLE opaque (
    hash BLOB PRIMARY KEY,
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX opaque_of ON opaque (session);

-- Access tokens that were ended before their time.
CREATE TABLE revoked (
    jti TEXT PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT;

-- What waits for its second half: a second factor, a reset, a factor's confirmation.
CREATE TABLE pending (
    hash BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    "user" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    data BLOB,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX pending_of ON pending ("user");

CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    created INTEGER NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE keys (
    kid TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL,
    sealed BLOB NOT NULL,
    public TEXT NOT NULL,
    created INTEGER NOT NULL,
    -- It is published from its creation on, signs from here on, and ends when it is retired.
    signs INTEGER NOT NULL,
    retired INTEGER
) STRICT;

-- Secrets that users sign requests with (RFC 9421).
CREATE TABLE signers (
    id TEXT PRIMARY KEY,
    "user" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sealed BLOB NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER
) STRICT;

CREATE TABLE audit (
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    "user" TEXT,
    detail TEXT NOT NULL
) STRICT;
