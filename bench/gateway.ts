import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";

/** A script to be started: whoever starts it ends what stands among `children`. */
interface Script {
  readonly env: Readonly<Record<string, string>>;
  /** The first line it prints that matches says that it is up. */
  readonly ready: RegExp;
  readonly children: ChildProcess[];
}

/** Starts a script and resolves with what says that it is up. */
export function started(script: string, { env, ready, children }: Script): Promise<string> {
  const child = spawn(process.execPath, [script], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (part: string) => {
      text += part;
      const found = ready.exec(text);
      if (found) resolve(found[0]);
    });
    child.once("exit", (code) => reject(new Error(`${script} ended with ${code}`)));
  });
}

/** A port that nobody has. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(address && typeof address === "object" ? address.port : 0));
    });
  });
}

/** Starts a gateway as a user does, before a provider of the bench. */
export async function startGateway(upstream: string, { state, children }: { readonly state: string; readonly children: ChildProcess[] }) {
  const port = await freePort();
  const adminKey = "admin-key-of-the-bench-000000000000";
  const env = {
    PORT: String(port),
    TOLLGATE_STATE: state,
    TOLLGATE_ADMIN_KEY: adminKey,
    OPENAI_API_KEY: "sk-bench",
    OPENAI_BASE_URL: `${upstream}/v1`,
  };
  await started("scripts/start.ts", { env, ready: /Tollgate is up/, children });
  const admin = async <Answer>(method: string, path: string, body: unknown): Promise<Answer> => {
    const answer = await fetch(`http://127.0.0.1:${port}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path} was refused: ${await answer.text()}`);
    return (await answer.json()) as Answer;
  };
  const newKey = (name: string, mode: string) =>
    admin<{ id: string; secret: string }>("POST", "/keys", {
      name: `bench ${name}`,
      limits: { rpm: null, tpm: null, concurrency: null },
      budgets: [{ window: "day", limit_usd: "1000", mode }],
    });
  // The last that was started is this one.
  return { port, admin, newKey, pid: children.at(-1)!.pid! };
}
