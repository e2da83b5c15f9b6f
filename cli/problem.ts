import { join } from "node:path";

/** What keeps a policy from being registered, and where its author wrote it; null where it stands in no line. */
export interface Problem {
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
}

/** What the bundler says: it names files relative to the policy's own folder, and counts columns from 0. */
export function problemsOfBundling(error: unknown, file: string): Problem[] | null {
  const { errors } = error as { readonly errors?: readonly BundlerError[] };
  if (!Array.isArray(errors)) return null;
  return (errors as readonly BundlerError[]).map(({ text, location }) =>
    location
      ? { file: join(file, "..", location.file), line: location.line, column: location.column + 1, message: text }
      : { file, line: null, column: null, message: text },
  );
}

interface BundlerError {
  readonly text: string;
  readonly location: { readonly file: string; readonly line: number; readonly column: number } | null;
}

/** A problem as compilers write it, so that editors find the place. */
export function problemLine({ file, line, column, message }: Problem): string {
  return line === null ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`;
}
