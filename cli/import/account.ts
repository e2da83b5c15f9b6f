/** What became of one value of the configuration that is imported: where it went, or why it went nowhere. */
export interface Line {
  /** Where it stands: `model_list.0.litellm_params.model`. */
  readonly path: string;
  readonly to: string | null;
  readonly reason: string | null;
}

const UNKNOWN = "not known to this importer";

/** Keeps account of every value of a document, so that none can be passed over in silence. */
export class Account {
  readonly #root: Part;
  readonly #lines = new Map<string, Line>();

  constructor(document: unknown) {
    this.#root = new Part(document, "", this);
  }

  /** The document as a whole. */
  get root(): Part {
    return this.#root;
  }

  /** Takes down what became of a value; what was said of it first stands. */
  note(line: Line): void {
    if (!this.#lines.has(line.path)) this.#lines.set(line.path, line);
  }

  /** A line for every value of the document, in its order. */
  lines(): Line[] {
    return this.#root.leaves().map(({ path }) => this.#lines.get(path) ?? { path, to: null, reason: UNKNOWN });
  }
}

/** A value within a document, and where it stands; absent ones are parts too, which hold nothing. */
export class Part {
  readonly value: unknown;
  readonly path: string;
  readonly #account: Account;

  constructor(value: unknown, path: string, account: Account) {
    this.value = value;
    this.path = path;
    this.#account = account;
  }

  /** The value under a name, or under several in turn. */
  at(...names: readonly string[]): Part {
    return names.reduce<Part>((part, name) => part.#below(name), this);
  }

  /** The members of a list; none of anything else. */
  get items(): Part[] {
    return Array.isArray(this.value) ? this.value.map((_, at) => this.#below(String(at))) : [];
  }

  /** The members of an object with their names; none of anything else. */
  get entries(): [string, Part][] {
    return isObject(this.value) ? Object.keys(this.value).map((name) => [name, this.#below(name)]) : [];
  }

  get present(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  /** Its text, where it is one. */
  get text(): string | null {
    return typeof this.value === "string" && this.value !== "" ? this.value : null;
  }

  /** Its number, where it is one or the text of one. */
  get number(): number | null {
    const value = typeof this.value === "string" && this.value.trim() !== "" ? Number(this.value) : this.value;
    return typeof value === "number" && Number.isFinite(value) ? value : null;
  }

  /** Its texts, where it is a list of them, or the one that it is. */
  get texts(): string[] {
    return (Array.isArray(this.value) ? this.items : [this]).flatMap(({ text }) => text ?? []);
  }

  /** Says that everything in it went somewhere. */
  to(where: string): this {
    for (const { path } of this.leaves()) this.#account.note({ path, to: where, reason: null });
    return this;
  }

  /** Says why what is in it, and went nowhere yet, goes nowhere. */
  left(reason: string): this {
    for (const { path } of this.leaves()) this.#account.note({ path, to: null, reason });
    return this;
  }

  /** What holds no others: single values, and lists and objects without members. */
  leaves(): Part[] {
    const inner = Array.isArray(this.value) ? this.items : this.entries.map(([, part]) => part);
    if (inner.length > 0) return inner.flatMap((part) => part.leaves());
    return this.value === undefined || this.path === "" ? [] : [this];
  }

  #below(name: string): Part {
    const inner = Array.isArray(this.value) ? this.value[Number(name)] : isObject(this.value) ? own(this.value, name) : undefined;
    return new Part(inner, this.path === "" ? name : `${this.path}.${name}`, this.#account);
  }
}

function own(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? (object as Readonly<Record<string, unknown>>)[name] : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
