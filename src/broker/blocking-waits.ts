/**
 * Idle waiting that loses nothing: BLMOVE into an inbox of ours, one socket for each watched list, opened when first
 * needed. Redis serves blocked clients in the order they came, and Python members re-issue their BRPOP every second, so
 * ours is re-issued at 0.5 to 1.5 s: a client that blocks for longer would take nearly all (docs/adr/0003).
 *
 * A list landed when something lies in its inbox: the fetcher takes it from there, or gives it back when no slot is free.
 */
import type { Logger } from '../log.ts';
import type { RedisPort } from '../redis/port.ts';
import type { Nudge } from '../util/nudge.ts';
import { sleep } from '../util/sleep.ts';

export interface BlockingWaitsOptions {
  readonly logger: Logger;
  /** Opens a connection for one list; commands on it are never re-sent by themselves. */
  readonly open: () => RedisPort;
  /** For CLIENT UNBLOCK. */
  readonly commands: RedisPort;
  /** Given when something landed; whoever gives it from outside ends the wait under way. */
  readonly nudge: Nudge;
}

interface Watch {
  readonly port: RedisPort;
  clientId: number | undefined;
  pending: Promise<void> | undefined;
  /** Where the last pop lands. */
  inbox: string | undefined;
}

const SHORTEST_WAIT_MS = 500;
export const LONGEST_WAIT_MS = 1500;

export class BlockingWaits {
  /** Inboxes that may hold something, and the list each belongs to. Emptied by the fetcher. */
  readonly landed = new Map<string, string>();
  readonly #options: BlockingWaitsOptions;
  readonly #watches = new Map<string, Watch>();

  constructor(options: BlockingWaitsOptions) {
    this.#options = options;
  }

  /**
   * Waits until something lands, somebody nudges, or the time for one wait (`maxMs` at most) is over. Pops on other lists
   * go on blocking while there is a slot for whatever they bring (`free`), since ending and beginning them anew costs more
   * than all the rest of a task's way; else they are ended.
   */
  async wait(lists: readonly string[], inboxOf: (list: string) => string, maxMs: number, free: number): Promise<void> {
    const ms = Math.min(maxMs, SHORTEST_WAIT_MS + Math.random() * (LONGEST_WAIT_MS - SHORTEST_WAIT_MS));
    if (ms < 5) return;
    for (const list of lists) {
      const watch = this.#watch(list);
      watch.pending ??= this.#block(watch, list, inboxOf(list), ms / 1000);
    }
    if (this.landed.size === 0) await this.#options.nudge.wait(ms);
    // Not awaited: a pop that began to block too late to hear of it lands later, and is given back if need be.
    if (free <= this.#watches.size) void this.unblock();
  }

  /** Ends every blocking pop; settles when each has answered. */
  async unblock(): Promise<void> {
    const pending: Promise<void>[] = [];
    for (const watch of this.#watches.values()) {
      if (watch.pending === undefined) continue;
      pending.push(watch.pending);
      if (watch.clientId === undefined) continue;
      // Not allowed, or gone meanwhile: the pop ends by its own time-out.
      this.#options.commands.command('CLIENT', 'UNBLOCK', watch.clientId).catch(() => undefined);
    }
    await Promise.all(pending);
  }

  async close(): Promise<void> {
    await this.unblock();
    for (const watch of this.#watches.values()) watch.port.destroy();
    this.#watches.clear();
  }

  #watch(list: string): Watch {
    const known = this.#watches.get(list);
    if (known !== undefined) return known;
    const port = this.#options.open();
    const watch: Watch = { port, clientId: undefined, pending: undefined, inbox: undefined };
    port.on('lost', () => {
      watch.clientId = undefined;
      // The reply of a pop may have been lost on the way: look into the inbox.
      if (watch.inbox !== undefined) this.landed.set(watch.inbox, list);
    });
    this.#watches.set(list, watch);
    return watch;
  }

  async #block(watch: Watch, list: string, inbox: string, seconds: number): Promise<void> {
    // The inbox of the instance we are now: the process may join anew while the pop still blocks.
    watch.inbox = inbox;
    try {
      await watch.port.connect();
      watch.clientId ??= Number(await watch.port.command('CLIENT', 'ID'));
      const moved = await watch.port.command('BLMOVE', list, inbox, 'RIGHT', 'LEFT', seconds.toFixed(3));
      if (moved !== null) this.#land(inbox, list);
    } catch (error) {
      // The connection went, or the key is no list (which `take` reports): no hurry to try again.
      this.landed.set(inbox, list);
      this.#options.logger.debug(`Waiting on ${JSON.stringify(list)} was cut short`, { error });
      await sleep(SHORTEST_WAIT_MS);
    } finally {
      watch.pending = undefined;
    }
  }

  #land(inbox: string, list: string): void {
    this.landed.set(inbox, list);
    this.#options.nudge.give();
  }
}
