import { expect, test } from "vitest";
import { auditEvent } from "../../../src/audit/contract.ts";
import { auditEntry } from "../../../src/audit/entry.ts";
import { joined, split } from "../../../src/audit/consumer.ts";

const KEY = `sk-tg-${"a".repeat(12)}-${"B".repeat(43)}`;

test("threat 26: no secret survives in an entry, by name or by look", () => {
  const entry = auditEntry({
    type: "key.created",
    actor: { kind: "admin_token", id: "admin" },
    before: { api_key: "plain-provider-key", limit_tokens: 5, nested: [{ credential: "sealed" }] },
    after: { note: `use ${KEY} please`, api_key: { set: true, last4: "9a1b" } },
    details: { authorization: "Bearer abc", header: "Bearer abc" },
  });
  const text = JSON.stringify(entry);
  for (const secret of ["plain-provider-key", "sealed", "BBBB", "abc"]) expect(text).not.toContain(secret);
  expect(entry.before).toMatchObject({ limit_tokens: 5 });
  expect(entry.after).toMatchObject({ api_key: { set: true, last4: "9a1b" } });
  expect(auditEvent.safeParse(entry).success).toBe(true);
});

test("an amount split into two integers joins to the same text", () => {
  for (const usd of ["0", "0.000000000000001", "12.345678901234567", "9007199.254740991"]) {
    const amount = split(usd)!;
    expect(joined(String(amount.nanoFloor), String(amount.femtoRest))).toBe(usd);
  }
  for (const wrong of ["", "-1", "1e9", "NaN", "9007199254740993"]) expect(split(wrong)).toBeNull();
});
