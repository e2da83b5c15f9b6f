import { type Role, ROLES } from "#core";

/** What a role may do to a resource. */
export type Action = "read" | "write";

/** What the admin plane is made of. */
export type Resource =
  | "teams"
  | "users"
  | "keys"
  | "budgets"
  | "providers"
  | "models"
  | "auto"
  | "prices"
  | "costs"
  | "reconcile"
  | "requests"
  | "audit"
  | "metrics"
  | "alerts"
  | "webhooks"
  | "policies"
  | "policy_sources"
  | "contents"
  | "routes"
  | "cache"
  | "profiles"
  | "tasks";

const EVERYTHING = "*";

/** Who may do what: a closed table, so that a new resource is denied to all but those who may do everything. */
const GRANTS: Readonly<Record<Role, Readonly<Record<Action, readonly Resource[] | typeof EVERYTHING>>>> = {
  owner: { read: EVERYTHING, write: EVERYTHING },
  operator: {
    read: EVERYTHING,
    write: [
      "teams",
      "users",
      "keys",
      "budgets",
      "providers",
      "models",
      "auto",
      "prices",
      "webhooks",
      "policies",
      "routes",
      "cache",
      "contents",
      "profiles",
      "tasks",
    ],
  },
  analyst: {
    read: [
      "teams",
      "users",
      "keys",
      "budgets",
      "providers",
      "models",
      "auto",
      "prices",
      "costs",
      "reconcile",
      "requests",
      "metrics",
      "alerts",
      "policies",
      "routes",
      "profiles",
      "tasks",
      "cache",
    ],
    write: [],
  },
  auditor: { read: ["audit"], write: [] },
  key_holder: { read: ["costs", "requests"], write: [] },
};

/** Whether a role may do this at all; `ownRowsOnly` says whether it must be held to its own key's rows besides. */
export function may(role: Role, action: Action, resource: Resource): boolean {
  const granted = GRANTS[role][action];
  return granted === EVERYTHING || granted.includes(resource);
}

/** Whether every read must be filtered by the caller's own key. */
export function ownRowsOnly(role: Role): boolean {
  return role === "key_holder";
}

/** Whether `giver` may make or change a key of role `given`: it writes keys, and holds everything that `given` would. */
export function mayGrant(giver: Role, given: Role): boolean {
  return may(giver, "write", "keys") && ROLES.indexOf(giver) <= ROLES.indexOf(given);
}
