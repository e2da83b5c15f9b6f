import { ToolError } from "../tool-error.ts";
import { inputSchema, type Tool } from "./contract.ts";
import { textIn } from "./read.ts";
import { refill } from "./write.ts";

/** Replaces a text in a file. */
export const edit: Tool = {
  name: "Edit",
  description: "Replaces a text in a file. old_string must stand there exactly as given, and once, unless replace_all is true.",
  schema: inputSchema(
    {
      file_path: { type: "string", description: "The file, absolute or relative to the working directory" },
      old_string: { type: "string", description: "What is replaced, without the numbers of lines" },
      new_string: { type: "string", description: "What takes its place" },
      replace_all: { type: "boolean", description: "Replaces it wherever it stands" },
    },
    ["file_path", "old_string", "new_string"],
  ),
  readsOnly: false,
  async run(input, workspace) {
    const [path, before, after] = [input.text("file_path"), input.text("old_string"), input.text("new_string")];
    if (before === "") throw new ToolError("old_string: must not be empty; Write makes a file");
    if (before === after) throw new ToolError("new_string: is the same as old_string");
    const parts = (await textIn(path, () => workspace.open(path, "read"))).split(before);
    const times = parts.length - 1;
    if (times === 0) throw new ToolError(`${path}: old_string does not stand there`);
    if (times > 1 && !input.flag("replace_all")) throw new ToolError(`${path}: old_string stands there ${times} times; name more of it`);
    await using file = await workspace.open(path, "change");
    await refill(file, parts.join(after));
    return `${path}: replaced ${times === 1 ? "once" : `${times} times`}.`;
  },
};
