import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EventLog } from "../../runner/event-log.ts";
import { Output } from "../../runner/output.ts";
import { TestRunner, UNABLE } from "../support/runner.ts";

/** A command's two streams, and what is told of them in the end. */
function command() {
  const events = new EventLog();
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const output = new Output(events, 10_000_000);
  output.listen("stdout", streams.stdout);
  output.listen("stderr", streams.stderr);
  const write = (type: keyof typeof streams, text: string) =>
    new Promise<void>((resolve) => {
      streams[type].once("data", () => resolve());
      streams[type].write(text);
    });
  const told = async () => {
    output.flush();
    events.add({ type: "status", data: { status: "running" } });
    const all: string[] = [];
    for await (const { type, data } of events.after(0, AbortSignal.timeout(5_000))) {
      if (type === "status") break;
      if (type === "stdout" || type === "stderr") all.push(`${type} ${data.text}`);
    }
    return all;
  };
  return { write, told };
}

describe("What a command writes", () => {
  it("is told in the order that it was read", async () => {
    const { write, told } = command();
    await write("stdout", "first");
    for (const [type, text] of [["stdout", "a"], ["stdout", "b"], ["stderr", "c"], ["stdout", "d"]] as const) await write(type, text); // prettier-ignore
    expect(await told()).toEqual(["stdout first", "stdout ab", "stderr c", "stdout d"]);
  });

  it("is told in pieces that can be kept, however fast it comes", async () => {
    const { write, told } = command();
    for (let nth = 0; nth < 100; nth++) await write("stdout", "x".repeat(60_000));
    const lengths = (await told()).map((each) => each.length);
    expect(lengths.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(6_000_000);
    expect(Math.max(...lengths)).toBeLessThan(200_000);
  });

  it("makes few events of many turns, and all of it is told", async () => {
    const { write, told } = command();
    for (let nth = 0; nth < 400; nth++) await write(nth % 2 ? "stderr" : "stdout", "x");
    const all = await told();
    expect(all.map((each) => each.replace(/\w+ /, "")).join("")).toHaveLength(400);
    expect(all.length).toBeLessThan(100);
  });
});

describe.skipIf(UNABLE)("A command that writes byte by byte", () => {
  let runner: TestRunner;
  beforeAll(async () => {
    runner = await TestRunner.start();
  });
  afterAll(() => runner?.stop());

  it("makes some fifty events a second at most", async () => {
    const { events, stdout } = await runner.sh("dd if=/dev/zero bs=1 count=100000 status=none");
    expect(stdout).toHaveLength(100_000);
    const times = events.flatMap((event) => (event.type === "stdout" ? [event.at] : []));
    const spent = times.at(-1)! - times[0]!;
    expect(times.length).toBeLessThanOrEqual(spent / 15 + 3);
  });
});
