import { Agent, request } from "node:http";

/** Where a load goes. */
export interface Target {
  readonly name: string;
  readonly port: number;
  /** Chat Completions where none is named. */
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One answer's times in milliseconds, from the moment the request was written. */
interface Timed {
  readonly firstMs: number;
  readonly totalMs: number;
}

/** What a round found: medians in milliseconds, and answers per second. */
export interface Round {
  readonly firstMs: number;
  readonly totalMs: number;
  readonly perSecond: number;
}

function once(target: Target, agent: Agent, body: string): Promise<Timed> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const call = request(
      {
        host: "127.0.0.1",
        port: target.port,
        path: target.path ?? "/v1/chat/completions",
        method: "POST",
        agent,
        headers: { ...target.headers, "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      },
      (response) => {
        let firstMs = 0;
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          firstMs ||= performance.now() - start;
          text += part;
        });
        response.on("end", () => {
          if (response.statusCode === 200) resolve({ firstMs, totalMs: performance.now() - start });
          else reject(new Error(`${target.name} answered ${response.statusCode}: ${text.slice(0, 300)}`));
        });
        response.on("error", reject);
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Sends `count` requests over `connections` and waits for every answer. */
export async function load(target: Target, body: string, connections: number, count: number): Promise<Round> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: Timed[] = [];
  let left = count;
  const start = performance.now();
  const worker = async () => {
    while (left-- > 0) times.push(await once(target, agent, body));
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const seconds = (performance.now() - start) / 1000;
  agent.destroy();
  return {
    firstMs: median(times.map((time) => time.firstMs)),
    totalMs: median(times.map((time) => time.totalMs)),
    perSecond: count / seconds,
  };
}
