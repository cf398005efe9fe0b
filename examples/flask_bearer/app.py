"""A Flask application with a JSON login and opaque tokens."""

import os
import secrets
import sqlite3

from flask import Flask, jsonify, request
from werkzeug.security import check_password_hash

DATABASE = os.environ.get("DATABASE", "flask_bearer.sqlite3")

app = Flask(__name__)


def query(sql, args=()):
    with sqlite3.connect(DATABASE) as db:
        return db.execute(sql, args).fetchone()


def owner_of(token):
    row = query("SELECT username FROM tokens WHERE token = ?", (token,))
    return row[0] if row else None


@app.post("/login")
def login():
    data = request.get_json()
    user = query("SELECT username, password FROM users WHERE username = ?", (data["username"],))
    if user is None:
        return jsonify(error="No such user"), 404
    if not check_password_hash(user[1], data["password"]):
        return jsonify(error="Wrong password"), 401
    token = secrets.token_urlsafe(32)
    query("INSERT INTO tokens VALUES (?, ?)", (token, user[0]))
    return jsonify(token=token)


@app.get("/protected")
def protected():
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    username = owner_of(token)
    if username is None:
        return jsonify(error="Unauthorized"), 401
    return jsonify(username=username)


@app.post("/introspect")
def introspect():
    username = owner_of(request.form.get("token", ""))
    return jsonify(active=username is not None, username=username)
