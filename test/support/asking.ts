import type { EventTold, TaskClient, TaskTold } from "./tasks.ts";

/** Asks the hook from inside of the sandbox as an agent does, and asks again when the gateway goes away; says each answer on a line. */
const ASKING = `
const asked = JSON.parse(process.argv[1]);
(async () => {
  for (const body of asked) {
    for (;;) {
      try {
        const answer = await fetch("http://127.0.0.1:8787/v1/task/hook", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
        const text = await answer.text();
        if (answer.status === 502 || answer.status === 503) throw new Error("the gateway is away");
        console.log(text);
        break;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }
})();
`;
/** A call as an agent asks about it. */
export const call = (tool_name: string, tool_input: object, tool_use_id = "toolu_1") => ({
  hook_event_name: "PreToolUse",
  tool_name,
  tool_input,
  tool_use_id,
});
/** A task that asks about calls, one after the other. */
export const asking = (client: TaskClient, asked: readonly object[], fields: object = {}) =>
  client.begin({ engine: "command", argv: ["/opt/tollgate/node", "-e", ASKING, JSON.stringify(asked)], ...fields });

interface Decided {
  readonly permissionDecision: string;
  readonly permissionDecisionReason: string;
}
/** What it was told. */
export const decided = ({ result }: TaskTold) =>
  (result?.text ?? "")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { hookSpecificOutput: Decided }).hookSpecificOutput);

/** A task that waits for a word. */
export type Waiting = TaskTold & { approvals: { id: string; tool: string; input: unknown }[] };
/** Waits until it waits. */
export const waiting = async (client: TaskClient, id: string) =>
  (await client.until(id, ({ status }) => status === "waiting_approval")) as Waiting;
/** The events of its questions and words. */
export const approvals = (events: readonly EventTold[]) => events.filter(({ type }) => type === "approval").map(({ data }) => data);
