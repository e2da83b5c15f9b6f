import { wrong } from "#wire";
import type { Source } from "./conversation.ts";

const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+)?((?:;[\w-]+=[^;,]*)*);base64,/i;

/** What a `data:` or `https:` address stands for. */
export function sourceOf(url: string, at: string): Source {
  if (!/^data:/i.test(url)) {
    if (!/^https?:\/\//i.test(url)) throw wrong(at, "must be an http(s) address or a data: URL");
    return { kind: "url", url };
  }
  // Only the head is matched: the content may have megabytes.
  const head = DATA_URL.exec(url.slice(0, 256));
  if (!head) throw wrong(at, "must be a data: URL in base64");
  return { kind: "data", mediaType: (head[1] ?? "text/plain").toLowerCase(), base64: url.slice(head[0].length) };
}

/** A source as an address. */
export function urlOf(source: Source): string {
  return source.kind === "url" ? source.url : `data:${source.mediaType};base64,${source.base64}`;
}

/** Text as base64 of its UTF-8. */
export function base64Of(text: string): string {
  return binaryToBase64(new TextEncoder().encode(text));
}

/** The text of base64 of UTF-8; null for what is neither. */
export function textOf(base64: string): string | null {
  try {
    const binary = atob(base64);
    const bytes = Uint8Array.from(binary, (each) => each.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

const CHUNK = 32_768;

function binaryToBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}
