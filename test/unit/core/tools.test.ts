import { expect, it } from "vitest";
import { toolKnownAs } from "../../../src/core/tools.ts";

it.each([
  ["exec_command", { name: "exec_command", tool: "Bash", form: "command" }],
  ["functions.exec_command", { name: "exec_command", tool: "Bash", form: "command" }],
  ["container.exec", { name: "container.exec", tool: "Bash", form: "command" }],
  ["bash_20250124", { name: "bash", tool: "Bash", form: "command" }],
  ["text_editor_2025_01_24", { name: "text_editor", tool: "Edit", form: "editor" }],
  ["text_editor_code_execution", { name: "text_editor_code_execution", tool: "CodeExecution", form: "editor" }],
  ["mcp__files__Read", { name: "mcp__files__Read", tool: "mcp__files__Read", form: "other" }],
  ["constructor", { name: "constructor", tool: "constructor", form: "other" }],
])("A54: %s is known to permissions and to the audit as one thing", (name, known) => {
  expect(toolKnownAs(name)).toEqual(known);
});
