import { expect, test } from "vitest";
import { ROLES } from "#core";
import { may, mayGrant, ownRowsOnly } from "../../../src/keys/roles.ts";

test("threat 8: nobody grants a role above its own, and only those who write keys grant any", () => {
  const granted = ROLES.map((giver) => ROLES.filter((given) => mayGrant(giver, given)));
  expect(granted).toEqual([[...ROLES], ["operator", "analyst", "auditor", "key_holder"], [], [], []]);
});

test("threat 4: readers write nothing, an auditor reads the audit only, a key holder its own costs and requests only", () => {
  for (const role of ["analyst", "auditor", "key_holder"] as const) expect(may(role, "write", "keys")).toBe(false);
  expect(may("auditor", "read", "audit")).toBe(true);
  expect(may("auditor", "read", "costs")).toBe(false);
  expect(may("operator", "write", "audit")).toBe(false);
  expect(may("key_holder", "read", "costs")).toBe(true);
  expect(may("key_holder", "read", "keys")).toBe(false);
  expect(ROLES.filter(ownRowsOnly)).toEqual(["key_holder"]);
});
