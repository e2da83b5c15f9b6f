/** What is answered in the place of an answer that is late. */
export const LATE: unique symbol = Symbol("late");

/** Waits for an answer no longer than it may take. */
export async function within<Value>(answer: Promise<Value>, timeoutMs: number): Promise<Value | typeof LATE> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
