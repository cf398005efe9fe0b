// Clients that others wrote, against a running server. node clients.mjs URL CLIENT_ID CLIENT_SECRET
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [url, clientId, secret, modules] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(modules), "x.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const [jose, oauth, openid, dpop] = await Promise.all(["jose", "oauth4webapi", "openid-client", "dpop"].map(load));

const name = "clients-js";
const password = "a fine long password of mine";
const json = { "content-type": "application/json" };
const body = JSON.stringify({ username: name, password });
assert.equal((await fetch(`${url}/register`, { method: "POST", headers: json, body })).status, 202);
const logIn = async (headers = {}) => {
  const answer = await fetch(`${url}/login`, { method: "POST", headers: { ...json, ...headers }, body });
  assert.equal(answer.status, 200);
  return answer.json();
};

// jose verifies by the JWKS, with everything that RFC 9068 asks for.
const keys = jose.createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
const first = await logIn();
await jose.jwtVerify(first.access_token, keys, {
  issuer: url, audience: url, typ: "at+jwt", algorithms: ["RS256"],
  requiredClaims: ["exp", "sub", "client_id", "iat", "jti"],
});
console.log("jose is content");

// oauth4webapi: discovery by RFC 8414, client credentials, refresh, introspection, revocation, RFC 9068.
const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(url);
const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
const server = await oauth.processDiscoveryResponse(issuer, found);
const client = { client_id: clientId };
for (const auth of [oauth.ClientSecretBasic(secret), oauth.ClientSecretPost(secret)]) {
  const granted = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, insecure);
  const tokens = await oauth.processClientCredentialsResponse(server, client, granted);
  const asked = await oauth.introspectionRequest(server, client, auth, tokens.access_token, insecure);
  assert.equal((await oauth.processIntrospectionResponse(server, client, asked)).active, true);
  const revoked = await oauth.revocationRequest(server, client, auth, tokens.access_token, insecure);
  await oauth.processRevocationResponse(revoked);
}
const own = { client_id: "login" };
const refreshed = await oauth.refreshTokenGrantRequest(server, own, oauth.None(), first.refresh_token, insecure);
const next = await oauth.processRefreshTokenResponse(server, own, refreshed);
assert.notEqual(next.refresh_token, first.refresh_token);
const request = new Request(`${url}/me`, { headers: { authorization: `Bearer ${next.access_token}` } });
const claims = await oauth.validateJwtAccessToken(server, request, url, insecure);
assert.equal(claims.client_id, "login");
console.log("oauth4webapi is content");

// DPoP by oauth4webapi's own keys, and by the package dpop.
const pair = await oauth.generateKeyPair("ES256");
const handle = oauth.DPoP(client, pair);
const bound = await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic(secret), {}, { DPoP: handle, ...insecure });
assert.equal((await oauth.processClientCredentialsResponse(server, client, bound)).token_type, "dpop");
const holder = await dpop.generateKeyPair("ES256");
const tokens = await logIn({ dpop: await dpop.generateProof(holder, `${url}/login`, "POST") });
assert.equal(tokens.token_type, "DPoP");
const proof = await dpop.generateProof(holder, `${url}/me`, "GET", undefined, tokens.access_token);
const me = await fetch(`${url}/me`, { headers: { authorization: `DPoP ${tokens.access_token}`, dpop: proof } });
assert.equal(me.status, 200);
assert.equal((await fetch(`${url}/me`, { headers: { authorization: `Bearer ${tokens.access_token}` } })).status, 401);
console.log("dpop is content");

// openid-client, configured by the metadata.
const config = new openid.Configuration(server, clientId, secret, openid.ClientSecretBasic(secret));
openid.allowInsecureRequests(config);
const granted = await openid.clientCredentialsGrant(config);
assert.equal((await openid.tokenIntrospection(config, granted.access_token)).active, true);
await openid.tokenRevocation(config, granted.access_token);
assert.equal((await openid.tokenIntrospection(config, granted.access_token)).active, false);
console.log("openid-client is content");
