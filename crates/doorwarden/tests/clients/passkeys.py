"""Authenticators that others wrote, at the API of a running server. passkeys.py URL"""

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from base64 import urlsafe_b64decode, urlsafe_b64encode

import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from soft_webauthn import SoftWebauthnDevice
from webauthn.helpers import parse_registration_credential_json, parse_authentication_credential_json

URL = sys.argv[1]
NAME, PASSWORD = "passkeys-py", "a fine long password of mine"
LOGIN = {"username": NAME, "password": PASSWORD}
VERIFIED = 4  # WebAuthn level 3 §6.1, bit 2 of the flags.


def text(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def data(text):
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Device(SoftWebauthnDevice):
    """The package's authenticator, of which only the user's verification is missing."""

    verifies = True

    def flagged(self, auth_data):
        flagged = bytearray(auth_data)
        if self.verifies:
            flagged[32] |= VERIFIED
        return bytes(flagged)

    def made(self, asked, origin):
        asked["challenge"], asked["user"]["id"] = data(asked["challenge"]), data(asked["user"]["id"])
        made = self.create({"publicKey": asked}, origin)
        attested = cbor.decode(made["response"]["attestationObject"])
        attested["authData"] = self.flagged(attested["authData"])
        made["response"]["attestationObject"] = cbor.encode(attested)
        return self.told(made)

    def signed(self, asked, origin):
        asked["challenge"] = data(asked["challenge"])
        made = self.get({"publicKey": asked}, origin)
        answer = made["response"]
        answer["authenticatorData"] = self.flagged(answer["authenticatorData"])
        signed = answer["authenticatorData"] + hashlib.sha256(answer["clientDataJSON"]).digest()
        answer["signature"] = self.private_key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self.told(made)

    @staticmethod
    def told(made):
        response = {name: text(value) for name, value in made["response"].items() if value is not None}
        return {"id": text(made["rawId"]), "rawId": text(made["rawId"]), "type": "public-key",
                "clientExtensionResults": {}, "response": response}


assert requests.post(f"{URL}/register", json=LOGIN).status_code == 202
bearer = {"authorization": f"Bearer {requests.post(f'{URL}/login', data=LOGIN).json()['access_token']}"}


def add(device):
    asked = requests.post(f"{URL}/passkeys/options", headers=bearer, json={"password": PASSWORD})
    assert asked.status_code == 200, asked.text
    asked = asked.json()
    assert asked["publicKey"]["authenticatorSelection"]["userVerification"] == "required"
    credential = device.made(asked["publicKey"], URL)
    parse_registration_credential_json(credential)  # py_webauthn reads what we are sent.
    body = {"token": asked["token"], "credential": json.dumps(credential), "name": "Soft"}
    return requests.post(f"{URL}/passkeys", headers=bearer, json=body)


def ask(device, origin=URL):
    asked = requests.post(f"{URL}/passkeys/login/options").json()
    credential = device.signed(asked["publicKey"], origin)
    parse_authentication_credential_json(credential)
    return {"token": asked["token"], "credential": json.dumps(credential)}


def log_in(body):
    return requests.post(f"{URL}/passkeys/login", json=body)


device = Device()
device.verifies = False
assert add(device).status_code == 400, "a user who was not verified"
device = Device()
made = add(device)
assert made.status_code == 201, made.text
assert len(made.json()["recovery_codes"]) == 10
listed = requests.get(f"{URL}/passkeys", headers=bearer).json()
assert [one["name"] for one in listed] == ["Soft"] and listed[0]["last_used"] is None, listed

# It logs in, once for each question.
body = ask(device)
tokens = log_in(body)
assert tokens.status_code == 200, tokens.text
mine = {"authorization": f"Bearer {tokens.json()['access_token']}"}
assert requests.get(f"{URL}/me", headers=mine).json()["username"] == NAME
assert log_in(body).status_code == 401, "an answer that was used"

# Another's question, another site's answer, another key's, nothing of either.
first, second = ask(device), ask(device)
assert log_in({**first, "token": second["token"]}).status_code == 401
assert log_in(ask(device, "http://evil.example")).status_code == 401
stranger = Device()
stranger.cred_init("localhost", device.user_handle)
stranger.credential_id, stranger.sign_count = device.credential_id, 1000
assert log_in(ask(stranger)).status_code == 401
device.verifies = False
assert log_in(ask(device)).status_code == 401, "a user who was not verified"
device.verifies = True
assert log_in({"token": "nonsense", "credential": "{}"}).status_code == 401

# A counter that goes back is a clone's.
count, device.sign_count = device.sign_count, 0
assert log_in(ask(device)).status_code == 401
device.sign_count = count
assert log_in(ask(device)).status_code == 200

# Of a key and its copies that answer at once, one is let in.
count, answers = device.sign_count, []
for _ in range(4):
    device.sign_count = count
    answers.append(ask(device))
with ThreadPoolExecutor(4) as together:
    let_in = [answer.status_code for answer in together.map(log_in, answers)].count(200)
assert let_in == 1, let_in
device.sign_count = count + 1

# A password alone is not enough now, and a recovery code is.
asked = requests.post(f"{URL}/login", data=LOGIN)
assert asked.status_code == 403 and asked.json()["methods"] == ["passkey", "recovery"], asked.text
code = {"mfa_token": asked.json()["mfa_token"], "code": made.json()["recovery_codes"][0]}
assert requests.post(f"{URL}/mfa/recovery", json=code).status_code == 200

# Removed, it opens nothing, and the password is enough again.
path = f"{URL}/passkeys/{listed[0]['id']}/remove"
assert requests.post(path, headers=bearer, json={"password": "wrong"}).status_code == 403
assert requests.post(path, headers=bearer, json={"password": PASSWORD}).status_code == 200
assert log_in(ask(device)).status_code == 401
assert requests.post(f"{URL}/login", data=LOGIN).status_code == 200
print("content")
