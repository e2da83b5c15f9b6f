import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { Admin, freePort, startGateway } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient } from "../support/tasks.ts";
import { FakeUpstream } from "../support/upstream/server.ts";

interface Recorded {
  readonly request: string;
  readonly status: string;
  readonly outcome: string;
  readonly metadata: Readonly<Record<string, string>>;
}

it.skipIf(UNABLE)(
  "kill -9 of the gateway amid an answer to the native agent: the task completes, what was answered whole is paid once, and the call that is sent again says so",
  async () => {
    const state = mkdtempSync(join(tmpdir(), "tollgate-native-kill-"));
    const upstream = await FakeUpstream.start();
    // It calls a tool that there is not, and then answers in words, slowly.
    upstream.behave = () => (upstream.seen.length === 2 ? "slow-400" : "");
    const env = { PORT: String(await freePort()), TOLLGATE_TIMEOUT_TOTAL_S: "4", TOLLGATE_HOLD_GRACE_S: "1" };
    let gateway = await startGateway(state, env);
    try {
      await new Admin(gateway).upstream("slow", "anthropic", upstream.origin, ["claude-sonnet-5"]);
      const { secret } = await new Admin(gateway).key({ profile: "default" });
      const tasks = new TaskClient(gateway.origin, secret);
      const { id } = await tasks.begin({ engine: "native", model: "slow/claude-sonnet-5", prompt: "What is the weather?" });
      await vi.waitFor(() => expect(upstream.seen[1]?.produced).toBeGreaterThan(1), { timeout: 30_000, interval: 20 });
      process.kill(-gateway.child.pid!, "SIGKILL");
      gateway = await startGateway(state, env);
      const ended = await tasks.end(id);
      expect([ended.status, ended.exit_reason, ended.result?.text]).toEqual(["completed", "ok", "Hello! How can I help you today?"]);
      const keys = upstream.seen.map(({ headers }) => headers["idempotency-key"]);
      expect([keys.length, new Set(keys).size, keys[2]]).toEqual([3, 2, keys[1]]);
      const records = await vi.waitFor(
        async () => {
          const { data } = await new Admin(gateway).call<{ data: Recorded[] }>("GET", `/costs/records?task=${id}`);
          expect(data).toHaveLength(3);
          return data.toReversed();
        },
        { timeout: 60_000, interval: 500 },
      );
      const again = records.find(({ metadata }) => "retry_of" in metadata)!;
      const broken = records.find(({ request }) => request === again.metadata["retry_of"])!;
      expect([broken.status, again.status]).toEqual(["estimated", "actual"]);
      expect(records.filter(({ status }) => status === "actual")).toHaveLength(2);
      const events = await tasks.events(id);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    } finally {
      const gone = new Promise((resolve) => gateway.child.once("exit", resolve));
      gateway.child.kill("SIGTERM");
      await gone;
      await upstream.stop();
      rmSync(state, { recursive: true, force: true, maxRetries: 5 });
    }
  },
);
