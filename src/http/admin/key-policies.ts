import { z } from "@hono/zod-openapi";
import { TollgateError } from "#core";
import { may } from "#keys";
import { KeyPolicies } from "#policy";
import type { Actor } from "./actor.ts";
import { type AdminContext, leaveEntry } from "./operation.ts";
import { activationShape, byOf, leaveRefusal, policyStore } from "./policies.ts";
import { id } from "./shapes.ts";

/** Versions of policies, by id, as a key names them. */
export const policyIds = z.array(id).max(32);

/** The policies of keys, as an operation uses them. */
export const keyPolicies = (context: AdminContext) => new KeyPolicies(policyStore(context));

type Placings = Awaited<ReturnType<KeyPolicies["plan"]>>;

/**
 * What a key's list of policies comes to, judged before anything is written; nothing where it is not named.
 * @throws TollgateError naming the item; `permission_denied` for a role that may not put policies in force.
 */
export async function planned(
  context: AdminContext,
  { actor, key, policies }: { readonly actor: Actor; readonly key: string | null; readonly policies: readonly string[] | undefined },
): Promise<Placings> {
  if (policies === undefined) return [];
  const plan = keyPolicies(context).plan(key, policies, byOf(actor));
  const placings = await plan.catch(async (refused: unknown) => {
    await leaveRefusal(context, "policy.activate", refused);
    throw refused;
  });
  if (placings.length > 0 && !may(actor.role, "write", "policies")) {
    throw new TollgateError("permission_denied", `The role ${actor.role} may not write policies`, { param: "policies" });
  }
  return placings;
}

/** Puts what was planned, says so in the audit as of any activation, and has this isolate read it with its next request. */
export async function placed(
  context: AdminContext,
  { actor, key, placings }: { readonly actor: Actor; readonly key: string; readonly placings: Placings },
): Promise<void> {
  if (placings.length === 0) return;
  const rows = await keyPolicies(context).put(key, placings, byOf(actor));
  context.env.directory.invalidate();
  for (const row of rows)
    await leaveEntry(context, { type: "policy.activate", subject: { kind: "policy", id: row.policy }, key, after: activationShape(row) });
}
