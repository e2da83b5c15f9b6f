import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Texts that stand in prompts, headers, URLs and credentials of the tests, and must stand nowhere else. */
export const CANARIES = {
  prompt: "canary-prompt-7f3a9c51d2",
  header: "canary-header-b81e07f6aa",
  url: "canary-url-44d0c9ee13",
  upstream: "sk-upstream-secret-of-",
} as const;

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

/** Files of a gateway's state (databases, queues, its log) that hold a text. `dist` is the program, `secrets.env` where secrets belong. */
export function holding(state: string, text: string): string[] {
  return files(state)
    .filter((file) => !file.endsWith("secrets.env") && !file.includes("/dist/"))
    .filter((file) => contentOf(file).includes(text));
}

/** A file's bytes; none for one that a database has just dropped. */
function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}
