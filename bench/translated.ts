import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "./gateway.ts";
import { load, type Target } from "./load.ts";

/**
 * `node bench/translated.ts`: processor time of the whole gateway for a request that passes as it came, for the same one translated, and
 * for one whose answer is kept; interleaved, by the kernel's own count of workerd's time. For streams also what that comes to for each chunk,
 * above what a chunk costs that JavaScript sees and leaves as it is. Writes bench/translated.json.
 */

const ROUNDS = Number(process.env["BENCH_ROUNDS"] || 6);
const COUNT = Number(process.env["BENCH_COUNT"] || 700);
const WORDS = 20;
/** Objects that nobody asks any more are let go of after ten seconds. */
const SETTLES_MS = 12_000;
const WRITTEN_MS = 1_500;
const TICKS_PER_S = 100;
const ADMIN = "admin-key-of-the-bench-000000000000";

const said = "word ".repeat(WORDS);
const pieces = Array.from({ length: WORDS }, () => "word ");
const usage = { input_tokens: 12, output_tokens: WORDS, total_tokens: 12 + WORDS };
const message = {
  type: "message",
  id: "msg_1",
  status: "completed",
  role: "assistant",
  content: [{ type: "output_text", text: said, annotations: [] }],
};
const response = (status: string, output: unknown[]) => ({
  id: "resp_1",
  object: "response",
  created_at: 1,
  model: "m",
  status,
  output,
  usage,
});
const chunk = (delta: object, finish: string | null) =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const event = (type: string, facts: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...facts })}\n\n`;

/** What a provider says on each of its surfaces: the same words, whole and as a stream's events. */
const ANSWERS: Readonly<Record<string, { readonly whole: object; readonly events: readonly string[] }>> = {
  "/v1/chat/completions": {
    whole: {
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1,
      model: "m",
      choices: [{ index: 0, message: { role: "assistant", content: said }, finish_reason: "stop" }],
      usage: { prompt_tokens: 12, completion_tokens: WORDS, total_tokens: 12 + WORDS },
    },
    events: [
      ...pieces.map((content) => chunk({ content }, null)),
      chunk({}, "stop"),
      `data: ${JSON.stringify({ id: "chatcmpl-1", model: "m", choices: [], usage: { prompt_tokens: 12, completion_tokens: WORDS, total_tokens: 12 + WORDS } })}\n\n`,
      "data: [DONE]\n\n",
    ],
  },
  "/v1/messages": {
    whole: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "m",
      content: [{ type: "text", text: said }],
      stop_reason: "end_turn",
      usage,
    },
    events: [
      event("message_start", { message: { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], usage } }),
      event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
      ...pieces.map((text) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text } })),
      event("content_block_stop", { index: 0 }),
      event("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage }),
      event("message_stop", {}),
    ],
  },
  "/v1/responses": {
    whole: response("completed", [message]),
    events: [
      event("response.created", { response: response("in_progress", []) }),
      event("response.output_item.added", { output_index: 0, item: { ...message, content: [] } }),
      ...pieces.map((delta) => event("response.output_text.delta", { item_id: "msg_1", output_index: 0, content_index: 0, delta })),
      event("response.output_item.done", { output_index: 0, item: message }),
      event("response.completed", { response: response("completed", [message]) }),
    ],
  },
};

/** What passes each chunk of a stream through JavaScript, and leaves all but the last as it is. */
const CUT = "chat, its usage chunk cut out";

/** Requests of one meaning: what passes is the measure of what is compared with it. */
const ASKS = [
  { name: "chat, as it came", path: "/v1/chat/completions", provider: "bench-openai", keeps: false, over: null },
  { name: CUT, path: "/v1/chat/completions", provider: "bench-openai", keeps: false, over: null },
  {
    name: "chat, translated to Messages",
    path: "/v1/chat/completions",
    provider: "bench-anthropic",
    keeps: false,
    over: "chat, as it came",
  },
  { name: "responses, not stored", path: "/v1/responses", provider: "bench-openai", keeps: false, over: null },
  {
    name: "responses, translated, not stored",
    path: "/v1/responses",
    provider: "bench-anthropic",
    keeps: false,
    over: "responses, not stored",
  },
  { name: "responses, owned", path: "/v1/responses", provider: "bench-openai", keeps: true, over: "responses, not stored" },
  {
    name: "responses, translated and kept",
    path: "/v1/responses",
    provider: "bench-anthropic",
    keeps: true,
    over: "responses, translated, not stored",
  },
] as const;

function bodyOf(ask: (typeof ASKS)[number], stream: boolean): string {
  const common = { model: `${ask.provider}/m`, stream, ...(ask.path === "/v1/responses" && { store: ask.keeps }) };
  const text = "Say the word twenty times, please. ".repeat(10);
  if (ask.path === "/v1/responses") return JSON.stringify({ ...common, max_output_tokens: WORDS, input: text });
  const options = stream && ask.name !== CUT ? { stream_options: { include_usage: true } } : {};
  return JSON.stringify({ ...common, ...options, max_tokens: WORDS, messages: [{ role: "user", content: text }] });
}

async function provider(): Promise<Server> {
  // What is named once is another's next time: each answer has ids of its own.
  let answers = 0;
  const server = createServer((request, answer) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const { whole, events } = ANSWERS[request.url ?? ""]!;
      const own = String(++answers).padStart(24, "0");
      const named = (text: string) => text.replaceAll(/(resp|msg)_1\b/g, `$1_${own}`);
      const stream = body.includes('"stream":true');
      answer.writeHead(200, { "content-type": stream ? "text/event-stream; charset=utf-8" : "application/json" });
      if (!stream) return void answer.end(named(JSON.stringify(whole)));
      let at = 0;
      const more = () => {
        if (at === events.length) return void answer.end();
        answer.write(named(events[at++]!));
        setImmediate(more);
      };
      more();
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function gateway(state: string, port: number): Promise<ChildProcess> {
  const env = { ...process.env, PORT: String(port), TOLLGATE_STATE: state, TOLLGATE_ADMIN_KEY: ADMIN };
  const child = spawn(process.execPath, ["scripts/start.ts"], { env, stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (text: Buffer) => void (text.includes("Tollgate is up") && resolve()));
    child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}`)));
  });
  return child;
}

async function admin(port: number, path: string, body: object): Promise<Record<string, string>> {
  const headers = { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" };
  const answer = await fetch(`http://127.0.0.1:${port}/admin/v1${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path} was refused: ${await answer.text()}`);
  return (await answer.json()) as Record<string, string>;
}

/** Microseconds of processor time that a process has used. */
function used(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_S;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const folder = mkdtempSync(join(tmpdir(), "tollgate-translated-"));
const upstream = await provider();
const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
const port = await freePort();
const child = await gateway(folder, port);
try {
  await admin(port, "/providers", { name: "bench-openai", kind: "openai", base_url: `${origin}/v1`, api_key: "sk-bench" });
  await admin(port, "/providers", { name: "bench-anthropic", kind: "anthropic", base_url: origin, api_key: "sk-bench" });
  const { secret } = await admin(port, "/keys", { name: "bench", limits: { rpm: null, tpm: null, concurrency: null } });
  const pid = Number(readFileSync(join(folder, "workerd.pid"), "utf8").split("\n").find(Boolean));
  const results = [];
  for (const stream of [false, true]) {
    const asked = ASKS.filter(({ name }) => stream || name !== CUT);
    const found = new Map<string, number[]>(asked.map(({ name }) => [name, []]));
    // What is kept goes on working for a while after it has been measured: that falls on nothing else here.
    for (const asks of [asked.filter(({ keeps }) => !keeps), asked.filter(({ keeps }) => keeps)]) {
      for (let round = -1; round < ROUNDS; round++) {
        // Turned from round to round, so that what comes back at a pace of its own does not always fall on the same one.
        for (const ask of [...asks.slice(Math.max(round, 0) % asks.length), ...asks.slice(0, Math.max(round, 0) % asks.length)]) {
          const target: Target = { name: ask.name, port, path: ask.path, headers: { authorization: `Bearer ${secret}` } };
          const before = used(pid);
          await load(target, bodyOf(ask, stream), 8, COUNT);
          // What is written a second later is of these requests, and not of the next.
          await pause(WRITTEN_MS);
          if (round >= 0) found.get(ask.name)!.push((used(pid) - before) / COUNT);
        }
      }
      await pause(SETTLES_MS);
    }
    const us = (name: string) => median(found.get(name)!);
    // What a chunk costs that JavaScript sees, above one that it does not.
    const chunkUs = (name: string, over: string, surface: string) => (us(name) - us(over)) / ANSWERS[surface]!.events.length;
    const identity = stream ? chunkUs(CUT, ASKS[0].name, ASKS[0].path) : 0;
    const rows = asked.map(({ name, over, keeps, provider }) => ({
      name,
      cpu_us: Math.round(us(name)),
      over: over === null ? null : Number((us(name) / us(over)).toFixed(2)),
      ...(stream && !keeps && over !== null && provider === "bench-anthropic"
        ? { chunk_us_above_identity: Number((chunkUs(name, over, "/v1/messages") - identity).toFixed(1)) }
        : {}),
    }));
    console.log(stream ? "streams of 20 words" : "JSON");
    console.table(rows);
    results.push({ stream, rows });
  }
  const run = {
    command: "node bench/translated.ts",
    unit: "µs of workerd's processor time a request",
    rounds: ROUNDS,
    count: COUNT,
    node: process.version,
  };
  writeFileSync("bench/translated.json", `${JSON.stringify({ ...run, results }, null, 2)}\n`);
} finally {
  child.kill("SIGTERM");
  upstream.closeAllConnections();
  upstream.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
