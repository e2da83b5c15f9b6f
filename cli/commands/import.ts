import { parse, YAMLParseError } from "yaml";
import { type Call, command } from "../command.ts";
import { Failure, misuse } from "../failure.ts";
import { nameFault } from "../import/blueprint.ts";
import { readLitellm, type Imported } from "../import/litellm.ts";
import { type Applied, apply, planLines, planOf, planShape } from "../import/plan.ts";
import { readPortkey } from "../import/portkey.ts";
import { flag, pairs, text } from "../option.ts";
import { parsedJson, readSource } from "../source.ts";

const FILE = "<file>";
const applying = flag("write the plan; without it nothing is sent");
const more = `Prints what would be made here: providers, prices, aliases, routes, budgets and keys; then every value that is not carried
over, with the reason. Secrets are never printed. Those that the file names by a variable are read from the environment.`;

const litellm = command({
  name: "import litellm",
  summary: "Turn a LiteLLM config.yaml into providers, prices, aliases, routes, a budget and a key.",
  more,
  operands: [FILE],
  options: { apply: applying },
  examples: [
    ["import litellm config.yaml", "see what it would come to"],
    ["import litellm config.yaml --apply", "write it"],
  ],
  run: async (call) => {
    const [file = ""] = call.operands;
    const document = parsedYaml(await readSource(file, FILE), file);
    return done(readLitellm(document), call, call.given.apply);
  },
});

const portkey = command({
  name: "import portkey",
  summary: "Turn a Portkey config into providers and a route.",
  more,
  operands: [FILE],
  options: {
    apply: applying,
    name: text("what callers will send as the model (portkey)", undefined, "<name>"),
    "virtual-key": pairs("the provider behind a virtual key, where the key's name does not tell: prod=openai"),
  },
  examples: [
    ["import portkey config.json --name chat", "see what it would come to, under the name chat"],
    ["import portkey config.json --virtual-key prod=openai --apply", "write it; the virtual key prod is one of OpenAI's"],
  ],
  run: async (call) => {
    const [file = ""] = call.operands;
    const document = parsedJson(await readSource(file, FILE), file, FILE);
    const { name = "portkey", "virtual-key": virtualKeys = {} } = call.given;
    const fault = nameFault(name);
    if (fault !== null || name.includes("*")) throw misuse(`--name: ${fault ?? "it stands for one name"}`, "--name");
    const told = { name, virtualKeys };
    return done(readPortkey(document, told), call, call.given.apply);
  },
});

/** Importing from other gateways. */
export const imports = [litellm, portkey];

async function done(
  imported: Imported,
  { gateway, env, output }: Pick<Call, "gateway" | "env" | "output">,
  applied: true | undefined,
): Promise<void> {
  const plan = planOf(imported, env);
  if (!applied) {
    await output.object(planShape(plan), () => planLines(plan));
    if (!output.plain) await output.note("Nothing was written; --apply writes it.");
    return;
  }
  for await (const each of apply(plan, gateway)) await output.object({ object: "imported", ...each }, () => [told(each)]);
}

function told({ kind, name, outcome, secret }: Applied): string {
  const shown = secret === undefined ? "" : `  ${secret} (shown this once)`;
  return `${outcome === "created" ? "created" : "exists "}  ${kind.padEnd(8)}  ${name}${shown}`;
}

/** YAML text as its value. The parser's own message would quote the file, which may hold secrets: only the place is told. */
function parsedYaml(content: string, name: string): unknown {
  try {
    return parse(content);
  } catch (error) {
    const [place] = error instanceof YAMLParseError ? (error.linePos ?? []) : [];
    const where = place ? ` at line ${place.line}, column ${place.col}` : "";
    throw new Failure("failed", `${FILE}: ${name} is not YAML${where}`, { code: "file", param: FILE });
  }
}
