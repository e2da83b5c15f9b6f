import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { amountOf, amountOfCents } from "../../../src/reconcile/amount.ts";
import { differences } from "../../../src/reconcile/compare.ts";
import { type Cell, type Figures, MEASURES } from "../../../src/reconcile/contract.ts";
import { plus } from "../../../src/reconcile/figures.ts";

const DAY = 86_400_000;
const TERMS = { measures: MEASURES, toleranceFemto: 0n };
const NOTHING = { records: 0, figures: {} };

const figures = fc
  .tuple(...MEASURES.map(() => fc.bigInt({ min: 0n, max: 10n ** 18n })))
  .map((values): Figures => Object.fromEntries(MEASURES.map((name, at) => [name, values[at]!])))
  .filter((each) => Object.values(each).some((value) => value > 0n));

const agreeing = (day: number, model: string, each: Figures): Cell => ({
  day,
  model,
  theirs: { requests: 1, figures: each, names: [model] },
  ours: { records: 1, figures: { ...each }, late: NOTHING, estimated: NOTHING, unknown: NOTHING },
});

/** Days of models, each once. */
const month = fc
  .uniqueArray(fc.record({ day: fc.integer({ min: 0, max: 30 }), model: fc.constantFrom("a", "b", "c"), figures }), {
    minLength: 1,
    maxLength: 40,
    selector: ({ day, model }) => `${day} ${model}`,
  })
  .map((cells) => cells.map(({ day, model, figures: each }) => agreeing(day * DAY, model, each)));

describe("comparing", () => {
  it("identical data gives no difference, whatever it holds", () => {
    fc.assert(
      fc.property(month, (cells) => {
        expect(differences(cells, TERMS)).toEqual([]);
      }),
    );
  });

  it("one figure that is changed on one side is named once, on its day and model, by exactly what was changed", () => {
    const change = fc.record({
      at: fc.nat(),
      name: fc.constantFrom(...MEASURES),
      by: fc.bigInt({ min: 1n, max: 10n ** 18n }),
      ours: fc.boolean(),
    });
    fc.assert(
      fc.property(month, change, (cells, { at, name, by, ours }) => {
        const cell = cells[at % cells.length]!;
        const more = (side: { readonly figures: Figures }) => ({ ...side, figures: plus(side.figures, { [name]: by }) });
        const changed: Cell = ours
          ? { ...cell, ours: { ...cell.ours!, ...more(cell.ours!) } }
          : { ...cell, theirs: { ...cell.theirs!, ...more(cell.theirs!) } };
        const found = differences(
          cells.map((each) => (each === cell ? changed : each)),
          TERMS,
        );
        expect(found.map(({ day, model, causes, delta }) => ({ day, model, causes, delta }))).toEqual([
          {
            day: cell.day,
            model: cell.model,
            causes: [name === "usd" ? "price_differs" : "tokens_differ"],
            delta: { [name]: ours ? by : -by },
          },
        ]);
      }),
    );
  });

  it("a side that is taken away is named as missing there or here, and nothing else is", () => {
    fc.assert(
      fc.property(month, fc.nat(), fc.boolean(), (cells, at, ours) => {
        const cell = cells[at % cells.length]!;
        const found = differences(
          cells.map((each) => (each === cell ? { ...cell, [ours ? "ours" : "theirs"]: null } : each)),
          TERMS,
        );
        expect(found.map(({ day, model, causes }) => [day, model, ...causes])).toEqual([
          [cell.day, cell.model, ours ? "missing_here" : "missing_there"],
        ]);
      }),
    );
  });
});

describe("D9: a vendor's amount", () => {
  it.each<[unknown, bigint | null]>([
    ["0", 0n],
    ["1.5", 1_500_000_000_000_000n],
    ["0.000000000000001", 1n],
    ["0.0000000000000005", 1n],
    ["0.0000000000000004", 0n],
    ["-0.25", -250_000_000_000_000n],
    [" 7 ", 7_000_000_000_000_000n],
    [0.06, 60_000_000_000_000n],
    [0.1 + 0.2, 300_000_000_000_000n],
    [1e-7, 100_000_000n],
    [1.5e-12, 1_500n],
    [-3, -3_000_000_000_000_000n],
    ["1e5", null],
    ["1,000.00", null],
    ["$1", null],
    ["", null],
    [Number.NaN, null],
    [Infinity, null],
    [1e15, null],
    [null, null],
  ])("%j is read exactly", (value, femto) => {
    expect(amountOf(value)).toBe(femto);
  });

  it("in cents is a hundredth of it: 123.78912 cents are 1.2378912 dollars", () => {
    expect(amountOfCents("123.78912")).toBe(1_237_891_200_000_000n);
    expect(amountOfCents("0.00000000000005")).toBe(1n);
    expect(amountOfCents("x")).toBeNull();
  });

  it("survives being written as a double, to the femto-dollar below a dollar", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n - 1n }), (femto) => {
        const text = `0.${femto.toString().padStart(15, "0")}`;
        expect(amountOf(Number(text))).toBe(femto);
      }),
    );
  });
});
