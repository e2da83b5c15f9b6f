import { z } from "@hono/zod-openapi";
import type { Attribution } from "#audit";
import { ownRowsOnly } from "#keys";
import type { Actor } from "./actor.ts";
import { given, id, moment } from "./shapes.ts";

const METADATA = /^metadata\.[A-Za-z0-9_.-]{1,64}$/;
const METADATA_MAX = 16;
const text = z.string().max(512);

/** A stretch of time named as a summary's group names it. */
function bucket(form: RegExp, length: (start: Date) => number) {
  return z
    .string()
    .refine((name) => form.test(name) && exists(name), "is no such time in UTC as a summary names")
    .transform((name) => ({ from: Date.parse(name), to: length(new Date(name)) }));
}

/** The 30th of February reads as a day of March. */
function exists(name: string): boolean {
  const start = Date.parse(name);
  return Number.isFinite(start) && new Date(start).toISOString().startsWith(name.replace("Z", ""));
}

const FIELDS = {
  from: moment.optional(),
  to: moment.optional(),
  hour: bucket(/^\d{4}-\d{2}-\d{2}T\d{2}:00:00Z$/, (start) => start.setUTCHours(start.getUTCHours() + 1)).optional(),
  day: bucket(/^\d{4}-\d{2}-\d{2}$/, (start) => start.setUTCDate(start.getUTCDate() + 1)).optional(),
  month: bucket(/^\d{4}-\d{2}$/, (start) => start.setUTCMonth(start.getUTCMonth() + 1)).optional(),
  key: id.optional(),
  team: id.optional(),
  user: id.optional(),
  end_user: text.optional(),
  session: text.optional(),
  task: id.optional(),
  provider: z.string().max(128).optional(),
  model: z.string().max(256).optional(),
  capability: z.string().max(64).optional(),
  tag: z.string().max(64).optional(),
};

type Asked = z.output<z.ZodObject<typeof FIELDS>>;

/** Whose and when, beside what an operation takes of its own. `metadata.<name>` stands for any name; what else is unknown is refused. */
export function attributed<Extra extends z.ZodRawShape>(extra: Extra) {
  const known = new Set([...Object.keys(FIELDS), ...Object.keys(extra)]);
  const fields: Omit<typeof FIELDS, keyof Extra> & Extra = { ...FIELDS, ...extra };
  return z.looseObject(fields).superRefine((asked: Readonly<Record<string, unknown>>, context) => {
    const others = Object.entries(asked).filter(([name]) => !known.has(name));
    const strange = others.find(([name]) => !METADATA.test(name));
    if (strange) context.addIssue({ code: "unrecognized_keys", keys: [strange[0]], input: asked });
    for (const [name, value] of others) {
      if (text.safeParse(value).success) continue;
      context.addIssue({ code: "custom", path: [name], message: "must be one text of at most 512 characters", input: value });
    }
    if (others.length > METADATA_MAX) context.addIssue({ code: "custom", message: `takes at most ${METADATA_MAX} names of metadata` });
  });
}

/** The filter as the reports take it. A key holder's is pinned to its own key, whatever it asked for. */
export function filterOf(asked: Asked, actor: Actor): Attribution {
  const { end_user, key, team, user, session, task, provider, model, capability, tag } = asked;
  const { from, to } = rangeOf(asked);
  const filter = given({ from, to, key, team, user, endUser: end_user, session, task, provider, model, capability, tag });
  const metadata = Object.entries(asked).filter((pair): pair is [string, string] => METADATA.test(pair[0]));
  const whole =
    metadata.length === 0 ? filter : { ...filter, metadata: Object.fromEntries(metadata.map(([name, value]) => [name.slice(9), value])) };
  return ownRowsOnly(actor.role) ? { ...whole, key: actor.key ?? "" } : whole;
}

/** What lies within the range and within each bucket that is named. */
export function rangeOf({ from, to, hour, day, month }: Asked): { readonly from?: number; readonly to?: number } {
  const within = [{ from, to }, hour, day, month].filter((range) => range !== undefined);
  const starts = within.flatMap((range) => range.from ?? []);
  const ends = within.flatMap((range) => range.to ?? []);
  return { ...(starts.length > 0 ? { from: Math.max(...starts) } : {}), ...(ends.length > 0 ? { to: Math.min(...ends) } : {}) };
}
