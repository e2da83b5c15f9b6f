import type { Part } from "./account.ts";
import type { When } from "./blueprint.ts";

/**
 * The conditions of a route's targets that a query of Portkey's comes to, any of which may hold; null for one that none can say. Notes
 * what became of each of its values.
 */
export function conditionsOf(query: Part): readonly When[] | null {
  const read = alternatives(query);
  if (read) query.to("the conditions of a target");
  else query.left("conditions here are equal metadata, or one of several models");
  return read;
}

function alternatives(query: Part): When[] | null {
  const parts = query.entries.map(([name, part]) => {
    if (name === "$or") return eachOf(part);
    if (name === "$and") return part.items.reduce<When[] | null>((all, item) => both(all, alternatives(item)), [{}]);
    return comparison(name, part);
  });
  return parts.length === 0 ? null : parts.reduce<When[] | null>(both, [{}]);
}

function eachOf(list: Part): When[] | null {
  const read = list.items.map(alternatives);
  return read.every((each) => each !== null) ? read.flat() : null;
}

/** What holds where both hold. */
function both(left: When[] | null, right: When[] | null): When[] | null {
  if (!left || !right) return null;
  const joined = left.flatMap((a) => right.map((b) => together(a, b)));
  return joined.every((each) => each !== null) ? joined : null;
}

function together(a: When, b: When): When | null {
  // Two lists of models would have to share some; two values of one name exclude each other.
  if (a.models && b.models) return null;
  const metadata = { ...a.metadata, ...b.metadata };
  if (Object.entries(a.metadata ?? {}).some(([name, value]) => metadata[name] !== value)) return null;
  return { ...a, ...b, ...(Object.keys(metadata).length > 0 && { metadata }) };
}

/** `{"metadata.plan": {"$eq": "paid"}}`, with `$in` for several values, and the value alone for an equal one. */
function comparison(name: string, part: Part): When[] | null {
  const [only] = part.entries.length === 0 ? [["$eq", part] as const] : part.entries;
  if (!only || part.entries.length > 1) return null;
  const [operator, wanted] = only;
  const values = operator === "$eq" && wanted.texts.length === 1 ? wanted.texts : operator === "$in" ? wanted.texts : [];
  if (values.length === 0) return null;
  if (name === "params.model") return [{ models: values }];
  const key = /^metadata\.(.+)$/.exec(name)?.[1];
  return key === undefined ? null : values.map((value) => ({ metadata: { [key]: value } }));
}
