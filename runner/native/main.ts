import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Agent } from "./agent.ts";
import { AnswerForm } from "./answer.ts";
import { type Assignment, ASSIGNMENT, EXITS } from "./contract.ts";
import { Gateway } from "./gateway.ts";
import { Hands } from "./hands.ts";
import { Input } from "./input.ts";
import { Model } from "./model.ts";
import { permissionOf } from "./permission.ts";
import { firstWords, SYSTEM } from "./prompt.ts";
import { Report } from "./report.ts";
import { OFFERS } from "./tools/tools.ts";
import { Workspace } from "./workspace.ts";

/**
 * The native agent: `node main.ts GATEWAY WORKSPACE` in a working directory below the workspace. `contract.ts` says how it is told what to
 * do, and what it answers. It runs inside the sandbox, has no privileges there, and holds no credential.
 */
async function work(report: Report): Promise<number> {
  const [origin = "", root = ""] = process.argv.slice(2);
  const assignment = JSON.parse(await readFile(join(homedir(), ASSIGNMENT), "utf8")) as Assignment;
  const { prompt, model: name, outputSchema, turnsMax } = assignment;
  const input = new Input(process.stdin);
  const workspace = new Workspace(root, process.cwd());
  const notice = (text: string) => report.tell({ type: "notice", text });
  const [gateway, session] = [new Gateway(origin, notice), randomUUID()];
  const form = outputSchema && (await AnswerForm.of(outputSchema));
  const tools = [...OFFERS, ...(form ? [form.offer] : [])];
  const model = new Model(gateway, { model: name, system: SYSTEM, tools }, { session, notice });
  const hands = new Hands(workspace, permissionOf(gateway, session), report);
  const agent = new Agent({ model, hands, report, form, said: () => input.take() });
  report.tell({ type: "system", model: name, tools: tools.map((each) => each.name), turns_max: turnsMax });
  const words = await firstWords(prompt, workspace);
  const outcome = await agent.work(form ? `${words}\n\n${form.words}` : words, { turnsMax });
  report.end(outcome, agent.turns);
  if (outcome.message !== null) process.stderr.write(`${outcome.message}\n`);
  return EXITS[outcome.reason];
}

// Written whole, whatever the reader's pace: the last line must not be lost with the process.
const report = new Report((text) => writeAll(Buffer.from(text)));
const code = await work(report);
// A person may still be about to say something; nobody waits for it.
process.exit(code);

function writeAll(bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      // A full pipe is tried again: the runner reads it.
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    }
  }
}
