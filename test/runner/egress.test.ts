import dns from "node:dns";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { type AddressInfo, createConnection, createServer as createSocketServer, type Server as SocketServer, type Socket } from "node:net";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Egress, type Reach } from "../../runner/egress.ts";
import { EventLog } from "../../runner/event-log.ts";
import { openGatewaySocket } from "../../runner/gateway-socket.ts";
import { Incidents } from "../../runner/incidents.ts";
import { hostRuleOf, type Incident } from "../../runner/protocol.ts";
import { isPublic } from "../../runner/public-address.ts";
import { TestRunner, UNABLE } from "../support/runner.ts";

interface Heard {
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let folder: string;
let outside: Server;
let echo: SocketServer;
const heard: Heard[] = [];
const opened: Server[] = [];
let sockets = 0;
const portOf = (server: SocketServer) => (server.address() as AddressInfo).port;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "egress-"));
  heard.length = 0;
  outside = createServer((request, answer) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      heard.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
      answer.end("from outside");
    });
  });
  // What is said to it without any protocol it says again.
  echo = createSocketServer((call) => call.on("error", () => undefined).pipe(call));
  await Promise.all([outside, echo].map((server) => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))));
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const server of opened.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  outside.closeAllConnections();
  outside.close();
  echo.close();
  await rm(folder, { recursive: true });
});

const TEST: Reach = { loopback: true, bytesMax: 2 ** 20, idleMs: 10_000 };
const PUBLIC: Reach = { ...TEST, loopback: false };

/** A job's socket, as it stands for one that may reach some hosts, and what is told of it. */
async function proxy(hosts: readonly string[], reach: Reach = TEST) {
  const events = new EventLog();
  const incidents = new Incidents(events);
  const rules = hosts.map((each) => hostRuleOf(each)!);
  const path = join(folder, `socket-${++sockets}`);
  const gateway = { url: `http://127.0.0.1:${portOf(outside)}/gateway`, authorization: "Bearer of the job" };
  const egress = new Egress(rules, reach, (denial) => incidents.tell(denial));
  opened.push(await openGatewaySocket(path, gateway, egress));
  const say = (bytes: string) =>
    new Promise<string>((resolve, reject) => {
      let said = "";
      const connection = createConnection(path, () => (bytes.startsWith("CONNECT") ? connection.end(bytes) : connection.write(bytes)));
      connection.setEncoding("utf8").on("data", (part: string) => (said += part));
      connection.once("error", reject).once("close", () => resolve(said));
    });
  const told = async (): Promise<Incident[]> => {
    events.add({ type: "stdout", data: { text: "the end" } });
    const all: Incident[] = [];
    for await (const event of events.after(0, AbortSignal.timeout(5_000))) {
      if (event.type === "security") all.push(event.data);
      if (event.type === "stdout") break;
    }
    return all;
  };
  return { say, told, path };
}

/** How many processes hold a connection to a port, as the kernel lists them: what is closed has no inode any more. */
const callersOf = (port: number) =>
  readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, , , , , , , inode]) => inode !== "0" && remote?.endsWith(`:${port.toString(16).toUpperCase().padStart(4, "0")}`))
    .length;
/** How many connections the last socket has. */
const open = () => new Promise<number>((resolve) => opened.at(-1)!.getConnections((_, count) => resolve(count)));
const connect = (target: string, then = "") => `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n${then}`;
const get = (url: string, more = "") => `GET ${url} HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n${more}\r\n`;

describe("A47: a host that a job may reach", () => {
  it("is reached by CONNECT, bytes both ways, and nothing else is", async () => {
    const { say, told } = await proxy([`localhost:${portOf(echo)}`]);
    const answer = await say(connect(`localhost:${portOf(echo)}`, "whatever it is"));
    expect(answer).toBe("HTTP/1.1 200 Connection Established\r\n\r\nwhatever it is");
    expect(await say(connect(`localhost:${portOf(outside)}`))).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(await told()).toEqual([{ event: "egress_denied", host: "localhost", port: portOf(outside), reason: "not_allowed" }]);
  });

  it("is asked over plain HTTP under its own name, with the job's headers and no credential of ours", async () => {
    const place = `localhost:${portOf(outside)}`;
    const { say } = await proxy([place]);
    const more = "Authorization: Bearer the job's own\r\nProxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\n";
    const answer = await say(get(`http://${place}/a?b=c`, more));
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain("from outside");
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({ line: "GET /a?b=c", headers: { host: place, authorization: "Bearer the job's own" } });
    expect(Object.keys(heard[0]!.headers)).not.toContain("proxy-authorization");
    expect(JSON.stringify(heard)).not.toContain("of the job");
  });

  it("hides no second request in a body", async () => {
    const place = `localhost:${portOf(outside)}`;
    const { say } = await proxy([place]);
    const hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    await say(get(`http://${place}/a`, "Transfer-Encoding: chunked\r\n") + `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`);
    expect(heard.map(({ line, body }) => [line, body])).toEqual([["GET /a", hidden]]);
  });

  it("is looked up once, and what it was looked up as is what is called", async () => {
    const looked = vi.spyOn(dns.promises, "lookup").mockImplementation((async () => [{ address: "127.0.0.1", family: 4 }]) as never);
    const again = vi.spyOn(dns, "lookup");
    const { say } = await proxy([`api.example.test:${portOf(echo)}`]);
    expect(await say(connect(`api.example.test:${portOf(echo)}`, "there"))).toContain("there");
    expect([looked.mock.calls.length, again.mock.calls.length]).toEqual([1, 0]);
  });
});

describe("A47: what a job may not reach", () => {
  it.each(["example.com:22", "example.org:443", "a.b.example.net:8443", "example.net:443", "example.com.evil.test:443"])(
    "%s is refused without anybody's being asked for it",
    async (target) => {
      const looked = vi.spyOn(dns.promises, "lookup");
      const { say, told } = await proxy(["example.com", "*.example.net"]);
      expect(await say(connect(target))).toMatch(/^HTTP\/1\.1 403 /);
      expect(looked).not.toHaveBeenCalled();
      expect(await told()).toMatchObject([{ event: "egress_denied", reason: "not_allowed" }]);
    },
  );

  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["10.1.2.3", "10.1.2.3"],
    ["169.254.169.254", "169.254.169.254"],
    ["100.64.0.1", "100.64.0.1"],
    ["[::1]", "[::1]"],
    ["[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"],
    ["[64:ff9b::a00:1]", "[64:ff9b::a00:1]"],
    ["[fe80::1]", "[fe80::1]"],
    // Other spellings of what is allowed come to the same address.
    ["127.0.0.1", "0x7f.1"],
    ["127.0.0.1", "2130706433"],
    ["localhost", "LOCALHOST."],
  ])("%s leads nowhere public, however it is written and though it is allowed: %s", async (rule, written) => {
    const { say, told } = await proxy([rule], PUBLIC);
    expect(await say(connect(`${written}:443`))).toMatch(/^HTTP\/1\.1 403 /);
    expect(await say(get(`http://${written}/latest/meta-data`))).toMatch(/^HTTP\/1\.1 403 /);
    expect((await told()).map((each) => "reason" in each && each.reason)).toEqual(["not_public", "not_public"]);
  });

  it("a name of which one address is private is none that is called", async () => {
    const both = [
      { address: "93.184.215.14", family: 4 },
      { address: "192.168.0.1", family: 4 },
    ];
    vi.spyOn(dns.promises, "lookup").mockImplementation((async () => both) as never);
    const { say, told } = await proxy(["example.com"], PUBLIC);
    expect(await say(connect("example.com:443"))).toMatch(/^HTTP\/1\.1 403 /);
    expect(await told()).toMatchObject([{ host: "example.com", port: 443, reason: "not_public" }]);
  });

  it.each(["93.184.215.14", "[2606:4700:4700::1111]"])(
    "an address of the runner's own machine is none, public as it looks: %s",
    async (own) => {
      const address = own.replace(/[[\]]/g, "");
      vi.spyOn(os, "networkInterfaces").mockReturnValue({ eth0: [{ address }] } as never);
      vi.spyOn(dns.promises, "lookup").mockImplementation((async () => [{ address, family: own === address ? 4 : 6 }]) as never);
      const { say, told } = await proxy([own, "example.com"], PUBLIC);
      for (const host of [own, "example.com"]) expect(await say(connect(`${host}:443`))).toMatch(/^HTTP\/1\.1 403 /);
      expect((await told()).map((each) => "reason" in each && each.reason)).toEqual(["not_public", "not_public"]);
    },
  );

  it("where the resolver does not answer, half of the threads that all jobs share stay free of it", async () => {
    const find = new Map<string, () => void>();
    const slow = (host: string) => new Promise((resolve) => find.set(host, () => resolve([{ address: "127.0.0.1", family: 4 }])));
    vi.spyOn(dns.promises, "lookup").mockImplementation(slow as never);
    const names = ["one", "two", "three", "four"].map((name) => `${name}.test:${portOf(echo)}`);
    const jobs = await Promise.all(names.map((place) => proxy([place])));
    const answers = jobs.map(({ say }, at) => say(connect(names[at]!, "there")));
    await vi.waitFor(() => expect(find.size).toBeGreaterThan(1));
    for (let found = 0; found < 4; found++) {
      expect(find.size).toBe(Math.min(2 + found, 4));
      [...find.values()][found]!();
      await vi.waitFor(() => expect(find.size).toBe(Math.min(3 + found, 4)));
    }
    for (const answer of answers) expect(await answer).toContain("there");
  });

  it("an address that is public is not allowed with the names", async () => {
    const { say, told } = await proxy(["*.example.com"], PUBLIC);
    expect(await say(connect("93.184.215.14:443"))).toMatch(/^HTTP\/1\.1 403 /);
    expect(await told()).toMatchObject([{ host: "93.184.215.14", reason: "not_allowed" }]);
  });

  it.each(["localhost", "localhost:0", "localhost:99999", ":443", "a@b:443"])("%s is no target", async (target) => {
    const { say } = await proxy(["localhost"]);
    expect(await say(connect(target))).toMatch(/^HTTP\/1\.1 400 /);
  });

  it("more bytes than a job may move end what moves them, and what comes after is refused", async () => {
    const place = `localhost:${portOf(echo)}`;
    const { say, told } = await proxy([place], { ...TEST, bytesMax: 10_000 });
    const answer = await say(connect(place, "x".repeat(50_000))).catch(() => "");
    expect(answer.length).toBeLessThan(20_000);
    expect(await say(connect(place))).toMatch(/^HTTP\/1\.1 403 /);
    expect(await told()).toEqual([{ event: "egress_denied", host: "localhost", port: portOf(echo), reason: "bytes" }]);
  });

  it("more connections than may be open are refused until one has ended", async () => {
    const place = `localhost:${portOf(echo)}`;
    const { say, path } = await proxy([place]);
    const open = await Promise.all(
      Array.from(
        { length: 64 },
        () =>
          new Promise<ReturnType<typeof createConnection>>((resolve, reject) => {
            const connection = createConnection(path, () => connection.write(connect(place)));
            connection.once("error", reject).once("data", () => resolve(connection));
          }),
      ),
    );
    expect(await say(connect(place))).toMatch(/^HTTP\/1\.1 503 /);
    const [first, ...rest] = open;
    first!.end();
    await new Promise((resolve) => first!.once("close", resolve));
    expect(await say(connect(place, "again"))).toContain("again");
    for (const connection of rest) connection.destroy();
  });

  it("what says nothing for too long is ended, and a host that does not answer is 504", async () => {
    const silent = createSocketServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const place = `localhost:${portOf(silent)}`;
    const { say, path } = await proxy([place], { ...TEST, idleMs: 200 });
    const connection = createConnection(path, () => connection.write(connect(place)));
    connection.resume();
    await new Promise((resolve) => connection.once("close", resolve));
    expect(await say(get(`http://${place}/`))).toMatch(/^HTTP\/1\.1 504 /);
    silent.close();
  });

  it("a host that turns to another protocol, or says nothing that can be read, is 502", async () => {
    const odd = createSocketServer((call) => {
      call
        .on("error", () => undefined)
        .once("data", (asked: Buffer) => {
          const isFirst = asked.toString().includes("/upgrade");
          call.end(isFirst ? "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n" : "nonsense\r\n\r\n");
        });
    });
    await new Promise<void>((resolve) => odd.listen(0, "127.0.0.1", resolve));
    const place = `localhost:${portOf(odd)}`;
    const { say } = await proxy([place]);
    for (const path of ["/upgrade", "/other"]) expect(await say(get(`http://${place}${path}`))).toMatch(/^HTTP\/1\.1 502 /);
    odd.close();
  });

  it("headers of more than 16 KiB are not read", async () => {
    const place = `localhost:${portOf(outside)}`;
    const { say } = await proxy([place]);
    expect(await say(get(`http://${place}/`, `X-Long: ${"x".repeat(20_000)}\r\n`))).toMatch(/^HTTP\/1\.1 431 /);
    expect(heard).toEqual([]);
  });

  it("A38: each host is told of once, and of many no more than so many", async () => {
    const { say, told } = await proxy([]);
    for (let nth = 0; nth < 3; nth++) await say(connect("same.example:443"));
    for (let nth = 0; nth < 80; nth++) await say(connect(`h${nth}.example:443`));
    const all = await told();
    expect(all).toHaveLength(65);
    expect(all.filter((each) => "host" in each && each.host === "same.example")).toHaveLength(1);
    expect(all.at(-1)).toEqual({ event: "incidents_untold", told: 64 });
  });

  it("A38: a way into a private network is told of, however many hosts were asked for before", async () => {
    const { say, told } = await proxy(["localhost"], PUBLIC);
    for (let nth = 0; nth < 80; nth++) await say(connect(`h${nth}.example:443`));
    await say(connect("localhost:443"));
    expect((await told()).at(-1)).toEqual({ event: "egress_denied", host: "localhost", port: 443, reason: "not_public" });
  });

  it("who leaves before a name is found keeps its place until then, and for those behind it nobody is asked", async () => {
    const find: (() => void)[] = [];
    const slow = () => new Promise((resolve) => find.push(() => resolve([{ address: "127.0.0.1", family: 4 }])));
    vi.spyOn(dns.promises, "lookup").mockImplementation(slow as never);
    const place = `slow.test:${portOf(echo)}`;
    const { say, path } = await proxy([place]);
    for (let nth = 0; nth < 64; nth++) {
      const leaver = createConnection(path);
      leaver.write(get(`http://${place}/`), () => leaver.destroy());
    }
    await vi.waitFor(() => expect(find).toHaveLength(1));
    await vi.waitFor(async () => expect(await open()).toBe(0));
    expect(await say(connect(place))).toMatch(/^HTTP\/1\.1 503 /);
    find[0]!();
    const answer = say(connect(place, "there"));
    await vi.waitFor(() => expect(find).toHaveLength(2));
    find[1]!();
    expect(await answer).toContain("there");
  });
});

it("A47: of addresses those of the public internet are public, and no others", () => {
  const open = ["1.1.1.1", "93.184.215.14", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1"];
  const shut =
    "0.0.0.0 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 168.63.129.16 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 " +
    ":: ::1 ::ffff:1.1.1.1 ::ffff:127.0.0.1 64:ff9b::1.1.1.1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:7f00:1::1 3fff::1 fc00::1 fd00::1 fe80::1 fe80::1%eth0 ff02::1 nonsense";
  expect(open.filter((address) => !isPublic(address))).toEqual([]);
  expect(shut.split(" ").filter(isPublic)).toEqual([]);
});

describe.skipIf(UNABLE)("A47: from inside of a sandbox", () => {
  let runner: TestRunner;
  beforeAll(async () => {
    runner = await TestRunner.start(undefined, { RUNNER_EGRESS: "true", RUNNER_EGRESS_LOOPBACK: "true" });
  });
  afterAll(() => runner?.stop());

  const ask = (target: string) => `
    exec 3<>/dev/tcp/127.0.0.1/8787
    printf 'CONNECT ${target} HTTP/1.1\\r\\nhost: ${target}\\r\\n\\r\\n' >&3
    head -n 1 <&3`;

  it("the hosts that are allowed are reached over the one socket, others are denied and told of, and there is still no network", async () => {
    const place = `localhost:${portOf(outside)}`;
    const gateway = { url: `http://127.0.0.1:${portOf(echo)}`, authorization: "Bearer of the job" };
    const script = `
      exec 3<>/dev/tcp/127.0.0.1/8787
      printf 'GET http://${place}/in HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n' >&3
      tail -n 1 <&3; echo
      (${ask(`localhost:${portOf(echo)}`)})
      (${ask("169.254.169.254:80")})
      (exec 4<>/dev/tcp/127.0.0.1/${portOf(outside)}) 2>/dev/null && echo reached the host
      grep -c : /proc/net/dev`;
    const { stdout, events } = await runner.sh(script, { gateway, hosts: [place] });
    expect(stdout).toBe("from outside\nHTTP/1.1 403 Forbidden\r\nHTTP/1.1 403 Forbidden\r\n1\n");
    expect(events.flatMap((each) => (each.type === "security" ? [each.data] : []))).toEqual([
      { event: "egress_denied", host: "localhost", port: portOf(echo), reason: "not_allowed" },
      { event: "egress_denied", host: "169.254.169.254", port: 80, reason: "not_allowed" },
    ]);
    expect(JSON.stringify(heard)).not.toContain("of the job");
  });

  it("what is open ends with the job, whatever its end", async () => {
    const place = `localhost:${portOf(echo)}`;
    const gateway = { url: "http://127.0.0.1:1", authorization: "x" };
    const connected = new Promise<void>((resolve) => echo.once("connection", (call) => call.once("close", () => resolve())));
    const { exit } = await runner.sh(`${ask(place)}; kill -9 $$`, { gateway, hosts: [place] });
    expect(exit.cleaned).toBe(true);
    await connected;
  });

  it("a tunnel ends with the job though its host goes on saying nothing", async () => {
    const silent = createSocketServer({ allowHalfOpen: true }, (call) => call.on("error", () => undefined).resume());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const called = new Promise<Socket>((resolve) => silent.once("connection", resolve));
    const place = `localhost:${portOf(silent)}`;
    await runner.sh(ask(place), { gateway: { url: "http://127.0.0.1:1", authorization: "x" }, hosts: [place] });
    await vi.waitFor(() => expect(callersOf(portOf(silent))).toBe(0), { timeout: 5_000 });
    (await called).destroy();
    silent.close();
  });

  it("a runner says whether it lets jobs reach hosts, and one that does not refuses a job that names any", async () => {
    const healthOf = async ({ url }: TestRunner) => ((await (await fetch(`${url}/healthz`)).json()) as { egress: boolean }).egress;
    const shut = await TestRunner.start();
    expect([await healthOf(runner), await healthOf(shut)]).toEqual([true, false]);
    const answer = await shut.create(shut.id(), { hosts: ["example.com"] });
    expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([422, "no_egress"]);
    await shut.stop();
  });

  it.each(["*", "*.com", "a b", "http://example.com", "example.com:0", "0x7f.1", "*.1.2.3.4", ""])("%j is no host", async (host) => {
    const answer = await runner.create(runner.id(), { hosts: [host] });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("hosts.0")]);
  });
});
