import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { beforeAll, expect, test } from "vitest";
import { TollgateError } from "#core";
import { verifyToken } from "../../../src/keys/jwt.ts";

const NOW = 1_800_000_000_000;
const CLAIMS = { iss: "https://issuer", aud: "tollgate", sub: "ada", exp: NOW / 1000 + 60, tollgate_role: "operator" };
let pair: CryptoKeyPair;
let strange: CryptoKeyPair;
let serial = 0;

beforeAll(async () => {
  pair = await generateKeyPair("ES256");
  strange = await generateKeyPair("ES256");
});

/** An issuer of its own for each test, since key sets are held by URL. */
async function issuer() {
  const jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: "one", alg: "ES256" }] };
  let fetches = 0;
  const config = {
    TOLLGATE_JWT_ISSUER: CLAIMS.iss,
    TOLLGATE_JWT_AUDIENCE: CLAIMS.aud,
    TOLLGATE_JWKS_URL: `https://issuer/${++serial}`,
    TOLLGATE_JWT_ROLE_CLAIM: "tollgate_role",
  };
  const verify = (token: string, now = NOW) =>
    verifyToken(token, config, () => Promise.resolve((fetches++, { keys: [...jwks.keys] })), now);
  return { jwks, verify, fetches: () => fetches };
}

function sign(claims: object, kid = "one", key = pair.privateKey) {
  return new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ alg: "ES256", kid }).sign(key);
}

test("a good token tells subject and role", async () => {
  const { verify } = await issuer();
  expect(await verify(await sign({}))).toEqual({ subject: "ada", role: "operator" });
});

test("threat 7: every wrong token has the same public face", async () => {
  const { verify } = await issuer();
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const hmac = await new SignJWT(CLAIMS)
    .setProtectedHeader({ alg: "HS256", kid: "one" })
    .sign(new TextEncoder().encode(JSON.stringify(pair.publicKey)));
  const wrong = [
    `${part({ alg: "none" })}.${part(CLAIMS)}.`,
    hmac,
    ...(await Promise.all(
      [{ aud: "x" }, { iss: "x" }, { exp: NOW / 1000 - 1 }, { exp: undefined }, { nbf: NOW / 1000 + 60 }].map((claims) => sign(claims)),
    )),
    ...(await Promise.all(
      [{ tollgate_role: "root" }, { tollgate_role: undefined }, { tollgate_role: "key_holder" }].map((claims) => sign(claims)),
    )),
    await sign({}, "one", strange.privateKey),
    await sign({}, "unknown"),
    "x".repeat(1024 * 1024),
    "a.b.c",
    "",
  ];
  for (const token of wrong) {
    const error: unknown = await verify(token).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TollgateError);
    expect(error).toMatchObject({ code: "invalid_api_key" });
  }
});

test("threat 7: unknown kids fetch the key set at most once a minute, and a rotated set is found", async () => {
  const { jwks, verify, fetches } = await issuer();
  await verify(await sign({}));
  const rotated = await sign({}, "two");
  for (let at = 0; at < 20; at++) await verify(rotated).catch(() => null);
  expect(fetches()).toBe(1);
  jwks.keys.push({ ...jwks.keys[0]!, kid: "two" });
  const later = await sign({ exp: NOW / 1000 + 3600 }, "two");
  expect(await verify(later, NOW + 60_000)).toMatchObject({ subject: "ada" });
  expect(fetches()).toBe(2);
});
