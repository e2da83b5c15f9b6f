import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, describe, expect, inject, it } from "vitest";
import { Admin, freePort } from "../support/gateway.ts";
import { emptyFolder, rows, start, tollgate } from "./run.ts";

const run = promisify(execFile);
const closing: (() => void)[] = [];
afterAll(() => closing.forEach((close) => close()));

/** Something that listens on loopback and is no gateway. */
async function stranger(serve: RequestListener): Promise<string> {
  const server = createServer(serve);
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const nobody = { TOLLGATE_ADMIN_KEY: "", TOLLGATE_KEY: "" };

describe("tollgate help", () => {
  it.each([[[]], [["help"]], [["--help"]]])("%j tells about every command, first steps, variables and exit codes", async (words) => {
    const { code, out, err } = await tollgate(words, { env: nobody });
    expect([code, err]).toEqual([0, ""]);
    for (const told of ["TOLLGATE_URL", "TOLLGATE_ADMIN_KEY", "keys create", "budgets list", "costs export", "Exit codes", "130"])
      expect(out).toContain(told);
  });

  it("tells about a group and a command, by `help` or by --help, whatever else stands there", async () => {
    expect((await tollgate(["help", "keys"])).out).toContain("keys rotate <id>");
    const page = (await tollgate(["help", "keys", "create"])).out;
    expect(page).toContain("tollgate keys create <name> [options]");
    expect((await tollgate(["keys", "create", "--limit-usd", "5", "--help"])).out).toBe(page);
    expect((await tollgate(["keys", "create", "-h"])).out).toBe(page);
  });

  it("prints the version", async () => {
    for (const asked of ["--version", "-v"]) expect((await tollgate([asked])).out).toMatch(/^tollgate \d+\.\d+\.\d+\n$/);
  });

  it("npx and npm run both start it in a checkout, with the checkout's own Node", async () => {
    for (const words of [
      ["npx", "tollgate", "--version"],
      ["npm", "run", "--silent", "tollgate", "--", "--version"],
    ]) {
      const { stdout } = await run(words[0]!, words.slice(1), { env: { ...process.env, PATH: pathWithoutOurs() } });
      expect(stdout).toMatch(/^tollgate \d+\.\d+\.\d+\n$/);
    }
  });
});

/** The search path of a machine that has not yet been told of this checkout's programs. */
function pathWithoutOurs(): string {
  const folders = (process.env["PATH"] ?? "").split(":");
  return folders.filter((folder: string) => !folder.includes("node_modules")).join(":");
}

describe("tollgate's exit codes", () => {
  it.each([
    [["kyes", "list"], "kyes list", "did you mean tollgate keys list"],
    [["keys"], "keys", "keys create"],
    [["keys", "show"], "<id>", "tollgate keys show <id>"],
    [["keys", "show", ""], "<id>", "empty"],
    [["keys", "create", "a", "b"], null, "only <name>"],
    [["keys", "list", "--limt", "3"], "--limt", "--limit"],
    [["keys", "list", "-l"], "-l", "no option -l"],
    [["keys", "list", "--limit"], "--limit", "takes a value"],
    [["keys", "list", "--team", "--limit", "3"], "--team", "takes a value"],
    [["keys", "list", "--limit", "3", "--limit", "4"], "--limit", "2 times"],
    [["keys", "list", "--json=yes"], "--json", "no value"],
    [["keys", "create", "x", "--role", "boss"], "--role", "owner, operator"],
    [["keys", "create", "x", "--metadata", "team"], "--metadata", "name=value"],
    [["keys", "create", "x", "--expires", "tomorrow"], "--expires", "2026-11-21"],
    [["keys", "create", "x", "--limit-usd", "5"], "--window", "day"],
    [["keys", "update", "key_1"], null, "something to change"],
    [["keys", "update", "key_1", "--clear", "name"], "--clear", "rpm"],
    [["keys", "update", "key_1", "--clear", "rpm", "--rpm", "5"], "--clear", "contradict"],
    [["keys", "list", "--base-url", "gateway"], "--base-url", "http"],
    [["keys", "list", "--base-url", "http://me:secret@127.0.0.1"], "--base-url", "no credentials"],
    [["keys", "list", "--timeout", "30"], "--timeout", "90s"],
    [["reconcile"], "<file>…", "reconcile <file>…"],
    [["reconcile", "a.csv", ""], "<file>…", "empty"],
    [["reconcile", "a.csv"], "--provider", "--provider"],
    [["reconcile", "a.csv", "--provider", "p", "--format", "xml"], "--format", "openai.usage"],
    [["estimate"], "--model", "--request"],
    [["estimate", "--model", "tollgate/echo"], "--prompt", "--request"],
    [["estimate", "--request", "body.json", "--prompt", "hi"], "--prompt", "one or the other"],
    [["estimate", "--model", "m", "--prompt", "hi", "--operation", "messages"], "--max-tokens", "needs"],
    [["estimate", "--model", "m", "--prompt", "hi", "--operation", "embeddings", "--max-tokens", "5"], "--max-tokens", "leave"],
  ])("2: %j is a wrong command line, told before anything is sent", async (words, param, told) => {
    const { code, out, err } = await tollgate([...words, "--json"]);
    expect([code, out]).toEqual([2, ""]);
    const { error } = JSON.parse(err) as { error: { param: string | null; message: string } };
    expect([error.param, error.message]).toEqual([param, expect.stringContaining(told)]);
  });

  it.each([
    [["keys", "create"], "keys create"],
    [["keys", "create", "x", "--windw", "day"], "keys create"],
    [["keys", "list", "--limit", "0"], "keys list"],
    [["keys", "update", "key_1"], "keys update"],
  ])("2: %j is told where to read on", async (words, page) => {
    expect((await tollgate(words)).err).toContain(`\ntollgate help ${page} tells more.`);
  });

  it("2: without a credential nothing is sent, and the message names the variable", async () => {
    const { code, err } = await tollgate(["keys", "list"], { env: nobody });
    expect([code, err]).toEqual([2, expect.stringContaining("TOLLGATE_ADMIN_KEY")]);
  });

  it("1: a credential that the gateway refuses is refused without being shown", async () => {
    const wrong = "sk-tg-000000000000-0123456789012345678901234567890123456789012";
    const { code, out, err } = await tollgate(["keys", "list"], { env: { TOLLGATE_ADMIN_KEY: wrong } });
    expect([code, out, err]).toEqual([1, "", expect.stringContaining("invalid_api_key (401)")]);
    expect(err).not.toContain(wrong);
  });

  it("3: where nobody listens, and where nobody answers in time", async () => {
    const closed = `http://127.0.0.1:${await freePort()}`;
    const refused = await tollgate(["keys", "list", "--base-url", closed]);
    expect([refused.code, refused.out]).toEqual([3, ""]);
    const remedy = "npm start starts one on this machine, TOLLGATE_URL names another";
    expect(refused.err).toBe(`error: There is no gateway to be reached at ${closed}: ECONNREFUSED; ${remedy}\n`);
    const silent = await stranger(() => undefined);
    const late = await tollgate(["keys", "list", "--timeout", "1s", "--base-url", silent]);
    expect([late.code, late.err]).toEqual([3, `error: There is no gateway to be reached at ${silent}: no answer within 1 s\n`]);
  });

  it("3: where something else answers, be it with success, an error or a broken body", async () => {
    for (const [status, body] of [
      [200, "<html>welcome</html>"],
      [200, "[]"],
      [502, "<html>bad gateway</html>"],
      [404, '{"error":"not found"}'],
    ] as const) {
      const url = await stranger((_, response) => response.writeHead(status).end(body));
      const { code, out, err } = await tollgate(["keys", "list", "--base-url", url]);
      expect([code, out]).toEqual([3, ""]);
      expect(err).toContain(`What answers at ${url} is not a Tollgate gateway`);
    }
    const polite = await stranger((_, response) => response.end('{"status":"ok"}'));
    expect((await tollgate(["status", "--base-url", polite])).code).toBe(3);
    const broken = await stranger((_, response) => {
      response.writeHead(200, { "content-length": 100 }).write("{");
      void setTimeout(50).then(() => response.destroy());
    });
    expect((await tollgate(["costs", "export", "--base-url", broken])).code).toBe(3);
  });

  it("3: a redirect is told and not followed, so that no credential goes where it was not sent", async () => {
    const seen: unknown[] = [];
    const elsewhere = await stranger((request, response) => {
      seen.push(request.headers);
      response.end("{}");
    });
    const url = await stranger((_, response) => response.writeHead(308, { location: `${elsewhere}/` }).end());
    const { code, err } = await tollgate(["keys", "list", "--base-url", url]);
    expect([code, err]).toEqual([3, expect.stringContaining(`redirects to ${elsewhere}/`)]);
    expect(seen).toEqual([]);
  });

  it("4: where the answer is a clear no: a gateway that is degraded, a budget that is exceeded", async () => {
    const health = { status: "degraded", version: "0.1.0", environment: "production", d1: "ok", ledger: "down", private_upstreams: false };
    const degraded = await stranger((_, response) => response.writeHead(503).end(JSON.stringify(health)));
    const status = await tollgate(["status", "--base-url", degraded, "--json"], { env: nobody });
    expect([status.code, JSON.parse(status.out)]).toEqual([4, expect.objectContaining({ health })]);
    const details = { scope: { kind: "team", id: "team_core" }, limit: "5", resets_at: null };
    const error = { message: "The budget is exceeded", type: "billing_error", param: null, code: "budget_exceeded", details };
    const poor = await stranger((_, response) => response.writeHead(402).end(JSON.stringify({ error })));
    const words = ["estimate", "--model", "m", "--prompt", "p", "--base-url", poor];
    const exceeded = await tollgate(words, { env: { TOLLGATE_KEY: "k" } });
    expect([exceeded.code, exceeded.out]).toEqual([4, ""]);
    expect(exceeded.err.split("\n")).toEqual([
      "error: The budget is exceeded",
      "  code        budget_exceeded (402)",
      "  scope.kind  team",
      "  scope.id    team_core",
      "  limit       5",
      "",
    ]);
    const { code, message } = error;
    expect(JSON.parse((await tollgate([...words, "--json"], { env: { TOLLGATE_KEY: "k" } })).err)).toMatchObject({
      error: { code, message, details },
    });
  });

  it("130: Ctrl-C ends it at once, cleanly, and leaves no half file", async () => {
    const folder = emptyFolder();
    const asked = Promise.withResolvers<void>();
    const url = await stranger(() => asked.resolve());
    const child = start(["costs", "export", "--out", "all.csv", "--base-url", url], { folder });
    let err = "";
    child.stderr.on("data", (part: Buffer) => (err += part.toString("utf8")));
    await asked.promise;
    expect(readdirSync(folder)).toEqual(["all.csv.part"]);
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number];
    expect([code, err, readdirSync(folder)]).toEqual([130, "", []]);
  });

  it("130: Ctrl-C also ends what waits for its standard input", async () => {
    const child = start(["estimate", "--request", "-"], { env: { TOLLGATE_KEY: "k" } });
    // More than a pipe holds: once it is written, the program is reading.
    await new Promise((resolve) => child.stdin.write(" ".repeat(1_000_000), resolve));
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(130);
  });

  it("1: a file that is not there or is no JSON is named, with its option, and nothing is sent", async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, "broken.json"), "{");
    for (const [file, why] of [
      ["none.json", "cannot be read (ENOENT)"],
      ["broken.json", "is not JSON"],
    ] as const) {
      const { code, err } = await tollgate(["estimate", "--request", file], { folder, env: { TOLLGATE_KEY: "k" } });
      expect([code, err]).toEqual([1, `error: --request: ${file} ${why}\n`]);
    }
  });

  it("a gateway that sheds load is asked again when it says so, but only for what changes nothing", async () => {
    let refused = 0;
    const busy = await stranger((request, response) => {
      if (refused++ % 2 === 0) {
        response.writeHead(503, { "content-type": "application/json", "x-should-retry": "true", "retry-after-ms": "20" });
        response.end('{"error":{"message":"Too busy","type":"overloaded_error","param":null,"code":"overloaded"}}');
        return;
      }
      const through = fetch(inject("origin") + request.url, { headers: { authorization: request.headers.authorization! } });
      void through.then(async (answer) => response.writeHead(answer.status).end(await answer.text()));
    });
    const read = await tollgate(["keys", "list", "--limit", "1", "--json", "--base-url", busy]);
    expect([read.code, read.out, refused]).toEqual([0, expect.stringContaining('"object":"key"'), 2]);
    const written = await tollgate(["keys", "create", "x", "--base-url", busy]);
    expect([written.code, written.out, refused]).toEqual([1, "", 3]);
    expect(written.err).toMatch(/Too busy\n +code +overloaded \(503\)/);
  });

  it("0: a reader that has read enough is no failure", async () => {
    const admin = new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
    const user = (await admin.call<{ id: string }>("POST", "/users", { name: "cli-head" })).id;
    for (let at = 0; at < 201; at++) await admin.key({ name: "cli-head", user, metadata: { long: "x".repeat(500) } });
    const child = start(["keys", "list", "--json", "--user", user]);
    let err = "";
    child.stderr.on("data", (part: Buffer) => (err += part.toString("utf8")));
    child.stdout.once("data", () => child.stdout.destroy());
    const [code] = (await once(child, "close")) as [number];
    expect([code, err]).toEqual([0, ""]);
  });
});

describe("tollgate and its surroundings", () => {
  it("takes the address as the SDKs do, with /v1 and slashes at its end", async () => {
    for (const end of ["/", "/v1", "/v1/"]) expect((await tollgate(["status", "--base-url", inject("origin") + end])).code).toBe(0);
  });

  it("a secret on the command line works, is warned about, and is not printed", async () => {
    const { code, out, err } = await tollgate(["keys", "list", "--limit", "1", "--admin-key", inject("adminKey")], { env: nobody });
    expect([code, err]).toEqual([0, expect.stringContaining("warning: --admin-key puts a secret into the shell's history")]);
    expect(out + err).not.toContain(inject("adminKey"));
  });

  it("the admin key of .dev.vars is used for a gateway on this machine, and for no other", async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, ".dev.vars"), `TOLLGATE_ADMIN_KEY="${inject("adminKey")}"\n`);
    expect((await tollgate(["keys", "list", "--limit", "1"], { folder, env: nobody })).code).toBe(0);
    const elsewhere = await tollgate(["keys", "list", "--base-url", "https://gateway.invalid"], { folder, env: nobody });
    expect([elsewhere.code, elsewhere.err]).toEqual([2, expect.stringContaining("No credential")]);
  });

  it("status tells the gateway's health and what each credential is worth", async () => {
    const admin = new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
    const { id, secret } = await admin.key({ name: "cli-status", budgets: [{ window: "day", limit_usd: "3" }] });
    const [all] = await rows(["status"], { env: { TOLLGATE_KEY: secret } });
    expect(all).toMatchObject({
      health: { status: "ok", ledger: "ok" },
      admin: "accepted",
      key: { id, budgets: [{ status: { limit: "3" } }] },
    });
    const shown = await tollgate(["status"], { env: { TOLLGATE_KEY: secret } });
    expect([shown.code, shown.err]).toEqual([0, ""]);
    for (const told of [/^status +ok$/m, /^admin +accepted$/m, /^key\.name +cli-status$/m, /^key\.budgets$/m])
      expect(shown.out).toMatch(told);
    expect(shown.out).not.toContain(secret);
    const unset = await tollgate(["status"], { env: nobody });
    expect([unset.code, unset.out]).toEqual([0, expect.stringMatching(/^key +not set \(TOLLGATE_KEY\)$/m)]);
    const auditor = await admin.key({ name: "cli-auditor", role: "auditor" });
    expect((await rows(["status"], { env: { TOLLGATE_ADMIN_KEY: auditor.secret } }))[0]).toMatchObject({
      admin: expect.stringMatching(/^accepted, /),
    });
    const refused = await tollgate(["status"], { env: { TOLLGATE_KEY: `${secret.slice(0, -4)}AAAA` } });
    expect([refused.code, refused.out]).toEqual([1, expect.stringMatching(/^key +invalid_api_key$/m)]);
  });
});
