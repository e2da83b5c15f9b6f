const ALIASES = /^\/(?:openai|anthropic)(?=\/v1(?:\/|$))/;
const DOUBLED = /^\/v1(?=\/v1(?:\/|$))/;

/**
 * The one path by which a request is judged and routed: aliases and a doubled `/v1` fold into the plain route. The URL parser has
 * resolved dot segments before; whatever else is odd (empty segments, encoded slashes, parameters) stays and meets no route.
 */
export function canonicalPath(request: Request): string {
  const { pathname } = new URL(request.url);
  return pathname.replace(ALIASES, "").replace(DOUBLED, "");
}
