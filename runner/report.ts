/** What went wrong, in words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : "threw what cannot be told";
}

/** Tells whoever runs the runner what nobody who asked can be told. */
export function report(reason: string): void {
  process.stderr.write(`${JSON.stringify({ level: "error", reason })}\n`);
}
