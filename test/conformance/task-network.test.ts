import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { FOREIGN_CALL, knowsForeignCalls } from "../support/foreign-call.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient } from "../support/tasks.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
const heard: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
let outside: Server;
let place: string;
let tasks: TaskClient;

beforeAll(async () => {
  outside = createServer(({ url, headers }, answer) => {
    heard.push({ url, headers });
    answer.end("from outside\n");
  });
  await new Promise<void>((resolve) => outside.listen(0, "127.0.0.2", resolve));
  // Of loopback, but none of the names that are never asked of a proxy.
  place = `127.0.0.2:${(outside.address() as AddressInfo).port}`;
  await admin.call("POST", "/profiles", {
    name: "networked",
    network: { hosts: [place, "*.example.com", "10.255.255.1"] },
    memory_mb: 512,
  });
  const { secret } = await admin.key({ name: "networked", profile: "networked" });
  tasks = new TaskClient(origin, secret);
});
afterAll(() => {
  outside.closeAllConnections();
  outside.close();
});

interface Entry {
  readonly severity: string;
  readonly outcome: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** So many security events of a task, once they have reached the database. */
async function incidents(task: string, count: number): Promise<Entry[]> {
  const path = `/audit?type=security_event&task=${task}&order=asc`;
  const read = async () => (await admin.call<{ data: Entry[] }>("GET", path)).data;
  await expect.poll(async () => (await read()).length, { timeout: 15_000, interval: 200 }).toBeGreaterThanOrEqual(count);
  return read();
}

/** Asks as any program does that goes by the environment. */
const FETCH = `(async () => {
  for (const url of process.argv.slice(1)) {
    const answer = await fetch(url).then((got) => got.text(), (error) => "failed " + error.cause.message + "\\n");
    process.stdout.write(answer.slice(0, 300));
  }
})()`;

async function run(urls: readonly string[], hosts?: readonly string[]) {
  const network = hosts ? { network: { hosts } } : {};
  const { id } = await tasks.begin({ engine: "command", argv: ["/opt/tollgate/node", "-e", FETCH, ...urls], ...network });
  const events = await tasks.events(id);
  return { id, text: (await tasks.get(id)).result?.text ?? "", security: events.filter(({ type }) => type === "security") };
}

describe.skipIf(UNABLE)("A47: the hosts of a task", () => {
  it("are reached by what goes by the proxy of the environment; the gateway is reached beside it, and nobody is shown its credential", async () => {
    const { text, security } = await run([`http://${place}/a`, "http://127.0.0.1:8787/v1/models"], [place]);
    expect(text).toMatch(/^from outside\n\{"object":"list"/);
    expect(security).toEqual([]);
    expect(heard.at(-1)).toMatchObject({ url: "/a", headers: { host: place } });
    expect(JSON.stringify(heard)).not.toContain("sk-tg-");
  });

  it("are reached by curl as it stands, over plain HTTP and through a tunnel", async () => {
    const script = `curl -s http://${place}/plain; curl -s --proxytunnel http://${place}/tunnel; curl -s -o /dev/null -w '%{http_code}' http://example.org`;
    const { id } = await tasks.begin({ engine: "command", argv: ["sh", "-c", script], network: { hosts: [place] } });
    expect((await tasks.end(id)).result?.text).toBe("from outside\nfrom outside\n403");
    expect(heard.slice(-2).map(({ url }) => url)).toEqual(["/plain", "/tunnel"]);
  });

  it("are none where the request names none, whatever its profile allows", async () => {
    const before = heard.length;
    const { text } = await run([`http://${place}/none`]);
    expect(text).toMatch(/^failed/);
    expect(heard).toHaveLength(before);
  });

  it("A38, A56: others are denied, told of in the events and once in the audit", async () => {
    const before = heard.length;
    const { id, text, security } = await run(
      ["http://other.example.org/", "http://other.example.org/b", `http://${place}/c`],
      ["a.example.com"],
    );
    expect(text).toMatch(/^(failed .*\n){3}$/);
    expect(heard).toHaveLength(before);
    const denial = (host: string, port: number) => ({ event: "egress_denied", host, port, reason: "not_allowed" });
    const [name = "", port = ""] = place.split(":");
    expect(security.map(({ data }) => data)).toEqual([denial("other.example.org", 80), denial(name, Number(port))]);
    expect((await incidents(id, 2)).map(({ severity, outcome, details }) => [severity, outcome, details])).toEqual([
      ["warning", "denied", denial("other.example.org", 80)],
      ["warning", "denied", denial(name, Number(port))],
    ]);
  });

  it("A38: one that leads into a private network is critical, and somebody is told", async () => {
    const { id, text } = await run(["http://10.255.255.1/latest/meta-data"], ["10.255.255.1"]);
    expect(text).toMatch(/^failed/);
    const details = { event: "egress_denied", host: "10.255.255.1", port: 80, reason: "not_public" };
    expect(await incidents(id, 1)).toMatchObject([{ severity: "critical", details }]);
    const alerts = async () =>
      (await admin.call<{ data: { type: string; subject: { id: string } }[] }>("GET", `/alerts?type=security.event&subject=${id}`)).data;
    await expect.poll(alerts, { timeout: 10_000 }).toMatchObject([{ type: "security.event", severity: "critical" }]);
  });

  it("are refused beyond the profile, each by its field", async () => {
    const { status, error } = await tasks.refused({
      engine: "command",
      argv: ["true"],
      network: { hosts: ["x.example.com", "example.org"] },
    });
    expect([status, error.code, error.param]).toEqual([403, "permission_denied", "network.hosts.1"]);
  });
});

it.skipIf(UNABLE ?? !knowsForeignCalls())(
  "A38, A56: a command that is killed for a system call says so at its end, and in the audit",
  async () => {
    const { path, base64 } = FOREIGN_CALL;
    const script = `base64 -d < ${path} > run && chmod +x run && exec ./run`;
    const { id } = await tasks.begin({ engine: "command", argv: ["sh", "-c", script], files: [{ path, text: base64 }] });
    const { exit_reason, result } = await tasks.end(id);
    expect([exit_reason, result?.exit_code, result?.message]).toEqual(["error", 159, "killed for a system call that no task may make"]);
    expect(await incidents(id, 1)).toMatchObject([{ severity: "warning", details: { event: "system_call_killed", exit_code: 159 } }]);
  },
);
