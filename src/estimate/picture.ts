/** A picture in a prompt: its size in pixels where the request itself tells it, and how closely the client wants it looked at. */
export interface Picture {
  readonly size: Size | null;
  readonly detail: string | null;
}

/** Pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A picture's header stands in its first bytes; a JPEG's may follow a thumbnail of tens of thousands. */
const HEADER_BYTES = 32;
const JPEG_BYTES = 65_536;
const DATA_URL = /^data:[\w+./-]{0,80};base64,/i;

/** The size of a picture given as a data URL or as plain base64; null for an address, and for what is no PNG, GIF, WebP or JPEG. */
export function sizeOf(text: string): Size | null {
  const start = DATA_URL.exec(text.slice(0, 128))?.[0].length ?? 0;
  if (start === 0 && text.slice(0, 16).includes(":")) return null;
  const head = bytesOf(text, start, HEADER_BYTES);
  return head && (png(head) ?? gif(head) ?? webp(head) ?? (isJpeg(head) ? jpeg(text, start) : null));
}

/** The first bytes of base64; null where it is none. */
function bytesOf(text: string, start: number, count: number): DataView | null {
  const length = Math.floor(Math.min(text.length - start, (count * 4) / 3 + 4) / 4) * 4;
  try {
    const decoded = atob(text.slice(start, start + length));
    return new DataView(Uint8Array.from(decoded, (character) => character.charCodeAt(0)).buffer);
  } catch {
    return null;
  }
}

function starts(view: DataView, at: number, text: string): boolean {
  return view.byteLength >= at + text.length && text.split("").every((letter, index) => view.getUint8(at + index) === letter.charCodeAt(0));
}

function png(view: DataView): Size | null {
  if (!starts(view, 1, "PNG") || view.byteLength < 24) return null;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function gif(view: DataView): Size | null {
  if (!starts(view, 0, "GIF8") || view.byteLength < 10) return null;
  return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

function webp(view: DataView): Size | null {
  if (!starts(view, 0, "RIFF") || !starts(view, 8, "WEBP") || view.byteLength < 30) return null;
  if (starts(view, 12, "VP8X")) return { width: 1 + uint24(view, 24), height: 1 + uint24(view, 27) };
  if (starts(view, 12, "VP8L")) {
    const bits = view.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}

function uint24(view: DataView, at: number): number {
  return view.getUint16(at, true) + view.getUint8(at + 2) * 65_536;
}

function isJpeg(view: DataView): boolean {
  return view.byteLength > 3 && view.getUint16(0) === 0xffd8;
}

/** Markers that open a frame, which holds the size; the others between them are tables. */
function opensFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function jpeg(text: string, start: number): Size | null {
  const view = bytesOf(text, start, JPEG_BYTES);
  if (!view) return null;
  for (let at = 2; at + 9 < view.byteLength;) {
    if (view.getUint8(at) !== 0xff) return null;
    if (opensFrame(view.getUint8(at + 1))) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    at += 2 + Math.max(2, view.getUint16(at + 2));
  }
  return null;
}
