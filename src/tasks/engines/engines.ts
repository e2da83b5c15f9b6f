import { claudeCode } from "./claude-code.ts";
import { codex } from "./codex.ts";
import { command } from "./command.ts";
import type { Adapter, Engine } from "./contract.ts";
import { native } from "./native.ts";

const ADAPTERS: Readonly<Partial<Record<Engine, Adapter>>> = { "claude-code": claudeCode, codex, native, command };

/** The engines that are offered. */
export const OFFERED = Object.keys(ADAPTERS) as readonly Engine[];

/** The adapter of an engine that is offered. */
export function adapterOf(engine: Engine): Adapter {
  const adapter = ADAPTERS[engine];
  if (!adapter) throw new Error(`no adapter for the engine ${engine}`);
  return adapter;
}
