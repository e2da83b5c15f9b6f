import type { TestProject } from "vitest/node";
import { startScripted } from "../support/scripted.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the scripted provider of the worker tests listens. */
    scripted: string;
  }
}

/** A provider on loopback for tests whose streams must come over a network. */
export default async function setup(project: TestProject) {
  const { origin, stop } = await startScripted();
  project.provide("scripted", origin);
  return stop;
}
