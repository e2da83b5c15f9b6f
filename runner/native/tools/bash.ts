import { abridge } from "../abridge.ts";
import { runCommand } from "./command.ts";
import { ToolError } from "../tool-error.ts";
import { inputSchema, type Tool } from "./contract.ts";

const TIMEOUT_MS = 120_000;
const TIMEOUT_MS_MAX = 600_000;
const OUTPUT_CHARS_MAX = 30_000;

/** Runs a shell command. The sandbox is what holds it. */
export const bash: Tool = {
  name: "Bash",
  description:
    "Runs a shell command in the working directory, without a terminal and without a network, and shows what it wrote. " +
    "Each call is a shell of its own.",
  schema: inputSchema(
    {
      command: { type: "string", description: "The command" },
      timeout: { type: "integer", description: `Milliseconds that it may take; ${TIMEOUT_MS} unless named` },
      description: { type: "string", description: "What it is for, in a few words" },
    },
    ["command"],
  ),
  readsOnly: false,
  async run(input, workspace) {
    const timeoutMs = Math.max(1, input.count("timeout", { otherwise: TIMEOUT_MS, max: TIMEOUT_MS_MAX }));
    const command = input.text("command");
    if (command.includes("\0")) throw new ToolError("command: must hold no NUL");
    const { code, signal, output, late } = await runCommand(["/bin/sh", "-c", command], { cwd: workspace.folder, timeoutMs });
    const said = abridge(output, OUTPUT_CHARS_MAX).trimEnd();
    if (code === 0) return said || "(It wrote nothing.)";
    const how = late ? `It was ended after ${timeoutMs} ms.` : signal ? `It was ended by ${signal}.` : `Exit code ${code}.`;
    throw new ToolError(said === "" ? how : `${said}\n${how}`);
  },
};
