import type { FileHandle } from "node:fs/promises";
import { inputSchema, type Tool } from "./contract.ts";

/** Writes a file anew. */
export const write: Tool = {
  name: "Write",
  description: "Writes a file of the workspace, in the place of what it held; folders that are not there are made.",
  schema: inputSchema(
    {
      file_path: { type: "string", description: "The file, absolute or relative to the working directory" },
      content: { type: "string", description: "All that the file is to hold" },
    },
    ["file_path", "content"],
  ),
  readsOnly: false,
  async run(input, workspace) {
    const [path, content] = [input.text("file_path"), input.text("content")];
    await using file = await workspace.make(path);
    await refill(file, content);
    return `${path} holds ${Buffer.byteLength(content)} bytes now.`;
  },
};

/** Gives an open file another content. */
export async function refill(file: FileHandle, content: string): Promise<void> {
  await file.truncate(0);
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten;
}
