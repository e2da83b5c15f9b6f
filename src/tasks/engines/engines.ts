import { claudeCode } from "./claude-code.ts";
import { codex } from "./codex.ts";
import { command } from "./command.ts";
import type { Adapter, Engine } from "./contract.ts";
import { native } from "./native.ts";

const ADAPTERS: Readonly<Record<Engine, Adapter>> = { "claude-code": claudeCode, codex, native, command };

/** The adapter of an engine. */
export function adapterOf(engine: Engine): Adapter {
  return ADAPTERS[engine];
}
