import { spawn } from "node:child_process";
import { createConnection, createServer } from "node:net";
import { constants } from "node:os";

/**
 * Runs inside the sandbox as the job's first process: `node bridge.ts PORT SOCKET COMMAND…`. Agents know how to call an address, not a
 * socket, so what comes to the port goes to the socket; the sandbox's own loopback is all the network there is.
 */
const [port = "", socket = "", command = "", ...args] = process.argv.slice(2);

const server = createServer({ allowHalfOpen: true }, (client) => {
  const gateway = createConnection({ path: socket, allowHalfOpen: true });
  client.pipe(gateway).pipe(client);
  // Either side that breaks takes the other along; whoever called sees its connection end.
  client.on("error", () => gateway.destroy());
  gateway.on("error", () => client.destroy());
});

server.listen(Number(port), "127.0.0.1", () => {
  const child = spawn(command, args, { stdio: "inherit" });
  child.once("error", (error) => {
    process.stderr.write(`${command}: ${error.message}\n`);
    process.exit(127);
  });
  child.once("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal!]));
});
