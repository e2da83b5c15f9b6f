import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stage } from "./stage.ts";

const set = stage("handlers");

/** A Worker of somebody else's on this machine, bound to the gateway's socket as the local runtime lets Workers be bound to each other. */
const STRANGER = `export default {
  async fetch(request, { GATEWAY }) {
    const { method, given } = await request.json();
    if (method === "fetch") return GATEWAY.fetch("http://gateway/healthz");
    return GATEWAY[method](...given).then((said) => new Response("called: " + said), (error) => new Response(String(error), { status: 403 }));
  },
};`;
let stranger: Miniflare;

async function call(method: string, ...given: readonly unknown[]): Promise<readonly [number, string]> {
  const said = await stranger.dispatchFetch("http://stranger/", { method: "POST", body: JSON.stringify({ method, given }) });
  return [said.status, await said.text()];
}

const event = { id: "evt_forged", type: "audit", entry: {} };
const batch = { queue: "tollgate-events", messages: [{ id: "1", timestamp: 0, attempts: 1, body: event }] };

describe("threat 30: the handlers that the platform calls", () => {
  beforeAll(() => {
    stranger = new Miniflare(
      convertV4MiniflareOptions({
        name: "stranger",
        compatibilityDate: "2026-08-15",
        modules: true,
        script: STRANGER,
        serviceBindings: { GATEWAY: { external: { address: new URL(set.origin).host, http: {} } } },
      }),
    );
  });
  afterAll(() => stranger.dispose());

  it("a bound stranger is answered as any client is", async () => {
    expect(await call("fetch")).toEqual([200, expect.stringContaining('"status":"ok"')]);
  });

  it.each([
    ["queue", batch],
    ["scheduled", { cron: "* * * * *", scheduledTime: 0 }],
    ["consume", batch],
  ])("%s cannot be called over the socket", async (method, given) => {
    expect(await call(method, given)).toEqual([403, expect.stringContaining(`does not implement the method "${method}"`)]);
  });
});
