import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Assignment, ASSIGNMENT, type Line, type Outcome } from "../../runner/native/contract.ts";

type Json = Readonly<Record<string, unknown>>;

/** A block of an answer: words, a call, or a call whose input breaks off. */
export type Block = string | { readonly id: string; readonly name: string; readonly input: Json | string };

/** What a model does next: it answers, whole or until the connection breaks, or the gateway says something in its place. */
export type Step =
  | { readonly blocks: readonly Block[]; readonly stop?: string; readonly ends?: "cut" | Json }
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly error: Json }
  | "hang-up";

/** A call of the model. */
export interface Called {
  readonly headers: IncomingMessage["headers"];
  readonly bytes: string;
  readonly body: { readonly system: unknown; readonly tools: unknown; readonly messages: readonly Message[] };
}

interface Message {
  readonly role: string;
  readonly content: readonly Json[];
}

/** What a hook answers: a decision, or a status in its place. */
type Verdict = { readonly permissionDecision: string; readonly permissionDecisionReason?: string } | number;

/** A gateway of a test's own on loopback: a model that plays a script, and a hook. Its last step is repeated. */
export class FakeGateway {
  readonly calls: Called[] = [];
  readonly asked: Json[] = [];
  steps: readonly Step[] = [];
  verdict: (question: Json, nth: number) => Verdict = () => ({ permissionDecision: "allow" });
  readonly #server: Server;
  #requests = 0;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(steps: readonly Step[] = []): Promise<FakeGateway> {
    const gateway = new FakeGateway();
    gateway.steps = steps;
    await gateway.listen(0);
    return gateway;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const bytes = Buffer.concat(parts).toString("utf8");
    response.setHeader("x-request-id", `req_${++this.#requests}`);
    if (request.url === "/v1/task/hook") return this.#judge(JSON.parse(bytes) as Json, response);
    this.calls.push({ headers: request.headers, bytes, body: JSON.parse(bytes) as Called["body"] });
    play(this.steps[Math.min(this.calls.length, this.steps.length) - 1]!, response);
  }

  #judge(question: Json, response: ServerResponse): void {
    this.asked.push(question);
    const verdict = this.verdict(question, this.asked.length);
    if (typeof verdict === "number") return void response.writeHead(verdict).end("{}");
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ hookSpecificOutput: { hookEventName: "PreToolUse", ...verdict } }));
  }
}

function play(step: Step, response: ServerResponse): void {
  if (step === "hang-up") return void response.socket!.destroy();
  if ("status" in step) {
    response.writeHead(step.status, { "content-type": "application/json", ...step.headers });
    return void response.end(JSON.stringify({ type: "error", error: step.error }));
  }
  const { blocks, stop = blocks.some((block) => typeof block === "object") ? "tool_use" : "end_turn", ends } = step;
  const send = (event: Json) => response.write(`event: ${String(event["type"])}\ndata: ${JSON.stringify(event)}\n\n`);
  response.writeHead(200, { "content-type": "text/event-stream" });
  send({ type: "message_start", message: { id: "msg_1", role: "assistant", content: [] } });
  for (const [index, block] of blocks.entries()) {
    send({ type: "content_block_start", index, content_block: startOf(block) });
    for (const delta of deltasOf(block)) send({ type: "content_block_delta", index, delta });
    send({ type: "content_block_stop", index });
  }
  if (ends === "cut") return void setImmediate(() => response.socket!.destroy());
  if (ends) send({ type: "error", error: ends });
  else {
    send({ type: "message_delta", delta: { stop_reason: stop }, usage: { output_tokens: 10 } });
    send({ type: "message_stop" });
  }
  response.end();
}

function startOf(block: Block): Json {
  return typeof block === "string" ? { type: "text", text: "" } : { type: "tool_use", id: block.id, name: block.name, input: {} };
}

/** In two halves, as streams cut. */
function deltasOf(block: Block): Json[] {
  if (typeof block === "string") return halves(block).map((text) => ({ type: "text_delta", text }));
  const input = typeof block.input === "string" ? block.input : JSON.stringify(block.input);
  return halves(input).map((partial_json) => ({ type: "input_json_delta", partial_json }));
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}

/** A call, named by its place in the script. */
export function call(id: string, name: string, input: Json | string): Exclude<Block, string> {
  return { id, name, input };
}

/** The results that the last call of a model carried, by id. */
export function resultsOf({ body }: Called): Map<string, { readonly content: string; readonly is_error?: boolean }> {
  const blocks = body.messages.flatMap(({ content }) => content.filter(({ type }) => type === "tool_result"));
  return new Map(blocks.map((block) => [String(block["tool_use_id"]), block as never]));
}

/** How the agent went. */
export interface Went {
  readonly code: number | null;
  readonly lines: readonly Line[];
  readonly result: Outcome & { readonly turns: number };
  readonly stderr: string;
  readonly bytes: number;
}

/** The agent in a process of its own, without a sandbox, on a folder of the test's. */
export class NativeAgent {
  readonly home = mkdtempSync(join(tmpdir(), "tollgate-native-"));
  readonly workspace = join(this.home, "workspace");
  #child: ChildProcess | null = null;
  #said = { stdout: "", stderr: "" };

  constructor(files: Readonly<Record<string, string>> = {}) {
    mkdirSync(this.workspace);
    for (const [path, text] of Object.entries(files)) this.put(path, text);
  }

  put(path: string, text: string): void {
    mkdirSync(join(this.workspace, path, ".."), { recursive: true });
    writeFileSync(join(this.workspace, path), text);
  }

  say(text: string): void {
    this.#child!.stdin!.write(text);
  }

  /** What it has written so far. */
  get said(): string {
    return this.#said.stdout;
  }

  async run(origin: string, asked: Partial<Assignment> = {}): Promise<Went> {
    const assignment = { prompt: "Do it.", model: "test/model", outputSchema: null, turnsMax: 20, ...asked };
    mkdirSync(join(this.home, ASSIGNMENT, ".."), { recursive: true });
    writeFileSync(join(this.home, ASSIGNMENT), JSON.stringify(assignment));
    const child = spawn(process.execPath, ["runner/native/main.ts", origin, this.workspace].map(absolute), {
      cwd: this.workspace,
      env: { PATH: process.env["PATH"] ?? "", HOME: this.home } as unknown as NodeJS.ProcessEnv,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    child.stdin.on("error", () => undefined);
    const said = { stdout: "", stderr: "" };
    this.#said = said;
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
    const [code] = (await once(child, "close")) as [number | null];
    if (said.stdout === "") throw new Error(said.stderr);
    const lines = said.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
    return { code, lines, result: lines.at(-1) as Went["result"], stderr: said.stderr, bytes: said.stdout.length };
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

function absolute(argument: string): string {
  return argument.startsWith("runner/") ? join(import.meta.dirname, "../..", argument) : argument;
}
