import { base64url } from "jose";
import { refuseKey, TaskRefused } from "./refusal.ts";
import { equalText, hmac } from "./secret.ts";

/** Who a task's calls come from: the task, and the key that began it. */
export interface TaskIdentity {
  readonly task: string;
  /** `key_…` */
  readonly key: string;
}

const PREFIX = "sk-tg-task-";
const FORM = /^sk-tg-task-([0-9a-z]{24})-([0-9a-z]{12})-([0-9a-z]{1,11})-([A-Za-z0-9_-]{43})$/;

/** A credential for the calls of one task until `expiresAt`. The pepper proves it; it stands in what a runner is to be told, until that has it. */
export async function mintTaskIdentity(pepper: string, { task, key }: TaskIdentity, expiresAt: number): Promise<string> {
  const named = `${task.replace("task_", "")}-${key.replace("key_", "")}-${expiresAt.toString(36)}`;
  return `${PREFIX}${named}-${await signature(pepper, named)}`;
}

/** Whether a credential claims to be a task's. */
export function isTaskIdentity(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** The task behind a credential. @throws TollgateError `invalid_api_key`. */
export async function readTaskIdentity(pepper: string, text: string, now: number): Promise<TaskIdentity> {
  const [, task, key, expires, signed] = FORM.exec(text) ?? [];
  if (!task || !key || !expires || !signed) throw refuseKey("malformed");
  if (!equalText(await signature(pepper, `${task}-${key}-${expires}`), signed)) throw refuseKey("not minted here");
  const identity = { task: `task_${task}`, key: `key_${key}` };
  if (parseInt(expires, 36) <= now) throw refuseKey("the task's time is over", new TaskRefused(identity));
  return identity;
}

async function signature(pepper: string, named: string): Promise<string> {
  return base64url.encode(await hmac(pepper, `task:${named}`));
}
