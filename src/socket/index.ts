export { CLOSED, STALL_MS, WINDOW } from "./bounds.ts";
export { standingHeaders } from "./headers.ts";
export { readSeq } from "./message.ts";
export { type Places, placesOf, type Resume } from "./places.ts";
