import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { type Ran, rows, tollgate } from "./run.ts";

const admin = () => new Admin({ origin: inject("origin"), adminKey: inject("adminKey") });
const closing: (() => void)[] = [];
afterAll(() => closing.forEach((close) => close()));

/** A receiver of webhooks that answers with a status, and keeps what it was sent with its signature. */
async function receiver(status = 204) {
  const seen: { signature: string; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (part: string) => (body += part));
    request.on("end", () => {
      seen.push({ signature: String(request.headers["x-tollgate-signature"]), body });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, seen };
}

function signedBy(secret: string, { signature, body }: { signature: string; body: string }): boolean {
  const [, time, mark] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
  return createHmac("sha256", secret).update(`${time}.${body}`).digest("hex") === mark;
}

interface Webhook {
  readonly id: string;
  readonly secret: string;
}
const made = async (url: string, ...options: string[]) => (await rows<Webhook>(["webhooks", "create", url, ...options]))[0]!;

describe("tollgate alerts", () => {
  it("D11: list shows exactly the API's objects, by subject, type, severity and time", async () => {
    const budgets = [{ window: "total", limit_requests: 1 }];
    const key = await admin().call<{ id: string; secret: string; budgets: { id: string }[] }>("POST", "/keys", {
      name: "cli-alerts",
      budgets,
    });
    const subject = key.budgets[0]!.id;
    const headers = { authorization: `Bearer ${key.secret}`, "content-type": "application/json" };
    const body = '{"model":"tollgate/echo","messages":[{"role":"user","content":"once"}]}';
    await (await fetch(`${inject("origin")}/v1/chat/completions`, { method: "POST", headers, body })).text();
    const threshold = ["alerts", "list", "--subject", subject, "--type", "budget.threshold"];
    await expect.poll(async () => (await rows(threshold)).length, { timeout: 15_000, interval: 500 }).toBeGreaterThan(0);
    const { data } = await admin().call<{ data: unknown[] }>("GET", `/alerts?subject=${subject}&type=budget.threshold`);
    expect(await rows(threshold)).toEqual(data);
    expect(await rows([...threshold, "--severity", "critical", "--from", "1h"])).toMatchObject([{ data: { threshold: 100 } }]);
    expect(await rows([...threshold, "--to", "1h"])).toEqual([]);
    const { out } = await tollgate(threshold);
    expect(out.split("\n")[0]).toMatch(/^CREATED +SEVERITY +TYPE +SUBJECT +TEAM +KEY +FACTS$/);
    expect(out).toContain(subject);
    const none = await tollgate(["alerts", "list", "--subject", "bud_none"]);
    expect([none.code, none.out, none.err]).toEqual([0, "", "There are no such alerts.\n"]);
  });
});

describe("tollgate webhooks", () => {
  it("create prints the secret once, test is signed by it and taken, and deliveries show it", async () => {
    const { url, seen } = await receiver();
    const { id, secret } = await made(url, "--event", "budget.threshold", "--event", "price.unknown");
    const [shown] = await rows(["webhooks", "show", id]);
    expect(shown).toMatchObject({ id, url, events: ["budget.threshold", "price.unknown"], status: "active" });
    expect(shown).not.toHaveProperty("secret");
    const tested = await tollgate(["webhooks", "test", id]);
    expect([tested.code, tested.out]).toEqual([0, expect.stringMatching(/^status +delivered$/m)]);
    expect(seen.map((each) => [(JSON.parse(each.body) as { type: string }).type, signedBy(secret, each)])).toEqual([
      ["webhook.test", true],
    ]);
    const { data } = await admin().call<{ data: unknown[] }>("GET", `/webhooks/${id}/deliveries`);
    expect(data).toHaveLength(1);
    expect(await rows(["webhooks", "deliveries", id])).toEqual(data);
    const { out } = await tollgate(["webhooks", "deliveries", id]);
    expect(out.split("\n")[0]).toMatch(/^CREATED +STATUS +ALERT +ATTEMPTS +HTTP +ERROR +NEXT$/);
    expect((await rows<Webhook>(["webhooks", "list"])).map((each) => each.id)).toContain(id);
  });

  it("test ends with 4 where it was not taken, and the status tells why", async () => {
    const { url } = await receiver(500);
    const { id } = await made(url);
    const { code, out } = await tollgate(["webhooks", "test", id, "--json"]);
    expect([code, JSON.parse(out)]).toEqual([4, expect.objectContaining({ status: "pending", http_status: 500 })]);
  });

  it("rotate makes a secret that signs from then on, and the old one no more", async () => {
    const { url, seen } = await receiver();
    const { id, secret } = await made(url);
    const [{ secret: next } = { secret: "" }] = await rows<Webhook>(["webhooks", "rotate", id]);
    await tollgate(["webhooks", "test", id]);
    expect([signedBy(next, seen[0]!), signedBy(secret, seen[0]!)]).toEqual([true, false]);
  });

  it("update changes what is told and whether, and delete wants to be meant", async () => {
    const { id } = await made("https://hooks.example.com/tollgate", "--event", "spend.anomaly");
    expect(await rows(["webhooks", "update", id, "--status", "disabled", "--event", "price.unknown"])).toMatchObject([
      { status: "disabled", events: ["price.unknown"], url: "https://hooks.example.com/tollgate" },
    ]);
    expect(await rows(["webhooks", "update", id, "--all-events"])).toMatchObject([{ status: "disabled", events: [] }]);
    expect((await tollgate(["webhooks", "delete", id])).code).toBe(2);
    expect(await tollgate(["webhooks", "delete", id, "--yes"])).toEqual<Ran>({ code: 0, out: `${id} is removed.\n`, err: "" });
    const gone = await tollgate(["webhooks", "show", id]);
    expect([gone.code, gone.err]).toEqual([1, expect.stringMatching(/There is no such webhook/)]);
  });

  it.each([
    [["webhooks", "update", "whk_1"], 2, null, "something to change"],
    [["webhooks", "update", "whk_1", "--all-events", "--event", "price.unknown"], 2, "--all-events", "contradict"],
    [["webhooks", "create"], 2, "<url>", "<url>"],
    [["alerts", "list", "--type", "budget"], 2, "--type", "budget.threshold"],
    [["webhooks", "create", "https://hooks.example.com/x", "--event", "everything"], 1, "events.0", "budget.threshold"],
    [["webhooks", "create", "ftp://hooks.example.com/x"], 1, "url", "http"],
  ])("%j is refused, and the message names what is wrong", async (words, ended, param, told) => {
    const { code, out, err } = await tollgate([...words, "--json"]);
    expect([code, out]).toEqual([ended, ""]);
    const { error } = JSON.parse(err) as { error: { param: string | null; message: string } };
    expect([error.param, error.message]).toEqual([param, expect.stringContaining(told)]);
  });
});
