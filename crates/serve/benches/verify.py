"""How many tokens per second PyJWT and joserfc verify, with keys that are read once.
verify.py JWKS AUDIENCE ISSUER < TOKEN"""

import json
import sys
import time

import jwt
from joserfc import jwt as jose
from joserfc.jwk import KeySet

keys, audience, issuer = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
token = sys.stdin.read().strip()
key = jwt.PyJWK(keys["keys"][0]).key
key_set = KeySet.import_key_set(keys)
rules = jose.JWTClaimsRegistry(iss={"essential": True, "value": issuer}, aud={"essential": True, "value": audience})


def pyjwt():
    jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=issuer)


def joserfc():
    rules.validate(jose.decode(token, key_set, algorithms=["RS256"]).claims)


for verify in [pyjwt, joserfc]:
    verify()
    done, started = 0, time.perf_counter()
    while time.perf_counter() < started + 2:
        verify()
        done += 1
    print(verify.__name__, done / (time.perf_counter() - started))
