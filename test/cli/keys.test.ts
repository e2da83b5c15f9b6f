import { describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { rows, tollgate } from "./run.ts";

const admin = () => new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
/** From an address of its own: failed authentications are counted by address. */
const standing = (secret: string) =>
  fetch(`${inject("origin")}/v1/key`, { headers: { authorization: `Bearer ${secret}`, "cf-connecting-ip": "203.0.113.7" } });
interface Key {
  readonly id: string;
  readonly secret: string;
  readonly status: string;
}
const made = async (name: string, ...options: string[]) => (await rows<Key>(["keys", "create", name, ...options]))[0]!;

describe("tollgate keys", () => {
  it("create makes the key that the options describe, budget and all, and its secret works", async () => {
    const options = [
      "--allow",
      "tollgate/*",
      "--deny",
      "*-pro",
      "--tag",
      "a",
      "--tag",
      "b",
      "--rpm",
      "60",
      "--tpm",
      "9000",
      "--concurrency=3",
    ];
    const more = [
      "--metadata",
      "team=search",
      "--unknown-price",
      "refuse",
      "--profile=default",
      "--cache=team",
      "--responses=off",
      "--content-logging=redacted",
      "--expires",
      "2040-02-29",
      "--limit-usd",
      "5",
      "--window",
      "day",
    ];
    const key = await made("cli-made", ...options, ...more, "--time-zone", "Europe/Berlin");
    expect(key).toMatchObject({
      name: "cli-made",
      models: { allow: ["tollgate/*"], deny: ["*-pro"] },
      tags: ["a", "b"],
      limits: { rpm: 60, tpm: 9000, concurrency: 3 },
      metadata: { team: "search" },
      unknown_price: "refuse",
      profile: "default",
      cache: "team",
      responses: "off",
      content_logging: "redacted",
      expires_at: "2040-02-29T00:00:00.000Z",
      budgets: [{ window: "day", time_zone: "Europe/Berlin", limit_usd: "5", mode: "strict" }],
    });
    expect((await standing(key.secret)).status).toBe(200);
  });

  it("create shows a key's budgets to people in the columns of budgets list", async () => {
    const { code, out } = await tollgate(["keys", "create", "cli-shown", "--limit-usd", "5", "--window", "day"]);
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^ID +OF +WHOM +WINDOW +MODE +UNIT +LIMIT +SPENT +RESERVED +REMAINING +RESETS$/m),
    ]);
  });

  it("threat 29: a secret is printed by the command that made it and by no other", async () => {
    const { code, out, err } = await tollgate(["keys", "create", "cli-once"]);
    expect(code).toBe(0);
    const [secret] = /sk-tg-[a-z0-9]{12}-[A-Za-z0-9]{43}/.exec(out) ?? [];
    expect(secret).toBeDefined();
    expect(err).toContain("shown this once");
    const id = `key_${secret!.split("-")[2]}`;
    for (const words of [["show", id], ["list"], ["update", id, "--rpm", "5"], ["disable", id], ["delete", id, "--yes"]]) {
      for (const form of [[], ["--json"]]) {
        const ran = await tollgate(["keys", ...words, ...form]);
        expect(ran.out + ran.err).not.toContain(secret!.split("-")[3]);
      }
    }
  });

  it("list prints an aligned table for people, and for programs exactly the API's objects, one per line", async () => {
    const user = (await admin().call<{ id: string }>("POST", "/users", { name: "cli-list" })).id;
    for (const name of ["short", "a much longer name"]) await made(name, "--user", user);
    const { data } = await admin().call<{ data: unknown[] }>("GET", `/keys?user=${user}`);
    expect(await rows(["keys", "list", "--user", user])).toEqual(data);
    const lines = (await tollgate(["keys", "list", "--user", user])).out.trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(new Set(lines.map((line) => line.search(/STATUS|active/))).size).toBe(1);
    expect(lines.join("\n")).not.toContain("\u001B");
  });

  it("list follows the cursors to the end, or to the limit, and says when there is more", async () => {
    const user = (await admin().call<{ id: string }>("POST", "/users", { name: "cli-pages" })).id;
    const names = Array.from({ length: 205 }, (_, at) => `page-${at}`);
    for (const name of names) await admin().key({ name, user });
    const all = await rows<{ name: string }>(["keys", "list", "--user", user]);
    expect(all.map(({ name }) => name).sort()).toEqual(names.sort());
    const some = await tollgate(["keys", "list", "--user", user, "--limit", "201", "--field", "id"]);
    expect(some.out.trimEnd().split("\n")).toHaveLength(201);
    expect(some.err).toContain("There are more");
  });

  it("show prints one field alone for a shell", async () => {
    const { id } = await made("cli-field", "--limit-requests", "7", "--window", "total");
    expect((await tollgate(["keys", "show", id, "--field", "budgets.0.limit_requests"])).out).toBe("7\n");
    expect((await tollgate(["keys", "show", id, "--field", "name"])).out).toBe("cli-field\n");
    expect((await tollgate(["keys", "show", id, "--field", "expires_at"])).out).toBe("\n");
    const slip = await tollgate(["keys", "show", id, "--field", "secrte"]);
    expect([slip.code, slip.out, slip.err]).toEqual([1, "", expect.stringContaining("there is no secrte; there are id, object, name")]);
    expect((await tollgate(["keys", "show", id])).out).toMatch(/^budgets\nID .*LIMIT .*\nbud_.* 7 /m);
  });

  it("update changes what is named and clears what is told", async () => {
    const { id } = await made("cli-change", "--rpm", "60", "--tag", "old", "--expires", "30d", "--allow", "tollgate/*");
    const [changed] = await rows(["keys", "update", id, "--name", "cli-changed", "--clear", "rpm", "--clear", "tag", "--clear", "expires"]);
    expect(changed).toMatchObject({
      name: "cli-changed",
      limits: { rpm: null },
      tags: [],
      expires_at: null,
      models: { allow: ["tollgate/*"] },
    });
  });

  it("rotate prints a new secret that works, and keeps the old one no longer than it is told", async () => {
    const before = await made("cli-rotate");
    const [after] = await rows<Key>(["keys", "rotate", before.id, "--grace", "0s"]);
    expect(after!.secret).not.toBe(before.secret);
    expect((await standing(after!.secret)).status).toBe(200);
    expect((await standing(before.secret)).status).toBe(401);
  });

  it("disable, enable and delete do so, and delete wants to be meant", async () => {
    const { id, secret } = await made("cli-off");
    expect((await rows(["keys", "disable", id]))[0]).toMatchObject({ id, status: "disabled" });
    expect((await standing(secret)).status).toBe(401);
    expect((await rows(["keys", "enable", id]))[0]).toMatchObject({ id, status: "active" });
    expect((await standing(secret)).status).toBe(200);
    const unmeant = await tollgate(["keys", "delete", id]);
    expect([unmeant.code, unmeant.out]).toEqual([2, ""]);
    expect(unmeant.err).toContain("--yes");
    expect((await standing(secret)).status).toBe(200);
    expect(await tollgate(["keys", "delete", id, "--yes"])).toEqual({ code: 0, out: `${id} is revoked.\n`, err: "" });
    expect((await standing(secret)).status).toBe(401);
  });

  it("a value that the gateway refuses is told with its field, the option that filled it, and the request's id", async () => {
    const { code, out, err } = await tollgate(["keys", "create", "x", "--limit-usd", "0.0000000001", "--window", "day"]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(/budgets\.0\.limit_usd/);
    expect(err).toMatch(/option\s+--limit-usd/);
    expect(err).toMatch(/code\s+invalid_request \(400\)/);
    expect(err).toMatch(/request\s+req_/);
    const machine = await tollgate(["keys", "create", "x", "--allow", "", "--json"]);
    expect(machine.code).toBe(1);
    expect(JSON.parse(machine.err)).toMatchObject({ error: { code: "invalid_request", param: "models.allow.0" } });
  });

  it("a name written to move a terminal does not: what it would obey is shown as text", async () => {
    const name = "evil\u001B[2J\u009B31m\u202Etxt";
    const { id } = await admin().key({ name });
    for (const words of [["list"], ["show", id], ["show", id, "--field", "name"], ["show", id, "--json"]]) {
      const { out } = await tollgate(["keys", ...words]);
      expect(out).toContain("evil\\u001b[2J");
      expect(out.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    }
    expect((await rows(["keys", "show", id]))[0]).toMatchObject({ name });
  });
});
