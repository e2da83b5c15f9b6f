import { z } from "@hono/zod-openapi";
import packageJson from "#package" with { type: "json" };
import { ERROR_CODES } from "#core";
import type { AdminApp } from "./admin/operation.ts";

const error = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.enum(ERROR_CODES),
      details: z.record(z.string(), z.unknown()).optional(),
    }),
  })
  .openapi("Error");

/** What every described operation answers where it refuses or fails. */
export const REFUSAL = { description: "An error, in OpenAI's envelope", content: { "application/json": { schema: error } } };

const KEYS = {
  adminKey: "TOLLGATE_ADMIN_KEY, a key with a role of the admin plane, or a token of the configured issuer",
  apiKey: "An API key of this gateway's, sk-tg-…",
};

/** The head of a document: what it is about, where that is served, and what opens it. */
export function headOf(title: string) {
  return {
    openapi: "3.1.0",
    info: {
      title,
      version: packageJson.version,
      description: packageJson.description,
      license: { name: packageJson.license, identifier: packageJson.license },
    },
    servers: [{ url: "/admin/v1" }],
    security: [{ adminKey: [] }],
  };
}

/** Names the keys that operations ask for, so that a viewer has a place to put one. */
export function nameKeys({ openAPIRegistry }: AdminApp): void {
  for (const [name, description] of Object.entries(KEYS))
    openAPIRegistry.registerComponent("securitySchemes", name, { type: "http", scheme: "bearer", description });
}
