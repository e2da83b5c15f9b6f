import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { digestOf, readClaim } from "./claim.ts";
import type { Reach } from "./egress.ts";
import { Job } from "./job.ts";
import type { Machine } from "./machine.ts";
import { type Incident, JOB_ID, jobSpec, type JobSpec, type Operation, PROTOCOL_VERSION } from "./protocol.ts";
import { reasonOf, report } from "./report.ts";

/** How a runner is set up. */
export interface Settings {
  /** What claims are signed with. */
  readonly secret: string;
  readonly jobsMax: number;
  readonly bodyBytesMax: number;
  /** What jobs may reach at all; null: nothing but the gateway. */
  readonly reach: Reach | null;
}

type ClaimRefused = Extract<Incident, { event: "claim_refused" }>;

/** A request that is not done, and why. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const PATH = /^\/v1\/jobs\/([^/]+)(\/events|\/stdin|\/artifacts\.tar|\/data)?$/;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  "PUT ": "create",
  "GET /events": "events",
  "POST /stdin": "stdin",
  "DELETE ": "cancel",
  "GET /artifacts.tar": "artifacts",
  "DELETE /data": "delete",
};

const BODIED: ReadonlySet<Operation> = new Set(["create", "stdin"]);
const NOWHERE: Reach = { loopback: false, bytesMax: 0, idleMs: 0 };
const UNCLAIMED = new Refusal(401, "unauthorized", "The claim is not one for this");

/** @throws Refusal for what is no path, such as `//`: whoever reaches the port can send it, and fills no log. */
function urlOf({ url = "/" }: IncomingMessage): URL {
  const parsed = URL.parse(url, "http://runner");
  if (!parsed) throw new Refusal(400, "invalid_request", "Only paths are asked for here");
  return parsed;
}

/** Which job, and what is to be done to it. */
function targetOf(method: string, path: string): { readonly id: string; readonly op: Operation } {
  const [, id = "", rest = ""] = PATH.exec(path) ?? [];
  const op = OPERATIONS[`${method} ${rest}`];
  if (id === "" || !op) throw new Refusal(404, "not_found", `There is no ${method} ${path.slice(0, 200)}`);
  if (!JOB_ID.test(id)) throw new Refusal(400, "invalid_request", "The job's id must be small letters, digits, _ and -");
  return { id, op };
}

function bearerOf({ headers: { authorization = "" } }: IncomingMessage): string {
  return authorization.replace(/^Bearer */, "");
}

/** A runner's jobs and its HTTP, protocol version 1. */
export class Runner {
  readonly #jobs = new Map<string, Job>();
  readonly #machine: Machine;
  readonly #settings: Settings;
  /** Why claims for no job of ours were refused in this minute. */
  #refused: { readonly minute: number; readonly reasons: Set<string> } = { minute: 0, reasons: new Set() };

  constructor(machine: Machine, settings: Settings) {
    this.#machine = machine;
    this.#settings = settings;
  }

  /** The server; whoever starts it says where it listens. */
  listener(): Server {
    return createServer((request, answer) => {
      this.#serve(request, answer).catch((error: unknown) => refuse(answer, error));
    });
  }

  /** Ends every job, and leaves nothing of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#jobs.values()].map((job) => job.remove()));
    this.#jobs.clear();
  }

  async #serve(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = urlOf(request);
    if (request.method === "GET" && url.pathname === "/healthz") return this.#health(answer);
    const { id, op } = targetOf(request.method ?? "", url.pathname);
    // The claim is looked at before a byte of the body is taken; that it is of this very body, after.
    const claim = await readClaim(this.#settings.secret, bearerOf(request));
    if (typeof claim === "string") throw this.#unclaimed(id, op, claim);
    if (claim.sub !== id || claim.op !== op) throw this.#unclaimed(id, op, "rebound");
    const body = BODIED.has(op) ? await this.#read(request) : Buffer.alloc(0);
    if (op !== "create") return this.#act(op, id, { answer, body, after: Number(url.searchParams.get("after") ?? 0) });
    const digest = await digestOf(body);
    if (claim.spec !== digest) throw this.#unclaimed(id, op, "rebound");
    this.#create(id, { body, digest }, answer);
  }

  /** Told in the job that somebody wanted something of; where there is none, in the log, a few times a minute at most. */
  #unclaimed(id: string, op: Operation, reason: ClaimRefused["reason"]): Refusal {
    const incident: ClaimRefused = { event: "claim_refused", op, reason };
    const job = this.#jobs.get(id);
    if (job) job.incidents.tell(incident);
    else this.#noted(incident);
    return UNCLAIMED;
  }

  #noted(incident: ClaimRefused): void {
    const minute = Math.floor(Date.now() / 60_000);
    if (this.#refused.minute !== minute) this.#refused = { minute, reasons: new Set() };
    if (this.#refused.reasons.has(incident.reason)) return;
    this.#refused.reasons.add(incident.reason);
    process.stderr.write(`${JSON.stringify({ level: "warning", ...incident })}\n`);
  }

  #health(answer: ServerResponse): void {
    const { capabilities, agents } = this.#machine;
    const running = [...this.#jobs.values()].filter((job) => !job.events.ended).length;
    const egress = this.#settings.reach !== null;
    send(answer, 200, { v: PROTOCOL_VERSION, ok: capabilities.sandbox, jobs: running, capabilities, agents: agents.found, egress });
  }

  #create(id: string, { body, digest }: { readonly body: Buffer; readonly digest: string }, answer: ServerResponse): void {
    const known = this.#jobs.get(id);
    if (known && known.digest !== digest) throw new Refusal(409, "conflict", "Another job has this id");
    if (known) return send(answer, 200, { id });
    const spec = readSpec(body);
    this.#checkOffered(spec);
    const running = [...this.#jobs.values()].filter((job) => !job.events.ended).length;
    if (running >= this.#settings.jobsMax) throw new Refusal(503, "busy", `${running} jobs are running`);
    this.#jobs.set(id, new Job({ id, digest, spec }, this.#machine, this.#settings.reach ?? NOWHERE));
    send(answer, 201, { id });
  }

  /** Refuses what this runner cannot do, or may not. */
  #checkOffered(spec: JobSpec): void {
    const { sandbox, memory, processes, cpu, disk, uidPerJob, seccomp, missing } = this.#machine.capabilities;
    const whole = [memory, processes, cpu, disk, uidPerJob, seccomp].every(Boolean);
    if (!sandbox || (spec.strict && !whole)) throw new Refusal(422, "unenforceable", missing.join("; "));
    if (spec.agent !== null && !this.#machine.agents.found.some(({ name }) => name === spec.agent))
      throw new Refusal(422, "agent_missing", `This runner has no ${spec.agent}; RUNNER_AGENTS names the folder that it is installed in`);
    if (spec.hosts.length > 0 && this.#settings.reach === null)
      throw new Refusal(422, "no_egress", "This runner lets jobs reach no hosts; RUNNER_EGRESS allows it");
  }

  async #act(
    op: Exclude<Operation, "create">,
    id: string,
    { answer, body, after }: { readonly answer: ServerResponse; readonly body: Buffer; readonly after: number },
  ): Promise<void> {
    const job = this.#jobs.get(id);
    if (!job) throw new Refusal(404, "not_found", "There is no such job here");
    switch (op) {
      case "events":
        if (!Number.isSafeInteger(after) || after < 0) throw new Refusal(400, "invalid_request", "after: must be a whole number");
        return tell(job, after, answer);
      case "stdin":
        if (!job.write(body)) throw new Refusal(409, "conflict", "The job does not read any more");
        return send(answer, 204);
      case "cancel":
        job.cancel();
        return send(answer, 202, { id: job.id });
      case "artifacts":
        return packed(job, answer);
      case "delete":
        this.#jobs.delete(job.id);
        await job.remove();
        return send(answer, 204);
    }
  }

  async #read(request: IncomingMessage): Promise<Buffer> {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of request as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > this.#settings.bodyBytesMax) throw new Refusal(413, "too_large", `A body may hold ${this.#settings.bodyBytesMax} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  }
}

function readSpec(body: Buffer): JobSpec {
  let given: unknown;
  try {
    given = JSON.parse(body.toString("utf8"));
  } catch {
    throw new Refusal(400, "invalid_request", "The body is no JSON");
  }
  const read = jobSpec.safeParse(given);
  if (read.success) return read.data;
  throw new Refusal(400, "invalid_request", read.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
}

async function tell(job: Job, after: number, answer: ServerResponse): Promise<void> {
  const gone = new AbortController();
  answer.once("close", () => gone.abort());
  answer.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  answer.flushHeaders();
  const lines = async function* () {
    for await (const event of job.events.after(after, gone.signal)) yield `${JSON.stringify(event)}\n`;
  };
  await pipeline(Readable.from(lines()), answer).catch((error: unknown) => {
    // A reader that leaves comes again and asks for what it lacks.
    if (!gone.signal.aborted) throw error;
  });
}

async function packed(job: Job, answer: ServerResponse): Promise<void> {
  const packer = await job.pack();
  if (!packer) throw new Refusal(409, "conflict", "The job has not ended, or has no workspace");
  answer.writeHead(200, { "content-type": "application/x-tar" });
  answer.once("close", () => packer.kill("SIGKILL"));
  const done = new Promise<number | null>((resolve) => packer.once("exit", resolve));
  for await (const part of packer.stdout!) if (!answer.write(part)) await new Promise((resolve) => answer.once("drain", resolve));
  // A tar that was not finished must not look like one.
  if ((await done) === 0) answer.end();
  else answer.destroy();
}

function send(answer: ServerResponse, status: number, body?: unknown): void {
  answer.writeHead(status, body === undefined ? {} : { "content-type": "application/json" });
  answer.end(body === undefined ? undefined : JSON.stringify(body));
}

function refuse(answer: ServerResponse, error: unknown): void {
  if (answer.headersSent) return void answer.destroy();
  const known = error instanceof Refusal ? error : new Refusal(500, "internal", "Something went wrong here");
  if (known !== error) report(reasonOf(error));
  send(answer, known.status, { error: { code: known.code, message: known.message } });
}
