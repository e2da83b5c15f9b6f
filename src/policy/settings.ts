import * as z from "zod";
import { TollgateError } from "#core";
import type { Described } from "./engine/contract.ts";
import { wrong } from "./refusal.ts";

/** The reader of a policy's settings. @throws TollgateError `invalid_request` where its schema is none that can be read. */
export function settingsOf({ config }: Pick<Described, "config">): z.ZodType {
  try {
    return z.fromJSONSchema({ type: "object", ...config });
  } catch (cause) {
    const what = cause instanceof Error ? cause.message.slice(0, 200) : "it cannot be read";
    throw new TollgateError("invalid_request", `The schema of the policy's settings is none: ${what}`, { param: "source", cause });
  }
}

/**
 * Settings as a policy is given them, with what its schema fills in: what is put in force, tried out and replayed reads the same.
 * @throws TollgateError `invalid_request` naming the setting.
 */
export function settingsFor(described: Pick<Described, "config">, config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const read = settingsOf(described).safeParse(config);
  const [issue] = read.error?.issues ?? [];
  if (issue) throw wrong(["config", ...issue.path].map(String).join("."), issue.message);
  return read.data as Record<string, unknown>;
}
