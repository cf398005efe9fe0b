"""A FastAPI application whose logins are Doorwarden's: it verifies tokens by the JWKS alone, and its own
Swagger UI logs in there."""

import os

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer

ISSUER = os.environ["ISSUER"]
keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json")
app = FastAPI()
bearer = OAuth2PasswordBearer(tokenUrl="/login")


@app.get("/orders")
def orders(token: str = Depends(bearer)):
    try:
        key = keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms=["RS256"], audience=ISSUER, issuer=ISSUER)
    except jwt.PyJWTError:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return {"orders of": claims["sub"]}
