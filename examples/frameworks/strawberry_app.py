"""A login as a GraphQL mutation: Strawberry's router in FastAPI, mounted as its documentation shows."""

import os
import secrets
import time
import uuid

import jwt
import strawberry
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from strawberry.fastapi import GraphQLRouter
from werkzeug.security import check_password_hash, generate_password_hash

SECRET = secrets.token_hex(32)
METHOD = "pbkdf2:sha256:20000"  # Few rounds: accounts are hashed at startup.
with open(os.environ["ACCOUNTS"]) as lines:
    pairs = (line.rstrip("\n").split(":", 1) for line in lines)
    ACCOUNTS = {name: generate_password_hash(password, METHOD) for name, password in pairs}
UNKNOWN = generate_password_hash("no account has this password", METHOD)


@strawberry.type
class Token:
    access_token: str


@strawberry.type
class Query:
    @strawberry.field
    def version(self) -> str:
        return "1"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def login(self, username: str, password: str) -> Token:
        # Unknown names cost a hash too.
        matches = check_password_hash(ACCOUNTS.get(username, UNKNOWN), password)
        if not (matches and username in ACCOUNTS):
            raise ValueError("invalid credentials")
        claims = {"sub": username, "exp": int(time.time()) + 900, "jti": str(uuid.uuid4())}
        return Token(access_token=jwt.encode(claims, SECRET, "HS256"))


app = FastAPI()
app.include_router(GraphQLRouter(strawberry.Schema(Query, Mutation)), prefix="/graphql")


@app.get("/me")
def me(credentials: HTTPAuthorizationCredentials = Depends(HTTPBearer())):
    try:
        claims = jwt.decode(credentials.credentials, SECRET, ["HS256"])
    except jwt.PyJWTError:
        raise HTTPException(401)
    return {"username": claims["sub"]}
