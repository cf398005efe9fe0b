"""Adds users from standard input, one name:password per line."""

import os
import sqlite3
import sys

from pwdlib import PasswordHash

password_hash = PasswordHash.recommended()
# Users with the same password share a hash, so that many test users can be created quickly.
hashes = {}

with sqlite3.connect(os.environ["DATABASE"]) as db:
    db.execute("CREATE TABLE IF NOT EXISTS users (username TEXT PRIMARY KEY, password TEXT)")
    for line in sys.stdin:
        username, password = line.rstrip("\n").split(":", 1)
        if password not in hashes:
            hashes[password] = password_hash.hash(password)
        db.execute("INSERT OR REPLACE INTO users VALUES (?, ?)", (username, hashes[password]))
