import { lastSaid, onward, type Pass } from "#wire";

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
        for await (const last of lastSaid(passes)) await sent(last, controller);
      },
    }),
  );
}

type Said = ReturnType<typeof onward>;

function sent(said: Said, controller: TransformStreamDefaultController<Uint8Array>): Promise<void> | undefined {
  if (said instanceof Promise) return said.then((bytes) => sent(bytes, controller));
  if (said !== null) controller.enqueue(said);
  return undefined;
}
