/** Kinds of content and of hosted tools whose tokens the body's bytes do not bound. */
const KINDS =
  /^(image|image_url|input_image|file|input_file|document|input_audio|audio|video|video_url|container_upload|item_reference|(computer|web_search|web_fetch|file_search|mcp|code_interpreter|code_execution|image_generation|tool_search).*)$/;
const CONTENT = ["messages", "input", "tools", "system"] as const;

/**
 * Whether a request refers to what its bytes do not bound: one of `references` is set, or something in it is of such a kind. A
 * small image may cost thousands of tokens, a hosted tool may read pages into the prompt, an earlier response may be of any
 * length. Errs to true, which only raises what is held.
 */
export function isUncountable(fields: Readonly<Record<string, unknown>>, references: readonly string[]): boolean {
  if (references.some((name) => (fields[name] ?? null) !== null)) return true;
  const stack = CONTENT.map((name) => fields[name]);
  while (stack.length > 0) {
    const next = stack.pop();
    if (typeof next !== "object" || next === null) continue;
    const { type } = next as { readonly type?: unknown };
    if (typeof type === "string" && KINDS.test(type)) return true;
    for (const inner of Object.values(next)) if (typeof inner === "object" && inner !== null) stack.push(inner);
  }
  return false;
}
