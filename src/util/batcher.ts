/**
 * Collects what is asked for in one turn of the event loop and carries it out in one call, a few calls at a time.
 * While calls are under way new items gather, so batches grow with load and an idle system pays no waiting.
 */

export interface BatcherOptions<Item, Result> {
  readonly maxItems: number;
  /** How many calls may be under way at once. 1 keeps the order of batches. @defaultValue 2 */
  readonly maxInFlight?: number;
  /** With `maxBytes`: the weight of an item; a batch is closed before it grows over the limit. */
  readonly weigh?: (item: Item) => number;
  readonly maxBytes?: number;
  /** Carries out a batch; the result of each item in its place, or an Error for that item alone. */
  readonly run: (items: Item[]) => Promise<(Result | Error)[]>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

export class Batcher<Item, Result> {
  readonly #options: BatcherOptions<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #inFlight = 0;
  #scheduled = false;
  #idleListeners: (() => void)[] = [];

  constructor(options: BatcherOptions<Item, Result>) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#waiting.length === 0;
  }

  add(item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  /** Settles when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    if (this.isIdle) return;
    await new Promise<void>((resolve) => this.#idleListeners.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= (this.#options.maxInFlight ?? 2)) return;
    this.#scheduled = true;
    // An immediate, not a microtask: everything that this turn's replies set off joins the same batch.
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#inFlight < (this.#options.maxInFlight ?? 2)) {
      void this.#carryOut(this.#nextBatch());
    }
  }

  #nextBatch(): Waiting<Item, Result>[] {
    const { maxItems, maxBytes, weigh } = this.#options;
    let count = Math.min(maxItems, this.#waiting.length);
    if (maxBytes !== undefined && weigh !== undefined) {
      let bytes = 0;
      for (let i = 0; i < count; i += 1) {
        bytes += weigh((this.#waiting[i] as Waiting<Item, Result>).item);
        if (bytes > maxBytes && i > 0) count = i;
      }
    }
    if (count === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = [];
      return all;
    }
    return this.#waiting.splice(0, count);
  }

  async #carryOut(batch: Waiting<Item, Result>[]): Promise<void> {
    this.#inFlight += 1;
    try {
      const results = await this.#options.run(batch.map((waiting) => waiting.item));
      batch.forEach((waiting, i) => {
        const result = results[i];
        if (result instanceof Error) waiting.reject(result);
        else waiting.resolve(result as Result);
      });
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      for (const waiting of batch) waiting.reject(reason);
    } finally {
      this.#inFlight -= 1;
      if (this.#waiting.length > 0) this.#schedule();
      else if (this.#inFlight === 0) {
        const listeners = this.#idleListeners;
        this.#idleListeners = [];
        for (const listener of listeners) listener();
      }
    }
  }
}
