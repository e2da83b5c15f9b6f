import { expect, test } from "vitest";
import { ROWS } from "../../src/http/inference/surfaces.ts";
import { mintTaskIdentity } from "../../src/keys/task-identity.ts";
import { ask, newKey, ROUTES } from "../support/front.ts";

const PEPPER = "pepper-for-worker-tests-0123456789abcdef";
/** All that a task may ask: models, what they are and would cost, its own hook; and what needs no credential. */
const OPEN =
  /^POST \/(?:v1\/)?(?:chat\/|completions|responses$|embeddings|images\/|audio\/|moderations|rerank|messages)|^(?:GET|POST) \/v1\/(?:models|estimate|route\/explain)|^POST \/v1\/tasks?\/hook$|^GET \/(?:healthz)?$/;

/** Nobody's: these are refused by name. */
const REFUSED = new Set(ROWS.flatMap((row) => ("refused" in row ? [`${row.method} ${row.path}`] : [])));

const identityOf = (key: string) => mintTaskIdentity(PEPPER, { task: `task_${"a1".repeat(12)}`, key }, Date.now() + 60_000);

test.each(["owner", "operator", "key_holder"])(
  "A8: a task of a key with the role %s reaches nothing of the key's but models",
  async (role) => {
    const { id, secret } = await newKey({ role, profile: "default" });
    const identity = await identityOf(id);
    const closed = ROUTES.filter((route) => !OPEN.test(route) && !REFUSED.has(route));
    expect(closed).toContain("POST /admin/v1/keys");
    for (const route of closed) {
      const [method = "", path = ""] = route.split(" ");
      const target = path.replace(/:\w+(?:\{[^}]*\})?/g, "x");
      const answer = await ask(method, target, { as: identity, ...(method === "GET" ? {} : { body: {} }) });
      expect.soft([route, answer.status]).toEqual([route, 403]);
    }
    expect((await ask("GET", "/v1/key", { as: secret })).status).toBe(200);
  },
);
