-- `user` is a word of SQL's own in PostgreSQL.
ALTER TABLE recovery RENAME COLUMN "user" TO account;
ALTER TABLE sessions RENAME COLUMN "user" TO account;
ALTER TABLE pending RENAME COLUMN "user" TO account;
ALTER TABLE signers RENAME COLUMN "user" TO account;
ALTER TABLE audit RENAME COLUMN "user" TO account;
CREATE INDEX audit_at ON audit (at);

-- What is taken once: proofs of keys, nonces of signed requests and passkeys' questions, until they are too
-- old anyhow.
CREATE TABLE once (
    id BLOB PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX once_expires ON once (expires);

-- Access tokens that are no JWTs: the claims that one would have, as JSON.
CREATE TABLE access (
    hash BLOB PRIMARY KEY,
    claims TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX access_expires ON access (expires);

CREATE TABLE passkeys (
    id BLOB PRIMARY KEY,
    account TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- What a person calls it.
    name TEXT NOT NULL,
    -- The public key and what is known of the authenticator, sealed.
    sealed BLOB NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER
) STRICT;
CREATE INDEX passkeys_of ON passkeys (account);

-- Accounts that an operator lets be tried again: every node looks here, and forgives what it has counted.
CREATE TABLE unlocks (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    at INTEGER NOT NULL
) STRICT;
