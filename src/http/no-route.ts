import { TollgateError } from "#core";
import { INFERENCE } from "./inference/surfaces.ts";

/** The refusal of a path that is nothing here, with what its caller may have meant. */
export function noRoute(method: string, path: string): TollgateError {
  return new TollgateError("not_found", `There is no route ${method} ${path.slice(0, 200)} here${remedyOf(path)}`);
}

/** A route that is there twice, since it stood in the base URL already. */
const TWICE = /\/(chat\/completions|messages)\/(?:v1\/)?\1$/;

/** What may be meant by a path that is nothing here, as the end of a sentence; empty where that is not clear. */
export function remedyOf(path: string): string {
  if (path === "/v1" || path === "/v1/") return "; it is the base URL of OpenAI's SDKs, to which they add the route";
  if (/\/(?:\/|$)/.test(path)) return "; it has a slash too many, doubled or at its end";
  if (TWICE.test(path)) return "; the base URL ends before the route, which SDKs add";
  if (`/v1${path}` in INFERENCE || path === "/models") return "; the base URL of OpenAI's SDKs ends in /v1";
  return path.startsWith("/admin/") ? "; the admin plane is below /admin/v1" : "";
}
