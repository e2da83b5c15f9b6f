import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TollgateError } from "#core";
import { readDocument } from "#providers";

let server: Server;
let origin = "";
const asked: string[] = [];

const ANSWERS: Record<string, (response: ServerResponse) => void> = {
  "/good": (response) => response.end("häßlich"),
  "/exact": (response) => response.end("x".repeat(1_000)),
  "/huge": (response) => {
    // It says nothing of its length, and never ends by itself.
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(100)));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
  },
  "/slow": (response) => void response.write("["),
  "/never": () => undefined,
  "/redirect": (response) => response.writeHead(302, { location: `${origin}/private` }).end(),
  "/missing": (response) => response.writeHead(404).end("no"),
};

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    expect(Object.keys(request.headers).filter((name) => /auth|cookie|key/.test(name))).toEqual([]);
    (ANSWERS[request.url ?? ""] ?? ((each) => each.end("secret")))(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const read = (path: string, timeoutMs = 5_000) =>
  readDocument(`${origin}${path}`, { allowPrivate: true, param: "URL" }, { bytesMax: 1_000, timeoutMs });

async function refusal(asked: Promise<string>): Promise<string> {
  const error: unknown = await asked.then(
    () => "none",
    (thrown: unknown) => thrown,
  );
  if (error instanceof TollgateError) return `${error.code}: ${error.message}`;
  throw error;
}

describe("a document", () => {
  it("is read as it is, up to its bound to the byte", async () => {
    expect(await read("/good")).toBe("häßlich");
    expect(await read("/exact")).toHaveLength(1_000);
  });

  it("that is longer than its bound is given up at the first byte over it", async () => {
    expect(await refusal(read("/huge"))).toBe("upstream_error: The document is larger than 1000 bytes");
  });

  it.each(["/slow", "/never"])("that does not end in its time is given up: %s", async (path) => {
    expect(await refusal(read(path, 200))).toBe("upstream_error: The document took too long");
  });

  it("threat 14: a redirect is not followed, wherever it leads", async () => {
    expect(await refusal(read("/redirect"))).toBe("upstream_error: The document answered with 302; redirects are not followed");
    expect(asked).not.toContain("/private");
  });

  it("that is not there is said to be", async () => {
    expect(await refusal(read("/missing"))).toContain("404");
    expect(
      await refusal(readDocument("http://127.0.0.1:1/", { allowPrivate: true, param: "URL" }, { bytesMax: 1, timeoutMs: 5_000 })),
    ).toContain("could not be reached");
  });

  it("threat 13: at an address that is private, or not https, is not asked for", async () => {
    const before = asked.length;
    for (const url of [
      `${origin}/good`,
      "https://127.0.0.1/",
      "https://10.0.0.1/",
      "https://metadata.internal/",
      "https://[::1]/",
      "https://a@b.test/",
      "https://2130706433/",
    ])
      expect([url, await refusal(readDocument(url, { allowPrivate: false, param: "URL" }, { bytesMax: 1, timeoutMs: 5_000 }))]).toEqual([
        url,
        expect.stringMatching(/^invalid_request/),
      ]);
    expect(asked.length).toBe(before);
  });
});
