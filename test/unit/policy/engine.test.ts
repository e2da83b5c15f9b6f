import { describe, expect, it } from "vitest";
import { Engine } from "../../../src/policy/engine/engine.ts";
import { compiledEngine } from "../../support/policy-engine.ts";

const opened = (members: string, before = "") => {
  const engine = new Engine(compiledEngine);
  const source = `${before}\nexport default { name: "tried", version: "1.0.0", ${members} };`;
  engine.keep({ hash: "one", source });
  return {
    engine,
    register: () => engine.register({ hash: "one", source }),
    ask: (context: unknown = {}, settings = {}) =>
      engine.evaluate({ hash: "one", stage: "evaluate", settings, context: JSON.stringify(context) }),
  };
};

const NOTHING = { reason: "", metadata: {}, obligations: [] };

describe("D12: a policy", () => {
  it("decides by what it is given, with a reason and metadata", () => {
    const { ask } = opened(
      `evaluate({ time }) { return time.hour < 9 ? { allowed: false, reason: "too early", metadata: { opens: 9 } } : { allowed: true }; }`,
    );
    expect(ask({ time: { hour: 8 } }).result).toEqual({
      kind: "decision",
      value: { allowed: false, reason: "too early", metadata: { opens: 9 }, obligations: [] },
    });
    expect(ask({ time: { hour: 9 } }).result).toEqual({ kind: "decision", value: { allowed: true, ...NOTHING } });
  });

  it("may await what it promises itself, and is waited for no longer than there is something to do", () => {
    const { ask } = opened(`async evaluate({ never }) { await null; if (never) await new Promise(() => {}); return { allowed: true }; }`);
    expect(ask({}).result).toMatchObject({ kind: "decision", value: { allowed: true } });
    expect(ask({ never: true }).result).toMatchObject({ kind: "failed", failure: "never_settled" });
  });

  it("may be an object, a class or an instance of one", () => {
    const shapes = [
      `const p = { evaluate: () => ({ allowed: false }) }; export default { ...p, name: "p", version: "1.0.0" };`,
      `class P { name = "p"; version = "1.0.0"; evaluate() { return { allowed: false }; } } export default P;`,
      `class Base {} class P extends Base { name = "p"; version = "1.0.0"; evaluate() { return { allowed: false }; } } export default new P();`,
    ];
    for (const source of shapes) {
      const engine = new Engine(compiledEngine);
      expect(engine.register({ hash: source, source })).toMatchObject({
        kind: "described",
        described: { name: "p", stages: ["evaluate"] },
      });
      const asked = engine.evaluate({ hash: source, stage: "evaluate", settings: {}, context: "{}" });
      expect(asked.result).toMatchObject({ kind: "decision", value: { allowed: false } });
    }
  });

  it("is told its settings once, when it is loaded, and finds them with their defaults in every context", () => {
    const { ask } = opened(
      `config: { type: "object", properties: { from: { type: "integer", default: 9 }, to: { type: "integer", default: 17 } } },
       onLoad(config) { this.seen = (this.seen ?? 0) + 1; this.from = config.from; },
       evaluate({ config }) { return { allowed: true, metadata: { seen: this.seen++, from: this.from, to: config.to } }; }`,
    );
    for (let turn = 0; turn < 3; turn++)
      expect(ask({}, { from: 7 }).result).toMatchObject({ kind: "decision", value: { metadata: { seen: 1, from: 7, to: 17 } } });
    expect(ask({}, {}).result).toMatchObject({ kind: "decision", value: { metadata: { seen: 1, from: 9, to: 17 } } });
  });

  it("is told at the end of its registration that nothing asks it any more, after its tests and with what they made of it", () => {
    const { register } = opened(
      `onLoad({ doors }) { this.doors = doors; }, evaluate: () => ({ allowed: true }), onUnload() { throw new Error("closed " + this.doors); },
       tests: [{ config: { doors: 2 }, expect: { allowed: true } }]`,
    );
    expect(register()).toEqual({ kind: "refused", message: "onUnload: Error: closed 2" });
  });

  it("is refused where it does not come to an end of itself", () => {
    const { register } = opened(`evaluate: () => ({ allowed: true }), onUnload() { for (;;); }`);
    expect(register()).toEqual({ kind: "refused", message: "onUnload: fuel: burnt all its fuel" });
    const never = opened(`evaluate: () => ({ allowed: true }), async onUnload() { await new Promise(() => {}); }`);
    expect(never.register()).toEqual({ kind: "refused", message: "onUnload: never_settled: awaits what never comes" });
  });

  it("is not told so in traffic: no evaluation knows of another", () => {
    const { register, ask } = opened(
      `evaluate() { return { allowed: true, metadata: { closed: this.closed ?? false } }; }, onUnload() { this.closed = true; }`,
    );
    expect(register()).toMatchObject({ kind: "described" });
    for (let turn = 0; turn < 3; turn++) expect(ask().result).toMatchObject({ value: { metadata: { closed: false } } });
  });

  it("says what it writes to its console, up to 4 KB, beside the decision", () => {
    const { ask } = opened(
      `evaluate({ much }) { console.log("seen", { much }); if (much) for (let i = 0; i < 1e3; i++) console.log("x".repeat(100)); return { allowed: true }; }`,
    );
    expect(ask({}).logs).toBe("seen {}\n");
    expect(ask({ much: true }).logs).toHaveLength(4_096);
    expect(ask({ much: true }).result).toMatchObject({ kind: "decision" });
  });
});

describe("what is no decision", () => {
  it.each([
    ["nothing", "undefined", "must be an object with allowed"],
    ["a number", "1", "must be an object with allowed"],
    ["a function", "() => 1", "must be an object with allowed"],
    ["a list", "[]", "must be an object with allowed"],
    ["allowed as text", `{ allowed: "true" }`, "allowed: must be true or false"],
    ["a field nobody knows", `{ allowed: true, obligation: [] }`, "obligation: is not a field of a decision"],
    ["a reason that is no text", `{ allowed: true, reason: {} }`, "reason: must be text"],
    ["metadata as a list", `{ allowed: true, metadata: [] }`, "metadata: must be an object"],
    ["obligations as an object", `{ allowed: true, obligations: {} }`, "obligations: must be a list"],
    ["a cycle", `(() => { const a = { allowed: true }; a.metadata = a; return a; })()`, "circular reference"],
    [
      "a depth of 40",
      `{ allowed: true, metadata: JSON.parse("{\\"a\\":".repeat(40) + "1" + "}".repeat(40)) }`,
      "must nest at most 16 deep",
    ],
    ["a prototype", `{ allowed: true, metadata: JSON.parse('{"__proto__":{"x":1}}') }`, "must name nothing __proto__"],
    ["more than 64 KB", `{ allowed: true, metadata: { a: "x".repeat(70000) } }`, "holds more than 65536 bytes"],
  ])("%s is refused, and it is said what is wrong", (_, value, message) => {
    const { ask } = opened(`evaluate: () => (${value})`);
    expect(ask().result).toMatchObject({ kind: "failed", failure: "invalid_decision", message: expect.stringContaining(message) });
  });

  it("threat 33: a reason is at most 512 characters of one line, without what cannot be seen", () => {
    const { ask } = opened(`evaluate: () => ({ allowed: false, reason: "a\\r\\nb\\u202e\\u0000c" + "x".repeat(2000) })`);
    const { result } = ask();
    if (result.kind === "failed") throw new Error(result.message);
    expect(result.value.reason).toHaveLength(512);
    expect(result.value.reason.startsWith("a b cxxx")).toBe(true);
  });
});

describe("D13: the limits of a policy", () => {
  it("a loop without end burns its fuel and no more", () => {
    const { ask } = opened(`evaluate() { for (;;); }`);
    expect(ask()).toEqual({ fuel: 10_000_000, result: { kind: "failed", failure: "fuel", message: "burnt all its fuel" } });
  });

  it("no guest code catches the end of its fuel", () => {
    const { ask } = opened(
      `evaluate() { for (;;) { try { for (;;); } catch { return { allowed: true }; } finally { return { allowed: true }; } } }`,
    );
    expect(ask().result).toMatchObject({ kind: "failed", failure: "fuel" });
  });

  it("a heap that is full is a failure of its own, and one that is caught is the policy's business", () => {
    const bomb = `const all = []; for (let size = 1 << 20; ; size *= 1.1) all.push(new Uint8Array(size));`;
    expect(opened(`evaluate() { ${bomb} }`).ask().result).toMatchObject({ kind: "failed", failure: "memory" });
    const caught = opened(`evaluate() { try { ${bomb} } catch { return { allowed: true }; } }`);
    expect(caught.ask().result).toMatchObject({ kind: "decision" });
  });

  it("a context over its size is not even tried", () => {
    const { ask } = opened(`evaluate: () => ({ allowed: true })`);
    expect(ask({ messages: "x".repeat(1024 * 1024) })).toMatchObject({ fuel: 0, result: { kind: "failed", failure: "memory" } });
  });

  it("a source of all the bytes that it may have is loaded, within the fuel and the image that there are", () => {
    const row = (nth: number) =>
      `function f${nth}(a, b) { let sum = 0; for (const x of a) if (x > b) sum += x * ${nth}; return { sum, name: "n${nth}" }; }\n`;
    let before = "";
    for (let nth = 0; before.length < 261_000; nth++) before += row(nth);
    expect(opened(`evaluate: () => ({ allowed: f7([3], 1).sum === 21 })`, before).register()).toMatchObject({ kind: "described" });
  });

  it("a policy that fills more than an image may hold when it is loaded is refused", () => {
    const { register } = opened(`evaluate: () => ({ allowed: true })`, `globalThis.much = new Uint8Array(5 << 20).fill(1);`);
    expect(register()).toEqual({ kind: "refused", message: expect.stringContaining("memory") });
  });
});

describe("threat 32: no state passes", () => {
  it("from one evaluation to the next, be it after a trap, however either is tampered with", () => {
    const { ask } = opened(
      `evaluate({ how }) {
         const before = [count, typeof globalThis.left, [].left, JSON.parse.name];
         count++; globalThis.left = 1; Array.prototype.left = 2; JSON.parse = null;
         if (how === "trap") for (;;);
         if (how === "throw") throw new Error("no");
         return { allowed: true, metadata: { before } };
       }`,
      "let count = 0;",
    );
    for (const how of ["return", "trap", "return", "throw", "return"]) {
      const { result } = ask({ how });
      if (how === "return")
        expect(result).toMatchObject({ kind: "decision", value: { metadata: { before: [0, "undefined", null, "parse"] } } });
    }
  });

  it("between two policies that take turns 1,000 times", () => {
    const engine = new Engine(compiledEngine);
    const source = (own: string) =>
      `let seen = "${own}"; globalThis.own ??= "${own}"; export default { name: "p", version: "1.0.0", evaluate({ add }) { seen += add; globalThis.own += add; return { allowed: true, metadata: { seen, own: globalThis.own } }; } };`;
    for (const own of ["a", "b"]) engine.keep({ hash: own, source: source(own) });
    for (let turn = 0; turn < 1_000; turn++) {
      const hash = turn % 2 === 0 ? "a" : "b";
      const { result } = engine.evaluate({ hash, stage: "evaluate", settings: {}, context: `{"add":"${turn}"}` });
      expect(result).toMatchObject({ value: { metadata: { seen: `${hash}${turn}`, own: `${hash}${turn}` } } });
    }
  });

  it("a hog leaves no page behind: what comes next burns what it would have burnt", () => {
    const { engine, ask } = opened(`evaluate: ({ a }) => ({ allowed: true, metadata: { a } })`);
    const first = ask({ a: [1, 2] });
    engine.keep({
      hash: "hog",
      source: `export default { evaluate() { const all = []; for (;;) all.push(new Uint8Array(65536).fill(7)); } };`,
    });
    const hog = engine.evaluate({ hash: "hog", stage: "evaluate", settings: {}, context: "{}" });
    expect(hog.result).toMatchObject({ failure: "memory" });
    expect(ask({ a: [1, 2] })).toEqual(first);
  });
});

describe("the same everywhere", () => {
  it("the clock stands still, chance is the same each time, and nothing of a host is there", () => {
    const { ask } = opened(
      `evaluate: () => ({ allowed: true, metadata: { now: Date.now(), chance: Math.random(), zone: new Date().getTimezoneOffset(),
         host: ["fetch", "process", "require", "setTimeout", "performance", "crypto", "WeakRef", "Intl", "URL", "WebAssembly"].filter((name) => name in globalThis) } })`,
    );
    const first = ask();
    expect(first.result).toMatchObject({ kind: "decision", value: { metadata: { now: 0, zone: 0, host: [] } } });
    expect(ask()).toEqual(first);
  });

  it("a policy burns the same fuel on the same context in another machine, and however often it is asked", () => {
    const members = `evaluate({ n }) { let sum = 0; for (let i = 0; i < n; i++) sum += i % 7; return { allowed: sum > 1, metadata: { sum } }; }`;
    const fuels = [opened(members), opened(members)].flatMap(({ ask }) => [ask({ n: 1_000 }), ask({ n: 1_000 })]);
    expect(new Set(fuels.map(({ fuel }) => fuel)).size).toBe(1);
    expect(fuels[0]!.fuel).toBeGreaterThan(10_000);
  });
});

describe("registering", () => {
  it("runs the policy's own tests and says which do not hold", () => {
    const { register } = opened(
      `needs: ["metadata"], evaluate: ({ metadata: { n } = {} }) => ({ allowed: n < 3, reason: "n is " + n }),
       tests: [
         { name: "small", context: { metadata: { n: 1 } }, expect: { allowed: true } },
         { name: "large", context: { metadata: { n: 5 } }, expect: { allowed: true, reason: "n is 5" } },
         { context: {}, expect: { reason: "n is undefined" } },
       ]`,
    );
    expect(register()).toMatchObject({
      kind: "described",
      described: { tests: { passed: 2, failed: 1 } },
      runs: [{ fault: null }, { name: "large", fault: "allowed: is false, expected true" }, { fault: null }],
    });
  });

  it("tells a test's moment by the clock of the zone that is set, as traffic would", () => {
    const zone = `config: { type: "object", properties: { time_zone: { type: "string", default: "Asia/Tokyo" } } }`;
    const { register } = opened(
      `needs: ["time"], ${zone}, evaluate: ({ time }) => ({ allowed: true, metadata: time }),
       tests: [
         { context: { time: { iso: "2026-01-03T15:00:00Z" } }, expect: { metadata: { weekday: 7, day: 4, hour: 0, time_zone: "Asia/Tokyo" } } },
         { context: { time: { iso: "2026-01-03T23:59:59+09:00" } }, expect: { metadata: { weekday: 6, day: 3, hour: 23, second: 59 } } },
         { config: { time_zone: "Europe/London" }, context: { time: { now: 1767452400000 } }, expect: { metadata: { weekday: 6, hour: 15, iso: "2026-01-03T15:00:00.000Z" } } },
         { context: { time: { now: 1767452400000, weekday: 3 } }, expect: { metadata: { weekday: 3, hour: 0 } } },
         { context: { time: { weekday: 2 } }, expect: { metadata: { weekday: 2 } } },
       ]`,
    );
    const registration = register();
    expect(registration.kind === "described" && registration.runs.map(({ fault }) => fault)).toEqual([null, null, null, null, null]);
  });

  it("tells it to the minute by a clock, whatever a test says of seconds", () => {
    const { register } = opened(
      `needs: ["clock"], evaluate: ({ clock }) => ({ allowed: true, metadata: clock }),
       tests: [
         { context: { clock: { iso: "2026-01-03T15:00:59.999Z" } }, expect: { metadata: { hour: 15, minute: 0, second: 0, iso: "2026-01-03T15:00:00.000Z" } } },
         { context: { clock: { now: 1767452459999, second: 59, weekday: 3 } }, expect: { metadata: { now: 1767452400000, second: 0, weekday: 3 } } },
       ]`,
    );
    const registration = register();
    expect(registration.kind === "described" && registration.runs.map(({ fault }) => fault)).toEqual([null, null]);
  });

  it.each([
    [
      `needs: ["clock"], tests: [{ context: { clock: { iso: "soon" } }, expect: { allowed: true } }]`,
      "tests.0: context: clock: now must be",
    ],
    [`needs: ["time"], tests: [{ context: { time: { iso: "soon" } }, expect: { allowed: true } }]`, "tests.0: context: time: now must be"],
    [
      `needs: ["time"], tests: [{ config: { time_zone: "Tokyo" }, context: { time: { now: 0 } }, expect: { allowed: true } }]`,
      "time_zone is no zone",
    ],
    [`name: "Loud Name"`, "name: must be"],
    [`version: "1.0"`, "version: must be three numbers"],
    [`priority: 1.5`, "priority: must be a whole number"],
    [`compose: "some"`, "compose: must be all or any"],
    [`needs: ["secrets"]`, "needs: must be a list of"],
    [`needs: ["counters:Bad Name"]`, "needs: must be a list of"],
    [`config: []`, "config: must be a JSON Schema"],
    [`evaluate: null`, "stages: must be at least one"],
    [`tests: [{ context: {}, expect: {} }]`, "tests.0: expect: must name"],
    [
      `needs: ["time"], tests: [{ context: { time: {}, request: {} }, expect: { allowed: true } }]`,
      "tests.0: context: request is not among",
    ],
    [`needs: ["counters:a"], tests: [{ context: { counters: { b: {} } }, expect: { allowed: true } }]`, "context: counters:b is not among"],
    [`tests: [{ context: { config: {} }, expect: { allowed: true } }]`, "tests.0: context: config is not among"],
    [`tests: [{ stage: "onChunk", expect: { allowed: true } }]`, "tests.0: stage: must be one of evaluate"],
  ])("refuses a policy whose %s", (member, message) => {
    const { register } = opened(`evaluate: () => ({ allowed: true }), ${member}`);
    expect(register()).toEqual({ kind: "refused", message: expect.stringContaining(message) });
  });

  it.each([
    ["export default 1;", "load: TypeError: the module must have a policy"],
    ["export const a = 1;", "load: TypeError: the module must have a policy"],
    ["throw new Error('at load');", "load: Error: at load"],
    ["for (;;);", "load: fuel"],
    ["await new Promise(() => {});", "load: the module awaits what never comes"],
    ["export default {", "load: SyntaxError"],
    ["import 'node:fs'; export default {};", "load: ReferenceError: could not load module"],
  ])("refuses the module %s", (source, message) => {
    expect(new Engine(compiledEngine).register({ hash: "h", source })).toEqual({
      kind: "refused",
      message: expect.stringContaining(message),
    });
  });
});
