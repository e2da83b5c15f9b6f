import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SECRET, TestRunner, UNABLE } from "./runner.ts";

const NEEDED = ["podman", "runc", "mmdebstrap"];
/** Where the public base image cannot be asked for, one is made of the same distribution's packages and this very Node. */
const BASE = "localhost/tollgate-test-base";
const IMAGE = "localhost/tollgate-test-runner";
const STEP_MS = 300_000;

/** What is missing where it could simply be installed. */
export const NO_PODMAN = `not all of ${NEEDED.join(", ")} are installed`;

/** Why the image is not built here; null where it is. It takes over a minute: before a change lands, and when asked for. */
export function unbuildable(): string | null {
  if (UNABLE !== null) return UNABLE;
  if (!process.env["CI"] && !process.env["TOLLGATE_TEST_IMAGE"]) return "TOLLGATE_TEST_IMAGE is not set";
  return NEEDED.every((name) => spawnSync(name, ["--version"]).status === 0) ? null : NO_PODMAN;
}

/** The runner's image, built by its Dockerfile in a store of the test's own. */
export class Image {
  readonly #folder = mkdtempSync(join(tmpdir(), "tollgate-image-"));
  #containers = 0;

  build(): void {
    const tar = join(this.#folder, "base.tar");
    const node = `copy-in ${process.execPath} /usr/local/bin`;
    this.#run("mmdebstrap", ["--quiet", "--variant=minbase", `--customize-hook=${node}`, "bookworm", tar]);
    this.podman("import", "--quiet", tar, BASE);
    const as = ["--layers=false", "--isolation=chroot", "--network=host", `--build-arg=BASE=${BASE}`, "--quiet"];
    this.podman("build", ...as, "--file=runner/Dockerfile", `--tag=${IMAGE}`, ".");
  }

  /** A runner in a container on loopback, with what is given for its rights. */
  async start(rights: readonly string[], more: Record<string, string> = {}): Promise<{ runner: TestRunner; name: string }> {
    const name = `tollgate-test-${process.pid}-${++this.#containers}`;
    // Its own on the machine: where cgroups are shared, two runners in one state would reap each other's jobs.
    const state = `/run/${name}`;
    const env = ["RUNNER_SECRET", "RUNNER_PORT", "RUNNER_STATE", ...Object.keys(more)].flatMap((each) => ["--env", each]);
    const limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"];
    const where = ["--network=host", "--env=RUNNER_HOST=127.0.0.1", `--name=${name}`, "--rm"];
    const command = ["podman", ...this.#store(), "run", ...where, ...env, ...limits, ...rights, IMAGE];
    return { runner: await TestRunner.startAs(command, state, { RUNNER_SECRET: SECRET, ...more }), name };
  }

  /** What podman prints. */
  podman(...words: string[]): string {
    return this.#run("podman", [...this.#store(), ...words]);
  }

  remove(): void {
    this.podman("rmi", "--all", "--force");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Nothing of the machine's own podman is touched, and no service of it is needed. */
  #store(): string[] {
    const own = [`--root=${join(this.#folder, "store")}`, `--runroot=${join(this.#folder, "run")}`];
    return [...own, "--storage-driver=vfs", "--runtime=runc", "--cgroup-manager=cgroupfs"];
  }

  #run(file: string, args: readonly string[]): string {
    return execFileSync(file, args, { encoding: "utf8", timeout: STEP_MS, stdio: ["ignore", "pipe", "pipe"] });
  }
}
