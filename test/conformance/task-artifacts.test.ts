import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { Admin } from "../support/gateway.ts";
import { UNABLE } from "../support/runner.ts";
import { TaskClient } from "../support/tasks.ts";

const origin = inject("origin");
const admin = new Admin({ origin, adminKey: inject("adminKey") });
let tasks: TaskClient;

beforeAll(async () => {
  await admin.call("POST", "/profiles", { name: "artifacts", disk_mb: 128, memory_mb: 1_024, timeout_s: 120 });
  tasks = new TaskClient(origin, (await admin.key({ name: "artifacts", profile: "artifacts" })).secret);
});

/** Runs a script to its end; one that fails is a fault of the test. */
async function left(script: string): Promise<{ readonly id: string; readonly message: string | null }> {
  const { id } = await tasks.begin({ engine: "command", argv: ["bash", "-c", script] });
  const events = await tasks.events(id);
  expect(events.at(-1)?.data).toMatchObject({ reason: "ok" });
  return { id, message: events.at(-1)!.data["message"] as string | null };
}

const pathOf = (path: string) => path.split("/").map(encodeURIComponent).join("/");
const one = (id: string, path: string) => tasks.raw("GET", `/v1/task/${id}/artifacts/${path}`);
const whole = async (id: string) => Buffer.from(await (await tasks.raw("GET", `/v1/task/${id}/artifacts`)).arrayBuffer());

/** What a tar lists, one entry to a line, names quoted as C does. */
function listed(tar: Buffer): string[] {
  const folder = mkdtempSync(join(tmpdir(), "tollgate-artifacts-"));
  try {
    writeFileSync(join(folder, "left.tar"), tar);
    const lines = execFileSync("tar", ["--list", "--verbose", "--quoting-style=c", `--file=${join(folder, "left.tar")}`], {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    return lines.trimEnd().split("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.skipIf(UNABLE)("A62: what a task leaves on purpose", () => {
  it("links lead nowhere: a host's file is in no tar and under no path, and one file by path never follows a link", async () => {
    const script = [
      "echo mine > real.txt",
      "ln -s /etc/passwd passwd; ln -s /etc/shadow shadow; ln -s / root; ln -s /proc/1/environ environ; ln -s /proc/self/root/etc/hostname host",
      "ln -s ../../../../../../etc/passwd climb; ln -s real.txt near; ln -s passwd twice; ln -s loop loop; mkdir d; ln -s /etc d/etc",
      "ln real.txt hard; ln /etc/passwd hardhost 2>/dev/null; ln -P passwd hardlink 2>/dev/null; true",
    ].join("\n");
    const { id } = await left(script);
    const tar = await whole(id);
    const secrets = ["/etc/passwd", "/etc/shadow"].flatMap((file) => readFileSync(file, "utf8").split("\n").slice(0, 3)).filter(Boolean);
    for (const secret of [...secrets, "PATH="]) expect(tar.includes(secret)).toBe(false);
    const links = ["passwd", "shadow", "environ", "host", "climb", "twice", "loop", "near", "hardhost", "hardlink"];
    for (const path of [...links, "root/etc/passwd", "d/etc/passwd", "root", "d", "d/etc"])
      expect([path, (await one(id, path)).status]).toEqual([path, 404]);
    // Of two names of one file a tar holds the contents under the first.
    const names = await Promise.all(["real.txt", "hard"].map(async (path) => (await one(id, path)).text()));
    expect(names.filter((text) => text === "mine\n")).toHaveLength(1);
    expect(listed(tar).filter((line) => line.startsWith("l")).length).toBeGreaterThan(9);
    expect(tar.includes(hostname()) && hostname().length > 8).toBe(false);
  });

  it("devices, pipes and sockets are no files, and hold nothing up", async () => {
    const { id } = await left(
      "mknod null c 1 3 2>/dev/null; mknod disk b 8 0 2>/dev/null; mkfifo pipe; echo x > x; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")' 2>/dev/null; true",
    );
    for (const path of ["null", "disk", "pipe", "sock"]) expect([path, (await one(id, path)).status]).toEqual([path, 404]);
    expect(await (await one(id, "x")).text()).toBe("x\n");
    expect(listed(await whole(id)).some((line) => /^[cb]/.test(line))).toBe(false);
  });

  it("a name is a name, whatever is in it: each file comes back under its own, and no path climbs out", async () => {
    const deep = `${"d".repeat(200)}/${"e".repeat(200)}/f.txt`;
    const names = [
      "new\nline.txt",
      "größe 漢字 🙂.txt",
      "..x",
      "...",
      "-rf",
      "a:b",
      "back\\slash",
      "quote\"'",
      " ",
      "%2e%2e%2fetc",
      "\u202Etxt.exe",
      deep,
    ];
    const files = names.map((path, at) => ({ path, text: `number ${at}` }));
    const { id } = await tasks.begin({ engine: "command", argv: ["true"], files });
    expect((await tasks.end(id)).exit_reason).toBe("ok");
    for (const { path, text } of files) expect([path, await (await one(id, pathOf(path))).text()]).toEqual([path, text]);
    for (const path of [
      "..%2f..%2fetc%2fpasswd",
      "%2fetc%2fpasswd",
      "%2e%2e/%2e%2e/etc/passwd",
      "d%2f..%2f-rf",
      ".%2f-rf",
      "-rf%2f",
      "%00",
      "-rf%00",
    ])
      expect([path, (await one(id, path)).status]).toEqual([path, 404]);
    expect(listed(await whole(id)).every((line) => / "\.\/[^"]*|"\.\/"/.test(line))).toBe(true);
  });

  it("a page in a file is a download and nothing that a browser runs, and its name stands in no header", async () => {
    const { id } = await left(`printf '<script>alert(1)</script>' > 'x.html'; printf hi > $'a"\\r\\nset-cookie: x=1'`);
    for (const path of ["x.html", pathOf('a"\r\nset-cookie: x=1')]) {
      const { status, headers } = await one(id, path);
      expect([status, headers.get("content-type"), headers.get("x-content-type-options"), headers.get("content-disposition")]).toEqual([
        200,
        "application/octet-stream",
        "nosniff",
        "attachment",
      ]);
      expect([headers.get("set-cookie"), headers.get("cache-control")]).toEqual([null, "no-store"]);
    }
  });

  it("more than 64 MiB comes back whole where there is a bucket", async () => {
    const { id, message } = await left("head -c 100000000 /dev/zero | tr '\\0' y > big; echo end > z");
    expect(message).toBeNull();
    const file = await (await one(id, "big")).arrayBuffer();
    expect([file.byteLength, Buffer.from(file).equals(Buffer.alloc(100_000_000, "y"))]).toEqual([100_000_000, true]);
    expect(await (await one(id, "z")).text()).toBe("end\n");
  }, 90_000);

  it("files that say they are larger than the disk are not kept, and the task says so and ends as it did", async () => {
    const { id, message } = await left("for i in 1 2 3 4; do truncate -s 120M sparse$i; done");
    expect(message).toContain("too large");
    expect((await tasks.raw("GET", `/v1/task/${id}/artifacts`)).status).toBe(404);
  }, 120_000);

  it("a hundred thousand files, as many as a workspace holds, come back, the first and the last by path", async () => {
    const { id, message } = await left("mkdir n; cd n; seq 1 99000 | xargs touch; echo last > 99000");
    expect(message).toContain("more files are not listed");
    expect(await (await one(id, "n/99000")).text()).toBe("last\n");
    expect((await one(id, "n/1")).status).toBe(200);
    expect((await one(id, "n/0")).status).toBe(404);
    expect(listed(await whole(id))).toHaveLength(99_002);
  }, 180_000);
});
