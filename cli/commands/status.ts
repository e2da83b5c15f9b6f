import { type Command, command } from "../command.ts";
import { type Exit, Failure } from "../failure.ts";
import { type Gateway, type Row, stranger } from "../gateway.ts";
import type { Output } from "../output.ts";
import { BUDGET_COLUMNS } from "./limit.ts";

/** What became of showing a credential: an answer, a refusal, or nothing shown. */
type Shown = Row | Failure | null;

const report = command({
  name: "status",
  summary: "Is the gateway there and well, and who am I to it?",
  more: "Ends with 4 where the gateway is degraded, and with 1 where it refuses a credential that is set.",
  operands: [],
  options: {},
  examples: [
    ["status", "the gateway, the admin key and the API key"],
    ["status --base-url https://gateway.example.com", "another one's"],
  ],
  async run({ gateway, output }): Promise<Exit> {
    const health = await gateway.get("/healthz", { as: "none", also: 503 });
    if (typeof health["version"] !== "string") throw stranger(gateway.origin);
    const admin = gateway.holds("admin") ? await shown(gateway, "/admin/v1/teams?limit=1", "admin") : null;
    const key = gateway.holds("key") ? await shown(gateway, "/v1/key", "key") : null;
    const standing = { gateway: gateway.origin, health, admin: adminWord(admin), key: key instanceof Failure ? key.facts.code! : key };
    await output.object(standing, () => lines(standing, output));
    if (isRefused(admin) || isRefused(key)) return "failed";
    return health["status"] === "ok" ? "ok" : "no";
  },
});

/** `status`: the gateway's health, and what the credentials that are set are worth. */
export const status: readonly Command[] = [report];

async function shown(gateway: Gateway, path: string, as: "admin" | "key"): Promise<Row | Failure> {
  try {
    return await gateway.get(path, { as });
  } catch (error) {
    if (error instanceof Failure && error.facts.status !== undefined) return error;
    throw error;
  }
}

/** A credential whose role may not read teams is known all the same. */
function isRefused(shown: Shown): boolean {
  return shown instanceof Failure && shown.facts.code !== "permission_denied";
}

function adminWord(shown: Shown): string | null {
  if (shown === null) return null;
  if (!(shown instanceof Failure)) return "accepted";
  return shown.facts.code === "permission_denied" ? "accepted, with a role that may not read teams" : shown.facts.code!;
}

function lines(
  { gateway, health, admin, key }: { gateway: string; health: Row; admin: string | null; key: unknown },
  output: Output,
): string[] {
  const unset = { admin: "not set (TOLLGATE_ADMIN_KEY)", key: "not set (TOLLGATE_KEY)" };
  const who = typeof key === "object" && key !== null ? { key } : { key: key ?? unset.key };
  return output.details({ gateway, ...health, admin: admin ?? unset.admin, ...who }, { "key.budgets": BUDGET_COLUMNS });
}
