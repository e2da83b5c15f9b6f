import { DurableObject } from "cloudflare:workers";
import type { Found, Look, News, Stock, Told } from "./contract.ts";
import { BROKEN, Flight } from "./flight.ts";
import { Shelf } from "./shelf.ts";

const now = () => Date.now();
/** What expires within a minute of each other is dropped together. */
const TIDY_MS = 60_000;

/** A shelf of one scope's answers: those that are kept, in its own SQLite, and those that are being made, in memory. */
export class CacheObject extends DurableObject<object> {
  readonly #shelf: Shelf;
  readonly #flights = new Map<string, Flight>();
  /** The flight of each question that can be followed. */
  readonly #open = new Map<string, string>();

  constructor(ctx: DurableObjectState, env: object) {
    super(ctx, env);
    this.#shelf = new Shelf(ctx.storage.sql);
  }

  /** Finds an answer, or who makes it; where nobody does, the asker is to. */
  look({ digest, refresh, ageMsMax, room }: Look): Found {
    this.#sweep();
    const known = refresh ? null : this.#shelf.find(digest, { now: now(), ageMsMax });
    if (known) return { kind: "hit", facts: known.facts, bytes: known.bytes, savedUsd: known.costUsd };
    const going = refresh ? undefined : this.#open.get(digest);
    if (going !== undefined) return { kind: "follow", flight: going, follower: this.#flights.get(going)!.join(now()) };
    const flight = crypto.randomUUID();
    this.#flights.set(flight, new Flight(digest, room, now()));
    this.#open.set(digest, flight);
    return { kind: "lead", flight };
  }

  /** Hears of an answer in the making; says how many follow it, and null where nobody wants to hear more. */
  async tell(name: string, told: Told): Promise<number | null> {
    const flight = this.#flights.get(name);
    if (!flight || flight.ended) return null;
    flight.hear(told, now());
    if (told.ended?.kind === "whole" && flight.keeps && flight.facts) {
      const kept = { facts: flight.facts, bytes: flight.bytes, costUsd: told.ended.costUsd };
      this.ctx.storage.transactionSync(() => this.#shelf.keep(flight.digest, kept, { room: flight.room, now: now() }));
      await this.#wake(now() + flight.room.ttlMs);
    }
    if (!flight.isOpen) this.#close(name, flight);
    const followers = flight.followers(now());
    if (flight.isOpen || followers > 0) return followers;
    this.#drop(name, flight);
    return null;
  }

  /** What a follower has not heard yet. */
  async next(name: string, follower: string, offset: number): Promise<News> {
    const news = (await this.#flights.get(name)?.next(follower, offset, now)) ?? BROKEN;
    if (news.ended) this.leave(name, follower);
    return news;
  }

  /** A follower wants no more; the last of an answer that has ended takes it out of memory. */
  leave(name: string, follower: string): void {
    const flight = this.#flights.get(name);
    flight?.leave(follower);
    if (flight?.ended && flight.followers(now()) === 0) this.#drop(name, flight);
  }

  /** Drops every answer, and keeps none that is being made at this moment. */
  purge(): Stock {
    for (const [name, flight] of this.#flights) {
      flight.keeps = false;
      this.#close(name, flight);
    }
    return this.ctx.storage.transactionSync(() => this.#shelf.clear());
  }

  stock(): Stock {
    return this.#shelf.stock;
  }

  override async alarm(): Promise<void> {
    const next = this.ctx.storage.transactionSync(() => this.#shelf.tidy(now()));
    if (next !== null) await this.ctx.storage.setAlarm(Math.max(next, now() + TIDY_MS));
  }

  /** Ends flights whose leaders are gone, and forgets those that nobody hears any more. */
  #sweep(): void {
    for (const [name, flight] of this.#flights) {
      const over = flight.isOver(now());
      if (!flight.isOpen) this.#close(name, flight);
      if (over) this.#drop(name, flight);
    }
  }

  #drop(name: string, flight: Flight): void {
    this.#close(name, flight);
    this.#flights.delete(name);
  }

  #close(name: string, { digest }: Flight): void {
    if (this.#open.get(digest) === name) this.#open.delete(digest);
  }

  async #wake(at: number): Promise<void> {
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > at) await this.ctx.storage.setAlarm(at);
  }
}
