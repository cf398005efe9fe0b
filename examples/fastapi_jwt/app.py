"""A FastAPI application with a login, written as a tutorial suggests."""

import os
import sqlite3
from datetime import datetime, timedelta, timezone

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pwdlib import PasswordHash
from pydantic import BaseModel

DATABASE = os.environ.get("DATABASE", "fastapi_jwt.sqlite3")
SECRET_KEY = os.environ.get("SECRET_KEY", "change-me-in-production-change-me")
ALGORITHM = "HS256"

app = FastAPI()
password_hash = PasswordHash.recommended()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")


class Login(BaseModel):
    username: str
    password: str


def find_user(username):
    with sqlite3.connect(DATABASE) as db:
        return db.execute(
            "SELECT username, password FROM users WHERE username = ?", (username,)
        ).fetchone()


def create_token(username):
    expires = datetime.now(timezone.utc) + timedelta(minutes=30)
    return jwt.encode({"sub": username, "exp": expires}, SECRET_KEY, algorithm=ALGORITHM)


@app.post("/token")
def token(form: OAuth2PasswordRequestForm = Depends()):
    user = find_user(form.username)
    if not user or not password_hash.verify(form.password, user[1]):
        raise HTTPException(
            status_code=401,
            detail="Incorrect username or password",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return {"access_token": create_token(user[0]), "token_type": "bearer"}


@app.post("/api/auth/login")
def login(body: Login):
    user = find_user(body.username)
    if not user:
        raise HTTPException(status_code=404, detail="User not found")
    if not password_hash.verify(body.password, user[1]):
        raise HTTPException(status_code=401, detail="Wrong password")
    return {"access_token": create_token(user[0]), "token_type": "bearer"}


@app.get("/users/me")
def me(token: str = Depends(oauth2_scheme)):
    try:
        payload = jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])
    except jwt.InvalidTokenError:
        raise HTTPException(status_code=401, detail="Could not validate credentials")
    return {"username": payload["sub"]}
