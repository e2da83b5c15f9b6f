import type { Context } from "hono";
import { type Named, StoredResponses } from "#gateway";
import { authenticatedKey } from "../authenticate.ts";
import type { Http } from "../platform.ts";
import { gatewayOf, queryOf } from "./arrive.ts";

type Operation = "retrieve" | "inputItems" | "delete" | "cancel";

/** One operation on a response that the caller's key names by the path. */
export function storedResponse(operation: Operation) {
  return async (context: Context<Http>): Promise<Response> => {
    const request = context.req.raw;
    const { key } = await authenticatedKey(context.env, request);
    const requestId = context.get("requestId");
    const named: Named = {
      id: context.req.param("id") ?? "",
      key,
      headers: request.headers,
      search: queryOf(request.url),
      signal: request.signal,
    };
    const stored = new StoredResponses(gatewayOf(context.env, context.executionCtx));
    const answer = await stored[operation](named);
    for (const name of ["x-request-id", "request-id"]) answer.headers.set(name, requestId);
    return answer;
  };
}
