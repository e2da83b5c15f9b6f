import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { TollgateError } from "#core";
import { connect, type Page, tables } from "#db";
import { ModelStore, PriceBook, PriceStore } from "#models";

type NewPrice = Parameters<PriceStore["create"]>[0];

let now = 1_800_000_000_000;
const clock = () => now;
const db = connect(env.DB);
const prices = new PriceStore(db, clock);
const models = new ModelStore(db, clock);

const price = (fields: Partial<NewPrice> = {}): NewPrice => ({
  provider: "acme",
  model: "m-1",
  aliases: ["m-one"],
  state: "priced",
  scope: { kind: "deployment", id: "" },
  effectiveFrom: now,
  effectiveTo: null,
  rates: { input: "0.15", cache_read: null, output: "0.6" },
  tiers: [{ aboveInputTokens: 1_000, rates: { input: "0.3" } }],
  serviceTiers: { priority: { rates: { input: "0.45" } } },
  source: "contract",
  createdBy: "admin",
  ...fields,
});

async function refused(promise: Promise<unknown>): Promise<unknown> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TollgateError);
  const { code, facts } = error as TollgateError;
  return facts.param === undefined ? code : `${code} ${facts.param}`;
}

/** All rows of a list, page by page. */
async function pages<Row>(read: (cursor: string | undefined) => Promise<Page<Row>>): Promise<Row[][]> {
  const found: Row[][] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await read(cursor ?? undefined);
    found.push([...page.rows]);
    cursor = page.next;
  }
  return found;
}

beforeEach(async () => {
  now += 60_000;
  await db.delete(tables.prices);
  await db.delete(tables.models);
});

describe("PriceStore", () => {
  test("gives back every field of a price as it was said", async () => {
    const made = await prices.create(price());
    expect(made).toMatchObject({ ...price(), checkedAt: now });
    expect(made.id).toMatch(/^prc_/);
    expect(await prices.get(made.id)).toEqual(made);
    expect(await prices.all()).toEqual([made]);
    expect(await prices.get("prc_none")).toBeNull();
  });

  test("is what a price book charges by, from its first moment to the one before its last", async () => {
    const made = await prices.create(price({ effectiveTo: now + 100 }));
    const book = new PriceBook(await prices.all());
    expect(book.find("acme", "m-one", "t", now)).toEqual({ state: "priced", row: expect.objectContaining({ id: made.id }) });
    expect(book.find("acme", "m-one", "t", now + 100).state).toBe("unknown");
  });

  test("never changes a price in place: only its end can be set, moved and taken back", async () => {
    const made = await prices.create(price());
    const later = await prices.end(made.id, now + 500);
    expect(later).toEqual({ ...made, effectiveTo: now + 500 });
    expect(await prices.get(made.id)).toEqual(later);
    expect(await prices.end(made.id, null)).toEqual(made);
    expect(await refused(prices.end(made.id, now))).toBe("invalid_request effective_to");
    expect(await refused(prices.end("prc_none", null))).toBe("not_found");
    expect(await prices.get(made.id)).toEqual(made);
  });

  test.each<[string, Partial<NewPrice>]>([
    ["rates.input", { rates: { input: "-1" } }],
    ["rates.input", { rates: { input: "1e3" } }],
    ["rates.output", { rates: { input: "1", output: "0.0000000001" } }],
    ["rates.output", { rates: { input: "1", output: "99999999999" } }],
    ["rates", { rates: { cache_read: "1" } }],
    ["rates", { rates: { input: "0" } }],
    ["rates", { rates: { input: "0.0", output: "0" } }],
    ["tiers.0.rates.input", { tiers: [{ aboveInputTokens: 10, rates: { input: "x" } }] }],
    ["tiers.1.above_input_tokens", { tiers: [10, 10].map((aboveInputTokens) => ({ aboveInputTokens, rates: { input: "1" } })) }],
    ["service_tiers.flex.rates.input", { serviceTiers: { flex: { rates: { input: "" } } } }],
    ["effective_to", { effectiveFrom: 500, effectiveTo: 500 }],
    ["scope.id", { scope: { kind: "team", id: "" } }],
    ["scope.id", { scope: { kind: "deployment", id: "team_a" } }],
  ])("refuses a price whose %s is wrong, and stores nothing", async (param, fields) => {
    expect(await refused(prices.create(price(fields)))).toBe(`invalid_request ${param}`);
    expect(await prices.all()).toEqual([]);
  });

  test("takes a free price without rates, and rates of nine fraction digits to the last", async () => {
    expect((await prices.create(price({ state: "free", rates: {} }))).state).toBe("free");
    const fine = await prices.create(price({ rates: { input: "0.000000001" } }));
    expect((await prices.get(fine.id))?.rates).toEqual({ input: "0.000000001" });
  });

  test("lists every price once, newest first, page by page, also of one moment", async () => {
    const ids: string[] = [];
    for (let at = 0; at < 7; at++) {
      if (at % 3 === 0) now += 1;
      ids.push((await prices.create(price())).id);
    }
    const read = await pages((cursor) => prices.list({ limit: 3, ...(cursor === undefined ? {} : { cursor }) }));
    expect(read.map((each) => each.length)).toEqual([3, 3, 1]);
    expect(read.flat().map(({ id }) => id)).toEqual(ids.toReversed());
  });

  test("lists by provider and by model", async () => {
    const one = await prices.create(price());
    const two = await prices.create(price({ model: "m-2" }));
    await prices.create(price({ provider: "other" }));
    const ids = async (filter: { provider?: string; model?: string }) =>
      (await prices.list({ limit: 10, ...filter })).rows.map(({ id }) => id).toSorted();
    expect(await ids({ provider: "acme" })).toEqual([one.id, two.id].toSorted());
    expect(await ids({ provider: "acme", model: "m-2" })).toEqual([two.id]);
  });

  test("removes a price once", async () => {
    const made = await prices.create(price());
    expect(await prices.delete(made.id)).toEqual(made);
    expect(await refused(prices.delete(made.id))).toBe("not_found");
    expect(await prices.all()).toEqual([]);
  });

  test("refuses a cursor that no list answered", async () => {
    for (const cursor of ["", "x", "1.' OR 1=1", "-1.prc_1"]) {
      expect(await refused(prices.list({ limit: 1, cursor }))).toBe("invalid_request cursor");
      expect(await refused(models.list({ limit: 1, cursor }))).toBe("invalid_request cursor");
    }
  });
});

describe("ModelStore", () => {
  const fast = { name: "fast", provider: "openai", model: "gpt-4o-mini" };

  test("keeps an alias as it was said, and changes only what is named", async () => {
    const made = await models.create({ ...fast, contextTokens: 1_000 });
    expect(made).toMatchObject({ ...fast, contextTokens: 1_000, maxOutputTokens: null, createdAt: now });
    expect(await models.get(made.id)).toEqual(made);
    const changed = await models.patch(made.id, { model: "gpt-4o", contextTokens: null });
    expect(changed).toEqual({ ...made, model: "gpt-4o", contextTokens: null });
    expect(await models.all()).toEqual([changed]);
  });

  test("changes that are made at once all hold", async () => {
    const made = await models.create(fast);
    await Promise.all([models.patch(made.id, { model: "gpt-4o" }), models.patch(made.id, { contextTokens: 5 }), models.patch(made.id, {})]);
    expect(await models.get(made.id)).toEqual({ ...made, model: "gpt-4o", contextTokens: 5 });
  });

  test("a name stands for one model: a second is refused, and one that was removed is free again", async () => {
    const made = await models.create(fast);
    expect(await refused(models.create({ ...fast, provider: "anthropic" }))).toBe("invalid_request name");
    expect(await models.all()).toEqual([made]);
    await models.delete(made.id);
    expect((await models.create({ ...fast, provider: "anthropic" })).provider).toBe("anthropic");
  });

  test.each(["", " x", "a b", "-a", "a\u0000", "ä", "a".repeat(129), "a?b=c", "a\nb"])("refuses the name %j", async (name) => {
    expect(await refused(models.create({ ...fast, name }))).toBe("invalid_request name");
  });

  test("lists every alias once, newest first, page by page", async () => {
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) await models.create({ ...fast, name });
    const read = await pages((cursor) => models.list({ limit: 2, ...(cursor === undefined ? {} : { cursor }) }));
    expect(read.flat().map(({ name }) => name)).toEqual(names.toReversed());
  });

  test("what is not there cannot be changed or removed", async () => {
    expect(await models.get("mdl_none")).toBeNull();
    expect(await refused(models.patch("mdl_none", { model: "x" }))).toBe("not_found");
    expect(await refused(models.delete("mdl_none"))).toBe("not_found");
  });
});
