import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readlink, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative } from "node:path";
import { ToolError } from "./tool-error.ts";

const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;
const ENTRIES_MAX = 50_000;
/** What no one who looks for something means, unless it is where they begin. */
const PASSED_OVER: ReadonlySet<string> = new Set([".git", "node_modules"]);

/** The files that the agent works on. Nothing outside is read or written by its own tools, by whatever name or link it is asked for. */
export class Workspace {
  readonly root: string;
  /** Where relative paths begin. */
  readonly folder: string;

  constructor(root: string, folder = root) {
    this.root = root;
    this.folder = folder;
  }

  /** The place that a path names. @throws ToolError where it is outside, or leads through a link. */
  async locate(path: string): Promise<string> {
    const place = this.#placeOf(path);
    const real = await realpath(place).catch((error: unknown) => {
      throw new ToolError(codeOf(error) === "ENOENT" ? `${path}: there is no such file` : `${path}: cannot be reached (${codeOf(error)})`);
    });
    if (real !== place) throw new ToolError(`${path}: leads through a link, which is not followed`);
    return place;
  }

  /** Opens a file that is there. Its owner closes it. @throws ToolError */
  async open(path: string, access: "read" | "change"): Promise<FileHandle> {
    const place = await this.locate(path);
    return this.#opened(place, access === "read" ? O_RDONLY : O_RDWR);
  }

  /** Opens a file to be written anew, and makes it and its folders where they are not. Its owner closes it. @throws ToolError */
  async make(path: string): Promise<FileHandle> {
    const place = this.#placeOf(path);
    if (place === this.root) throw new ToolError(`${path}: is the workspace itself`);
    let above = dirname(place);
    const missing: string[] = [];
    while (above !== this.root && !(await isThere(above))) {
      missing.unshift(above);
      above = dirname(above);
    }
    await this.locate(above);
    for (const folder of missing) await mkdir(folder).catch(failing(folder));
    return this.#opened(place, O_RDWR | O_CREAT);
  }

  /** The files below a place, in the order of their names, links left out. */
  async *files(place = this.folder): AsyncGenerator<string> {
    let entries = 0;
    const walk = async function* (folder: string): AsyncGenerator<string> {
      const found = await readdir(folder, { withFileTypes: true }).catch(() => []);
      for (const entry of found.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
        if (++entries > ENTRIES_MAX) return;
        const path = join(folder, entry.name);
        if (entry.isFile()) yield path;
        else if (entry.isDirectory() && !PASSED_OVER.has(entry.name)) yield* walk(path);
      }
    };
    yield* walk(place);
  }

  /** A place as it is told: relative to where relative paths begin. */
  told(place: string): string {
    const path = relative(this.folder, place);
    return path.startsWith("..") ? place : path || ".";
  }

  #placeOf(path: string): string {
    if (path.includes("\0") || path.split("/").includes("..")) throw new ToolError(`${path}: must hold no .. and no NUL`);
    const place = isAbsolute(path) ? join(path) : join(this.folder, path);
    const clean = place.length > 1 ? place.replace(/\/$/, "") : place;
    if (clean !== this.root && !clean.startsWith(`${this.root}/`)) throw new ToolError(`${path}: is outside of ${this.root}`);
    return clean;
  }

  /** The path may have become another since it was looked at: what counts is where the opened file is. Nothing is truncated before that is known. */
  async #opened(place: string, flags: number): Promise<FileHandle> {
    const file = await open(place, flags | O_NOFOLLOW | O_NONBLOCK, 0o644).catch(failing(this.told(place)));
    try {
      if (!(await file.stat()).isFile()) throw new ToolError(`${this.told(place)}: is no regular file`);
      if ((await readlink(`/proc/self/fd/${file.fd}`)) !== place) throw new ToolError(`${this.told(place)}: is not where it should be`);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

async function isThere(place: string): Promise<boolean> {
  return realpath(place).then(
    () => true,
    () => false,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "is a folder",
  ENOTDIR: "a part of it is no folder",
  ELOOP: "is a link, which is not followed",
  EROFS: "the workspace can only be read",
  EACCES: "may not be touched",
  ENOSPC: "there is no room left",
};

function failing(path: string) {
  return (error: unknown): never => {
    throw new ToolError(`${path}: ${REASONS[codeOf(error)] ?? `fails with ${codeOf(error)}`}`);
  };
}
