import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { expect, it } from "vitest";
import { Admin, freePort, startGateway } from "../support/gateway.ts";

const ROUNDS = 4;

it("kill -9 in the moment that a response has been told to its end loses nothing of it: the next turn goes on", async () => {
  const state = mkdtempSync(join(tmpdir(), "tollgate-responses-"));
  const PORT = String(await freePort());
  let secret = "";
  let last: string | null = null;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const gateway = await startGateway(state, { PORT });
      if (round === 0) ({ secret } = await new Admin(gateway).key());
      const { responses } = new OpenAI({ apiKey: secret, baseURL: `${gateway.origin}/v1`, maxRetries: 0 });
      const turn: { model: string; input: string; previous_response_id: string | null } = {
        model: "tollgate/echo",
        input: `Turn ${round}.`,
        previous_response_id: last,
      };
      if (round % 2 === 0) {
        const events = await responses.create({ ...turn, stream: true });
        for await (const event of events) if (event.type === "response.completed") last = event.response.id;
      } else last = (await responses.create(turn)).id;
      const ended = new Promise((resolve) => gateway.child.once("exit", resolve));
      process.kill(-gateway.child.pid!, "SIGKILL");
      await ended;
    }
    const gateway = await startGateway(state, { PORT });
    const { responses } = new OpenAI({ apiKey: secret, baseURL: `${gateway.origin}/v1`, maxRetries: 0 });
    const { data } = await responses.inputItems.list(last!, { order: "asc" });
    expect(
      JSON.stringify(data)
        .match(/Turn \d/g)
        ?.join(),
    ).toBe("Turn 0,Turn 0,Turn 1,Turn 1,Turn 2,Turn 2,Turn 3");
    process.kill(-gateway.child.pid!, "SIGKILL");
  } finally {
    for (const pid of readFileSync(join(state, "workerd.pid"), "utf8").split("\n").filter(Boolean)) end(Number(pid));
    rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  }
});

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
