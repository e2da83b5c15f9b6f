type Bytes = Uint8Array | null;

/** What goes on in place of bytes that came; null for nothing. */
export type Said = Bytes | Promise<Bytes>;

/** What is done to a stream as it passes: what goes on for each chunk, and what is still to be said when it has ended. */
export interface Pass {
  readonly push: (chunk: Uint8Array) => Said;
  readonly end?: () => Said;
}

/** What comes of bytes behind all passes. Waits for nothing where none of them does. */
export function onward(bytes: Bytes, [pass, ...others]: readonly Pass[]): Said {
  if (!pass || bytes === null) return bytes;
  const said = pass.push(bytes);
  return said instanceof Promise ? said.then((each) => onward(each, others)) : onward(said, others);
}

/** What is still to be said behind all passes when a stream has ended, in its order. */
export async function* lastSaid(passes: readonly Pass[]): AsyncGenerator<Bytes> {
  for (const [at, pass] of passes.entries()) yield onward((await pass.end?.()) ?? null, passes.slice(at + 1));
}
