import { expect, test } from "vitest";
import { sealEntries } from "#audit";
import { chain, entriesFor, newTeam } from "../support/chain.ts";
import { deliver } from "../support/events.ts";
import { admin } from "../support/front.ts";

test("A58: looking for what was inserted takes no longer for each chain that there is", async () => {
  const entries = Array.from({ length: 5_000 }, () => entriesFor(newTeam(), 1)[0]!);
  for (let at = 0; at < entries.length; at += 500) {
    await deliver(entries.slice(at, at + 500), (events) => sealEntries(chain, events));
  }
  expect(await chain.heads()).toHaveLength(5_000);
  const began = performance.now();
  const step = await admin("GET", `/audit/chain/verify?cursor=${encodeURIComponent("~")}`);
  expect(step).toMatchObject({ ok: true, unsealed: 0, fault: null });
  expect(performance.now() - began).toBeLessThan(500);
});
