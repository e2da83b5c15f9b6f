import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { stage } from "../conformance/stage.ts";
import { emptyFolder, rows, tollgate } from "./run.ts";

const set = stage("cli-policy");
let count = 0;

interface Version {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
}

/** A policy's file, written as its author would. */
function written(name: string, version: string, longest: number): string {
  const file = join(emptyFolder(), "policy.ts");
  writeFileSync(
    file,
    `interface Context { readonly messages: readonly { readonly text: string }[]; readonly config: { readonly longest?: number } }
export default {
  name: ${JSON.stringify(name)},
  version: ${JSON.stringify(version)},
  needs: ["messages"],
  config: { type: "object", properties: { longest: { type: "number" } } },
  evaluate({ messages, config }: Context) {
    const length: number = messages.reduce((sum, { text }) => sum + text.length, 0);
    return length > (config.longest ?? ${longest}) ? { allowed: false, reason: "too long" } : { allowed: true };
  },
};
`,
  );
  return file;
}

const freshName = () => `cli-policy-${++count}`;

async function status(secret: string, content: string): Promise<number> {
  const answer = await fetch(`${inject("origin")}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "tollgate/echo", max_tokens: 1, messages: [{ role: "user", content }] }),
  });
  await answer.text();
  return answer.status;
}

describe("tollgate policy", () => {
  it("pushes TypeScript, puts it in force, replaces it and rolls it back, each seen within two seconds", async () => {
    const name = freshName();
    const { id: key, secret } = await set.admin.key({ name });
    const seen = (content: string, expected: number) =>
      expect.poll(() => status(secret, content), { timeout: 2_500, interval: 50 }).toBe(expected);
    const [first] = await rows<Version>(["policy", "push", written(name, "1.0.0", 20)]);
    expect(first).toMatchObject({ name, version: "1.0.0", hash: expect.stringMatching(/^sha256:/) });
    expect(await status(secret, "x".repeat(30))).toBe(200);
    await rows(["policy", "activate", first!.id, "--mode", "enforce", "--key", key]);
    await seen("x".repeat(30), 403);
    expect(await status(secret, "x".repeat(10))).toBe(200);
    const [pushed] = await rows(["policy", "push", written(name, "1.1.0", 5), "--mode", "enforce", "--key", key]);
    expect(pushed).toMatchObject({ name, mode: "enforce", scope: { kind: "key", id: key } });
    await seen("x".repeat(10), 403);
    const [back] = await rows(["policy", "rollback", name, "--key", key]);
    expect(back).toMatchObject({ policy: first!.id, mode: "enforce" });
    await seen("x".repeat(10), 200);
    expect((await rows<Version>(["policy", "list", "--name", name])).map(({ version }) => version)).toEqual(["1.1.0", "1.0.0"]);
    expect(await rows(["policy", "status", "--name", name])).toEqual([back]);
    const none = await tollgate(["policy", "rollback", name, "--key", key]);
    expect([none.code, none.err]).toEqual([1, expect.stringContaining("no older version")]);
    const newer = await tollgate(["policy", "rollback", name, "--key", key, "--to", "1.1.0"]);
    expect([newer.code, newer.err]).toEqual([1, expect.stringContaining("no older version 1.1.0")]);
    await rows(["policy", "activate", first!.id, "--mode", "inherit", "--key", key]);
    await seen("x".repeat(30), 200);
  });

  it("gives a version its settings from a file, and names the option of a field that is wrong", async () => {
    const name = freshName();
    const { id: key, secret } = await set.admin.key({ name });
    const config = join(emptyFolder(), "config.json");
    writeFileSync(config, '{"longest":3}');
    await rows(["policy", "push", written(name, "1.0.0", 999), "--mode", "enforce", "--key", key, "--config", config]);
    await expect.poll(() => status(secret, "hello"), { timeout: 2_500, interval: 50 }).toBe(403);
    const [version] = await rows<Version>(["policy", "list", "--name", name]);
    const wrong = await tollgate(["policy", "activate", version!.id, "--mode", "shadow", "--key", key, "--canary-percent", "5"]);
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining("--canary-percent")]);
  });

  it("D15: replays requests as they were, and says which would have come out otherwise", async () => {
    const name = freshName();
    const { id: key, secret } = await set.admin.key({ name });
    const file = join(emptyFolder(), "policy.ts");
    writeFileSync(
      file,
      `export default { name: ${JSON.stringify(name)}, version: "1.0.0", needs: ["request"],
        config: { type: "object", properties: { most: { type: "integer", default: 10 } } },
        evaluate: ({ request, config }) => request.max_tokens <= config.most ? { allowed: true } : { allowed: false, reason: "more than " + config.most } };`,
    );
    const [policy] = await rows<Version>(["policy", "push", file]);
    await rows(["policy", "activate", policy!.id, "--mode", "enforce", "--key", key]);
    const ask = (most: number) =>
      fetch(`${inject("origin")}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "tollgate/echo", max_tokens: most, messages: [{ role: "user", content: "hi" }] }),
      });
    await expect.poll(async () => (await ask(11)).status, { timeout: 2_500, interval: 50 }).toBe(403);
    const refused = (await ask(12)).headers.get("x-request-id");
    for (const most of [1, 4, 7]) expect((await ask(most)).status).toBe(200);
    interface Replay {
      readonly evaluated: number;
      readonly changed: number;
      readonly changes: readonly { readonly request: string; readonly before: string; readonly after: string; readonly reason: string }[];
    }
    const replay = async (...argv: string[]) => (await rows<Replay>(["policy", "replay", policy!.id, ...argv]))[0]!;
    await expect.poll(async () => (await replay()).evaluated, { timeout: 15_000 }).toBe(5);
    expect(await replay()).toMatchObject({ changed: 0, changes: [] });
    const config = join(emptyFolder(), "config.json");
    writeFileSync(config, '{"most":3}');
    const { changed, changes } = await replay("--from", "1h", "--config", config);
    expect([changed, changes.map(({ before, after, reason }) => `${before} ${after} ${reason}`)]).toEqual([
      2,
      Array(2).fill("allowed denied more than 3"),
    ]);
    writeFileSync(config, '{"most":12}');
    const shown = await tollgate(["policy", "replay", policy!.id, "--config", config]);
    expect([shown.code, shown.out]).toEqual([0, expect.stringMatching(/REQUEST +BEFORE +AFTER +REASON/)]);
    expect(shown.out).toMatch(new RegExp(`${refused} +denied +allowed`));
    expect(await replay("--to", "1h", "--from", "2h")).toMatchObject({ evaluated: 0 });
  });

  it("makes a key that signs, of which nobody else reads the private half, and signs with it", async () => {
    const file = join(emptyFolder(), "ops.pem");
    const { out } = await tollgate(["policy", "keygen", "ops", "--out", file]);
    expect(out).toMatch(/^ops=[A-Za-z0-9+/]{43}=\n$/);
    expect([statSync(file).mode & 0o777, readFileSync(file, "utf8")]).toEqual([0o600, expect.stringContaining("PRIVATE KEY")]);
    const policy = written(freshName(), "1.0.0", 5);
    // The gateway of the tests trusts no key, and says so rather than to take what it cannot judge.
    const untrusted = await tollgate(["policy", "push", policy, "--signing-key", file, "--key-id", "ops"]);
    expect([untrusted.code, untrusted.err]).toEqual([1, expect.stringContaining("no key ops is trusted")]);
    expect((await tollgate(["policy", "keygen", "ops", "--out", file])).code).toBe(1);
  });

  it.each([
    [["policy", "push", "nowhere.ts"], 1, "nowhere.ts"],
    [["policy", "push", "x.ts", "--key-id", "a"], 2, "--signing-key"],
    [["policy", "push", "x.ts", "--deployment"], 2, "--mode"],
    [["policy", "activate", "pol_1", "--deployment"], 2, "--mode"],
    [["policy", "activate", "pol_1", "--mode", "enforce"], 2, "--key"],
    [["policy", "rollback", "nobody", "--deployment"], 1, "not in force"],
    [["policy", "replay", "pol_1"], 1, "no such policy"],
    [["policy", "replay", "pol_1", "--from", "soon"], 2, "--from"],
    [["policy", "replay", "pol_1", "--config", "nowhere.json"], 1, "nowhere.json"],
  ])("%j fails by what is missing", async (argv, code, named) => {
    const ran = await tollgate(argv);
    expect([ran.code, ran.err]).toEqual([code, expect.stringContaining(named)]);
  });
});
