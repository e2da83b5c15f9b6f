import { TollgateError } from "#core";
import { accountOf, askResource, redactSecrets, responseHeaders } from "#providers";
import { type Elsewhere, type Here, inputPage, type Json, type Kept, type Slice } from "#responses";
import { errorText, wrong } from "#wire";
import type { Gateway } from "./contract.ts";

/** A response that a key names, outside of any inference. */
export interface Named {
  readonly id: string;
  readonly key: string;
  readonly headers: Headers;
  /** With its question mark, or empty. */
  readonly search: string;
  readonly signal: AbortSignal;
}

const PAGE = { default: 20, max: 100 };

/**
 * The responses that keys may name again: told from here, or by the provider that keeps them. One that is another key's, or was never
 * made, is the same `not_found` in all of them.
 */
export class StoredResponses {
  readonly #at: Gateway;

  constructor(at: Gateway) {
    this.#at = at;
  }

  /** The response as it was answered. @throws TollgateError `not_found`. */
  async retrieve(named: Named): Promise<Response> {
    if (new URLSearchParams(named.search).get("stream") === "true") throw wrong("stream", "is not offered for a response that is kept");
    return this.#told(named, "", ({ response }) => response);
  }

  /** The items that it was given, paged as the vendor's. @throws TollgateError `not_found`, `invalid_request`. */
  async inputItems(named: Named): Promise<Response> {
    const slice = sliceOf(new URLSearchParams(named.search));
    return this.#told(named, "/input_items", (here) => inputPage(here, slice));
  }

  /** Forgets it, here and at its provider. @throws TollgateError `not_found`. */
  async delete(named: Named): Promise<Response> {
    const kept = await this.#require(named);
    const answer = kept.at === "provider" ? await this.#ask(kept, named, { method: "DELETE", below: "" }) : null;
    if (answer?.ok !== false) await this.#at.responses.forget(named);
    return answer ?? Response.json({ id: named.id, object: "response", deleted: true });
  }

  /** Nothing that is kept can be cancelled, as nothing runs in the background. @throws TollgateError `not_found`, `invalid_request`. */
  async cancel(named: Named): Promise<never> {
    await this.#require(named);
    throw new TollgateError(
      "invalid_request",
      "Only a response that runs in the background can be cancelled, and none does: an answer that nobody streams back could not be metered",
    );
  }

  async #told(named: Named, below: "" | "/input_items", tell: (here: Here) => Json): Promise<Response> {
    const kept = await this.#require(named);
    return kept.at === "here" ? Response.json(tell(kept)) : this.#ask(kept, named, { method: "GET", below });
  }

  async #require(named: Named): Promise<Kept> {
    const kept = await this.#at.responses.find(named);
    if (!kept) throw gone();
    return kept;
  }

  /** Asks the provider that keeps it. What it has forgotten, or a provider that is gone, is not there. */
  async #ask(
    { provider, account }: Elsewhere,
    { id, headers, search, signal }: Named,
    { method, below }: { readonly method: "GET" | "DELETE"; readonly below: string },
  ): Promise<Response> {
    const { directory, background, config, outbound } = this.#at;
    const known = (await directory.get(background)).upstreams.get(provider);
    const upstream = known && accountOf(known, account);
    if (!upstream) throw gone();
    const limit = AbortSignal.timeout(config.TOLLGATE_TIMEOUT_TOTAL_S * 1_000);
    const call = {
      method,
      path: `/responses/${encodeURIComponent(id)}${below}`,
      search,
      headers,
      signal: AbortSignal.any([signal, limit]),
    };
    const answer = await askResource(upstream, call, outbound);
    if (answer.status === 404) {
      await answer.body?.cancel();
      throw gone();
    }
    const told = answer.ok
      ? answer.body
      : redactSecrets(await errorText(answer), upstream.credential === null ? [] : [upstream.credential]);
    return new Response(told, { status: answer.status, headers: responseHeaders(answer) });
  }
}

function gone(): TollgateError {
  return new TollgateError("not_found", "There is no such response; it was not kept, or not by this key");
}

/** @throws TollgateError `invalid_request` naming the parameter. */
function sliceOf(query: URLSearchParams): Slice {
  const order = query.get("order") ?? "desc";
  if (order !== "asc" && order !== "desc") throw wrong("order", "must be asc or desc");
  const limit = query.get("limit") ?? String(PAGE.default);
  if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > PAGE.max) throw wrong("limit", `must be a whole number from 1 to ${PAGE.max}`);
  return { order, limit: Number(limit), after: query.get("after") };
}
