"""Flask-Security as its quick start sets it up: sessions, Argon2, Flask-WTF's CSRF tokens."""

import os
import sys

from flask import Flask, jsonify
from flask_security import Security, SQLAlchemyUserDatastore, auth_required, current_user, hash_password
from flask_security.models import fsqla_v3 as fsqla
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY", "change-me-in-production-change-me")
app.config["SECURITY_PASSWORD_SALT"] = "146585145368132386173505678016728509634"
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['DATABASE']}"
if "REGISTERABLE" in os.environ:
    app.config["SECURITY_REGISTERABLE"] = True
    app.config["SECURITY_SEND_REGISTER_EMAIL"] = False
    # The check would need DNS, and example.org accepts no email.
    app.config["SECURITY_EMAIL_VALIDATOR_ARGS"] = {"check_deliverability": False}

db = SQLAlchemy(app)
fsqla.FsModels.set_db_info(db)


class Role(db.Model, fsqla.FsRoleMixin):
    pass


class User(db.Model, fsqla.FsUserMixin):
    pass


app.security = Security(app, SQLAlchemyUserDatastore(db, User, Role))


@app.get("/me")
@auth_required()
def me():
    return jsonify(email=current_user.email)


with app.app_context():
    db.create_all()
    if "--seed" in sys.argv:
        for line in sys.stdin:
            name, _, password = line.rstrip("\n").partition(":")
            app.security.datastore.create_user(email=name, password=hash_password(password))
        db.session.commit()
