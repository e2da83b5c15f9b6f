import { setTimeout as wait } from "node:timers/promises";
import { Failure } from "./failure.ts";
import type { Gateway } from "./gateway.ts";

/** Something that happened in a task. */
export interface TaskEvent {
  readonly seq: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const AGAIN_MS = 500;
const TRIES = 20;

/** A task's events after one, live, until its exit. A stream that breaks is taken up after the last event that was read. */
export async function* taskEvents(gateway: Gateway, id: string, after: number): AsyncGenerator<TaskEvent> {
  for (let seq = after, tries = 0; ; tries++) {
    try {
      for await (const event of once(gateway, id, seq)) {
        yield event;
        seq = event.seq;
        tries = 0;
        if (event.type === "exit") return;
      }
      // A stream that ends by itself has nothing more to say: it was asked for what comes after the exit.
      return;
    } catch (error) {
      const broken = !(error instanceof Failure) || error.exit === "unreachable";
      if (!broken || gateway.signal.aborted || tries === TRIES) throw error;
      await wait(AGAIN_MS, undefined, { signal: gateway.signal });
    }
  }
}

async function* once(gateway: Gateway, id: string, after: number): AsyncGenerator<TaskEvent> {
  const body = await gateway.stream(`/v1/task/${encodeURIComponent(id)}/events`, { as: "key", query: { after } });
  let rest = "";
  for await (const part of body.pipeThrough(new TextDecoderStream())) {
    const frames = (rest + part).split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) {
      const data = frame.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice("data: ".length)) as TaskEvent;
    }
  }
}
