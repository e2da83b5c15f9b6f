import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { workerdChildren } from "../scripts/runtime.ts";
import { freePort } from "./gateway.ts";

/** Passes an answer on as the platform does, and where its address has a query, each of its chunks through JavaScript that changes none. */
const WORKER = `export default {
  async fetch(request, { UPSTREAM }) {
    const { pathname, search } = new URL(request.url);
    const answer = await fetch(UPSTREAM + pathname, { method: "POST", headers: request.headers, body: request.body });
    const unchanged = () => new TransformStream({ transform: (chunk, controller) => controller.enqueue(chunk) });
    return new Response(search === "" ? answer.body : answer.body.pipeThrough(unchanged()), answer);
  },
};`;

/** Starts a Worker on a socket of its own that is no gateway, for what a stream costs that passes through JavaScript at all. */
export async function startIdentity(upstream: string): Promise<{ runtime: Miniflare; port: number; pid: number }> {
  const port = await freePort();
  const before = new Set(workerdChildren());
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          name: "identity",
          compatibilityDate: "2026-08-15",
          modules: [{ type: "ESModule", path: "worker.js", contents: WORKER }],
          bindings: { UPSTREAM: upstream },
          unsafeDirectSockets: [{ host: "127.0.0.1", port }],
        },
      ],
    }),
  );
  await runtime.ready;
  return { runtime, port, pid: workerdChildren().find((pid) => !before.has(pid))! };
}
