type Bytes = Uint8Array | null;
type Said = Bytes | Promise<Bytes>;

/** What is done to a stream as it passes: what goes on for each chunk, and what is still to be said when it has ended; null for nothing. */
export interface Pass {
  readonly push: (chunk: Uint8Array) => Said;
  readonly end?: () => Said;
}

/**
 * A stream with all that is done to it, in one go: a transform costs more than most of what is done in it. The very same stream where
 * nothing is.
 */
export function through(stream: ReadableStream<Uint8Array>, passes: readonly Pass[]): ReadableStream<Uint8Array> {
  if (passes.length === 0) return stream;
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => sent(onward(chunk, passes), controller),
      async flush(controller) {
        for (const [at, pass] of passes.entries()) {
          const last = (await pass.end?.()) ?? null;
          await sent(onward(last, passes.slice(at + 1)), controller);
        }
      },
    }),
  );
}

/** What comes of a chunk behind all passes. Waits for nothing where none of them does. */
function onward(chunk: Bytes, [pass, ...others]: readonly Pass[]): Said {
  if (!pass || chunk === null) return chunk;
  const said = pass.push(chunk);
  return said instanceof Promise ? said.then((bytes) => onward(bytes, others)) : onward(said, others);
}

function sent(said: Said, controller: TransformStreamDefaultController<Uint8Array>): Promise<void> | undefined {
  if (said instanceof Promise) return said.then((bytes) => sent(bytes, controller));
  if (said !== null) controller.enqueue(said);
  return undefined;
}
