import { z } from "@hono/zod-openapi";
import { type Fault, type Head, verifyAudit } from "#audit";
import { TollgateError } from "#core";
import { iso } from "../time.ts";
import { type AdminApp, read } from "./operation.ts";
import { given, id } from "./shapes.ts";

/** Hashes that were kept, with commas between them. */
const HEADS = /^[0-9a-f]{64}(,[0-9a-f]{64}){0,19}$/;
const seq = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

const head = z
  .object({ object: z.literal("audit_chain"), chain: z.string(), seq: z.number(), hash: z.string(), at: z.string() })
  .openapi("AuditChain");

const fault = z.object({
  kind: z.enum(["missing", "changed", "inserted"]),
  chain: z.string(),
  seq: z.number().nullable(),
  entry: z.string().nullable(),
  message: z.string(),
}) satisfies z.ZodType<Fault>;

const verification = z
  .object({
    object: z.literal("audit_verification"),
    ok: z.boolean(),
    checked: z.number(),
    unsealed: z.number(),
    heads_found: z.array(z.string()),
    fault: fault.nullable(),
    next_cursor: z.string().nullable(),
  })
  .openapi("AuditVerification");

function headShape({ chain, seq, hash, at }: Head) {
  return { object: "audit_chain", chain, seq, hash, at: iso(at) };
}

/** `/audit/chain`: where each chain of the audit ends, and whether the entries are what they were. */
export function auditChain(app: AdminApp): void {
  const resource = "audit";
  read(
    app,
    {
      method: "get",
      path: "/audit/chain",
      resource,
      summary: "Read where each chain of the audit ends",
      answer: z.object({ data: z.array(head) }),
    },
    async (_input, context) => ({ data: (await context.env.chain.heads()).map(headShape) }),
  );
  const query = z.strictObject({
    chain: id.optional(),
    from: seq.optional(),
    to: seq.optional(),
    head: z.string().regex(HEADS, "must be hashes: 64 hexadecimal digits each, twenty at most, with commas between them").optional(),
    cursor: z.string().min(1).max(256).optional(),
  });
  read(
    app,
    {
      method: "get",
      path: "/audit/chain/verify",
      resource,
      summary: "Verify some thousand audit entries, from where the last step ended",
      query,
      answer: verification,
    },
    async ({ query: asked }, context) => {
      const { head: kept, ...rest } = asked;
      const { chain, from, to } = rest;
      const bound = from === undefined ? "to" : "from";
      if (chain === undefined && (from ?? to) !== undefined) {
        throw new TollgateError("invalid_request", `${bound} is a place of one chain: name it by chain`, { param: bound });
      }
      if (from !== undefined && to !== undefined && from > to) {
        throw new TollgateError("invalid_request", "to must not be before from", { param: "to" });
      }
      const found = await verifyAudit(context.env.db, context.env.chain, given({ ...rest, heads: kept?.split(",") }), context.env.now());
      return {
        object: "audit_verification",
        ok: found.fault === null,
        checked: found.checked,
        unsealed: found.unsealed,
        heads_found: found.headsFound,
        fault: found.fault,
        next_cursor: found.fault === null ? found.next : null,
      };
    },
  );
}
