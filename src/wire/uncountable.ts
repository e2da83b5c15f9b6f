import type { Fields } from "#core";

/**
 * Content and hosted tools whose tokens the body's bytes do not bound. Data that stands inline is among them: a picture of a hundred
 * bytes may cost thousands of tokens.
 */
const KINDS =
  /^(image|image_url|input_image|file|input_file|document|input_audio|audio|video|video_url|container_upload|item_reference|browser_state|(compact|computer|web_search|web_fetch|file_search|mcp|code_interpreter|code_execution|image_generation|tool_search).*)$/;
/** The same by the fields they need, for parts that name their kind twice, or not at all. */
const MEDIA = ["image_url", "input_audio", "file_id", "file_url", "file_data", "images", "video_url"] as const;
/** Tools that the client runs: their results come back as content of a later request. All others may read or bill unseen. */
const CLIENT_TOOLS = /^(function|custom|local_shell|apply_patch|namespace|(bash|text_editor|memory)_\d+)$/;

const PROMPTS = ["messages", "input", "prompt", "system"] as const;
/** The fields whose content is judged here. */
export const CONTENT = [...PROMPTS, "tools", "context_management"] as const;

/**
 * Whether a request refers to what its bytes do not bound: one of `references` is set, something in it is of such a kind, or a tool
 * is offered that the provider runs. Errs to true, which only raises what is held.
 */
export function isUncountable(fields: Fields, references: readonly string[]): boolean {
  if (references.some((name) => (fields[name] ?? null) !== null)) return true;
  const { tools } = fields;
  if (Array.isArray(tools) && tools.some(isHosted)) return true;
  if (anywhere([tools, fields["context_management"]], isOfKind)) return true;
  return anywhere(
    PROMPTS.map((name) => fields[name]),
    (part) => isOfKind(part) || MEDIA.some((name) => (part[name] ?? null) !== null),
  );
}

function isHosted(tool: unknown): boolean {
  const type = typeof tool === "object" && tool !== null ? (tool as Fields)["type"] : undefined;
  return typeof type === "string" && !CLIENT_TOOLS.test(type);
}

function isOfKind({ type }: Fields): boolean {
  return typeof type === "string" && KINDS.test(type);
}

/** Whether an object anywhere below `roots` is such; iterative, whatever the depth. */
function anywhere(roots: readonly unknown[], such: (object: Fields) => boolean): boolean {
  const stack = roots.filter((root) => typeof root === "object" && root !== null);
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (!Array.isArray(next) && such(next as Fields)) return true;
    for (const inner of Array.isArray(next) ? next : Object.values(next as Fields))
      if (typeof inner === "object" && inner !== null) stack.push(inner);
  }
  return false;
}
