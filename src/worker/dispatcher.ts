/**
 * Gives reserved requests to free slots, in order. `#fill` is synchronous, so counters never change between look and leap.
 *
 * A slot is free again as soon as the handler has ended, while its result is still on the way to Redis; how many may be on
 * the way is bounded, so that a backend that is away stops the work instead of filling the memory.
 */
import type { Demand } from '../broker/fetcher.ts';
import { hasEnd } from '../tasks/hooks.ts';
import type { Outcome } from '../tasks/outcome.ts';
import type { Pool } from './pool/pool.ts';
import type { Request } from './request.ts';
import type { WorkerState } from './state.ts';

export interface DispatcherOptions {
  readonly state: WorkerState;
  readonly pool: Pool;
  /** How many un-acknowledged messages may be held; Infinity: no limit. */
  readonly prefetchCount: number;
  /** How many requests wait for their rate limit: held, and not ready for a slot. */
  readonly limited: () => number;
  /** Decides whether a request that got a slot may start; what makes it start is done when this says true. */
  readonly accept: (request: Request) => boolean | Promise<boolean>;
  /** Carries the outcome through: stores, acknowledges, logs. */
  readonly settle: (request: Request, outcome: Outcome) => Promise<void>;
  /** Something of ours failed on the way. */
  readonly failed: (request: Request, error: unknown) => void;
  /** The request is done with. */
  readonly done: (request: Request) => void;
  /** Demand has changed. */
  readonly changed: () => void;
}

/** Results on their way to Redis beyond which nothing new is started. */
const MAX_UNSETTLED = 1000;
/** A worker without a prefetch limit still holds no more than this ahead of its slots. */
const MAX_AHEAD = 10_000;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #ahead: number;
  /** Held at once, whatever they wait for. */
  readonly #most: number;
  #running = 0;
  #unsettled = 0;
  #stopped = false;
  #abandoned = false;
  #idle: (() => void)[] = [];

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#ahead = Math.min(MAX_AHEAD, Math.max(0, options.prefetchCount - options.pool.concurrency));
    this.#most = options.pool.concurrency + this.#ahead;
  }

  get running(): number {
    return this.#running;
  }

  reserve(request: Request): void {
    this.#options.state.reserved.push(request);
    this.#fill();
  }

  /** What the worker can take now. Looks ahead only when half of what it may hold ahead is used up: fewer, larger takes. */
  demand(): Demand {
    const { pool, state } = this.#options;
    if (this.#stopped || this.#unsettled >= MAX_UNSETTLED) return { free: 0, room: 0, ahead: 0 };
    const reserved = state.reserved.length;
    const limited = this.#options.limited();
    const busy = this.#running + reserved;
    const free = Math.max(0, Math.min(pool.concurrency - busy, this.#most - busy - limited));
    const ahead = Math.max(0, busy - pool.concurrency) + limited;
    const room = ahead * 2 <= this.#ahead ? this.#ahead - ahead : 0;
    return { free, room, ahead };
  }

  /** Starts nothing more; what waits stays in `state.reserved`. Settles when all that runs is settled. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#running === 0 && this.#unsettled === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** What still runs is no longer settled: its messages were put back, or go with the process. */
  abandon(): void {
    this.#stopped = true;
    this.#abandoned = true;
  }

  #fill(): void {
    const { state, pool } = this.#options;
    while (!this.#stopped && this.#running < pool.concurrency && this.#unsettled < MAX_UNSETTLED) {
      const request = state.reserved.shift();
      if (request === undefined) return;
      this.#running += 1;
      void this.#process(request);
    }
  }

  /**
   * A request's way from its slot to its settlement. Never rejects. One function and few promises: on the hot path each
   * promise costs about a microsecond, since task code may ask for its context after any await.
   */
  async #process(request: Request): Promise<void> {
    const { accept, pool, settle, failed, done } = this.#options;
    let hasSlot = true;
    try {
      const accepted = accept(request);
      if (!(typeof accepted === 'boolean' ? accepted : await accepted)) return;
      const outcome = await pool.run(request);
      // Hooks and signals run in the slot, so that in pool solo, too, one task's do not meet the next task.
      if (!hasEnd(request.type.definition)) {
        hasSlot = false;
        this.#running -= 1;
        this.#unsettled += 1;
        this.#freed();
      }
      if (this.#abandoned) return;
      await settle(request, outcome);
    } catch (error) {
      failed(request, error);
    } finally {
      if (hasSlot) this.#running -= 1;
      else this.#unsettled -= 1;
      done(request);
      this.#freed();
    }
  }

  #freed(): void {
    this.#fill();
    this.#options.changed();
    if (this.#running === 0 && this.#unsettled === 0) {
      const waiting = this.#idle;
      this.#idle = [];
      for (const resolve of waiting) resolve();
    }
  }
}
