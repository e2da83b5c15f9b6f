import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EVERYWHERE } from "../../../cli/command.ts";
import { COMMANDS } from "../../../cli/commands/index.ts";
import { Failure } from "../../../cli/failure.ts";
import { helpPage } from "../../../cli/help.ts";
import { fieldsOf, nested, optionOf } from "../../../cli/option.ts";
import { parse } from "../../../cli/parse.ts";
import { nearest } from "../../../cli/suggest.ts";

/** Words of a line as a shell parts them; the examples quote with single quotes only. */
const words = (line: string) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
const commandNamed = (name: string) => COMMANDS.find((command) => command.name === name)!;
const given = (line: string) => {
  const asked = parse(words(line), COMMANDS);
  if (asked.kind !== "command") throw new Error(`${line} is ${asked.kind}`);
  return asked;
};

describe("the table of commands", () => {
  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    "%s: each example of its help is a right command line",
    (name, command) => {
      expect(command.examples.length).toBeGreaterThan(0);
      for (const [line] of command.examples) expect(given(line).command.name).toBe(name);
    },
  );

  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    "%s: its page tells operands, options and an example",
    (name, command) => {
      const page = helpPage(name, COMMANDS);
      for (const told of [command.summary, ...command.operands, `tollgate ${command.examples[0]![0]}`]) expect(page).toContain(told);
      for (const option of Object.keys({ ...command.options, ...EVERYWHERE })) expect(page).toMatch(new RegExp(`^ {2}--${option}\\b`, "m"));
      for (const line of page.split("\n")) expect([line, line.length <= 140]).toEqual([line, true]);
    },
  );

  it("no command hides an option that stands everywhere", () => {
    for (const { name, options } of COMMANDS)
      expect([name, Object.keys(options).filter((option) => Object.hasOwn(EVERYWHERE, option))]).toEqual([name, []]);
  });

  it("the guide tells of every command", () => {
    const guide = readFileSync("docs/guides/cli.md", "utf8");
    for (const { name } of COMMANDS) expect(guide).toContain(`\`${name}`);
  });

  it("every field that an option fills is one that the API's document names", () => {
    const document = readFileSync("docs/openapi.json", "utf8");
    for (const { options } of COMMANDS)
      for (const { field } of Object.values(options)) if (field !== undefined) expect(document).toContain(`"${field.split(".").at(-1)}"`);
  });
});

describe("a command line", () => {
  it("takes its options anywhere: before the words, between the operands, with or without a sign", () => {
    for (const line of ["--json keys show key_1", "keys --json show key_1", "keys show --json key_1", "keys show key_1 --json"]) {
      const { command, operands, everywhere } = given(line);
      expect([command.name, operands, everywhere.json]).toEqual(["keys show", ["key_1"], true]);
    }
    expect(given("keys list --limit=3").given).toEqual(given("keys list --limit 3").given);
  });

  it("takes as many operands as its table says, or any number where the last of them is open", () => {
    expect(given("reconcile a.csv b.json --provider p c.csv").operands).toEqual(["a.csv", "b.json", "c.csv"]);
    for (const line of ["reconcile --provider p", "keys show", "keys show a b", "keys list a"]) expect(() => given(line)).toThrow(Failure);
  });

  it("after -- words are operands, whatever they begin with; a joined value may begin with a dash", () => {
    expect(given("keys create -- --json").operands).toEqual(["--json"]);
    expect(given("keys create x --tag=-a").given["tag"]).toEqual(["-a"]);
  });

  it("becomes the body that the API takes, by the fields of its options", () => {
    const { command, given: options } = given(
      "keys create x --limit-usd 5 --window day --allow a --allow b --rpm 3 --metadata k=v --team t",
    );
    expect(nested(fieldsOf(command.options, options))).toEqual({
      team: "t",
      models: { allow: ["a", "b"] },
      limits: { rpm: 3 },
      metadata: { k: "v" },
      budgets: [{ limit_usd: "5", window: "day" }],
    });
  });

  it("a field that the API finds fault with is traced to its option, and to none that only sounds alike", () => {
    const { options } = commandNamed("keys create");
    expect(optionOf(options, "models.allow.0")).toBe("--allow");
    expect(optionOf(options, "budgets.0.limit_usd")).toBe("--limit-usd");
    expect(optionOf(options, "metadata.team")).toBe("--metadata");
    expect(optionOf(options, "username")).toBeNull();
    expect(optionOf(options, "name")).toBeNull();
  });

  it("a word that is nearly right is recognised, and one that is not is left alone", () => {
    const known = ["keys list", "keys create", "costs export"];
    expect(nearest("kesy list", known)).toBe("keys list");
    expect(nearest("costs exprt", known)).toBe("costs export");
    expect(nearest("kubectl", known)).toBeNull();
    expect(nearest("a", ["b"])).toBeNull();
  });
});
