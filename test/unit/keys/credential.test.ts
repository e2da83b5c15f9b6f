import { describe, expect, test } from "vitest";
import { TollgateError } from "#core";
import { readCredential } from "../../../src/keys/credential.ts";

const PLACES: [string, string][] = [
  ["authorization", "Bearer one"],
  ["authorization", "bearer  one"],
  ["x-api-key", "one"],
  ["api-key", "one"],
  ["x-goog-api-key", "one"],
  ["x-tollgate-api-key", "one"],
  ["sec-websocket-protocol", "realtime, openai-insecure-api-key.one"],
];

describe("readCredential", () => {
  test.each(PLACES)("finds the key in %s", (name, value) => {
    expect(readCredential(new Headers({ [name]: value }))).toBe("one");
  });

  test("accepts the same key twice and refuses two different ones", () => {
    expect(readCredential(new Headers({ authorization: "Bearer one", "x-api-key": "one" }))).toBe("one");
    const conflicting = new Headers({ authorization: "Bearer one", "x-api-key": "two" });
    expect(() => readCredential(conflicting)).toThrow(TollgateError);
  });

  test("leaves Authorization free when x-tollgate-api-key is there", () => {
    expect(readCredential(new Headers({ authorization: "Bearer other", "x-tollgate-api-key": "one" }))).toBe("one");
  });

  test("says the same whether the key is missing or in conflict", () => {
    const faces = [{}, { authorization: "Basic x" }, { "api-key": "a", "x-api-key": "b" }].map((headers) => {
      try {
        return readCredential(new Headers(headers as Record<string, string>));
      } catch (error) {
        return error instanceof TollgateError ? `${error.code} ${error.message}` : "";
      }
    });
    expect(new Set(faces).size).toBe(1);
    expect(faces[0]).toMatch(/^invalid_api_key /);
  });
});
