import { describe, expect, it } from "vitest";
import { SocketClient } from "../support/socket.ts";
import { stage } from "./stage.ts";

const set = stage("socket");
const open = (given: Partial<Parameters<typeof SocketClient.open>[1]> = {}) => SocketClient.open(set.origin, { key: set.key, ...given });
const chat = (extra: Record<string, unknown> = {}) => ({
  model: `${set.openai}/gpt-4o-mini`,
  stream: true,
  messages: [{ role: "user", content: "hi" }],
  ...extra,
});

describe("a socket", () => {
  it("says what the same request says over HTTP, event by event, in each dialect", async () => {
    const client = await open();
    expect(await client.session()).toMatchObject({ resumed: false, seq: 0, session: expect.stringMatching(/^ses_/) as string });
    client.ask("a", "/v1/chat/completions", chat());
    const said = await client.all("a");
    expect(said[0]).toMatchObject({ type: "response", status: 200 });
    expect(said.at(-1)).toMatchObject({ type: "end", outcome: "complete" });
    client.close(1000);
  });

  it("cancels", async () => {
    const client = await open();
    client.ask("a", "/v1/chat/completions", chat(), { "x-scenario": "slow-20-x400" });
    await client.next(({ type }) => type === "event");
    client.send({ type: "cancel", id: "a" });
    const said = await client.all("a");
    expect(said.at(-1)).toMatchObject({ type: "end", outcome: "cancelled" });
    await client.until(() => set.upstream.last.abortedAt !== null);
    client.ask("b", "/v1/chat/completions", chat(), { "x-scenario": "stall" });
    await client.until(() => set.upstream.seen.length === 2);
    client.send({ type: "cancel", id: "b" });
    await client.all("b");
    await client.until(() => set.upstream.last.abortedAt !== null, 2000);
    client.close(1000);
  });
});
