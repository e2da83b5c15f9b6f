import type { Case } from "./case.ts";

/** Policies that do what policies do: whatever stops the others must let these pass. */
export const BENIGN: readonly Case[] = [
  { name: "says yes", body: "return { allowed: true };", expect: "allowed" },
  { name: "says no", body: 'return { allowed: false, reason: "no" };', expect: "denied" },
  { name: "looks at the model", body: 'return { allowed: !context.request.model.startsWith("gpt-4") };', expect: "allowed" },
  {
    name: "reads an allow list",
    before: 'const list = new Set(["gpt-4o"]);',
    body: "return { allowed: list.has(context.request.model) };",
    expect: "denied",
  },
  { name: "awaits itself", async: true, body: "await Promise.resolve(); return { allowed: true };", expect: "allowed" },
  {
    name: "awaits many at once",
    async: true,
    body: "const all = await Promise.all([1, 2, 3].map(async (n) => n * 2)); return { allowed: all.join() === '2,4,6' };",
    expect: "allowed",
  },
  {
    name: "matches patterns",
    before: "const card = /\\b(?:\\d[ -]?){13,16}\\b/g;",
    body: 'const found = "pay 4111 1111 1111 1111 now".match(card); return { allowed: true, obligations: found.map((text) => ({ type: "redact", text })) };',
    expect: "allowed",
  },
  {
    name: "sorts and sums",
    body: "const n = Array.from({ length: 500 }, (_, i) => (i * 7919) % 1000).sort((a, b) => a - b); return { allowed: n[0] <= n[499], metadata: { sum: n.reduce((a, b) => a + b) } };",
    expect: "allowed",
  },
  {
    name: "works out dates",
    body: "const d = new Date(Date.UTC(2026, 1, 29)); return { allowed: d.toISOString().startsWith('2026-03-01') };",
    expect: "allowed",
  },
  {
    name: "counts money in BigInt",
    body: 'const nano = BigInt("123456789012345678") * 3n; return { allowed: nano > 10n ** 17n, metadata: { nano: String(nano) } };',
    expect: "allowed",
  },
  {
    name: "catches its own errors",
    body: 'try { JSON.parse("{"); } catch (error) { return { allowed: error instanceof SyntaxError }; }',
    expect: "allowed",
  },
  {
    name: "walks a table of a thousand rows",
    before: "const rows = Array.from({ length: 1000 }, (_, i) => ({ id: i, name: `n${i}` }));",
    body: "const by = Object.groupBy(rows, ({ id }) => id % 10); return { allowed: Object.keys(by).length === 10 };",
    expect: "allowed",
  },
];
