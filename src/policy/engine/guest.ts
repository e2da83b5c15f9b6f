import { STAGES } from "./contract.ts";

/**
 * What runs inside the machine before any policy does, a function of how many characters a policy may log: it answers the host's commands with one string. A policy may tamper with all of
 * it, and gains nothing: whatever it answers is read by the host as a stranger's text, and the next evaluation begins from the image.
 *
 * An answer is `kind`, the length of the logs, `:`, the logs, the body. Kinds: `d` done, `t` threw, `i` invalid, `m` out of memory,
 * `n` never settled. No answer at once means that there are jobs to run, after which `take` has it.
 */
export const GUEST = String.raw`((LOGS_MAX) => {
  "use strict";
  const { parse, stringify } = JSON;
  // Held here, since a policy may take them from the global.
  const AnyError = Error;
  const EngineError = InternalError;
  const STAGES = ${JSON.stringify(STAGES)};
  let plugin;
  let config = {};
  let outcome;
  let logs = "";

  const line = (...parts) => {
    if (logs.length >= LOGS_MAX) return;
    const text = parts.map((part) => (typeof part === "string" ? part : stringify(part) ?? String(part))).join(" ");
    logs = (logs + text + "\n").slice(0, LOGS_MAX).toWellFormed();
  };
  globalThis.console = { log: line, info: line, warn: line, error: line, debug: line };

  // Code made of text would escape the check that a policy's source was read by.
  const refuse = (name) => {
    const refused = function () { throw new EvalError(name + " is not given to policies"); };
    return refused;
  };
  for (const kind of [function () {}, async function () {}, function* () {}, async function* () {}]) {
    const prototype = Object.getPrototypeOf(kind);
    const refused = refuse("Function");
    refused.prototype = prototype;
    Object.defineProperty(prototype, "constructor", { value: refused });
  }
  globalThis.Function = Object.getPrototypeOf(function () {}).constructor;
  globalThis.eval = refuse("eval");

  const answer = (kind, body) => kind + logs.length + ":" + logs + body;
  const told = (error) => {
    try {
      if (error instanceof EngineError && error.message === "out of memory") return answer("m", "");
      if (typeof error === "string") return answer("t", error);
      return answer("t", error instanceof AnyError ? error.name + ": " + error.message : "threw what is no error");
    } catch {
      return "t0:threw what cannot be told";
    }
  };
  const written = (value) => {
    try {
      const text = stringify(value);
      return typeof text === "string" ? answer("d", text) : answer("i", "must be an object with allowed");
    } catch (error) {
      const text = told(error);
      return text[0] === "t" ? "i" + text.slice(1) : text;
    }
  };
  const settle = async (value, read) => {
    try {
      outcome = read(await value);
    } catch (error) {
      outcome = told(error);
    }
  };
  const answered = (value, read) => {
    if (typeof value?.then !== "function") return read(value);
    settle(value, read);
  };
  const defaults = (schema) => {
    const found = {};
    for (const [name, property] of Object.entries(schema?.properties ?? {}))
      if (property !== null && typeof property === "object" && "default" in property) found[name] = property.default;
    return found;
  };

  const commands = {
    open({ default: given }) {
      plugin = typeof given === "function" ? new given() : given;
      if (plugin === null || typeof plugin !== "object") throw new TypeError("the module must have a policy as its default export");
      return answer("d", "null");
    },
    configure(text) {
      config = { ...defaults(plugin.config), ...parse(text) };
      return answered(plugin.onLoad?.(config), () => answer("d", "null"));
    },
    describe() {
      const { name, version, priority, compose, needs, config, tests } = plugin;
      const stages = STAGES.filter((stage) => typeof plugin[stage] === "function");
      return written({ name, version, priority, compose, needs, config, tests, stages });
    },
    ask(text, stage) {
      const context = parse(text);
      context.config = config;
      return answered(plugin[stage](context), written);
    },
    close() {
      return answered(plugin.onUnload?.(), () => answer("d", "null"));
    },
    take: () => outcome ?? answer("n", ""),
  };

  return (command, argument, extra) => {
    try {
      return commands[command](argument, extra);
    } catch (error) {
      return told(error);
    }
  };
})`;
