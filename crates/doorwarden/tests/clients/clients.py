"""Clients that others wrote, against a running server. clients.py URL CLIENT_ID CLIENT_SECRET"""

import os
import sys

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # Loopback.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import http_message_signatures
import jwt
import pydpop
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from joserfc import jwt as jose_jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient
from requests_oauthlib import OAuth2Session

URL, CLIENT, SECRET = sys.argv[1:]
NAME, PASSWORD = "clients-py", "a fine long password of mine"
LOGIN = {"username": NAME, "password": PASSWORD}

assert requests.post(f"{URL}/register", json=LOGIN).status_code == 202
metadata = requests.get(f"{URL}/.well-known/oauth-authorization-server").json()


def log_in():
    answer = requests.post(f"{URL}/login", data=LOGIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pyjwt():
    token = log_in()["access_token"]
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token, key, algorithms=["RS256"], audience=URL, issuer=URL,
        options={"require": ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]},
    )
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    assert requests.get(f"{URL}/me", headers={"authorization": f"Bearer {token}"}).json()["sub"] == claims["sub"]


def joserfc():
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"]).json())
    token = jose_jwt.decode(log_in()["access_token"], keys, algorithms=["RS256"])
    rules = jose_jwt.JWTClaimsRegistry(iss={"essential": True, "value": URL}, aud={"essential": True, "value": URL})
    rules.validate(token.claims)


def authlib():
    session = AuthlibSession(CLIENT, SECRET, token_endpoint_auth_method="client_secret_basic")
    token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    told = session.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
    assert told["active"] and told["client_id"] == CLIENT
    assert session.revoke_token(metadata["revocation_endpoint"], token=token["access_token"]).status_code == 200
    told = session.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
    assert told == {"active": False}
    # The application's own tokens, refreshed as by a public client.
    public = AuthlibSession("login", token=log_in(), token_endpoint_auth_method="none")
    first = public.token["refresh_token"]
    assert public.refresh_token(metadata["token_endpoint"])["refresh_token"] != first


def requests_oauthlib():
    session = OAuth2Session(client=BackendApplicationClient(client_id=CLIENT))
    token = session.fetch_token(metadata["token_endpoint"], client_id=CLIENT, client_secret=SECRET)
    assert token["token_type"].lower() == "bearer"
    # oauthlib's password client, on the login: what Swagger UI does.
    session = OAuth2Session(client=LegacyApplicationClient(client_id=None))
    session.fetch_token(f"{URL}/login", username=NAME, password=PASSWORD, include_client_id=False)
    assert session.get(f"{URL}/me").json()["username"] == NAME
    session.refresh_token(metadata["token_endpoint"])
    assert session.get(f"{URL}/me").status_code == 200


def dpop():
    key = pydpop.generate_key()
    proof = pydpop.generate_proof(private_key=key, htm="POST", htu=f"{URL}/login")
    tokens = requests.post(f"{URL}/login", data=LOGIN, headers={"DPoP": proof}).json()
    assert tokens["token_type"] == "DPoP", tokens
    token = tokens["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["cnf"]["jkt"] == pydpop.jwk_thumbprint(pydpop.public_jwk(key))
    proof = pydpop.generate_proof(private_key=key, htm="GET", htu=f"{URL}/me", access_token=token)
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
    assert requests.get(f"{URL}/me", headers=headers).status_code == 200
    assert requests.get(f"{URL}/me", headers=headers).status_code == 401, "a proof that was used"


def message_signatures():
    bearer = {"authorization": f"Bearer {log_in()['access_token']}"}
    made = requests.post(f"{URL}/me/signers", headers=bearer, json={"password": PASSWORD}).json()

    class Keys(http_message_signatures.HTTPSignatureKeyResolver):
        def resolve_private_key(self, key_id):
            return made["secret"].encode()

    def signed(nonce, key_id=None):
        request = requests.Request("GET", f"{URL}/signed/me?a=1").prepare()
        signer = http_message_signatures.HTTPMessageSigner(
            signature_algorithm=http_message_signatures.algorithms.HMAC_SHA256, key_resolver=Keys()
        )
        signer.sign(request, key_id=key_id or made["keyid"], nonce=nonce, covered_component_ids=("@method", "@authority", "@target-uri"))
        return requests.Session().send(request)

    assert signed("one").json()["username"] == NAME
    assert signed("one").status_code == 401, "a nonce that was used"
    assert signed("two", "another").status_code == 401
    # The next secret signs, and so does this one for a day.
    rotated = requests.post(f"{URL}/me/signers/{made['keyid']}/rotate", headers=bearer, json={"password": PASSWORD})
    following = rotated.json()
    assert signed("three").status_code == 200
    assert requests.delete(f"{URL}/me/signers/{made['keyid']}", headers=bearer).status_code == 204
    assert signed("four").status_code == 401
    made.update(following)
    assert signed("five").status_code == 200


for check in [pyjwt, joserfc, authlib, requests_oauthlib, dpop, message_signatures]:
    check()
    print(f"{check.__name__} is content")
