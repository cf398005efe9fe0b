"""Flask-JWT-Extended as its documentation introduces it, with Werkzeug's password hashes."""

import os
import sqlite3
import sys

from flask import Flask, jsonify, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt_identity,
    jwt_required,
)
from werkzeug.security import check_password_hash, generate_password_hash

DATABASE = os.environ["DATABASE"]

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = "super-secret"
jwt = JWTManager(app)


@app.post("/login")
def login():
    username = request.json.get("username", None)
    password = request.json.get("password", None)
    with sqlite3.connect(DATABASE) as db:
        row = db.execute("SELECT password FROM users WHERE name = ?", (username,)).fetchone()
    if row is None or not check_password_hash(row[0], password):
        return jsonify({"msg": "Bad username or password"}), 401
    return jsonify(
        access_token=create_access_token(identity=username),
        refresh_token=create_refresh_token(identity=username),
    )


@app.get("/protected")
@jwt_required()
def protected():
    return jsonify(logged_in_as=get_jwt_identity()), 200


if "--seed" in sys.argv:
    with sqlite3.connect(DATABASE) as db:
        db.execute("CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT)")
        for line in sys.stdin:
            name, _, password = line.rstrip("\n").partition(":")
            db.execute("INSERT INTO users VALUES (?, ?)", (name, generate_password_hash(password)))
