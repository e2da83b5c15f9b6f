import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { wishOf } from "../../scripts/deploy-wish.ts";

it("a deploy is what was asked for: a dry run whose option npm kept for itself is one, and what is misspelt is nothing", () => {
  expect(wishOf([], {})).toBe("deploy");
  expect(wishOf(["--dry-run"], {})).toBe("dry run");
  expect(wishOf([], { npm_config_dry_run: "true" })).toBe("dry run");
  expect(wishOf([], { npm_config_dryrun: "true" })).toBe("dry run");
  for (const stray of ["--dryrun", "--dry-run=true", "--help", "-n", "production"]) {
    expect(wishOf([stray], {})).toBeNull();
    expect(wishOf(["--dry-run", stray], {})).toBeNull();
  }
});

it("a deploy without a terminal asks nobody: it goes as far as the account, and says what that said", async () => {
  const asked: string[] = [];
  const account = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(403, { "content-type": "application/json" });
    response.end(JSON.stringify({ success: false, errors: [{ code: 10000, message: "not this account" }], messages: [], result: null }));
  });
  await new Promise<void>((resolve) => void account.listen(0, "127.0.0.1", resolve));
  const env = {
    ...process.env,
    CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${(account.address() as AddressInfo).port}`,
    CLOUDFLARE_API_TOKEN: "a-token-of-nobody",
    CLOUDFLARE_ACCOUNT_ID: "0".repeat(32),
  };
  const said = await new Promise<string>((resolve) => {
    const deploy = execFile(process.execPath, ["scripts/deploy.ts"], { env, timeout: 60_000 }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
    deploy.stdin?.end();
  });
  account.close();
  expect(said).toContain("A deploy makes or keeps, in your account:");
  expect(said).toContain("not this account");
  expect(said).toContain("npm run deploy goes on from there");
  expect(said).not.toMatch(/unsettled|scripts\/deploy\.ts/);
  expect(asked[0]).toBe(`POST /accounts/${"0".repeat(32)}/queues`);
}, 90_000);
