/**
 * Idle waiting that loses nothing: BLMOVE into an inbox of ours, one socket for each watched list, opened when first
 * needed. Redis serves blocked clients in the order they came, and Python members re-issue their BRPOP every second, so
 * ours is re-issued after 0.5 to 1.5 s: a client that blocks for longer would take nearly all (docs/adr/0003).
 *
 * A list landed when something lies in its inbox: the fetcher takes it from there, or gives it back when no slot is free.
 */
import type { Logger } from '../log.ts';
import type { RedisPort } from '../redis/port.ts';
import type { Nudge } from '../util/nudge.ts';
import { sleep } from '../util/sleep.ts';

export interface BlockingWaitsOptions {
  readonly logger: Logger;
  /** The key of our inbox for a list. */
  readonly inboxOf: (list: string) => string;
  /** Whether a pop may begin: what it brings must be wanted. */
  readonly mayPop: () => boolean;
  /** Opens a connection for one list; commands on it are never re-sent by themselves. */
  readonly open: () => RedisPort;
  /** For CLIENT UNBLOCK. */
  readonly commands: RedisPort;
  /** Given when something landed; whoever gives it from outside ends the wait under way. */
  readonly nudge: Nudge;
}

interface Watch {
  readonly list: string;
  readonly port: RedisPort;
  /** Undefined while the socket is not open. */
  clientId: number | undefined;
  /** The pops on this list, one after the other; undefined while none is wanted. */
  pending: Promise<void> | undefined;
  /** Redis was asked for a message and has not answered. */
  isBlocking: boolean;
}

const SHORTEST_POP_MS = 500;
export const LONGEST_POP_MS = 1500;

/** The time of one pop, or of one look at lists that nothing blocks on. */
export function popMs(): number {
  return SHORTEST_POP_MS + Math.random() * (LONGEST_POP_MS - SHORTEST_POP_MS);
}

export class BlockingWaits {
  /** Inboxes that may hold something, and the list each belongs to. Emptied by the fetcher. */
  readonly landed = new Map<string, string>();
  readonly #options: BlockingWaitsOptions;
  readonly #watches = new Map<string, Watch>();
  /** While true, a pop that came to its end empty-handed is followed by the next. */
  #isWaiting = false;

  constructor(options: BlockingWaitsOptions) {
    this.#options = options;
  }

  /**
   * Waits until something lands, somebody nudges, or `maxMs` are over; not so long while a list's socket is not open.
   * Pops on other lists go on blocking while there is a slot for whatever they bring (`free`), since ending and beginning
   * them anew costs more than all the rest of a task's way; else they are ended.
   */
  async wait(lists: readonly string[], maxMs: number, free: number): Promise<void> {
    const watches = lists.map((list) => this.#watch(list));
    const ms = Math.min(maxMs, watches.every((watch) => watch.clientId !== undefined) ? Infinity : popMs());
    if (ms < 5) return;
    this.#isWaiting = true;
    for (const watch of watches) watch.pending ??= this.#pop(watch);
    if (this.landed.size === 0) await this.#options.nudge.wait(ms);
    this.#isWaiting = false;
    // Not awaited: a pop that began to block too late to hear of it lands later, and is given back if need be.
    if (free <= this.#watches.size) void this.unblock();
  }

  /** Ends every blocking pop; settles when each has answered. */
  async unblock(): Promise<void> {
    const pending: Promise<void>[] = [];
    for (const watch of this.#watches.values()) {
      if (watch.pending === undefined) continue;
      pending.push(watch.pending);
      if (!watch.isBlocking || watch.clientId === undefined) continue;
      // Not allowed, or gone meanwhile: the pop ends by its own time-out.
      this.#options.commands.command('CLIENT', 'UNBLOCK', watch.clientId).catch(() => undefined);
    }
    await Promise.all(pending);
  }

  /** Settles when nothing can land any more. */
  /** Drops the connections. */
  destroy(): void {
    for (const watch of this.#watches.values()) watch.port.destroy();
    this.#watches.clear();
  }

  async close(): Promise<void> {
    const ended = this.unblock();
    for (const watch of this.#watches.values()) if (!watch.isBlocking) watch.port.destroy();
    await ended;
    for (const watch of this.#watches.values()) watch.port.destroy();
    this.#watches.clear();
  }

  #watch(list: string): Watch {
    const known = this.#watches.get(list);
    if (known !== undefined) return known;
    const port = this.#options.open();
    const watch: Watch = { list, port, clientId: undefined, pending: undefined, isBlocking: false };
    port.on('lost', () => (watch.clientId = undefined));
    this.#watches.set(list, watch);
    return watch;
  }

  async #pop(watch: Watch): Promise<void> {
    const { list, port } = watch;
    // The inbox of the instance we are when the pop begins: the process may join anew while it blocks.
    let inbox = this.#options.inboxOf(list);
    try {
      await port.connect();
      watch.clientId ??= Number(await port.command('CLIENT', 'ID'));
      while (this.#isWaiting && this.#options.mayPop()) {
        inbox = this.#options.inboxOf(list);
        watch.isBlocking = true;
        const moved = await port.command('BLMOVE', list, inbox, 'RIGHT', 'LEFT', (popMs() / 1000).toFixed(3));
        watch.isBlocking = false;
        if (moved === null) continue;
        this.#land(inbox, list);
        return;
      }
    } catch (error) {
      // The connection went, or Redis refuses: the key is no list (which `take` reports), the user may not do this.
      this.#options.logger.debug(`Waiting on ${JSON.stringify(list)} was cut short`, { error });
      await this.#lookUntilEnded(inbox, watch);
    } finally {
      watch.isBlocking = false;
      watch.pending = undefined;
    }
  }

  /**
   * The reply of a pop may have been lost on the way; and as long as Redis does not know that the connection is gone, the
   * pop goes on there, and lands unheard. So the inbox is looked into until it must have ended.
   */
  async #lookUntilEnded(inbox: string, watch: Watch): Promise<void> {
    const untilMs = watch.isBlocking ? LONGEST_POP_MS : SHORTEST_POP_MS;
    watch.isBlocking = false;
    this.#land(inbox, watch.list);
    for (let waitedMs = 0; waitedMs < untilMs; waitedMs += SHORTEST_POP_MS) {
      await sleep(SHORTEST_POP_MS);
      this.#land(inbox, watch.list);
    }
  }

  #land(inbox: string, list: string): void {
    this.landed.set(inbox, list);
    this.#options.nudge.give();
  }
}
