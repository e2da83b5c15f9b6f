import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";

/** What a scripted provider is told to do: to say each text after so many milliseconds, and then to end or to break off. */
export interface Script {
  readonly said: readonly (readonly [text: string, afterMs: number])[];
  readonly breaksOff?: boolean;
}

/** How far a script came, and whether its listener has left. */
export interface Played {
  said: number;
  left: boolean;
}

/** A provider outside of the runtime, whose streams are those of a network: a POST to any path plays a script, a GET tells how far it came. */
export async function startScripted(): Promise<{ readonly origin: string; readonly stop: () => void }> {
  const played = new Map<string, Played>();
  const server: Server = createServer((request, response) => {
    const path = request.url ?? "/";
    if (request.method === "GET") return void response.end(JSON.stringify(played.get(path)));
    const progress = { said: 0, left: false };
    played.set(path, progress);
    void play(request, response, progress);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function play(request: IncomingMessage, response: ServerResponse, progress: Played): Promise<void> {
  const { said, breaksOff } = (await json(request)) as Script;
  const gone = once(response, "close").then(() => (progress.left = !response.writableFinished));
  for (const [text, afterMs] of said) {
    if (afterMs > 0) await wait(afterMs);
    if (response.destroyed) return;
    if (!response.write(text)) await Promise.race([once(response, "drain"), gone]);
    progress.said++;
  }
  if (breaksOff) response.destroy();
  else response.end();
}
