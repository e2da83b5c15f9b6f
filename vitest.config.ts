import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

/** The agents' own command lines are most of a gigabyte: they are installed and run before a change lands, and by whoever asks. */
const agents = process.env["CI"] || process.env["TOLLGATE_TEST_AGENTS"];

const migrations = await readD1Migrations("./migrations");

const AGENTS = {
  test: {
    name: "agents",
    include: ["test/agents/**/*.test.ts"],
    environment: "node" as const,
    globalSetup: ["./test/agents/global-setup.ts"],
    testTimeout: 120_000,
    // An install that nobody has cached is waited for.
    hookTimeout: 600_000,
  },
} satisfies TestProjectInlineConfiguration;

export default defineConfig({
  test: {
    projects: [
      {
        test: { name: "unit", include: ["test/unit/**/*.test.ts"], environment: "node" },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                MIGRATIONS: migrations,
                TOLLGATE_ENV: "development",
                TOLLGATE_ADMIN_KEY: "admin-key-for-worker-tests",
                TOLLGATE_PEPPER: "pepper-for-worker-tests-0123456789abcdef",
                TOLLGATE_ENCRYPTION_KEY: "encryption-for-worker-tests-0123456789abcdef",
              },
            },
          }),
        ],
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts"],
          globalSetup: ["./test/worker/global-setup.ts"],
          setupFiles: ["./test/worker/setup.ts"],
          testTimeout: 30_000,
        },
      },
      {
        test: { name: "durability", include: ["test/durability/**/*.test.ts"], environment: "node", testTimeout: 180_000 },
      },
      {
        test: { name: "runner", include: ["test/runner/**/*.test.ts"], environment: "node", testTimeout: 60_000, hookTimeout: 60_000 },
      },
      ...(agents ? [AGENTS] : []),
      {
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts", "test/cli/**/*.test.ts"],
          environment: "node",
          globalSetup: ["./test/conformance/global-setup.ts"],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
