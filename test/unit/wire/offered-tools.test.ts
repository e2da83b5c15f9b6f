import { describe, expect, it } from "vitest";
import type { Capability } from "../../../src/core/index.ts";
import { readAsk } from "../../../src/wire/ask.ts";
import { offeringOnly } from "../../../src/wire/offered-tools.ts";

const PROMPTS = { "chat.completions": `"messages":[]`, messages: `"max_tokens":9,"messages":[]`, responses: `"input":"hi"` };
const only = (capability: keyof typeof PROMPTS, members: string, allowed: readonly string[]) => {
  const ask = readAsk(capability, new TextEncoder().encode(`{"model":"m",${PROMPTS[capability]},  ${members} }`));
  const { ask: left, withheld } = offeringOnly(ask, (tool) => allowed.includes(tool));
  const [, rest = ""] = left.body.text.split(PROMPTS[capability]);
  return { rest, withheld, ask, left };
};
const chat = (name: string) => `{"type":"function", "function":{"name":"${name}","parameters":{ "x":1.0 }}}`;

describe("A15: tools that are not allowed are taken out, and what is left stays as it was written", () => {
  it.each<[keyof typeof PROMPTS, string, string, readonly string[]]>([
    ["chat.completions", `"tools":[ ${chat("Read")} , ${chat("rm")} ],"n":1`, `,  "tools":[${chat("Read")}],"n":1 }`, ["rm"]],
    ["chat.completions", `"tools":[${chat("Read")}],"x":[1, 2]`, `,  "tools":[${chat("Read")}],"x":[1, 2] }`, []],
    ["chat.completions", `"n":1,"tools":[${chat("rm")}],"tool_choice":"auto","parallel_tool_calls":true`, `,  "n":1 }`, ["rm"]],
    ["chat.completions", `"functions":[{"name":"rm"}],"function_call":"auto","n":1`, `,"n":1 }`, ["rm"]],
    ["chat.completions", `"web_search_options":{},"n":1`, `,"n":1 }`, ["web_search"]],
    ["chat.completions", `"tools":[{"type":"custom","custom":{"name":"rm"}},${chat("Read")}]`, `,  "tools":[${chat("Read")}] }`, ["rm"]],
    [
      "messages",
      `"tools":[{"name":"Read","input_schema":{}},{"type":"custom","name":"rm"}]`,
      `,  "tools":[{"name":"Read","input_schema":{}}] }`,
      ["rm"],
    ],
    ["messages", `"tools":[{"type":"web_search_20250305","name":"Read"}],"n":1`, `,"n":1 }`, ["web_search_20250305"]],
    [
      "messages",
      `"mcp_servers":[{"type":"url","name":"a"},{"type":"url","name":"b"}]`,
      `,  "mcp_servers":[{"type":"url","name":"a"}] }`,
      ["b"],
    ],
    [
      "responses",
      `"tools":[{"type":"function","name":"rm"},{"type":"mcp","server_label":"a"},{"type":"mcp","server_label":"b"}]`,
      `,  "tools":[{"type":"mcp","server_label":"a"}] }`,
      ["rm", "mcp__b__*"],
    ],
    [
      "responses",
      `"tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"Read"},{"type":"function","name":"rm"}]}]`,
      `,  "tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"Read"}]}] }`,
      ["rm"],
    ],
    ["responses", `"tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"rm"}]}],"n":1`, `,"n":1 }`, ["rm"]],
    [
      "responses",
      `"tools":[{"type":"local_shell"},{"type":"function","name":"Read"}]`,
      `,  "tools":[{"type":"function","name":"Read"}] }`,
      ["local_shell"],
    ],
  ])("%s %s", (capability, members, expected, withheld) => {
    const found = only(capability, members, ["Read", "mcp__a__*"]);
    expect([found.rest, found.withheld]).toEqual([expected, withheld]);
    expect(JSON.parse(found.left.body.text)).toEqual(found.left.body.value);
    if (withheld.length === 0) expect(found.left).toBe(found.ask);
  });

  it.each<[keyof typeof PROMPTS, string, string]>([
    ["chat.completions", `"tools":[${chat("rm")}],"tool_choice":{"type":"function","function":{"name":"rm"}}`, "tool_choice"],
    ["chat.completions", `"tools":[${chat("rm")}],"tool_choice":"required"`, "tool_choice"],
    ["chat.completions", `"functions":[{"name":"rm"}],"function_call":{"name":"rm"}`, "function_call"],
    [
      "chat.completions",
      `"tools":[${chat("Read")}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"rm"}}]}}`,
      "tool_choice",
    ],
    ["messages", `"tools":[{"name":"rm"}],"tool_choice":{"type":"tool","name":"rm"}`, "tool_choice"],
    ["messages", `"tools":[{"name":"rm"}],"tool_choice":{"type":"any"}`, "tool_choice"],
    ["responses", `"tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}`, "tool_choice"],
    ["responses", `"tools":[{"type":"function","name":"rm"}],"tool_choice":{"type":"function","name":"rm"}`, "tool_choice"],
  ])("%s that insists is refused by the field: %s", (capability, members, param) => {
    expect(() => only(capability, members, ["Read"])).toThrow(
      expect.objectContaining({ code: "permission_denied", facts: expect.objectContaining({ param }) }),
    );
  });

  it.each([
    [`"tools":[${chat("Read")}],"tool_choice":"required"`],
    [`"tools":[${chat("Read")}],"tool_choice":{"type":"function","function":{"name":"Read"}}`],
    [`"tools":null`],
    [`"tools":[]`],
  ])("%s passes as it is", (members) => {
    const { ask, left } = only("chat.completions", members, ["Read"]);
    expect(left).toBe(ask);
  });

  it("a list that stands twice, or in other letters, is refused: parsers disagree on which they take", () => {
    for (const members of [`"tools":[],"tools":[]`, `"tools":[],"Tools":[]`]) {
      expect(() => only("chat.completions", members, [])).toThrow(expect.objectContaining({ code: "invalid_request" }));
    }
  });

  it("what has no tools is not looked at", () => {
    for (const capability of ["embeddings", "moderations"] as Capability[]) {
      const ask = readAsk(capability, new TextEncoder().encode(`{"model":"m","input":"x","tools":[{"name":"rm"}]}`));
      expect(offeringOnly(ask, () => false).ask).toBe(ask);
    }
  });
});
