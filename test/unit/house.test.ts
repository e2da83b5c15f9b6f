import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const read = (file: string) => readFileSync(file, "utf8");
const sources = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));

describe("threat 44: supply chain", () => {
  const packageJson = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
  const lock = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { resolved?: string; integrity?: string; hasInstallScript?: boolean; link?: boolean }>;
  };

  it("every dependency is pinned to one version, and no install script runs", () => {
    for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
      for (const [name, version] of Object.entries(packageJson[kind] ?? {}))
        expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+(-[\w.]+)?$/)]);
    }
    expect(read(".npmrc")).toMatch(/^ignore-scripts=true$/m);
    expect(Object.keys(packageJson["scripts"] ?? {}).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
  });

  it("every package in the lock comes with its digest", () => {
    for (const [name, { integrity, link }] of Object.entries(lock.packages))
      if (name !== "" && !link) expect([name, integrity]).toEqual([name, expect.stringMatching(/^sha512-/)]);
  });
});

describe("A67: the rooms of src/", () => {
  const rooms = readdirSync("src", { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));

  it("stand on the map, each with what it holds, and nothing stands there that is not", () => {
    const map = [...read("docs/design/architecture.md").matchAll(/^\| `(\w+)` \|/gm)].map(([, room]) => room);
    expect(map.toSorted()).toEqual(rooms.toSorted());
  });

  it("have one door each, and arrows that the linter holds them to", () => {
    const { overrides } = JSON.parse(read(".oxlintrc.json")) as { overrides: { files: string[]; rules: Record<string, unknown> }[] };
    const held = overrides.filter(({ rules }) => "no-restricted-imports" in rules).flatMap(({ files }) => files);
    for (const room of rooms) {
      expect([room, readdirSync(join("src", room)).includes("index.ts")]).toEqual([room, true]);
      expect([room, held.some((files) => files.startsWith(`src/${room}/`))]).toEqual([room, true]);
    }
    for (const files of held.filter((files) => files.startsWith("src/"))) expect(rooms).toContain(files.split("/")[1]);
  });
});

describe("the numbers that the names of tests bear", () => {
  const names = sources("test")
    .flatMap((file) => [...read(file).matchAll(/["`](?<marks>(?:(?:[A-E]\d+|threats? \d+|\d+)(?:, | and |: ))+)/g)])
    .map(({ groups }) => groups!["marks"]!);
  const borne = (pattern: RegExp) => new Set(names.flatMap((marks) => [...marks.matchAll(pattern)].map(([mark]) => mark)));
  const table = (file: string, row: RegExp) => [...read(file).matchAll(row)].map(([, ...cells]) => cells as string[]);

  it("prove every row of what tasks have to be, or the row says why none does", () => {
    const rows = table("docs/requirements.md", /^\| (A\d+) \| ([^|]+) \| ([^|]*)\|$/gm);
    // There is no A68.
    expect(rows.map(([row]) => row)).toEqual(Array.from({ length: 70 }, (_, at) => `A${at + 1}`).filter((row) => row !== "A68"));
    const tests = borne(/A\d+/g);
    for (const [row, , why = ""] of rows) expect([row, tests.has(row!) ? "a test" : why.trim()]).toEqual([row, expect.stringMatching(/./)]);
    for (const [row, , why = ""] of rows) expect([row, tests.has(row!) && why.trim() !== ""]).toEqual([row, false]);
    for (const row of tests) expect(rows.map(([each]) => each)).toContain(row);
  });

  it("prove every threat that SECURITY.md names", () => {
    const tests = [...borne(/threats? \d+(?:(?:, | and )\d+)*/g)].flatMap((mark) => mark.match(/\d+/g) ?? []);
    const text = read("SECURITY.md");
    const rows = text.slice(text.indexOf("## Threats and their tests"), text.indexOf("## What it accepts"));
    const named = [...rows.matchAll(/^\| (\d.*?) \|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/(?:^|, )(\d+) /g)].map(([, number]) => number!),
    );
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((number) => !tests.includes(number))).toEqual([]);
  });
});

describe("threat 1: SQL", () => {
  it("is never built out of text: every value is a parameter", () => {
    for (const file of sources("src")) {
      const raw = [...read(file).matchAll(/sql\.raw\(([^)]*)\)/g)].map(([, inside]) => inside!);
      // The one raw fragment is a column's place, which is a number.
      for (const fragment of raw) expect([file, fragment]).toEqual(["src/audit/consumer.ts", "String(at"]);
    }
  });
});

describe("deploying", () => {
  it("a dry run lists every resource that the configuration names, and every secret", () => {
    const listed = execFileSync(process.execPath, ["scripts/deploy.ts", "--dry-run"], { encoding: "utf8" });
    const config = read("wrangler.toml");
    const named = [...config.matchAll(/^(?:binding|name|queue|dead_letter_queue|database_name|class_name) = "([^"]+)"/gm)].map(
      ([, value]) => value!,
    );
    expect(named.length).toBeGreaterThan(8);
    for (const name of [
      ...named,
      "TOLLGATE_PEPPER",
      "TOLLGATE_ENCRYPTION_KEY",
      "TOLLGATE_ADMIN_KEY",
      "OPENAI_API_KEY",
      "ANTHROPIC_API_KEY",
      "RUNNER_URL",
      "RUNNER_SECRET",
    ])
      expect(listed).toContain(name);
    expect(listed).toContain("--dry-run: exiting now.");
    expect(listed).not.toContain("RUNNER_CONTAINER");
  }, 60_000);

  it("told to, a dry run gives tasks a container each, of the image that is tested, and asks for no runner elsewhere", () => {
    const env = { ...process.env, RUNNER_CONTAINER: "true" };
    const listed = execFileSync(process.execPath, ["scripts/deploy.ts", "--dry-run"], { encoding: "utf8", env });
    expect(listed).toMatch(/Container +runner\/Dockerfile +TaskObject/);
    expect(listed).toMatch(/env\.RUNNER_CONTAINER +\("true"\)/);
    expect(listed).not.toContain("RUNNER_URL");
    expect(listed).toContain("--dry-run: exiting now.");
  }, 60_000);
});
